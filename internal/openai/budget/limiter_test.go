package budget

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Endpoints as an API may have them.
const (
	listUsers  Endpoint = "GET /users"
	getUser    Endpoint = "GET /users/{id}"
	updateUser Endpoint = "POST /users/{id}"
	deleteUser Endpoint = "DELETE /users/{id}"
	listRoles  Endpoint = "GET /users/{id}/roles"
)

// Patiences: of who waits out a short pause, and of who waits out a longer one.
const (
	hurried = time.Second
	patient = 2 * time.Minute
)

// one waits for the turn of one call of the foreground.
func one(ctx context.Context, l *Limiter, patience time.Duration) (time.Duration, error) {
	return l.Wait(ctx, Foreground, Calls{getUser: 1}, patience)
}

// queue starts calls that wait one after the other, and gives the order in
// which their turns came.
func queue(t *testing.T, l *Limiter, calls map[string]Class, arrival []string) func() []string {
	var mu sync.Mutex
	var order []string
	for _, name := range arrival {
		go func() {
			if _, err := l.Wait(t.Context(), calls[name], Calls{getUser: 1}, patient); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
		}()
		synctest.Wait()
	}
	return func() []string {
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return order
	}
}

func TestTheForegroundGoesBeforeTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(60)
		for range 2 { // the burst
			_, _ = one(t.Context(), l, patient)
		}
		calls := map[string]Class{"b1": Background, "b2": Background, "f1": Foreground, "b3": Background, "f2": Foreground}
		order := queue(t, l, calls, []string{"b1", "b2", "f1", "b3", "f2"})
		if diff := cmp.Diff([]string{"f1", "f2", "b1", "b2", "b3"}, order()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestABurstIsTwoSecondsWorthAndThenTheBudgetHolds(t *testing.T) {
	for perMinute, want := range map[int]struct {
		burst int
		pace  time.Duration
	}{
		300: {10, 200 * time.Millisecond},
		60:  {2, time.Second},
		6:   {1, 10 * time.Second},
		0:   {1, time.Minute},
	} {
		t.Run(fmt.Sprintf("%d a minute", perMinute), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewLimiter(perMinute)
				for i := range want.burst {
					if waited, err := one(t.Context(), l, patient); waited != 0 || err != nil {
						t.Fatalf("call %d of the burst waited %s, %v", i, waited, err)
					}
				}
				for range 3 {
					waited, _ := one(t.Context(), l, patient)
					if off := waited - want.pace; off < 0 || off > 2*time.Millisecond {
						t.Errorf("a call after the burst waited %s, want %s", waited, want.pace)
					}
				}
			})
		})
	}
}

func TestANewBudgetHoldsForCallsThatWaitAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1)
		_, _ = one(t.Context(), l, patient)
		go func() {
			time.Sleep(time.Second)
			l.SetRequestsPerMinute(600)
		}()
		if waited, err := one(t.Context(), l, patient); waited > 1200*time.Millisecond || err != nil {
			t.Errorf("waited %s, %v", waited, err)
		}
	})
}

func TestAPauseHoldsThePatientAndSendsTheOthersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1)
		_, _ = one(t.Context(), l, patient)
		// One is waiting for its turn when the pause begins, one comes later.
		errs := make(chan error, 2)
		go func() { _, err := one(t.Context(), l, hurried); errs <- err }()
		synctest.Wait()
		began := time.Now()
		l.Pause(90 * time.Second)
		go func() { _, err := one(t.Context(), l, hurried); errs <- err }()
		for range 2 {
			var paused *PausedError
			if err := <-errs; !errors.As(err, &paused) || paused.Left != 90*time.Second {
				t.Errorf("got %v", err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("sending away took %s", took)
		}
		if waited, err := one(t.Context(), l, patient); waited != 90*time.Second || err != nil {
			t.Errorf("the patient one waited %s, %v", waited, err)
		}
	})
}

func TestAShortPauseIsWaitedOutByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(600)
		l.Pause(time.Second)
		if waited, err := one(t.Context(), l, hurried); waited != time.Second || err != nil {
			t.Errorf("waited %s, %v", waited, err)
		}
	})
}

func TestAPauseIsNeverShortenedAndNeverAbsurd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(600)
		l.Pause(1000 * time.Hour)
		l.Pause(time.Second)
		l.Pause(-time.Second)
		if waited, err := one(t.Context(), l, time.Hour); waited != time.Hour || err != nil {
			t.Errorf("waited %s, %v", waited, err)
		}
	})
}

func TestPausesThatTheServerDoesNotTellGrowAndStartAgainAfterASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(600)
		var got []time.Duration
		try := func() time.Time {
			if _, err := one(t.Context(), l, patient); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		}
		for range 8 {
			got = append(got, l.Throttled(getUser, try(), 0))
		}
		l.Succeeded(getUser, try())
		got = append(got, l.Throttled(getUser, try().Add(time.Millisecond), 0))
		s := time.Second
		if diff := cmp.Diff([]time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s, s}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRequestsRefusedTogetherCountAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(600)
		sent := time.Now()
		time.Sleep(time.Second)
		for range 5 {
			if got := l.Throttled(getUser, sent, 0); got != time.Second {
				t.Errorf("got %s, want 1s", got)
			}
		}
		// Nor does one that was accepted earlier end the growth.
		l.Succeeded(getUser, sent)
		time.Sleep(2 * time.Second)
		if got := l.Throttled(getUser, time.Now(), 0); got != 2*time.Second {
			t.Errorf("got %s, want 2s", got)
		}
	})
}

func TestACallThatGivesUpLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1)
		_, _ = one(t.Context(), l, patient)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := one(ctx, l, patient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// Its turn goes to the next.
		if waited, err := one(t.Context(), l, patient); waited > time.Minute || err != nil {
			t.Errorf("waited %s, %v", waited, err)
		}
	})
}

func TestManyCallersAtOnceAllGetTheirTurn(t *testing.T) {
	l := NewLimiter(600_000)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			class := Foreground
			if i%2 == 0 {
				class = Background
			}
			if i%50 == 0 {
				l.Pause(5 * time.Millisecond)
				l.SetRequestsPerMinute(600_000 + i)
			}
			if _, err := l.Wait(t.Context(), class, Calls{getUser: 1}, patient); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
