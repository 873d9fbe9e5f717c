package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/known"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/statemetrics"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// undeclaredSeen is what is said of what no object declares.
type undeclaredSeen struct {
	known           bool
	found           known.Undeclared
	shared, verdict verdict.Verdict
	fact            plan.Fact
	// blocked is why nothing that is undeclared is taken, "" where nothing stands against it all.
	blocked string
}

// undeclared says what the last whole reading found that no object declares, and what stands against taking it.
func (r *organizationReconciler) undeclared(ctx context.Context, org *v1alpha1.Organization) (undeclaredSeen, error) {
	var seen undeclaredSeen
	name := client.ObjectKeyFromObject(org)
	o := r.organizations.Usable(name)
	if o == nil {
		return seen, nil
	}
	var err error
	if seen.found, err = o.Undeclared(ctx); err != nil {
		return seen, err
	}
	seen.known = true
	takes := org.Spec.Undeclared.Users == v1alpha1.UndeclaredUsersRemove || org.Spec.Undeclared.RoleAssignments == v1alpha1.UndeclaredRolesUnassign
	if others := slices.DeleteFunc(o.Objects(), func(n types.NamespacedName) bool { return n == name }); takes && len(others) > 0 {
		names := make([]string, len(others))
		for i, other := range others {
			names[i] = other.String()
		}
		seen.shared = verdict.SharedOrganization(names)
	}
	if takes && seen.shared.Reason == "" && (seen.found.Users > 0 || seen.found.Roles > 0) {
		seen.blocked = verdict.UndeclaredBlocked(seen.found.Unresolved, seen.found.NoOrgUsers)
	}
	held := 0
	for _, due := range seen.found.Left {
		if due.Wait.Kind == plan.Guarded {
			held++
			seen.fact = due.Wait
		}
		seen.verdict = verdict.Worst(seen.verdict, verdict.Undeclared(due.Wait, due.Step, org))
	}
	r.mu.Lock()
	r.against[name] = statemetrics.Undeclared{Held: held, Blocked: seen.blocked != ""}
	r.mu.Unlock()
	return seen, nil
}

// undeclaredOf is what was found last to stand against taking what no object declares.
func (r *organizationReconciler) undeclaredOf(name types.NamespacedName) statemetrics.Undeclared {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.against[name]
}

// countsGather is how long counts gather between two writes.
const countsGather = 3 * time.Second

// write writes down what is known, at most every few seconds where only counts differ. It says how long what is not
// written yet has time.
func (r *organizationReconciler) write(ctx context.Context, org *v1alpha1.Organization, v verdict.Verdict, leavers leaversSeen, ended []endedLeaver, found undeclaredSeen) (time.Duration, error) {
	name := client.ObjectKeyFromObject(org)
	now := time.Now()
	after := org.DeepCopy()
	r.setStatus(ctx, after, v, found)
	leavers.set(after, ended)
	correctWindow(after, now)
	if equality.Semantic.DeepEqual(org.Status, after.Status) {
		return 0, nil
	}
	if onlyCounts(org, after) {
		r.mu.Lock()
		wait := countsGather - now.Sub(r.counted[name])
		r.mu.Unlock()
		if wait > 0 {
			return wait, nil
		}
	}
	r.mu.Lock()
	r.counted[name] = now
	r.mu.Unlock()
	before := org.DeepCopy()
	err := r.edge.Write(ctx, name, func(org *v1alpha1.Organization) error {
		if org.UID != before.UID {
			return fmt.Errorf("another object is Organization %s by now", org.Name)
		}
		if org.Generation == before.Generation {
			r.setStatus(ctx, org, v, found)
		}
		leavers.set(org, ended)
		correctWindow(org, now)
		return nil
	})
	if client.IgnoreNotFound(err) != nil {
		return 0, err
	}
	if err == nil {
		r.announceOrganization(after, before, v, leavers, found, ended)
	}
	return 0, nil
}

// onlyCounts says whether nothing but counts and times differ, which have time.
func onlyCounts(before, after *v1alpha1.Organization) bool {
	b, a := before.Status.DeepCopy(), after.Status.DeepCopy()
	for _, s := range []*v1alpha1.OrganizationStatus{b, a} {
		s.Users, s.DeclaredUsers, s.UndeclaredUsers, s.UndeclaredRoleAssignments, s.Plan = nil, nil, nil, nil, nil
	}
	return equality.Semantic.DeepEqual(b, a)
}

