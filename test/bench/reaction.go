package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// reaction times single changes with everything loaded, one after another: from the moment at which the
// patch of the spec is sent until the call that it causes reaches the API. The API's latency comes after that.
func (m *measurement) reaction(ctx context.Context, r *result) error {
	arrived := make(chan openaitest.Call, 100)
	m.sim.Watch(func(call openaitest.Call) {
		if call.Method == http.MethodPost {
			select {
			case arrived <- call:
			default: // nobody waits any more
			}
		}
	})
	defer m.sim.Watch(nil)
	defer m.say.stepf("reaction: %d changes, one after another", m.settings.changes)()
	var made atomic.Int64
	defer m.say.counting("changes made", m.settings.changes, func() int { return int(made.Load()) })()
	var fromSending, fromAnswer []time.Duration
	for at := range m.settings.changes {
		// Spread over everybody; a prime, so that the same user comes again late if at all.
		user := at * 7919 % m.users
		sent := time.Now()
		if err := m.cluster.patch(ctx, orgUserPath(managed, user), personaPatch(fmt.Sprintf("changed-%d", at))); err != nil {
			return err
		}
		answered := time.Now()
		call, err := m.callFor(ctx, arrived, nameOf(user))
		if err != nil {
			return err
		}
		fromSending = append(fromSending, call.Time.Sub(sent))
		fromAnswer = append(fromAnswer, call.Time.Sub(answered))
		made.Add(1)
	}
	r.Reaction = reaction{
		Changes: m.settings.changes,
		P50Ms:   milliseconds(percentile(fromSending, 50)), P99Ms: milliseconds(percentile(fromSending, 99)),
		MaxMs:           milliseconds(slices.Max(fromSending)),
		FromAnswerP50Ms: milliseconds(percentile(fromAnswer, 50)),
		FromAnswerP99Ms: milliseconds(percentile(fromAnswer, 99)),
	}
	return nil
}

func (m *measurement) callFor(ctx context.Context, arrived <-chan openaitest.Call, userID string) (openaitest.Call, error) {
	const most = time.Minute
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		select {
		case call := <-arrived:
			if call.UserID == userID {
				return call, nil
			}
		case <-timer.C:
			return openaitest.Call{}, fmt.Errorf("no call for %s came within %s of the change of its spec", userID, most)
		case <-m.manager.exited:
			return openaitest.Call{}, fmt.Errorf("the manager ended: %w", m.manager.err)
		case <-ctx.Done():
			return openaitest.Call{}, ctx.Err()
		}
	}
}

// percentile is the smallest value that so many percent of the values do not exceed.
func percentile(values []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
