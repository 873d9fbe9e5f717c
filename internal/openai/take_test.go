package openai

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

func taken(t *testing.T, l *Limiter, class Class, calls Calls) time.Duration {
	t.Helper()
	began := time.Now()
	if err := l.Take(t.Context(), class, calls); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

func about(got, want time.Duration) bool { return got >= want && got <= want+5*time.Millisecond }

func TestATurnTakesAllItsTokensAtOnceAndMoreThanABucketHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(60) // a burst of two
		if waited := taken(t, l, Foreground, Calls{EndpointListUsers: 1, EndpointUpdateUser: 40}); waited != 0 {
			t.Errorf("a full bucket let it wait for %s", waited)
		}
		// 39 are owed, and the next needs two.
		if waited := taken(t, l, Foreground, Calls{EndpointUpdateUser: 2}); !about(waited, 41*time.Second) {
			t.Errorf("the next waited for %s", waited)
		}
		if waited := taken(t, l, Foreground, nil); waited != 0 {
			t.Errorf("nothing waited for %s", waited)
		}
	})
}

func TestWhatIsReturnedCanBeTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(60)
		taken(t, l, Foreground, Calls{EndpointUpdateUser: 10})
		done := make(chan time.Duration)
		go func() { done <- taken(t, l, Foreground, Calls{EndpointUpdateUser: 1}) }()
		synctest.Wait()
		l.Return(Calls{EndpointUpdateUser: 9})
		if waited := <-done; waited != 0 {
			t.Errorf("waited for %s", waited)
		}
		l.Return(Calls{EndpointUpdateUser: 1000})
		time.Sleep(time.Hour)
		for range 2 {
			taken(t, l, Foreground, Calls{EndpointUpdateUser: 1})
		}
		if l.TryTake(Calls{EndpointUpdateUser: 1}) {
			t.Error("more was returned than the bucket holds, and it kept it")
		}
	})
}

func TestMoreIsTakenOnlyIfItIsThereAndNobodyWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(300) // a burst of ten
		one := Calls{EndpointUpdateUser: 1}
		for i := range 10 {
			if !l.TryTake(one) {
				t.Errorf("the one at %d of the burst was not there", i)
			}
		}
		if l.TryTake(one) {
			t.Error("there was one more")
		}
		go func() { _ = l.Take(t.Context(), Foreground, Calls{EndpointListUserRoles: 8}) }()
		time.Sleep(time.Second) // five are there, and somebody waits for eight
		if l.TryTake(one) {
			t.Error("it was taken from who waits")
		}
		time.Sleep(time.Second)
		if !l.TryTake(one) {
			t.Error("after the other there was none")
		}
		l.Pause(time.Second)
		if l.TryTake(one) {
			t.Error("it was taken in a pause")
		}
		time.Sleep(2 * time.Second)
		if !l.TryTake(one) {
			t.Error("after the pause there was none")
		}
	})
}

func TestATurnWaitsOutAnyPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(300)
		l.Pause(30 * time.Minute)
		if left := l.Paused(); left != 30*time.Minute {
			t.Errorf("%s are left", left)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := l.Take(ctx, Foreground, Calls{EndpointGetUser: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if waited := taken(t, l, Foreground, Calls{EndpointGetUser: 1}); waited != 29*time.Minute {
			t.Errorf("waited for %s", waited)
		}
		if left := l.Paused(); left != 0 {
			t.Errorf("%s are left", left)
		}
	})
}

func TestPrepaidCallsDoNotWaitButForAPauseTheyAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := `{"object":"list","data":[` + userJSON + `],"has_more":true,"last_id":"user-1"}`
		last := `{"object":"list","data":[],"has_more":false}`
		client, api := newMemoryClient(t, answers(ok(userJSON), ok(page), ok(last), throttle("Retry-After", "30")),
			func(c *Config) { c.Limiter = NewLimiter(1) })
		taken(t, client.limiter, Foreground, Calls{EndpointGetUser: 1, EndpointListUsers: 1})
		ctx := Prepaid(t.Context())
		if _, err := client.GetUser(ctx, "user-1"); err != nil {
			t.Error(err)
		}
		if _, err := client.ListUsersByEmail(ctx, []string{"ada@example.com"}); err != nil {
			t.Error(err)
		}
		// The list's second page had no token: it is owed, with one of the two that were taken.
		if waited := taken(t, client.limiter, Foreground, Calls{EndpointGetUser: 1}); !about(waited, 3*time.Minute) {
			t.Errorf("after them one waited for %s", waited)
		}
		began := time.Now()
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

// slowed is a limiter that learnt that an endpoint takes so many a minute.
func slowed(t *testing.T, endpoint Endpoint, perMinute float64) *Limiter {
	t.Helper()
	l := NewLimiter(300)
	l.endpoint(endpoint).refused(time.Now(), time.Now().Add(time.Nanosecond), 2*perMinute)
	if rate := l.Learnt()[endpoint]; rate < 0.9*perMinute || rate > perMinute {
		t.Fatalf("learnt %v", l.Learnt())
	}
	return l
}

func TestWhoWaitsForASlowEndpointHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slowed(t, EndpointDeleteUser, 10)
		done := make(chan time.Duration)
		go func() { done <- taken(t, l, Foreground, Calls{EndpointListUsers: 1, EndpointDeleteUser: 2}) }()
		synctest.Wait()
		for range 10 {
			if waited := taken(t, l, Foreground, Calls{EndpointUpdateUser: 1}); waited != 0 {
				t.Errorf("another endpoint waited for %s", waited)
			}
		}
		if waited := <-done; waited > 7*time.Second {
			t.Errorf("it waited for %s itself", waited)
		}
	})
}