// setStatus writes down the organization as it is known now.
func (r *organizationReconciler) setStatus(ctx context.Context, org *v1alpha1.Organization, v verdict.Verdict, found undeclaredSeen) {
	status := &org.Status
	if v.State != verdict.Keep {
		status.ObservedGeneration = org.Generation
		verdict.SetConditions(&status.Conditions, org.Generation, v)
	}
	name := client.ObjectKeyFromObject(org)
	if users, err := r.cache.OrgUsers(ctx, name); err == nil {
		status.DeclaredUsers = new(int32(len(users))) //nolint:gosec // etcd holds fewer
	}
	view := r.organizations.View(name)
	if view.State != link.Proven || view.ReadAt.IsZero() {
		return
	}
	if view.Handled != "" {
		status.LastHandledSyncRequest = view.Handled
	}
	if shown(view.Pair.ID) {
		status.OrganizationID, status.BaseURL = view.Pair.ID, view.Pair.Address
	}
	if found.known {
		setUndeclared(org, found.found)
	}
	counts := view.Counts
	status.Users = &v1alpha1.UserCounts{
		Total: int32(counts.Total), Owners: int32(counts.Owners), Readers: int32(counts.Readers), //nolint:gosec // people
		ServiceAccounts: int32(counts.ServiceAccounts), ScimManaged: int32(counts.SCIMManaged), //nolint:gosec // people
	}
	// The API server keeps whole seconds; more would differ from what it gives back, and be written again.
	status.LastSyncTime = new((&metav1.Time{Time: view.ReadAt}).Rfc3339Copy())
}

// shown says whether the ID is one that the API gave.
func shown(id string) bool { return link.IsGiven(id) }

func setUndeclared(org *v1alpha1.Organization, found known.Undeclared) {
	status := &org.Status
	status.UndeclaredUsers, status.UndeclaredRoleAssignments = nil, nil
	if org.Spec.Undeclared.Users != v1alpha1.UndeclaredUsersIgnore {
		status.UndeclaredUsers = new(int32(found.Users)) //nolint:gosec // people
	}
	if org.Spec.Undeclared.RoleAssignments != v1alpha1.UndeclaredRolesIgnore {
		status.UndeclaredRoleAssignments = new(int32(found.Roles)) //nolint:gosec // people
	}
	var steps []plan.Step
	for _, due := range found.Left {
		steps = append(steps, due.Step)
	}
	status.Plan = verdict.PlanLines(steps)
}

// correctWindow has a window begin now that begins in the future, as the clock of a leader before had it.
func correctWindow(org *v1alpha1.Organization, now time.Time) {
	if removals := org.Status.Removals; removals != nil && removals.WindowStart.After(now.Add(time.Minute)) {
		removals.WindowStart = metav1.NewTime(now).Rfc3339Copy()
	}
}

// announceOrganization tells of turns, also of the first reading, so that a healthy organization's events are not empty.
func (r *organizationReconciler) announceOrganization(org, before *v1alpha1.Organization, v verdict.Verdict, leavers leaversSeen, found undeclaredSeen, ended []endedLeaver) {
	if users := org.Status.Users; v.State == verdict.Ready && users != nil {
		v.Message = fmt.Sprintf("%s: %d users, %d of them owners", v.Message, users.Total, users.Owners)
	}
	for _, end := range ended {
		if end.reason == v1alpha1.EventRemoved && r.edge.WasRemoved(client.ObjectKeyFromObject(org), end.line.UserID) {
			continue // it was told when it was done
		}
		r.events.Eventf(org, nil, "Normal", end.reason, "Leave "+end.line.UserID, "%s", end.note)
	}
	if ready := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady); found.blocked != "" &&
		(ready == nil || !strings.Contains(ready.Message, found.blocked)) {
		r.events.Eventf(org, nil, "Warning", v1alpha1.EventUndeclaredBlocked, "Reconcile", "%s", found.blocked)
	}
	if v.State == verdict.Ready && len(before.Status.Conditions) == 0 {
		r.events.Eventf(org, nil, "Normal", v.Reason, "Reconcile", "%s", v.Message)
		return
	}
	r.announce(org, before.Status.Conditions, v)
	fact := found.fact
	if leavers.fact.Kind == plan.Guarded {
		fact = leavers.fact
	}
	announceHeld(r.events, org, before.Status.Conditions, v, fact, org)
}
