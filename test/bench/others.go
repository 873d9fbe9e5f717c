package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// Namespaces of the organizations that suffer.
const (
	hanging   = "hanging"
	throttled = "throttled"
	slow      = "slow"
	big       = "big"
)

var suffering = []string{hanging, throttled, slow, big}

const (
	// hangingUsers are all of the organization that hangs, deletions those of whom the OrgUser is deleted.
	hangingUsers, deletions = 100, 60
	// hangs is how long a call takes there: longer than the manager waits.
	hangs = 40 * time.Second
	// slowPerMinute is the budget of the slow one.
	slowPerMinute = 10
)

// othersResult is how far the organizations that suffer are when the healthy ones have been measured.
type othersResult struct {
	// HangingLeft are the members who are to be removed where calls hang, and are there.
	HangingLeft int `json:"hangingLeft"`
	// ThrottledCalls are the calls that were answered 429, ThrottledUsers the edits that wait.
	ThrottledCalls int `json:"throttledCalls"`
	ThrottledUsers int `json:"throttledUsers"`
	// SlowEdits were made, of which SlowMade have had their call.
	SlowEdits int `json:"slowEdits"`
	SlowMade  int `json:"slowMade"`
	// BigUsers are adopted, of whom BigReady are Ready; BigSeconds is how long that took, if it ended.
	BigUsers   int     `json:"bigUsers"`
	BigReady   int     `json:"bigReady"`
	BigSeconds float64 `json:"bigSeconds,omitempty"`
}

// others are the organizations that suffer.
type others struct {
	*measurement
	sims  map[string]*openaitest.Server
	seen  *readiness
	begun time.Time // of the adoption of the big one
}

func (o *others) close() {
	if o.seen != nil {
		o.seen.stop()
	}
	for _, sim := range o.sims {
		sim.Close()
	}
}

// prepare creates all objects. What is to suffer is in sync first; the big one is not adopted yet.
func (o *others) prepare(ctx context.Context) error {
	o.sims = map[string]*openaitest.Server{}
	users := map[string]int{hanging: hangingUsers, throttled: o.settings.fairUsers, slow: o.settings.fairEdits, big: o.settings.fairBig}
	for _, namespace := range suffering {
		sim := openaitest.NewServer(openaitest.WithOrganizationID("org-"+namespace), openaitest.WithAdminKey(openaitest.DefaultAdminKey+"-"+namespace))
		o.sims[namespace] = sim
		sim.SeedMany(users[namespace])
		sim.SetLatency(o.settings.latency)
		differ := none
		if namespace == big {
			differ = everyOther
		}
		if err := o.cluster.populate(ctx, o.say, namespace, users[namespace], differ); err != nil {
			return err
		}
	}
	specs := map[string]object{
		hanging:   {"resyncInterval": idleInterval.String(), "guard": object{"removalDelay": "0s", "maxRemovals": "100%"}},
		throttled: {"resyncInterval": idleInterval.String()},
		slow:      {},
	}
	group, groupContext := errgroup.WithContext(ctx)
	for namespace, spec := range specs {
		group.Go(func() error { return o.adopt(groupContext, namespace, users[namespace], spec) })
	}
	return group.Wait()
}

func (o *others) adopt(ctx context.Context, namespace string, users int, spec object) error {
	defer o.say.stepf("adoption of %d users in namespace %s", users, namespace)()
	seen, err := o.cluster.watchReadiness(ctx, namespace, users)
	if err != nil {
		return err
	}
	defer seen.stop()
	if err := o.cluster.connect(ctx, namespace, o.sims[namespace], spec); err != nil {
		return err
	}
	return seen.wait(ctx, o.manager.exited)
}

// suffer has everything go wrong at once.
func (o *others) suffer(ctx context.Context) (err error) {
	defer o.say.stepf("one organization hangs with %d deletions, one answers 429, one has %d edits at %d a minute, one of %d users is adopted",
		deletions, o.settings.fairEdits, slowPerMinute, o.settings.fairBig)()
	o.sims[hanging].Fail(openaitest.Fault{Latency: hangs})
	o.sims[throttled].Fail(openaitest.Fault{Status: http.StatusTooManyRequests})
	for _, sim := range o.sims {
		sim.ResetJournal()
	}
	if err := o.cluster.patch(ctx, organizationPath(slow), budgetPatch(slowPerMinute)); err != nil {
		return err
	}
	if err := o.cluster.observed(ctx, slow); err != nil {
		return err
	}
	if err := forEach(ctx, deletions, 20, func(ctx context.Context, i int) error {
		return o.cluster.write(ctx, http.MethodDelete, orgUserPath(hanging, i), "", nil)
	}); err != nil {
		return err
	}
	for namespace, edits := range map[string]int{throttled: o.settings.fairUsers, slow: o.settings.fairEdits} {
		if err := forEach(ctx, edits, 20, func(ctx context.Context, i int) error {
			return o.cluster.patch(ctx, orgUserPath(namespace, i), personaPatch("changed-beside"))
		}); err != nil {
			return err
		}
	}
	if o.seen, err = o.cluster.watchReadiness(ctx, big, o.settings.fairBig); err != nil {
		return err
	}
	o.begun = time.Now()
	return o.cluster.connect(ctx, big, o.sims[big], nil)
}

func (o *others) result() othersResult {
	r := othersResult{
		HangingLeft: -(hangingUsers - deletions), ThrottledUsers: o.settings.fairUsers, SlowEdits: o.settings.fairEdits,
		SlowMade: len(changesIn(o.sims[slow].Journal())), BigUsers: o.settings.fairBig, BigReady: o.seen.count(),
	}
	r.HangingLeft += len(o.sims[hanging].Members())
	for _, call := range o.sims[throttled].Journal() {
		if call.Status == http.StatusTooManyRequests {
			r.ThrottledCalls++
		}
	}
	if r.BigReady == r.BigUsers {
		r.BigSeconds = o.seen.took(o.begun).Seconds()
	}
	return r
}

// summary is a line for people.
func (r othersResult) summary() string {
	adopted := fmt.Sprintf("%d of %d are adopted", r.BigReady, r.BigUsers)
	if r.BigSeconds > 0 {
		adopted = fmt.Sprintf("%d were adopted within %.0f s", r.BigUsers, r.BigSeconds)
	}
	return fmt.Sprintf("%d of %d still to be removed; %d calls answered 429; %d of %d edits made; %s",
		r.HangingLeft, deletions, r.ThrottledCalls, r.SlowMade, r.SlowEdits, adopted)
}
