package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// healthyOrganizations is how many are measured.
const healthyOrganizations = 5

// fairness is what healthy organizations have: alone, and beside others that suffer.
type fairness struct {
	Organizations int           `json:"organizations"`
	Users         int           `json:"users"`
	Alone         *span         `json:"alone"`
	Beside        *span         `json:"beside"`
	Others        othersResult  `json:"others"`
	Latency       time.Duration `json:"-"`
	Figures       []figure      `json:"figures"`
}

// span is what was timed in one span, by what it is.
type span struct {
	Times map[timed]times `json:"times"`
	// Load is the mean number of cores that the manager used. 0: not known.
	Load float64 `json:"load"`
}

// measureFair measures healthy organizations twice, each in a namespace of its own and all by one manager.
func measureFair(ctx context.Context, s *settings, say progress, program string) (_ *fairness, err error) {
	m := &measurement{settings: s, say: say, program: program, users: s.fairUsers}
	if err := m.startPlane(ctx, "the row fair"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.plane.Stop()) }()
	var all []*healthy
	defer func() {
		for _, h := range all {
			h.close()
		}
	}()
	for i := range healthyOrganizations {
		h, err := m.newHealthy(ctx, fmt.Sprintf("healthy-%d", i+1))
		if h != nil {
			all = append(all, h)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := m.startManager(""); err != nil {
		return nil, err
	}
	// The others' servers go before the manager does: it waits for calls that are under way.
	others := &others{measurement: m}
	defer func() {
		others.close()
		err = m.stopManager(err)
	}()
	r := &fairness{Organizations: healthyOrganizations, Users: m.users, Latency: s.latency}
	if err := m.settled(ctx, all); err != nil {
		return nil, err
	}
	if r.Alone, err = m.timeHealthy(ctx, all, "alone", 0); err != nil {
		return nil, err
	}
	if err := others.prepare(ctx); err != nil {
		return nil, err
	}
	if err := others.suffer(ctx); err != nil {
		return nil, err
	}
	m.profileHeap(ctx, "fair")
	if r.Beside, err = m.timeHealthy(ctx, all, "beside", 1); err != nil {
		return nil, err
	}
	r.Others = others.result()
	r.Figures = r.figures()
	return r, nil
}

// settled waits until every healthy organization is as declared.
func (m *measurement) settled(ctx context.Context, all []*healthy) error {
	defer m.say.stepf("adoption of %d organizations of %d users and a binding each", len(all), m.users)()
	group, groupContext := errgroup.WithContext(ctx)
	for _, h := range all {
		group.Go(func() error { return h.settled(groupContext, m.users, m.manager.exited) })
	}
	return group.Wait()
}

// timeHealthy times edits, creations and drift in all healthy organizations at once. The round tells the spans apart.
func (m *measurement) timeHealthy(ctx context.Context, all []*healthy, what string, round int) (*span, error) {
	lasts := m.settings.fairSpan
	defer m.say.stepf("%s: edits, creations and drift for %s, and until all drift is undone", what, lasts)()
	m.profileCPU(ctx, "fair-"+what, lasts)
	before, err := m.manager.usage()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	clock := newStopwatch()
	group, groupContext := errgroup.WithContext(ctx)
	for i, h := range all {
		group.Go(func() error {
			return h.time(groupContext, clock, schedule{round: round, lasts: lasts, first: time.Duration(i) * time.Second / time.Duration(len(all))})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	after, err := m.manager.usage()
	if err != nil {
		return nil, err
	}
	return &span{Times: clock.times(), Load: (after.cpu - before.cpu).Seconds() / time.Since(begun).Seconds()}, nil
}

// callOf is what tells a call that is waited for from others.
func callOf(method, endpoint, userID string) string { return method + " " + endpoint + " " + userID }

func updateOf(userID string) string {
	return callOf(http.MethodPost, "/organization/users/{id}", userID)
}

func assignmentOf(userID string) string {
	return callOf(http.MethodPost, "/organization/users/{id}/roles", userID)
}

func keyOf(call openaitest.Call) string { return callOf(call.Method, call.Endpoint, call.UserID) }
