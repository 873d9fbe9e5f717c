package openai

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// simulated has the simulated organization answer without a network, 50 ms
// after each request, and counts its answers.
type simulated struct {
	*openaitest.Organization
	begun time.Time

	mu      sync.Mutex
	answers map[string][]minute
}

// minute is what was answered in a minute.
type minute struct{ accepted, refused int }

const simulatedLatency = 50 * time.Millisecond

func newSimulated(t *testing.T, requestsPerMinute int) (*simulated, *Client) {
	t.Helper()
	sim := &simulated{Organization: openaitest.New("org-acme", testKey), begun: time.Now(), answers: map[string][]minute{}}
	client, _ := newMemoryClient(t, nil, func(c *Config) { c.Limiter = budget.NewLimiter(requestsPerMinute) })
	client.http.Transport = sim
	return sim, client
}

func (s *simulated) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(simulatedLatency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int(time.Since(s.begun) / time.Minute)
	for len(s.answers[r.Method]) <= n {
		s.answers[r.Method] = append(s.answers[r.Method], minute{})
	}
	if recorder.Code == http.StatusTooManyRequests {
		s.answers[r.Method][n].refused++
	} else {
		s.answers[r.Method][n].accepted++
	}
	return recorder.Result(), nil
}

// between sums the answers to a method from one minute to another.
func (s *simulated) between(method string, from, to int) minute {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum minute
	for n, m := range s.answers[method] {
		if n >= from && n < to {
			sum.accepted += m.accepted
			sum.refused += m.refused
		}
	}
	return sum
}

// ask has so many workers make the call without end, each waiting as it is told
// after a 429, as a reconciler does. It ends with the context.
func ask(ctx context.Context, workers int, call func(context.Context) error) *sync.WaitGroup {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				if e, ok := AsError(call(ctx)); ok && e.RetryAfter > 0 {
					time.Sleep(e.RetryAfter)
				}
			}
		})
	}
	return &all
}

// takeTurns is the other way to ask: turns that take their tokens first.
func takeTurns(ctx context.Context, l *budget.Limiter, calls budget.Calls, call func(context.Context) error) *sync.WaitGroup {
	var all sync.WaitGroup
	all.Go(func() {
		for l.Take(ctx, budget.Foreground, calls) == nil {
			var turn sync.WaitGroup
			for range calls.Total() {
				turn.Go(func() { _ = call(Prepaid(ctx)) })
			}
			turn.Wait()
		}
	})
	return &all
}

// getUser asks for nobody: a 404 is an answer as good as any, and the smallest.
func getUser(client *Client) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := client.GetUser(ctx, "user-0")
		return err
	}
}

var everyHint = []openaitest.Hint{openaitest.HintRetryAfter, openaitest.HintText, openaitest.HintNone, openaitest.HintZero}

func TestTheRateOfAnEndpointFindsItself(t *testing.T) {
	for _, perMinute := range []int{10, 60} {
		for kind, burst := range map[string]int{"windows": 0, "a bucket of a minute": perMinute, "a bucket of one": 1} {
			for _, hint := range everyHint {
				for way, asked := range map[string]func(context.Context, *Client) *sync.WaitGroup{
					"8 workers": func(ctx context.Context, c *Client) *sync.WaitGroup { return ask(ctx, 8, getUser(c)) },
					"turns": func(ctx context.Context, c *Client) *sync.WaitGroup {
						return takeTurns(ctx, c.limiter, budget.Calls{EndpointGetUser: 1}, getUser(c))
					},
				} {
					t.Run(fmt.Sprintf("%d a minute, %s, hint %s, %s", perMinute, kind, hint, way), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							sim, client := newSimulated(t, 300)
							sim.Limit(openaitest.Limit{Method: "GET", Endpoint: "/organization/users/{id}", PerMinute: perMinute, Burst: burst, Hint: hint})
							const minutes = 30
							ctx, stop := context.WithTimeout(t.Context(), minutes*time.Minute)
							defer stop()
							asked(ctx, client).Wait()
							got := sim.between("GET", 1, minutes)
							refused := float64(got.refused) / float64(got.refused+got.accepted)
							used := float64(got.accepted) / float64(perMinute*(minutes-1))
							t.Logf("%.1f%% refused, %.0f%% used, first minute %+v", 100*refused, 100*used, sim.between("GET", 0, 1))
							if refused >= 0.05 || used < 0.8 {
								t.Errorf("%.1f%% refused, %.0f%% used; minutes: %+v", 100*refused, 100*used, sim.answers["GET"])
							}
						})
					})
				}
			}
		}
	}
}

func TestALimitThatIsLiftedIsFoundOutWithinMinutes(t *testing.T) {
	for _, hint := range everyHint {
		for _, perMinute := range []int{10, 60} {
			t.Run(fmt.Sprintf("%d a minute, hint %s", perMinute, hint), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sim, client := newSimulated(t, 300)
					sim.LimitEndpoint("GET", "/organization/users/{id}", perMinute, hint)
					ctx, stop := context.WithTimeout(t.Context(), 25*time.Minute)
					defer stop()
					time.AfterFunc(14*time.Minute+30*time.Second, sim.ClearLimits)
					ask(ctx, 8, getUser(client)).Wait()
					n := 15
					for ; n < 25 && sim.between("GET", n, n+1).accepted < 290; n++ {
					}
					t.Logf("after %d minutes", n-14)
					if n > 14+9 {
						t.Errorf("%+v", sim.answers["GET"])
					}
					if learnt := client.limiter.Learnt(); len(learnt) != 0 {
						t.Errorf("still held to %v", learnt)
					}
				})
			})
		}
	}
}

