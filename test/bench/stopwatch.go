package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// timed is something that is timed.
type timed string

const (
	// editAnswered is the API server's own time for the patch: what comes after is the manager's.
	editAnswered     timed = "edit to the API server's answer"
	editToCall       timed = "edit to call"
	creationToCall   timed = "creation to call"
	creationToReady  timed = "creation to Ready"
	roleUndone       timed = "drift of a role undone"
	assignmentUndone timed = "drift of an assignment undone"
)

// times sums up how long something took.
type times struct {
	Count int `json:"count"`
	// Missing are those that did not come while they were waited for; that long is what they count as.
	Missing int     `json:"missing"`
	P50Ms   float64 `json:"p50Ms"`
	P99Ms   float64 `json:"p99Ms"`
	MaxMs   float64 `json:"maxMs"`
	MeanMs  float64 `json:"meanMs"`
}

// stopwatch gathers how long things took.
type stopwatch struct {
	mu      sync.Mutex
	took    map[timed][]time.Duration
	missing map[timed]int
}

func newStopwatch() *stopwatch {
	return &stopwatch{took: map[timed][]time.Duration{}, missing: map[timed]int{}}
}

func (s *stopwatch) note(what timed, took time.Duration, came bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took[what] = append(s.took[what], took)
	if !came {
		s.missing[what]++
	}
}

func (s *stopwatch) times() map[timed]times {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[timed]times{}
	for what, took := range s.took {
		sum := time.Duration(0)
		for _, each := range took {
			sum += each
		}
		all[what] = times{
			Count: len(took), Missing: s.missing[what], P50Ms: milliseconds(percentile(took, 50)), P99Ms: milliseconds(percentile(took, 99)),
			MaxMs: milliseconds(slices.Max(took)), MeanMs: milliseconds(sum / time.Duration(len(took))),
		}
	}
	return all
}

// awaited is a call that is waited for.
type awaited struct {
	body string // what it holds
	came chan time.Time
}

// awaiter tells of calls when they come.
type awaiter struct {
	mu     sync.Mutex
	queues map[string][]*awaited
}

// expect begins to wait for a call whose body holds something.
func (a *awaiter) expect(call, body string) *awaited {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &awaited{body: body, came: make(chan time.Time, 1)}
	a.queues[call] = append(a.queues[call], e)
	return e
}

// note tells whoever waits for a call: and for those before it, which it makes needless.
func (a *awaiter) note(call openaitest.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue := a.queues[keyOf(call)]
	at := slices.IndexFunc(queue, func(e *awaited) bool { return strings.Contains(call.Body, e.body) })
	for _, e := range queue[:at+1] {
		e.came <- call.Time
	}
	a.queues[keyOf(call)] = queue[at+1:]
}

// wait returns how long after a moment the call came, or how long it was waited for.
func (e *awaited) wait(ctx context.Context, since time.Time, most time.Duration) (took time.Duration, came bool, err error) {
	timer := time.NewTimer(time.Until(since.Add(most)))
	defer timer.Stop()
	select {
	case at := <-e.came:
		return at.Sub(since), true, nil
	case <-timer.C:
		return most, false, nil
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
}

// paced runs so many, evenly over a span from a first moment, none waiting for another, and returns when all have ended.
func paced(ctx context.Context, count int, first, lasts time.Duration, run func(ctx context.Context, i int) error) error {
	begun := time.Now()
	return forEach(ctx, count, count, func(ctx context.Context, i int) error {
		due := begun.Add(first + lasts*time.Duration(i)/time.Duration(count))
		if err := pause(ctx, time.Until(due)); err != nil {
			return err
		}
		return run(ctx, i)
	})
}
