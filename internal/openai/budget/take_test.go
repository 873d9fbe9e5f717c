package budget

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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
		if waited := taken(t, l, Foreground, Calls{listUsers: 1, updateUser: 40}); waited != 0 {
			t.Errorf("a full bucket let it wait for %s", waited)
		}
		// 39 are owed, and the next needs two.
		if waited := taken(t, l, Foreground, Calls{updateUser: 2}); !about(waited, 41*time.Second) {
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
		taken(t, l, Foreground, Calls{updateUser: 10})
		done := make(chan time.Duration)
		go func() { done <- taken(t, l, Foreground, Calls{updateUser: 1}) }()
		synctest.Wait()
		l.Return(Calls{updateUser: 9})
		if waited := <-done; waited != 0 {
			t.Errorf("waited for %s", waited)
		}
		l.Return(Calls{updateUser: 1000})
		time.Sleep(time.Hour)
		for range 2 {
			taken(t, l, Foreground, Calls{updateUser: 1})
		}
		if l.TryTake(Calls{updateUser: 1}) {
			t.Error("more was returned than the bucket holds, and it kept it")
		}
	})
}

func TestMoreIsTakenOnlyIfItIsThereAndNobodyWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(300) // a burst of ten
		one := Calls{updateUser: 1}
		for i := range 10 {
			if !l.TryTake(one) {
				t.Errorf("the one at %d of the burst was not there", i)
			}
		}
		if l.TryTake(one) {
			t.Error("there was one more")
		}
		go func() { _ = l.Take(t.Context(), Foreground, Calls{listRoles: 8}) }()
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
		if err := l.Take(ctx, Foreground, Calls{getUser: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if waited := taken(t, l, Foreground, Calls{getUser: 1}); waited != 29*time.Minute {
			t.Errorf("waited for %s", waited)
		}
		if left := l.Paused(); left != 0 {
			t.Errorf("%s are left", left)
		}
	})
}

func TestWhoHasPaidIsHeldByAPauseOnlyAndWhoHasNotOwesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(60) // a burst of two
		taken(t, l, Foreground, Calls{getUser: 2})
		for _, hasToken := range []bool{true, false} {
			if err := l.Prepaid(getUser, hasToken); err != nil {
				t.Errorf("has its token %t: %v", hasToken, err)
			}
		}
		if waited := taken(t, l, Foreground, Calls{getUser: 1}); !about(waited, 2*time.Second) {
			t.Errorf("the next waited for %s", waited)
		}
		l.Pause(time.Minute)
		var paused *PausedError
		if err := l.Prepaid(getUser, true); !errors.As(err, &paused) || paused.Left != time.Minute {
			t.Errorf("in a pause: %v", err)
		}
		time.Sleep(time.Minute)
		if err := l.Prepaid(getUser, true); err != nil {
			t.Errorf("after the pause: %v", err)
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
		l := slowed(t, deleteUser, 10)
		done := make(chan time.Duration)
		go func() { done <- taken(t, l, Foreground, Calls{listUsers: 1, deleteUser: 2}) }()
		synctest.Wait()
		for range 10 {
			if waited := taken(t, l, Foreground, Calls{updateUser: 1}); waited != 0 {
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
		l := slowed(t, deleteUser, 130) // a burst of four
		done := make(chan time.Duration)
		go func() { done <- taken(t, l, Foreground, Calls{deleteUser: 4}) }()
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var others sync.WaitGroup
		for range 3 {
			others.Go(func() {
				for l.Take(ctx, Foreground, Calls{deleteUser: 1}) == nil {
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
						foreground += calls.Total()
					} else {
						background += calls.Total()
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
		"one by one":           {func(*testing.T) *Limiter { return NewLimiter(60) }, only(Calls{getUser: 1}), only(Calls{listRoles: 1}), 600},
		"turns in front":       {func(*testing.T) *Limiter { return NewLimiter(60) }, only(Calls{updateUser: 30}), only(Calls{listRoles: 1}), 600},
		"turns behind":         {func(*testing.T) *Limiter { return NewLimiter(60) }, only(Calls{updateUser: 1}), only(Calls{listRoles: 7}), 600},
		"at one slow endpoint": {func(t *testing.T) *Limiter { return slowed(t, getUser, 10) }, only(Calls{getUser: 1}), only(Calls{getUser: 1}), 95},
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
		l := slowed(t, updateUser, 10)
		fore, back := contend(t, l, 10,
			func(int) Calls { return Calls{updateUser: 1} }, func(int) Calls { return Calls{listRoles: 1} })
		if fore < 90 || back < 2800 {
			t.Errorf("%d in front, %d behind", fore, back)
		}
	})
}

func TestNobodyWaitsForEver(t *testing.T) {
	all := []Endpoint{listUsers, getUser, updateUser, deleteUser, listRoles}
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