func TestALimitThatFallsIsFoundOutWithinAMinute(t *testing.T) {
	for _, hint := range everyHint {
		synctest.Test(t, func(t *testing.T) {
			sim, client := newSimulated(t, 300)
			sim.LimitEndpoint("GET", "/organization/users/{id}", 100, hint)
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Minute)
			defer stop()
			time.AfterFunc(10*time.Minute, func() { sim.LimitEndpoint("GET", "/organization/users/{id}", 10, hint) })
			ask(ctx, 8, getUser(client)).Wait()
			if got := sim.between("GET", 12, 30); float64(got.refused) >= 0.05*float64(got.accepted) || got.accepted < 8*18 {
				t.Errorf("%s: %+v of %+v", hint, got, sim.answers["GET"])
			}
		})
	}
}

func TestOnlyTheEndpointThatWasRefusedIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, client := newSimulated(t, 300)
		sim.LimitEndpoint("POST", "/organization/users/{id}", 10, openaitest.HintRetryAfter)
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Minute)
		defer stop()
		persona := "builder"
		posts := ask(ctx, 1, func(ctx context.Context) error {
			_, err := NewChanger(client).UpdateUser(ctx, "user-0", UserUpdate{DeveloperPersona: &persona})
			return err
		})
		ask(ctx, 8, getUser(client)).Wait()
		posts.Wait()
		get, post := sim.between("GET", 2, 20), sim.between("POST", 2, 20)
		t.Logf("GET %+v, POST %+v", get, post)
		if get.refused != 0 || get.accepted < 250*18 {
			t.Errorf("GET: %+v", get)
		}
		if post.accepted < 8*18 {
			t.Errorf("POST: %+v", post)
		}
		learnt := client.limiter.Learnt()
		if rate := learnt[EndpointUpdateUser]; len(learnt) != 1 || rate < 8 || rate > 16 {
			t.Errorf("learnt %v", learnt)
		}
	})
}

func TestALimitOfAllEndpointsTogetherIsFoundToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, client := newSimulated(t, 300)
		sim.LimitRate(60)
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Minute)
		defer stop()
		persona := "builder"
		posts := ask(ctx, 1, func(ctx context.Context) error {
			_, err := NewChanger(client).UpdateUser(ctx, "user-0", UserUpdate{DeveloperPersona: &persona})
			return err
		})
		ask(ctx, 4, getUser(client)).Wait()
		posts.Wait()
		get, post := sim.between("GET", 2, 30), sim.between("POST", 2, 30)
		t.Logf("GET %+v, POST %+v", get, post)
		if refused := get.refused + post.refused; float64(refused) > 0.05*60*28 {
			t.Errorf("%d refused", refused)
		}
		if accepted := get.accepted + post.accepted; accepted < 48*28 {
			t.Errorf("%d accepted", accepted)
		}
	})
}

func TestALimitThatIsHitByATurnOfManyIsStillFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, client := newSimulated(t, 300)
		sim.LimitEndpoint("GET", "/organization/users/{id}", 30, openaitest.HintRetryAfter)
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Minute)
		defer stop()
		takeTurns(ctx, client.limiter, budget.Calls{EndpointGetUser: 5}, getUser(client)).Wait()
		got := sim.between("GET", 1, 30)
		t.Logf("%+v, learnt %v", got, client.limiter.Learnt())
		if got.accepted < 30*29*8/10 || float64(got.refused) > 0.1*float64(got.accepted) {
			t.Errorf("%+v of %+v", got, sim.answers["GET"])
		}
	})
}

func TestPrepaidCallsDoNotWaitButForAPauseTheyAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := `{"object":"list","data":[` + userJSON + `],"has_more":true,"last_id":"user-1"}`
		last := `{"object":"list","data":[],"has_more":false}`
		client, api := newMemoryClient(t, answers(ok(userJSON), ok(page), ok(last), throttle("Retry-After", "30")),
			func(c *Config) { c.Limiter = budget.NewLimiter(1) })
		if err := client.limiter.Take(t.Context(), budget.Foreground, budget.Calls{EndpointGetUser: 1, EndpointListUsers: 1}); err != nil {
			t.Error(err)
		}
		ctx := Prepaid(t.Context())
		if _, err := client.GetUser(ctx, "user-1"); err != nil {
			t.Error(err)
		}
		if _, err := client.ListUsersByEmail(ctx, []string{"ada@example.com"}); err != nil {
			t.Error(err)
		}
		// The list's second page had no token: it is owed, with one of the two that were taken.
		began := time.Now()
		if err := client.limiter.Take(t.Context(), budget.Foreground, budget.Calls{EndpointGetUser: 1}); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited < 3*time.Minute || waited > 3*time.Minute+5*time.Millisecond {
			t.Errorf("after them one waited for %s", waited)
		}
		began = time.Now()
		for range 2 {
			_, err := client.ListUsers(ctx)
			if e, _ := AsError(err); !IsRateLimited(err) || e.RetryAfter != 30*time.Second {
				t.Errorf("got %v", err)
			}
		}
		if n := len(api.requests()); time.Since(began) != 0 || n != 4 {
			t.Errorf("%d requests in %s", n, time.Since(began))
		}
	})
}
