package openai

import (
	"context"
	"net/http"
	"path"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

func TestA429OutsideAListFailsFastAndPausesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := budget.NewLimiter(6000)
		shared := func(c *Config) { c.Limiter = limiter }
		one, oneAPI := newMemoryClient(t, answers(throttle("Retry-After", "30"), ok(userJSON)), shared)
		other, otherAPI := newMemoryClient(t, answers(ok(userJSON)), shared)

		began := time.Now()
		_, err := one.GetUser(t.Context(), "user-1")
		e, _ := AsError(err)
		if !IsRateLimited(err) || e.RetryAfter != 30*time.Second || e.Code != "rate_limit_exceeded" {
			t.Fatalf("got %+v", err)
		}
		time.Sleep(10 * time.Second)
		err = NewChanger(other).DeleteUser(t.Context(), "user-1")
		if e, _ = AsError(err); !IsRateLimited(err) || e.RetryAfter != 20*time.Second {
			t.Fatalf("the other client got %+v", err)
		}
		if time.Since(began) != 10*time.Second || len(oneAPI.requests()) != 1 || len(otherAPI.requests()) != 0 {
			t.Errorf("after %s: %d and %d requests", time.Since(began), len(oneAPI.requests()), len(otherAPI.requests()))
		}
		time.Sleep(e.RetryAfter)
		for _, client := range []*Client{one, other} {
			if _, err := client.GetUser(t.Context(), "user-1"); err != nil {
				t.Errorf("after the pause: %v", err)
			}
		}
	})
}

func TestAPauseOfASecondIsWaitedOutByAnyCall(t *testing.T) {
	for pause, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Second + time.Millisecond: 0} {
		synctest.Test(t, func(t *testing.T) {
			client, api := newMemoryClient(t, answers(ok(userJSON)))
			client.limiter.Pause(pause)
			began := time.Now()
			_, err := client.GetUser(t.Context(), "user-1")
			if took := time.Since(began); took != want || (err == nil) != (want > 0) || (len(api.requests()) > 0) != (want > 0) {
				t.Errorf("in a pause of %s it took %s, %v", pause, took, err)
			}
		})
	}
}

func TestCallsInTheBackgroundWaitBehindTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, api := newMemoryClient(t, answers(ok(userJSON)), func(c *Config) { c.Limiter = budget.NewLimiter(60) })
		if !client.limiter.TryTake(budget.Calls{EndpointGetUser: 2}) { // the burst
			t.Fatal("the burst was not there")
		}
		for _, call := range []struct {
			user string
			ctx  context.Context
		}{{"b1", InBackground(t.Context())}, {"b2", InBackground(t.Context())}, {"f1", t.Context()}, {"f2", t.Context()}} {
			// The answer is another user: only the order of the requests matters.
			go func() { _, _ = client.GetUser(call.ctx, call.user) }()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var order []string
		for _, request := range api.requests() {
			order = append(order, path.Base(request.path))
		}
		if diff := cmp.Diff([]string{"f1", "f2", "b1", "b2"}, order); diff != "" {
			t.Error(diff)
		}
	})
}

func TestA503WithRetryAfterPausesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := apiError(503, "", "overloaded")
		down.header = map[string]string{"Retry-After": "5"}
		client, api := newMemoryClient(t, answers(down, ok(userJSON)))
		_, err := client.GetUser(t.Context(), "user-1")
		if e, _ := AsError(err); !IsTransient(err) || e.RetryAfter != 5*time.Second {
			t.Errorf("got %+v", err)
		}
		if _, err := client.GetUser(t.Context(), "user-1"); !IsRateLimited(err) || len(api.requests()) != 1 {
			t.Errorf("got %v", err)
		}
	})
}

func TestHowLongToWaitIsReadFromTheHeaders(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"nothing":                {nil, 0},
		"seconds":                {map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"seconds with a part":    {map[string]string{"Retry-After": " 1.5 "}, 1500 * time.Millisecond},
		"milliseconds win":       {map[string]string{"Retry-After": "7", "Retry-After-Ms": "250"}, 250 * time.Millisecond},
		"bad milliseconds don't": {map[string]string{"Retry-After": "7", "Retry-After-Ms": "soon"}, 7 * time.Second},
		"a date":                 {map[string]string{"Retry-After": now.Add(90 * time.Second).Format(http.TimeFormat)}, 90 * time.Second},
		"a date gone by":         {map[string]string{"Retry-After": now.Add(-time.Hour).Format(http.TimeFormat)}, 0},
		"a date in another year": {map[string]string{"Retry-After": now.AddDate(9, 0, 0).Format(http.TimeFormat)}, time.Hour},
		"zero":                   {map[string]string{"Retry-After": "0"}, 0},
		"absurd":                 {map[string]string{"Retry-After": "1e300"}, time.Hour},
		"more absurd":            {map[string]string{"Retry-After": "1e400"}, time.Hour},
		"negative":               {map[string]string{"Retry-After": "-1"}, 0},
		"not a number":           {map[string]string{"Retry-After": "NaN"}, 0},
		"words":                  {map[string]string{"Retry-After": "tomorrow"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			for k, v := range test.header {
				header.Set(k, v)
			}
			if got := retryAfter(header, now); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestHowLongToWaitIsReadFromTheTextToo(t *testing.T) {
	limit := "Rate limit reached for org-acme on requests per min. Limit: 3 / min. "
	for message, want := range map[string]time.Duration{
		limit + "Please try again in 6.937s. Contact us if you continue to have issues.": 6937 * time.Millisecond,
		limit + "Please try again in 120ms.":                                             120 * time.Millisecond,
		limit + "Please try again in 1m2s.":                                              62 * time.Second,
		limit + "please try again in 1h20m0.5s":                                          time.Hour,
		limit + "Please try again in 20ms.":                                              minPause,
		limit + "Please try again in 0s.":                                                0,
		limit + "Please try again in 99999999999999999999s.":                             0,
		limit + "Please try again in a moment.":                                          0,
		limit + "Please try again in 5 requests.":                                        0,
		"Please try again in 5.":                                                         0,
		"":                                                                               0,
	} {
		if got := retryInWords(message); got != want {
			t.Errorf("%q: got %s, want %s", message, got, want)
		}
	}
}

func TestAHintThatIsNoneIsNotObeyed(t *testing.T) {
	text := `{"error":{"message":"Please try again in 6.5s.","type":"requests","param":null,"code":"rate_limit_exceeded"}}`
	for name, test := range map[string]struct {
		answer answer
		want   time.Duration
	}{
		"zero":                   {throttle("Retry-After", "0"), time.Second},
		"zero in milliseconds":   {throttle("Retry-After-Ms", "0"), time.Second},
		"the past":               {throttle("Retry-After", "Thu, 21 Oct 1999 07:28:00 GMT"), time.Second},
		"the text":               {answer{status: 429, body: text}, 6500 * time.Millisecond},
		"zero, but for the text": {answer{status: 429, header: map[string]string{"Retry-After": "0"}, body: text}, 6500 * time.Millisecond},
		"the header wins":        {answer{status: 429, header: map[string]string{"Retry-After": "9"}, body: text}, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := newMemoryClient(t, answers(test.answer))
				_, err := client.GetUser(t.Context(), "user-1")
				if e, _ := AsError(err); !IsRateLimited(err) || e.RetryAfter != test.want || client.limiter.Paused() != test.want {
					t.Errorf("paused for %s, got %+v", client.limiter.Paused(), err)
				}
			})
		})
	}
}
