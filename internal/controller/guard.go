package controller

import (
	"context"
	"fmt"
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// gate asks the guard about removals and changes of owners. It is asked while nothing else of the kind is
// under way in the organization, and right before the call.
type gate struct {
	client.Client
	// Live reads past the cache.
	Live        client.Reader
	Connections *Connections
	Events      events.EventRecorder
}

// ticket lets one step pass.
type ticket struct {
	gate
	organization *v1alpha1.Organization
	step         plan.Step
	window       time.Duration
}

// ask returns a ticket for the step, or the fact that holds it. about is the object that the step belongs to.
func (g gate) ask(ctx context.Context, conn *connection, about client.Object, step plan.Step) (*ticket, error) {
	org := &v1alpha1.Organization{}
	if err := g.Live.Get(ctx, conn.object, org); err != nil {
		return nil, fmt.Errorf("read the guard of Organization %s: %w", conn.object.Name, err)
	}
	if org.Spec.Mode == v1alpha1.ModeObserve || paused(org) {
		return nil, errAsItWas // changed a moment ago: its objects are looked at again
	}
	facts := plan.Facts{}
	if step.DemotesOwner {
		others, err := confirmOwners(ctx, conn, step.UserID, int(org.Spec.Guard.MinOwners))
		if err != nil {
			return nil, err
		}
		facts.Owners = others + 1
	}
	window := org.Spec.Guard.Window.Duration
	var until time.Time
	if step.Verb == plan.Remove {
		var err error
		if facts.Removals, until, err = g.removals(ctx, conn, org); err != nil {
			return nil, err
		}
	}
	rules := plan.Rules{
		MinOwners:   int(org.Spec.Guard.MinOwners),
		MaxRemovals: maxRemovals(org.Spec.Guard.MaxRemovals, conn.roster.Counts().Total+facts.Removals),
	}
	_, held := plan.Guard([]plan.Step{step}, rules, facts)
	if len(held) == 0 {
		return &ticket{g, org, step, window}, nil
	}
	if held[0].Rule == plan.RuleMinOwners {
		return nil, g.hold(about, heldByMinOwners(org, step), fmt.Sprintf("would leave %d of at least %d owners", facts.Owners-1, rules.MinOwners))
	}
	if rules.MaxRemovals == 0 {
		return nil, g.hold(about, heldByNoRemovals(org, step), "would be a removal of at most 0")
	}
	return nil, g.hold(about, heldByMaxRemovals(org, step, until.Sub(g.Connections.now())),
		fmt.Sprintf("would be removal %d of at most %d in %s; next at %s", facts.Removals+1, rules.MaxRemovals, words(window), clock(until, g.Connections.now())))
}

// hold tells of the numbers, which change, in an event; the fact, which is shown in a condition, has the rule.
func (g gate) hold(about client.Object, held *fact, numbers string) error {
	if !heldAlready(about) {
		g.Events.Eventf(about, nil, "Warning", v1alpha1.ReasonHeld, "Guard", "%s. It %s", held.message, numbers)
	}
	return held
}

// confirmOwners counts owners besides one user, each looked at afresh, up to as many as are needed.
func confirmOwners(ctx context.Context, conn *connection, besides string, needed int) (int, error) {
	confirmed := 0
	for _, id := range conn.roster.Owners() {
		if confirmed == needed {
			break
		}
		if id == besides {
			continue
		}
		user, found, err := conn.roster.Fresh(ctx, conn.api, id)
		if err != nil {
			return 0, err
		}
		if found && user.Role == plan.RoleOwner {
			confirmed++
		}
	}
	return confirmed, nil
}

// removals counts the removals in the present windows of all Organization objects that stand for the
// organization, and says when the last of these windows ends.
func (g gate) removals(ctx context.Context, conn *connection, org *v1alpha1.Organization) (int, time.Time, error) {
	count, until := inWindow(org, g.Connections.now())
	siblings, err := finder{g.Client}.siblings(ctx, g.Connections, conn)
	if err != nil {
		return 0, until, err
	}
	for _, name := range siblings {
		if name == conn.object {
			continue
		}
		other := &v1alpha1.Organization{}
		if err := client.IgnoreNotFound(g.Get(ctx, name, other)); err != nil {
			return 0, until, err
		}
		others, end := inWindow(other, g.Connections.now())
		count += others
		if end.After(until) {
			until = end
		}
	}
	return count, until, nil
}

func inWindow(org *v1alpha1.Organization, now time.Time) (int, time.Time) {
	removals := org.Status.Removals
	if removals == nil {
		return 0, now
	}
	until := removals.WindowStart.Add(org.Spec.Guard.Window.Duration)
	if !now.Before(until) {
		return 0, now
	}
	return int(removals.Count), until
}

// maxRemovals resolves a number or a percentage of all users.
func maxRemovals(limit *intstr.IntOrString, users int) int {
	if limit == nil {
		return 0
	}
	if limit.Type == intstr.Int {
		return limit.IntValue()
	}
	percent, err := intstr.GetScaledValueFromIntOrPercent(limit, users, true)
	if err != nil {
		return 0 // admission lets nothing else through; holding is the safe side
	}
	return max(percent, 1)
}

// spend counts the removal before it is made, so that a manager that is killed cannot make it twice on one
// count. It fails if the Organization changed since the guard was asked.
func (t *ticket) spend(ctx context.Context) error {
	if t.step.Verb != plan.Remove {
		return nil
	}
	count, _ := inWindow(t.organization, t.Connections.now())
	start := metav1.NewTime(t.Connections.now()).Rfc3339Copy()
	if count > 0 {
		start = t.organization.Status.Removals.WindowStart
	}
	return t.count(ctx, &v1alpha1.Removals{WindowStart: start, Count: int32(min(count+1, math.MaxInt32))}) //nolint:gosec // bounded
}

// refund takes the count back after the API refused the removal. Should that fail, the count is too high,
// which is the safe side.
func (t *ticket) refund(ctx context.Context) error {
	if t.step.Verb != plan.Remove {
		return nil
	}
	removals := t.organization.Status.Removals.DeepCopy()
	removals.Count--
	return t.count(ctx, removals)
}

// remove counts the removal, makes it, and forgets the user. 404 is success.
func (t *ticket) remove(ctx context.Context, conn *connection) error {
	if err := t.spend(ctx); err != nil {
		return err
	}
	err := conn.changes.DeleteUser(ctx, t.step.UserID)
	switch {
	case openai.IsNotFound(err):
	case openai.IsRejected(err), openai.IsUnauthorized(err), openai.IsRateLimited(err):
		if refundErr := t.refund(ctx); refundErr != nil {
			log.FromContext(ctx).Error(refundErr, "a removal that the API refused stays counted in this window")
		}
		return err
	case err != nil:
		return err
	}
	conn.note(ctx, t.step)
	conn.roster.Drop(t.step.UserID)
	return nil
}

func (t *ticket) count(ctx context.Context, removals *v1alpha1.Removals) error {
	before := t.organization.DeepCopy()
	t.organization.Status.Removals = removals
	return t.Status().Patch(ctx, t.organization, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// words writes a duration as people do: 1h, not 1h0m0s.
func words(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// clock tells a time of today, or of another day.
func clock(at, now time.Time) string {
	at, now = at.UTC(), now.UTC()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04Z")
	}
	return at.Format("2006-01-02 15:04Z")
}
