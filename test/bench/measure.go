package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/test/controlplane"
)

// managed is the namespace of the objects that the manager works on.
const managed = "bench"

// measurement is one number of users on a control plane of its own.
type measurement struct {
	settings *settings
	say      progress
	program  string
	users    int
	differ   differs
	plane    *controlplane.ControlPlane
	cluster  *cluster
	sim      *openaitest.Server
	manager  *process
	profiles sync.WaitGroup
}

// newOrganization is a simulated organization with so many members, all readers.
func newOrganization(users int, latency time.Duration) *openaitest.Server {
	sim := openaitest.NewServer()
	sim.SeedMany(users)
	sim.SetLatency(latency)
	return sim
}

// startPlane starts the control plane. The caller stops it.
func (m *measurement) startPlane(ctx context.Context, what string) (err error) {
	defer m.say.stepf("starting a control plane for %s", what)()
	m.plane, err = controlplane.Start(ctx, controlplane.Options{CRDs: "config/crd/bases"})
	if err != nil {
		return err
	}
	if m.cluster, err = newCluster(m.plane.Config); err != nil {
		return errors.Join(err, m.plane.Stop())
	}
	return nil
}

// measure takes all figures for one number of users.
func measure(ctx context.Context, s *settings, say progress, program string, users int) (_ *result, err error) {
	m := &measurement{settings: s, say: say, program: program, users: users, differ: everyOther}
	if s.inSync {
		m.differ = none
	}
	if err := m.startPlane(ctx, fmt.Sprintf("%d users", users)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.plane.Stop()) }()
	m.sim = newOrganization(users, s.latency)
	defer m.sim.Close()

	r := &result{Users: users, Changes: m.differ.among(users)}
	// Before and after, since other work on the machine comes and goes.
	if err := m.floorInto(ctx, r, "floor-before"); err != nil {
		return nil, err
	}
	if err := m.underManager(ctx, r); err != nil {
		return nil, err
	}
	if err := m.floorInto(ctx, r, "floor-after"); err != nil {
		return nil, err
	}
	r.finish()
	return r, nil
}

func (m *measurement) floorInto(ctx context.Context, r *result, namespace string) error {
	if m.settings.inSync {
		return nil // there are no changes to bring about
	}
	took, err := m.floor(ctx, namespace)
	r.FloorSeconds = append(r.FloorSeconds, took.Seconds())
	return err
}

// underManager runs the manager and takes the figures that need it.
func (m *measurement) underManager(ctx context.Context, r *result) (err error) {
	if err := m.cluster.populate(ctx, m.say, managed, m.users, m.differ); err != nil {
		return err
	}
	if err := m.cluster.connect(ctx, managed, m.sim, nil); err != nil {
		return err
	}
	before, err := m.cluster.writesSoFar(ctx)
	if err != nil {
		return err
	}
	seen, err := m.cluster.watchReadiness(ctx, managed, m.users)
	if err != nil {
		return err
	}
	defer seen.stop()
	if err := m.startManager(managed); err != nil {
		return err
	}
	defer func() {
		err = m.stopManager(err)
		r.useAtExit(m.manager.usageAtExit())
	}()
	if err := m.convergence(ctx, r, seen, before); err != nil {
		return err
	}
	if err := m.reaction(ctx, r); err != nil {
		return err
	}
	if err := m.idleHour(ctx, r); err != nil {
		return err
	}
	at, err := m.manager.usage()
	if err != nil {
		return err
	}
	r.PeakMemoryBytes = at.peakMemory
	return m.restarts(ctx, &r.Restart)
}

// startManager starts the manager for one namespace, or with "" for all.
func (m *measurement) startManager(namespace string) (err error) {
	m.manager, err = startManager(m.program, m.plane.Kubeconfig, m.plane.Folder, namespace, m.settings.workers)
	return err
}

// stopManager ends the manager after an error or none.
func (m *measurement) stopManager(err error) error {
	err = errors.Join(m.manager.explain(err), m.manager.stop())
	m.profiles.Wait()
	return err
}

// convergence waits until everything is Ready, and then until nothing more comes.
func (m *measurement) convergence(ctx context.Context, r *result, seen *readiness, before writes) error {
	m.profileCPU(ctx, "convergence", time.Duration(m.users/300+3)*time.Second)
	ended := m.say.stepf("convergence: the manager has %d OrgUsers to bring into effect", m.users)
	stop := m.say.counting("OrgUsers are Ready", m.users, seen.count)
	err := seen.wait(ctx, m.manager.exited)
	stop()
	if err != nil {
		return err
	}
	ended()
	at, err := m.manager.usage()
	if err != nil {
		return err
	}
	c := &r.Convergence
	c.Seconds = seen.last.Sub(m.manager.begun).Seconds()
	c.FirstReadySeconds = seen.first.Sub(m.manager.begun).Seconds()
	c.CPUSeconds, c.PeakMemoryBytes = at.cpu.Seconds(), at.peakMemory
	m.profileHeap(ctx, "convergence")

	written, err := m.quiet(ctx)
	if err != nil {
		return err
	}
	calls := m.sim.Journal()
	c.Writes, c.Calls = written.since(before), callCounts(calls)
	c.FirstCallSeconds = firstOf(calls, http.MethodGet).Sub(m.manager.begun).Seconds()
	if first := firstOf(calls, http.MethodPost); !first.IsZero() {
		c.FirstChangeSeconds = first.Sub(m.manager.begun).Seconds()
	}
	return nil
}

// quiet returns the writes so far once neither a write nor a call has come for a while.
func (m *measurement) quiet(ctx context.Context) (writes, error) {
	const still = 5 * time.Second // longer than the delay after which an Organization counts its OrgUsers
	defer m.say.stepf("waiting until nothing more is written")()
	deadline := time.Now().Add(patience)
	var last writes
	calls := -1
	for {
		now, err := m.cluster.writesSoFar(ctx)
		if err != nil {
			return nil, err
		}
		made := len(m.sim.Journal())
		if calls == made && now.equal(last) {
			return now, nil
		}
		last, calls = now, made
		if time.Now().After(deadline) {
			return nil, errors.New("the manager keeps writing or calling although everything is Ready")
		}
		if err := pause(ctx, still); err != nil {
			return nil, err
		}
	}
}

func callCounts(calls []openaitest.Call) map[string]int {
	counts := map[string]int{}
	for _, call := range calls {
		counts[call.Method+" "+call.Endpoint]++
	}
	return counts
}

func firstOf(calls []openaitest.Call, method string) time.Time {
	var first time.Time
	for _, call := range calls {
		if call.Method == method && (first.IsZero() || call.Time.Before(first)) {
			first = call.Time
		}
	}
	return first
}

func pause(ctx context.Context, span time.Duration) error {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
