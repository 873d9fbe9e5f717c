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

// boundRole is the role of the binding.
const boundRole = "auditor"

// healthy is an organization that nothing is the matter with, in a namespace of its own.
type healthy struct {
	namespace string
	cluster   *cluster
	sim       *openaitest.Server
	awaiter   awaiter
	users     int // that are declared from the start
	created   int // since
	roleID    string
}

// The parts of the users: each is used for one thing only.
const (
	edited = iota
	roleDrifts
	assignmentDrifts
	parts
)

const (
	// changePatience is how long the call for an edit or a creation is waited for.
	changePatience = time.Minute
	// driftPatience is the same for drift.
	driftPatience = 3 * idleInterval
	// editEvery and createEvery space edits and creations, driftEvery drift of either kind, in each organization.
	editEvery, createEvery, driftEvery = time.Second, 2 * time.Second, time.Second
)

// schedule is when things are done: over some time, from a first moment that differs between organizations.
type schedule struct {
	round        int
	lasts, first time.Duration
}

// newHealthy creates a healthy organization's namespace with all objects. What it returns is to be closed, also after an error.
func (m *measurement) newHealthy(ctx context.Context, namespace string) (*healthy, error) {
	h := &healthy{namespace: namespace, cluster: m.cluster, users: m.users, awaiter: awaiter{queues: map[string][]*awaited{}}}
	// Members enough for all whose OrgUsers come later.
	creations := 2 * (int(m.settings.fairSpan/createEvery) + 1)
	h.sim = openaitest.NewServer(openaitest.WithOrganizationID("org-"+namespace), openaitest.WithAdminKey(openaitest.DefaultAdminKey+"-"+namespace))
	h.sim.SeedMany(m.users + creations)
	for i := range 3 { // who stay, whoever is demoted
		h.sim.AddUser(openaitest.User{ID: fmt.Sprintf("user-owner-%d", i), Email: fmt.Sprintf("owner-%d@example.com", i), Name: "Owner", Role: "owner"})
	}
	h.roleID = h.sim.AddRole(openaitest.Role{Name: boundRole})
	h.sim.SetLatency(m.settings.latency)
	h.sim.Watch(h.awaiter.note)
	if err := m.cluster.populate(ctx, m.say, namespace, m.users, everyOther); err != nil {
		return h, err
	}
	if err := m.cluster.create(ctx, rollcallPath(namespace, bindings), bindingManifest(m.users)); err != nil {
		return h, err
	}
	return h, m.cluster.connect(ctx, namespace, h.sim, object{"resyncInterval": idleInterval.String()})
}

func (h *healthy) close() { h.sim.Close() }

// settled waits until all users and the binding are in sync.
func (h *healthy) settled(ctx context.Context, users int, broken <-chan struct{}) error {
	seen, err := h.cluster.watchReadiness(ctx, h.namespace, users)
	if err != nil {
		return err
	}
	defer seen.stop()
	if err := seen.wait(ctx, broken); err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for h.assigned() < users {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d have the binding's role in %s, and that took more than %s", h.assigned(), users, h.namespace, patience)
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (h *healthy) assigned() int {
	count := 0
	for _, call := range h.sim.Journal() {
		if call.Method == http.MethodPost && call.Endpoint == "/organization/users/{id}/roles" && call.Changed {
			count++
		}
	}
	return count
}

// time edits, creates and lets drift, each at its own pace, and times what follows.
func (h *healthy) time(ctx context.Context, clock *stopwatch, s schedule) error {
	// Those that are there come too, and are of no interest.
	seen, err := h.cluster.watchReadiness(ctx, h.namespace, h.users+h.created+int(s.lasts/createEvery)+1)
	if err != nil {
		return err
	}
	defer seen.stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return paced(ctx, int(s.lasts/editEvery), s.first, s.lasts, func(ctx context.Context, i int) error { return h.edit(ctx, clock, s, i) })
	})
	created := h.created
	group.Go(func() error {
		return paced(ctx, int(s.lasts/createEvery), s.first, s.lasts, func(ctx context.Context, i int) error {
			return h.create(ctx, clock, seen, h.users+created+i)
		})
	})
	h.created += int(s.lasts / createEvery)
	drifts := min(int(s.lasts/driftEvery), h.part())
	group.Go(func() error {
		return paced(ctx, drifts, s.first, s.lasts, func(ctx context.Context, i int) error {
			user := nameOf(i*parts + roleDrifts)
			return h.drift(ctx, clock, roleUndone, updateOf(user), func() bool { return h.sim.SetRole(user, "owner") })
		})
	})
	group.Go(func() error {
		return paced(ctx, drifts, s.first, s.lasts, func(ctx context.Context, i int) error {
			user := nameOf(i*parts + assignmentDrifts)
			return h.drift(ctx, clock, assignmentUndone, assignmentOf(user), func() bool { return h.sim.UnassignRole(user, h.roleID) })
		})
	})
	return group.Wait()
}

// part is how many users each part has.
func (h *healthy) part() int { return h.users / parts }

func (h *healthy) edit(ctx context.Context, clock *stopwatch, s schedule, i int) error {
	user, value := i%h.part()*parts+edited, fmt.Sprintf("edit-%d-%d.", s.round, i)
	call := h.awaiter.expect(updateOf(nameOf(user)), value)
	sent := time.Now()
	if err := h.cluster.patch(ctx, orgUserPath(h.namespace, user), personaPatch(value)); err != nil {
		return err
	}
	clock.note(editAnswered, time.Since(sent), true)
	took, came, err := call.wait(ctx, sent, changePatience)
	if err == nil {
		clock.note(editToCall, took, came)
	}
	return err
}

func (h *healthy) create(ctx context.Context, clock *stopwatch, seen *readiness, user int) error {
	call := h.awaiter.expect(updateOf(nameOf(user)), persona)
	sent := time.Now()
	if err := h.cluster.create(ctx, rollcallPath(h.namespace, orgUsers), orgUserManifest(user, true)); err != nil {
		return err
	}
	took, came, err := call.wait(ctx, sent, changePatience)
	if err != nil {
		return err
	}
	clock.note(creationToCall, took, came)
	for time.Since(sent) < changePatience {
		if at, ready := seen.readyAt(nameOf(user)); ready {
			clock.note(creationToReady, at.Sub(sent), true)
			return nil
		}
		if err := errors.Join(seen.failure(), pause(ctx, 100*time.Millisecond)); err != nil {
			return err
		}
	}
	clock.note(creationToReady, changePatience, false)
	return nil
}

func (h *healthy) drift(ctx context.Context, clock *stopwatch, what timed, undone string, drift func() bool) error {
	call := h.awaiter.expect(undone, "")
	begun := time.Now()
	if !drift() { // what drifted before is not undone yet
		clock.note(what, driftPatience, false)
		return nil
	}
	took, came, err := call.wait(ctx, begun, driftPatience)
	if err == nil {
		clock.note(what, took, came)
	}
	return err
}
