package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const (
	// idleInterval is the shortest that the API takes.
	idleInterval = 30 * time.Second
	// longInterval is that of an organization so large that reading it whole takes about the shortest.
	longInterval = 2 * time.Minute
	// manyUsers are those of such an organization.
	manyUsers = 20_000
	// defaultInterval is what an Organization has that does not say: six readings an hour.
	defaultInterval = 10 * time.Minute
	// readingsAnHour leaves out the jitter of 10% either way.
	readingsAnHour = float64(time.Hour / defaultInterval)
	// aftermath is the time after a reading's last page in which what it causes is over: the status of the
	// Organization, garbage collection.
	aftermath = 3 * time.Second
)

// cpuAt is how much CPU the manager had used at a time.
type cpuAt struct {
	time time.Time
	cpu  time.Duration
}

// idleHour has the organization read a few times at the shortest interval with nothing to do, and reckons
// from that what an hour at the default interval costs: calls and writes are those of six readings; CPU is
// that of six readings and of the quiet time between them, whose rate is taken from the quiet time here.
func (m *measurement) idleHour(ctx context.Context, r *result) error {
	interval := m.idleInterval()
	defer m.say.stepf("idle: %d readings, %s apart", m.settings.resyncs, interval)()
	// A changed interval has the organization read at once. That reading is not counted.
	if err := m.cluster.patch(ctx, organizationPath(managed), intervalPatch(interval)); err != nil {
		return err
	}
	m.sim.ResetJournal()
	if err := m.readings(ctx, 1, nil); err != nil {
		return err
	}
	m.sim.ResetJournal()
	before, err := m.cluster.writesSoFar(ctx)
	if err != nil {
		return err
	}
	m.profileCPU(ctx, "idle", interval)
	var samples []cpuAt
	if err := m.readings(ctx, m.settings.resyncs, func(s cpuAt) { samples = append(samples, s) }); err != nil {
		return err
	}
	after, err := m.cluster.writesSoFar(ctx)
	if err != nil {
		return err
	}
	calls := m.sim.Journal()
	m.profileHeap(ctx, "idle")

	r.Idle.reckon(m.settings.resyncs, after.since(before), calls)
	if len(samples) > 0 {
		r.Idle.reckonCPU(m.settings.resyncs, samples, calls)
	}
	return nil
}

// idleInterval is how often the organization is read.
func (m *measurement) idleInterval() time.Duration {
	if m.users > manyUsers {
		return longInterval
	}
	return idleInterval
}

// readings returns some time after the organization was read so many times since the journal began. It passes
// on samples of the CPU meanwhile, where those are to be had.
func (m *measurement) readings(ctx context.Context, count int, sample func(cpuAt)) error {
	wanted := count * m.pages()
	deadline := time.Now().Add(time.Duration(count)*2*m.idleInterval() + patience)
	var complete time.Time
	for complete.IsZero() || time.Since(complete) < aftermath {
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
		select {
		case <-m.manager.exited:
			return errors.New("the manager ended")
		default:
		}
		if time.Now().After(deadline) {
			return errors.New("the organization was not read again within its resyncInterval")
		}
		used, err := m.manager.usage()
		if err != nil {
			return err
		}
		if sample != nil && used.known {
			sample(cpuAt{time.Now(), used.cpu})
		}
		if complete.IsZero() && len(m.sim.Journal()) >= wanted {
			complete = time.Now()
		}
	}
	return nil
}

// pages is how many list calls read the organization whole.
func (m *measurement) pages() int { return (m.users + 99) / 100 }

func (i *idle) reckon(readings int, written writes, calls []openaitest.Call) {
	anHour := func(count int) float64 { return float64(count) / float64(readings) * readingsAnHour }
	i.Readings, i.Writes, i.Calls = readings, written, callCounts(calls)
	i.CallsAnHour = anHour(len(calls))
	i.OrganizationWritesAnHour = anHour(written["patch organizations/status"])
	i.OtherWritesAnHour = anHour(written.total("patch organizations/status"))
}

func (i *idle) reckonCPU(readings int, samples []cpuAt, calls []openaitest.Call) {
	var busy, quiet time.Duration // of the clock
	var busyCPU, quietCPU time.Duration
	for at := 1; at < len(samples); at++ {
		span, cpu := samples[at].time.Sub(samples[at-1].time), samples[at].cpu-samples[at-1].cpu
		if duringReading(samples[at-1].time, samples[at].time, calls) {
			busy, busyCPU = busy+span, busyCPU+cpu
		} else {
			quiet, quietCPU = quiet+span, quietCPU+cpu
		}
	}
	rate := 0.0
	if quiet > 0 {
		rate = quietCPU.Seconds() / quiet.Seconds()
	}
	i.CPUSecondsAReading = busyCPU.Seconds() / float64(readings)
	i.QuietCPUSecondsAnHour = rate * time.Hour.Seconds()
	// The quiet rate also holds during the readings, where it is in their CPU already.
	anHour := func(readingsAnHour float64) float64 {
		share := busy.Seconds() / float64(readings) * readingsAnHour / time.Hour.Seconds()
		return i.CPUSecondsAReading*readingsAnHour + i.QuietCPUSecondsAnHour*max(0, 1-share)
	}
	i.CPUSecondsAnHour = anHour(readingsAnHour)
	i.CoreShareAtTwoMinutes = anHour(float64(time.Hour/longInterval)) / time.Hour.Seconds()
}

// duringReading says whether a page was asked for in the span or shortly before it.
func duringReading(from, to time.Time, calls []openaitest.Call) bool {
	for _, call := range calls {
		if call.Method == http.MethodGet && call.Time.Before(to) && call.Time.After(from.Add(-aftermath)) {
			return true
		}
	}
	return false
}
