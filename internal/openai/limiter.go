package openai

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstSeconds is how many seconds' worth of requests may go at once after
	// a quiet spell. Enough that a small organization is read without waiting,
	// little enough that a minute never sees much more than its budget.
	burstSeconds = 2
	// callPatience is the longest pause that a call waits out which is not part
	// of a list; a longer one gives its worker back at once.
	callPatience = time.Second
	// listPatience is the same for the pages of a list, where the pages read so
	// far would be lost. No longer, since a worker of somebody else's
	// organization may be waiting behind.
	listPatience = 2 * time.Minute
	// firstPause and longestPause bound the pause after a 429 that does not say
	// how long: doubled each time, from the first again after a success.
	firstPause   = time.Second
	longestPause = time.Minute
)

// Limiter is the budget of requests of one organization: a token bucket with a
// queue of two priorities before it, and a pause that holds everybody. It is
// safe for use by many goroutines.
type Limiter struct {
	mu     sync.Mutex
	bucket *rate.Limiter
	// queues has the waiting calls by priority, each in order of arrival.
	queues      [priorities][]*waiter
	pausedUntil time.Time
	// untold is the last pause that was chosen here because a 429 did not say;
	// untoldAt is when. 0 after a success.
	untold   time.Duration
	untoldAt time.Time
	timer    *time.Timer
}

type waiter struct {
	// patience is the longest pause that is waited out.
	patience time.Duration
	// done receives once: nil for a turn, or *pausedError.
	done chan error
}

// pausedError says that a call was not sent because of a pause.
type pausedError struct{ left time.Duration }

func (e *pausedError) Error() string { return fmt.Sprintf("paused for another %s", e.left) }

// NewLimiter allows so many requests a minute, at least one, with a burst of
// two seconds' worth.
func NewLimiter(requestsPerMinute int) *Limiter {
	limit, burst := budget(requestsPerMinute)
	return &Limiter{bucket: rate.NewLimiter(limit, burst)}
}

// SetRequestsPerMinute changes the budget, also for calls that wait already.
func (l *Limiter) SetRequestsPerMinute(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit, burst := budget(n)
	l.bucket.SetLimit(limit)
	l.bucket.SetBurst(burst)
	l.serve()
}

func budget(requestsPerMinute int) (rate.Limit, int) {
	n := max(1, requestsPerMinute)
	return rate.Limit(float64(n) / 60), max(1, n*burstSeconds/60)
}

// Pause holds every caller of the organization for at least d, capped at an
// hour. It never shortens a pause.
func (l *Limiter) Pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pause(d)
}

func (l *Limiter) pause(d time.Duration) {
	if until := time.Now().Add(min(d, maxPause)); until.After(l.pausedUntil) {
		l.pausedUntil = until
	}
	l.serve()
}

// throttled notes a 429 for a request sent at sentAt, pauses, and says for how
// long. told is the wait that the server asked for, 0 if it did not say.
func (l *Limiter) throttled(sentAt time.Time, told time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if told > 0 {
		l.pause(told)
		return told
	}
	// Requests under way together are refused together: that is one 429, not
	// a reason to double the pause for each.
	if sentAt.After(l.untoldAt) {
		l.untold = min(max(2*l.untold, firstPause), longestPause)
		l.untoldAt = time.Now()
	}
	l.pause(l.untold)
	return l.untold
}

// succeeded notes an answer other than 429 for a request sent at sentAt.
func (l *Limiter) succeeded(sentAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sentAt.After(l.untoldAt) {
		l.untold = 0
	}
}

// wait returns when it is the caller's turn, with the time it took. A pause
// longer than patience is not waited out: the error is *pausedError then, or
// that of ctx.
func (l *Limiter) wait(ctx context.Context, patience time.Duration) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	began := time.Now()
	p := priorityOf(ctx)
	w := &waiter{patience: patience, done: make(chan error, 1)}

	l.mu.Lock()
	l.queues[p] = append(l.queues[p], w)
	l.serve()
	l.mu.Unlock()

	select {
	case err := <-w.done:
		return time.Since(began), err
	case <-ctx.Done():
		l.leave(p, w)
		return time.Since(began), ctx.Err()
	}
}

// leave takes a call that gave up out of its queue. Its turn, if it came in
// the same instant, is lost.
func (l *Limiter) leave(p priority, w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queues[p], w); i >= 0 {
		l.queues[p] = slices.Delete(l.queues[p], i, i+1)
	}
}

// serve gives out the turns that there are now, and sets the timer for the
// next. Turns are given at the moment that they can be used, so that a call of
// the foreground goes before any of the background that came earlier.
// The caller holds mu.
func (l *Limiter) serve() {
	now := time.Now()
	if left := l.pausedUntil.Sub(now); left > 0 {
		l.sendAway(left)
		l.serveIn(left)
		return
	}
	for {
		p, ok := l.next()
		if !ok {
			return
		}
		if !l.bucket.AllowN(now, 1) {
			l.serveIn(l.untilToken(now))
			return
		}
		l.queues[p][0].done <- nil
		l.queues[p] = slices.Delete(l.queues[p], 0, 1)
	}
}

// next is the queue whose first call is next.
func (l *Limiter) next() (priority, bool) {
	for p := range l.queues {
		if len(l.queues[p]) > 0 {
			return priority(p), true
		}
	}
	return 0, false
}

// sendAway fails the calls that do not wait out a pause of this length.
func (l *Limiter) sendAway(left time.Duration) {
	for p := range l.queues {
		l.queues[p] = slices.DeleteFunc(l.queues[p], func(w *waiter) bool {
			if left <= w.patience {
				return false
			}
			w.done <- &pausedError{left: left}
			return true
		})
	}
}

func (l *Limiter) untilToken(now time.Time) time.Duration {
	missing := 1 - l.bucket.TokensAt(now)
	// A millisecond more than nothing, so that rounding does not make a busy loop.
	return max(time.Duration(missing/float64(l.bucket.Limit())*float64(time.Second)), time.Millisecond)
}

func (l *Limiter) serveIn(d time.Duration) {
	if _, waiting := l.next(); !waiting {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.serve()
	})
}
