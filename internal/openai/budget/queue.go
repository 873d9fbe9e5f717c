package budget

import (
	"context"
	"slices"
	"time"
)

// waiter is who waits for the tokens of some calls.
type waiter struct {
	class Class
	calls Calls
	total int
	// patience is the longest pause that is waited out.
	patience time.Duration
	// done receives once: nil for a turn, or *PausedError.
	done chan error
}

func newWaiter(class Class, calls Calls, patience time.Duration) *waiter {
	if class != Background {
		class = Foreground
	}
	return &waiter{class: class, calls: calls, total: calls.Total(), patience: patience, done: make(chan error, 1)}
}

// backgroundShare is what the background gets for each request of the
// foreground while both want the same: a quarter of all.
const backgroundShare = 1.0 / 3

// share divides what both classes want between them.
type share struct {
	// owed are the requests that the background may make before the foreground
	// makes its next.
	owed float64
}

// background says whether it is the background's turn.
func (s *share) background() bool { return s.owed >= 1 }

// took notes that a class had its turn while the other one waited for the same.
func (s *share) took(class Class, n int) {
	if class == Background {
		s.owed -= float64(n)
		return
	}
	// No more is owed than for the last turn: what the background did not want
	// when it could have had it does not add up.
	more := float64(n) * backgroundShare
	s.owed = min(s.owed+more, max(1, more))
}

// Wait returns when it is the caller's turn, with the time it took; the tokens
// of the calls are taken then. A pause that has longer to go than patience is
// not waited out: the error is *[PausedError] then, or that of ctx.
func (l *Limiter) Wait(ctx context.Context, class Class, calls Calls, patience time.Duration) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	began := time.Now()
	w := newWaiter(class, calls, patience)
	l.mu.Lock()
	l.enqueue(w)
	l.serve()
	l.mu.Unlock()

	select {
	case err := <-w.done:
		return time.Since(began), err
	case <-ctx.Done():
		l.leave(w)
		return time.Since(began), ctx.Err()
	}
}

func (l *Limiter) enqueue(w *waiter) { l.queues[w.class] = append(l.queues[w.class], w) }

// leave takes out one that gave up. Tokens that came in the same instant go back.
func (l *Limiter) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(w)
	select {
	case err := <-w.done:
		if err == nil {
			l.charge(time.Now(), w.calls, -1)
		}
	default:
	}
	l.serve()
}

func (l *Limiter) drop(w *waiter) {
	if i := slices.Index(l.queues[w.class], w); i >= 0 {
		l.queues[w.class] = slices.Delete(l.queues[w.class], i, i+1)
	}
}

// serve gives out the turns that there are now, and sets the timer for the
// next. Turns are given at the moment that they can be used, so that who comes
// later and goes first still does. The caller holds mu.
func (l *Limiter) serve() {
	now := time.Now()
	if left := l.pausedUntil.Sub(now); left > 0 {
		l.sendAway(left)
		l.serveIn(left)
		return
	}
	for {
		next := l.line(now)
		w := next.first(&l.share)
		if w == nil {
			l.serveIn(next.wait)
			return
		}
		if wait := l.ceiling.until(now, w.total); wait > 0 {
			l.serveIn(wait)
			return
		}
		l.grant(now, w, next)
	}
}

func (l *Limiter) grant(now time.Time, w *waiter, next line) {
	if next.ready[Foreground] != nil && next.ready[Background] != nil {
		l.share.took(w.class, w.total)
	}
	for endpoint, n := range w.calls {
		if e := l.endpoints[endpoint]; e.learnt() && next.wanted[1-w.class][endpoint] {
			e.share.took(w.class, n)
		}
	}
	l.charge(now, w.calls, 1)
	l.drop(w)
	w.done <- nil
}

// line is who may go, as far as the endpoints are concerned.
type line struct {
	// ready is the first of each class for whom the endpoints have tokens.
	ready [classes]*waiter
	// wait is how long until the endpoints have tokens for one more.
	wait time.Duration
	// wanted are the slow endpoints that each class waits for.
	wanted [classes]map[Endpoint]bool
}

// first is who goes first.
func (n line) first(s *share) *waiter {
	fore, back := n.ready[Foreground], n.ready[Background]
	if fore == nil || back != nil && s.background() {
		return back
	}
	return fore
}

// line looks at both queues. Who waits for an endpoint keeps it from those
// behind, so that many tokens at once can come together. Between the classes it
// is kept for the one whose turn it is there. A waiter of the background has its
// turn at all of its endpoints or at none, or the classes could wait for each
// other.
func (l *Limiter) line(now time.Time) line {
	var next line
	for class := range next.wanted {
		next.wanted[class] = l.slowEndpoints(l.queues[class])
	}
	kept := map[Endpoint]bool{}
	claimed := map[Endpoint]bool{}
	for _, w := range l.queues[Background] {
		slow := l.slow(w)
		turn := !anyOf(slow, func(e Endpoint) bool {
			return kept[e] || next.wanted[Foreground][e] && !l.endpoints[e].share.background()
		})
		if turn {
			l.look(now, w, slow, &next)
		}
		for _, e := range slow {
			kept[e] = true
			claimed[e] = claimed[e] || turn
		}
	}
	kept = claimed
	for _, w := range l.queues[Foreground] {
		slow := l.slow(w)
		if !anyOf(slow, func(e Endpoint) bool { return kept[e] }) {
			l.look(now, w, slow, &next)
		}
		for _, e := range slow {
			kept[e] = true
		}
	}
	return next
}

// look notes whether w could go now, and else when.
func (l *Limiter) look(now time.Time, w *waiter, slow []Endpoint, next *line) {
	var wait time.Duration
	for _, e := range slow {
		wait = max(wait, l.endpoints[e].bucket.until(now, w.calls[e]))
	}
	switch {
	case wait == 0 && next.ready[w.class] == nil:
		next.ready[w.class] = w
	case wait > 0 && (next.wait == 0 || wait < next.wait):
		next.wait = wait
	}
}

// slow are the endpoints of w that have a rate of their own.
func (l *Limiter) slow(w *waiter) []Endpoint {
	var slow []Endpoint
	for endpoint, n := range w.calls {
		if n > 0 && l.endpoints[endpoint].learnt() {
			slow = append(slow, endpoint)
		}
	}
	return slow
}

func (l *Limiter) slowEndpoints(queue []*waiter) map[Endpoint]bool {
	all := map[Endpoint]bool{}
	for _, w := range queue {
		for _, e := range l.slow(w) {
			all[e] = true
		}
	}
	return all
}

func anyOf(endpoints []Endpoint, is func(Endpoint) bool) bool {
	return slices.ContainsFunc(endpoints, is)
}

// sendAway fails those who do not wait out a pause of this length.
func (l *Limiter) sendAway(left time.Duration) {
	for class := range l.queues {
		l.queues[class] = slices.DeleteFunc(l.queues[class], func(w *waiter) bool {
			if left <= w.patience {
				return false
			}
			w.done <- &PausedError{Left: left}
			return true
		})
	}
}

// serveIn has serve called again, if anybody waits.
func (l *Limiter) serveIn(d time.Duration) {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if len(l.queues[Foreground])+len(l.queues[Background]) == 0 || d <= 0 {
		return
	}
	l.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.serve()
	})
}
