package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// restart is what a manager does that starts where everything is in sync.
type restart struct {
	// FirstCallSeconds is the time from the start to the first call, which is a page of the reading.
	FirstCallSeconds float64 `json:"firstCallSeconds"`
	// FirstChangeSeconds is the time from a start to the call for an edit that was made while no manager ran.
	FirstChangeSeconds float64        `json:"firstChangeSeconds"`
	Calls              map[string]int `json:"calls"`
	// Writes are those of a start with nothing to do, OtherWrites those of them that are not the Organization's status.
	Writes      map[string]int `json:"writes"`
	OtherWrites int            `json:"otherWrites"`
}

// restarts starts the manager again twice: with nothing to do, and with one edit that was made meanwhile.
func (m *measurement) restarts(ctx context.Context, r *restart) error {
	before, err := m.quiet(ctx)
	if err != nil {
		return err
	}
	if err := m.again(nil); err != nil {
		return err
	}
	defer m.say.stepf("restart: the manager starts where everything is in sync")()
	call, err := m.firstCall(ctx, http.MethodGet)
	if err != nil {
		return err
	}
	r.FirstCallSeconds = call.Sub(m.manager.begun).Seconds()
	if err := m.readings(ctx, 1, nil); err != nil {
		return err
	}
	after, err := m.quiet(ctx)
	if err != nil {
		return err
	}
	written := after.since(before)
	r.Writes, r.OtherWrites, r.Calls = written, written.total("patch organizations/status"), callCounts(m.sim.Journal())

	if err := m.again(func() error {
		return m.cluster.patch(ctx, orgUserPath(managed, m.users/2), personaPatch("edited-meanwhile"))
	}); err != nil {
		return err
	}
	if call, err = m.firstCall(ctx, http.MethodPost); err != nil {
		return err
	}
	r.FirstChangeSeconds = call.Sub(m.manager.begun).Seconds()
	return nil
}

// again stops the manager and starts it; meanwhile is run while there is none, and may be nil.
func (m *measurement) again(meanwhile func() error) error {
	if err := m.stopManager(nil); err != nil {
		return err
	}
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			return err
		}
	}
	m.sim.ResetJournal()
	return m.startManager(managed)
}

// firstCall waits for the first call of a method and returns when it came.
func (m *measurement) firstCall(ctx context.Context, method string) (time.Time, error) {
	came := make(chan time.Time, 1)
	m.sim.Arrived(func(call openaitest.Call) {
		if call.Method == method {
			select {
			case came <- call.Time:
			default: // it was not the first
			}
		}
	})
	defer m.sim.Arrived(nil)
	timer := time.NewTimer(2 * patience)
	defer timer.Stop()
	select {
	case at := <-came:
		return at, nil
	case <-timer.C:
		return time.Time{}, errors.New("the manager made no such call after its start: " + method)
	case <-m.manager.exited:
		return time.Time{}, errors.New("the manager ended")
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}