func TestWhoWaitsForManyIsNotOvertakenByOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slowed(t, EndpointDeleteUser, 130) // a burst of four
		done := make(chan time.Duration)
		go func() { done <- taken(t, l, Foreground, Calls{EndpointDeleteUser: 4}) }()
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var others sync.WaitGroup
		for range 3 {
			others.Go(func() {
				for l.Take(ctx, Foreground, Calls{EndpointDeleteUser: 1}) == nil {
					continue
				}
			})
		}
		if waited := <-done; waited > 3*time.Second {
			t.Errorf("waited for %s", waited)
		}
		others.Wait()
	})
}

// contend has both classes ask all the time, and gives how many requests each made.
func contend(t *testing.T, l *Limiter, minutes int, fore, back func(n int) Calls) (foreground, background int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Duration(minutes)*time.Minute)
	defer stop()
	var mu sync.Mutex
	var all sync.WaitGroup
	for class, want := range map[Class]func(int) Calls{Foreground: fore, Background: back} {
		for range 4 {
			all.Go(func() {
				for n := 0; ; n++ {
					calls := want(n)
					if l.Take(ctx, class, calls) != nil {
						return
					}
					mu.Lock()
					if class == Foreground {
						foreground += calls.total()
					} else {
						background += calls.total()
					}
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	return foreground, background
}

func TestTheBackgroundHasAQuarterWhileBothWait(t *testing.T) {
	only := func(calls Calls) func(int) Calls { return func(int) Calls { return calls } }
	for name, test := range map[string]struct {
		limiter    func(*testing.T) *Limiter
		fore, back func(int) Calls
		total      int
	}{
		"one by one":           {func(*testing.T) *Limiter { return NewLimiter(60) }, only(Calls{EndpointGetUser: 1}), only(Calls{EndpointListUserRoles: 1}), 600},
		"turns in front":       {func(*testing.T) *Limiter { return NewLimiter(60) }, only(Calls{EndpointUpdateUser: 30}), only(Calls{EndpointListUserRoles: 1}), 600},
		"turns behind":         {func(*testing.T) *Limiter { return NewLimiter(60) }, only(Calls{EndpointUpdateUser: 1}), only(Calls{EndpointListUserRoles: 7}), 600},
		"at one slow endpoint": {func(t *testing.T) *Limiter { return slowed(t, EndpointGetUser, 10) }, only(Calls{EndpointGetUser: 1}), only(Calls{EndpointGetUser: 1}), 95},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fore, back := contend(t, test.limiter(t), 10, test.fore, test.back)
				share := float64(back) / float64(fore+back)
				if share < 0.22 || share > 0.28 || fore+back < test.total*9/10 {
					t.Errorf("%d in front, %d behind", fore, back)
				}
			})
		})
	}
}

func TestTheBackgroundHasAllThatNobodyElseWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slowed(t, EndpointUpdateUser, 10)
		fore, back := contend(t, l, 10,
			func(int) Calls { return Calls{EndpointUpdateUser: 1} }, func(int) Calls { return Calls{EndpointListUserRoles: 1} })
		if fore < 90 || back < 2800 {
			t.Errorf("%d in front, %d behind", fore, back)
		}
	})
}

func TestNobodyWaitsForEver(t *testing.T) {
	all := []Endpoint{EndpointListUsers, EndpointGetUser, EndpointUpdateUser, EndpointDeleteUser, EndpointListUserRoles}
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			l := NewLimiter(300)
			for _, endpoint := range all[:3] {
				l.endpoint(endpoint).refused(time.Now(), time.Now().Add(time.Nanosecond), 10+50*random.Float64())
			}
			var waiting sync.WaitGroup
			for range 100 {
				calls := Calls{}
				for range 1 + random.IntN(3) {
					calls[all[random.IntN(len(all))]] = random.IntN(6)
				}
				class, start, giveUp := Class(random.IntN(int(classes))), time.Duration(random.IntN(60))*time.Second, random.IntN(5) == 0
				waiting.Go(func() {
					time.Sleep(start)
					ctx, stop := context.WithTimeout(t.Context(), 3*time.Hour)
					defer stop()
					if giveUp {
						ctx, stop = context.WithTimeout(ctx, 20*time.Second)
						defer stop()
					}
					if err := l.Take(ctx, class, calls); err != nil && !giveUp {
						t.Errorf("seed %d: %v: %v", seed, calls, err)
					}
				})
			}
			waiting.Wait()
		})
	}
}

func TestALimitThatIsHitByATurnOfManyIsStillFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, client := newSimulated(t, 300)
		sim.LimitEndpoint("GET", "/organization/users/{id}", 30, openaitest.HintRetryAfter)
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Minute)
		defer stop()
		takeTurns(ctx, client.limiter, Calls{EndpointGetUser: 5}, getUser(client)).Wait()
		got := sim.between("GET", 1, 30)
		t.Logf("%+v, learnt %v", got, client.limiter.Learnt())
		if got.accepted < 30*29*8/10 || float64(got.refused) > 0.1*float64(got.accepted) {
			t.Errorf("%+v of %+v", got, sim.answers["GET"])
		}
	})
}
