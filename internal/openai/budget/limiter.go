package budget

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// MaxPause is the longest pause there is: a server that asks for more, such as
// by a date in the wrong year, must not stop an organization for good.
const MaxPause = time.Hour

const (
	// takePatience is the longest pause that Take waits out: whoever takes for a
	// whole turn has nothing better to do.
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

// PausedError says that a call may not be sent because of a pause.
type PausedError struct {
	// Left is how long the pause still lasts.
	Left time.Duration
}

// Error says how long the pause still lasts.
func (e *PausedError) Error() string { return fmt.Sprintf("paused for another %s", e.Left) }

// NewLimiter allows so many requests a minute, at least one, with a burst of
// two seconds' worth.
func NewLimiter(requestsPerMinute int) *Limiter {
	return &Limiter{ceiling: newBucket(float64(max(1, requestsPerMinute))), endpoints: map[Endpoint]*learner{}}
}

// SetRequestsPerMinute changes the ceiling, at least one, also for calls that wait already.
func (l *Limiter) SetRequestsPerMinute(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ceiling.setPerMinute(time.Now(), float64(max(1, n)))
	l.serve()
}

// Take waits until all of the calls may be sent now, and takes all their tokens
// at once; each is then sent as [Limiter.Prepaid] says. However long a pause is,
// it is waited out. More calls than a bucket holds are let
// through when it is full, and those who come after wait the longer. Its only
// error is that of the context.
func (l *Limiter) Take(ctx context.Context, class Class, calls Calls) error {
	_, err := l.Wait(ctx, class, calls, takePatience)
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

// Return gives back the tokens of calls that were not sent, as many as the
// buckets hold.
func (l *Limiter) Return(calls Calls) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.charge(now, calls, -1)
	l.serve()
}

// charge takes the tokens, times sign, whether they are there or not.
func (l *Limiter) charge(now time.Time, calls Calls, sign int) {
	l.ceiling.take(now, sign*calls.Total())
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

// Pause holds every caller of the organization for at least d, or [MaxPause] if
// that is shorter. It never shortens a pause.
func (l *Limiter) Pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pause(d)
}

func (l *Limiter) pause(d time.Duration) {
	if until := time.Now().Add(min(d, MaxPause)); until.After(l.pausedUntil) {
		l.pausedUntil = until
	}
	l.serve()
}

// Throttled notes a 429 for a request sent at sentAt, pauses, and says for how
// long. told is the wait that the server asked for, at most [MaxPause]; 0 if it
// did not say: the pause is then 1 s, doubled each time up to a minute, and
// after a success 1 s again.
func (l *Limiter) Throttled(endpoint Endpoint, sentAt time.Time, told time.Duration) time.Duration {
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

// Succeeded notes an answer other than 429 for a request sent at sentAt.
func (l *Limiter) Succeeded(endpoint Endpoint, sentAt time.Time) {
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

// Prepaid says whether a call whose token was taken ([Limiter.Take]) may be sent
// now; its only error is *[PausedError]. One that has no token takes it without
// a wait, and those who come after wait the longer.
func (l *Limiter) Prepaid(endpoint Endpoint, hasToken bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if left := l.pausedUntil.Sub(now); left > 0 {
		return &PausedError{Left: left}
	}
	if !hasToken {
		l.charge(now, Calls{endpoint: 1}, 1)
	}
	return nil
}

// Burst is how many requests may go at once after a quiet spell, by the ceiling:
// two seconds' worth, and at least one.
func (l *Limiter) Burst() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ceiling.Burst()
}
