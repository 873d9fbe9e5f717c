package openai

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

const (
	// callPatience is the longest pause that a call waits out which is not part
	// of a list; a longer one gives its worker back at once.
	callPatience = time.Second
	// listPatience is the same for the pages of a list, where the pages read so
	// far would be lost. No longer, since a worker of somebody else's
	// organization may be waiting behind.
	listPatience = 2 * time.Minute
	// takePatience is that of Take: whoever takes for a whole turn has nothing
	// better to do.
	takePatience = time.Duration(math.MaxInt64)
	// firstPause and longestPause bound the pause after a 429 that does not say
	// how long: doubled each time, from the first again after a success.
	firstPause   = time.Second
	longestPause = time.Minute
)

// Limiter is the budget of requests of one organization: a ceiling for all
// endpoints together, below it a rate for each endpoint that was ever answered
// 429, which finds itself, and a pause that holds everybody. It is safe for use
// by many goroutines.
//
// Who waits is served in order of arrival, but for two things. Who waits for an
// endpoint that is slow holds up nobody who does not want it too. And while both
// classes want the same, three turns go to the foreground and one to the
// background, counted in requests.
type Limiter struct {
	mu      sync.Mutex
	ceiling bucket
	share   share
	// endpoints has those that were asked.
	endpoints map[Endpoint]*learner
	// queues has who waits, by class, each in order of arrival.
	queues      [classes][]*waiter
	timer       *time.Timer
	pausedUntil time.Time
	// untold is the last pause that was chosen here because a 429 did not say;
	// untoldAt is when. 0 after a success.
	untold   time.Duration
	untoldAt time.Time
}

// pausedError says that a call was not sent because of a pause.
type pausedError struct{ left time.Duration }

func (e *pausedError) Error() string { return fmt.Sprintf("paused for another %s", e.left) }

// NewLimiter allows so many requests a minute, at least one, with a burst of
// two seconds' worth.
func NewLimiter(requestsPerMinute int) *Limiter {
	return &Limiter{ceiling: newBucket(float64(max(1, requestsPerMinute))), endpoints: map[Endpoint]*learner{}}
}

// SetRequestsPerMinute changes the ceiling, also for calls that wait already.
func (l *Limiter) SetRequestsPerMinute(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ceiling.setPerMinute(time.Now(), float64(max(1, n)))
	l.serve()
}

// Take waits until all of the calls may be sent now, and takes all their tokens
// at once; they are made with [Prepaid]. More calls than a bucket holds are let
// through when it is full, and those who come after wait the longer. Its only
// error is that of the context.
func (l *Limiter) Take(ctx context.Context, class Class, calls Calls) error {
	_, err := l.wait(ctx, class, calls, takePatience)
	return err
}

// TryTake takes the tokens, for the foreground, if they are there right now, no
// pause is on, and it is nobody else's turn at them. Otherwise it takes nothing
// and says false.
func (l *Limiter) TryTake(calls Calls) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := newWaiter(Foreground, calls, 0)
	l.enqueue(w)
	l.serve()
	select {
	case err := <-w.done:
		return err == nil
	default:
		l.drop(w)
		return false
	}
}

// Return gives back the tokens of calls that were not sent.
func (l *Limiter) Return(calls Calls) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.charge(now, calls, -1)
	l.serve()
}

// charge takes the tokens, times sign, whether they are there or not.
func (l *Limiter) charge(now time.Time, calls Calls, sign int) {
	l.ceiling.take(now, sign*calls.total())
	for endpoint, n := range calls {
		if e := l.endpoints[endpoint]; e.learnt() && n > 0 {
			e.bucket.take(now, sign*n)
		}
	}
}

// Learnt says, for the endpoints where that is less than the ceiling, how many
// requests a minute the Limiter keeps to.
func (l *Limiter) Learnt() map[Endpoint]float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	learnt := map[Endpoint]float64{}
	for endpoint, e := range l.endpoints {
		if e.learnt() && e.rate < l.perMinute() {
			learnt[endpoint] = e.rate
		}
	}
	return learnt
}

// perMinute is the ceiling. The caller holds mu.
func (l *Limiter) perMinute() float64 { return float64(l.ceiling.Limit()) * 60 }

// Paused says how long the pause that the API asked for still lasts. 0: none.
func (l *Limiter) Paused() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, time.Until(l.pausedUntil))
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
func (l *Limiter) throttled(endpoint Endpoint, sentAt time.Time, told time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endpoint(endpoint).refused(time.Now(), sentAt, l.perMinute())
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
func (l *Limiter) succeeded(endpoint Endpoint, sentAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sentAt.After(l.untoldAt) {
		l.untold = 0
	}
	if l.endpoint(endpoint).accepted(time.Now(), sentAt, l.perMinute()) {
		l.serve()
	}
}

func (l *Limiter) endpoint(endpoint Endpoint) *learner {
	e := l.endpoints[endpoint]
	if e == nil {
		e = &learner{}
		l.endpoints[endpoint] = e
	}
	return e
}

// prepaid says whether a call that has its token may be sent; the error is
// *pausedError. One that has no token takes it now, without a wait.
func (l *Limiter) prepaid(endpoint Endpoint, hasToken bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if left := l.pausedUntil.Sub(now); left > 0 {
		return &pausedError{left: left}
	}
	if !hasToken {
		l.charge(now, Calls{endpoint: 1}, 1)
	}
	return nil
}

// Burst is how many requests may go at once after a quiet spell.
func (l *Limiter) Burst() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ceiling.Burst()
}
