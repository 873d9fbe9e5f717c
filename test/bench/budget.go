package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// massPerMinute is the budget of the mass change.
const massPerMinute = 150

// budgeted is what a person costs who is in sync, and a change where many are to be made within a budget.
type budgeted struct {
	Users int `json:"users"`
	// AdoptionWrites are those of a first start in sync.
	AdoptionWrites        map[string]int `json:"adoptionWrites"`
	AdoptionWritesAPerson float64        `json:"adoptionWritesAPerson"`
	Restart               restart        `json:"restart"`
	MassChange            massChange     `json:"massChange"`
	Figures               []figure       `json:"figures"`
}

// massChange is many edits at once within a budget.
type massChange struct {
	PerMinute int `json:"perMinute"`
	Changes   int `json:"changes"`
	// Calls are all of that time; ReadingCalls those of whole readings, which are left out of CallsAChange.
	Calls        map[string]int `json:"calls"`
	ReadingCalls int            `json:"readingCalls"`
	CallsAChange float64        `json:"callsAChange"`
	// Seconds from the first edit to the last call.
	Seconds float64 `json:"seconds"`
	// Used is the share of the budget that the calls made of it.
	Used float64 `json:"used"`
}

// measureBudget takes the figures of an organization that is in sync, is started upon again, and then has every other
// user changed within a budget.
func measureBudget(ctx context.Context, s *settings, say progress, program string) (_ *budgeted, err error) {
	m := &measurement{settings: s, say: say, program: program, users: s.budgetUsers, differ: none}
	if err := m.startPlane(ctx, "a mass change within a budget"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.plane.Stop()) }()
	m.sim = newOrganization(m.users, s.latency)
	defer m.sim.Close()
	if err := m.cluster.populate(ctx, say, managed, m.users, none); err != nil {
		return nil, err
	}
	if err := m.cluster.connect(ctx, managed, m.sim, nil); err != nil {
		return nil, err
	}
	b := &budgeted{Users: m.users}
	adopted, err := m.adoption(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = m.stopManager(err) }()
	b.AdoptionWrites, b.AdoptionWritesAPerson = adopted, adopted.aPerson(m.users)
	if err := m.restarts(ctx, &b.Restart); err != nil {
		return nil, err
	}
	if err := m.massChange(ctx, &b.MassChange); err != nil {
		return nil, err
	}
	b.Figures = b.figures()
	return b, nil
}

// adoption starts the manager and returns what was written until nothing more was.
func (m *measurement) adoption(ctx context.Context) (writes, error) {
	before, err := m.cluster.writesSoFar(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := m.cluster.watchReadiness(ctx, managed, m.users)
	if err != nil {
		return nil, err
	}
	defer seen.stop()
	defer m.say.stepf("adoption of %d users who are in sync", m.users)()
	if err := m.startManager(managed); err != nil {
		return nil, err
	}
	err = seen.wait(ctx, m.manager.exited)
	var after writes
	if err == nil {
		after, err = m.quiet(ctx)
	}
	if err != nil {
		return nil, m.stopManager(err)
	}
	return after.since(before), nil
}

// massChange sets the budget, edits every other OrgUser, and waits until each has had its call.
func (m *measurement) massChange(ctx context.Context, r *massChange) error {
	if _, err := m.quiet(ctx); err != nil {
		return err
	}
	if err := m.cluster.patch(ctx, organizationPath(managed), budgetPatch(massPerMinute)); err != nil {
		return err
	}
	if err := m.cluster.observed(ctx, managed); err != nil {
		return err
	}
	if _, err := m.quiet(ctx); err != nil { // other terms have the organization read
		return err
	}
	m.sim.ResetJournal()
	r.PerMinute, r.Changes = massPerMinute, m.users/2
	defer m.say.stepf("mass change: %d edits at %d calls a minute", r.Changes, massPerMinute)()
	defer m.say.counting("changes made", r.Changes, func() int { return len(changesIn(m.sim.Journal())) })()
	begun := time.Now()
	if err := forEach(ctx, r.Changes, 20, func(ctx context.Context, i int) error {
		return m.cluster.patch(ctx, orgUserPath(managed, 2*i), personaPatch("changed-by-many"))
	}); err != nil {
		return err
	}
	last, err := m.changed(ctx, r.Changes)
	if err != nil {
		return err
	}
	calls := m.sim.Journal()
	r.Seconds, r.Calls = last.Sub(begun).Seconds(), callCounts(calls)
	for _, call := range calls {
		if isReading(call) {
			r.ReadingCalls++
		}
	}
	r.CallsAChange = float64(len(calls)-r.ReadingCalls) / float64(r.Changes)
	r.Used = float64(len(calls)) / (r.Seconds / 60 * massPerMinute)
	return nil
}

// changed waits until so many users were changed, and returns when the last call came.
func (m *measurement) changed(ctx context.Context, wanted int) (time.Time, error) {
	deadline, seen := time.Now().Add(patience), 0
	for {
		made := changesIn(m.sim.Journal())
		switch {
		case len(made) >= wanted:
			return made[len(made)-1].Time, nil
		case len(made) > seen:
			seen, deadline = len(made), time.Now().Add(patience)
		case time.Now().After(deadline):
			return time.Time{}, fmt.Errorf("%d of %d changes are made, and for %s there was no other", len(made), wanted, patience)
		}
		select {
		case <-m.manager.exited:
			return time.Time{}, errors.New("the manager ended")
		default:
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return time.Time{}, err
		}
	}
}

func changesIn(calls []openaitest.Call) []openaitest.Call {
	var changes []openaitest.Call
	for _, call := range calls {
		if call.Changed && call.Method == http.MethodPost {
			changes = append(changes, call)
		}
	}
	return changes
}

// isReading says whether a call is a page of a whole reading: a look names whom it looks at.
func isReading(call openaitest.Call) bool {
	return call.Method == http.MethodGet && (call.Endpoint == "/organization/roles" ||
		call.Endpoint == "/organization/users" && !strings.Contains(call.Query, "emails"))
}
