package controller

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// leaversSeen is what is said of those who are to leave.
type leaversSeen struct {
	// held is what stands against a removal, by user ID.
	held     map[string]string
	verdicts []verdict.Verdict
	fact     plan.Fact
}

// endedLeaver is somebody who is no leaver any more, and what is told of it.
type endedLeaver struct {
	line         v1alpha1.Leaver
	reason, note string
}

// leavers says of each leaver what stands against their removal, and which of them are none any more.
func (r *organizationReconciler) leavers(ctx context.Context, org *v1alpha1.Organization) (leaversSeen, []endedLeaver, error) {
	seen := leaversSeen{held: map[string]string{}}
	var ended []endedLeaver
	o := r.organizations.Of(client.ObjectKeyFromObject(org))
	if o == nil || o.Roster().ReadAt().IsZero() {
		return seen, nil, nil
	}
	for _, line := range org.Status.Leaving {
		d, err := o.Decide(ctx, line.UserID)
		if err != nil {
			return seen, nil, err
		}
		said, ok := d.Leaving[declared.RefOf(org)]
		if !ok {
			continue // the cache has it, and what it was decided on not yet
		}
		if said.Forget {
			end, err := r.end(ctx, line, said)
			if err != nil {
				return seen, nil, err
			}
			if end != nil {
				ended = append(ended, *end)
				continue
			}
		}
		v, held := leaverSays(org, line, d, said)
		if v.State != verdict.Ready {
			seen.verdicts = append(seen.verdicts, v)
		}
		if said.Fact.Kind == plan.Guarded {
			seen.fact = said.Fact
		}
		seen.held[line.UserID] = verdict.Cut(held, 400)
	}
	return seen, ended, nil
}

// leaverSays is what is said of somebody who is still to leave, of the Organization and in their line.
func leaverSays(org *v1alpha1.Organization, line v1alpha1.Leaver, d plan.Decision, said plan.Said) (verdict.Verdict, string) {
	if said.Fact.Kind == plan.Pending && line.Held != "" {
		return verdict.AsItWas(), line.Held // it is looked at again whether what held them still does
	}
	var step plan.Step
	for _, due := range d.Steps {
		if due.Step.Verb == plan.Remove {
			step = due.Step
		}
	}
	return verdict.Leaver(said.Fact, declared.WhoLeft(line), org, step)
}

// end says how it ended with somebody who is no leaver any more. That an OrgUser declares them again is looked at live,
// since it is final.
func (r *organizationReconciler) end(ctx context.Context, line v1alpha1.Leaver, said plan.Said) (*endedLeaver, error) {
	if said.Fact.Kind == plan.Gone {
		return &endedLeaver{line: line, reason: v1alpha1.EventRemoved,
			note: fmt.Sprintf("%s (%s), whose OrgUser %s was deleted, is not in the organization any more", declared.WhoLeft(line), line.UserID, line.OrgUser)}, nil
	}
	heir := &v1alpha1.OrgUser{}
	name := types.NamespacedName{Namespace: said.Fact.Object.Namespace, Name: said.Fact.Object.Name}
	if err := client.IgnoreNotFound(r.live.Get(ctx, name, heir)); err != nil {
		return nil, err
	}
	if heir.UID == "" || !heir.DeletionTimestamp.IsZero() || !controllerutil.ContainsFinalizer(heir, v1alpha1.Finalizer) {
		return nil, nil //nolint:nilnil // they leave after all
	}
	return &endedLeaver{line: line, reason: v1alpha1.EventDeclaredAgain,
		note: fmt.Sprintf("%s (%s) stays: OrgUser %s declares them", declared.WhoLeft(line), line.UserID, said.Fact.Object)}, nil
}

// set writes the leavers down: without those who are none any more, and with what stands against the others.
func (seen leaversSeen) set(org *v1alpha1.Organization, ended []endedLeaver) {
	status := &org.Status
	status.Leaving = slices.DeleteFunc(status.Leaving, func(l v1alpha1.Leaver) bool {
		return slices.ContainsFunc(ended, func(e endedLeaver) bool { return e.line.UserID == l.UserID && e.line.Since.Equal(&l.Since) })
	})
	for i := range status.Leaving {
		line := &status.Leaving[i]
		line.Due = metav1.NewTime(declared.DueAt(org, line))
		if held, ok := seen.held[line.UserID]; ok {
			line.Held = held
		}
	}
	if len(status.Leaving) == 0 {
		status.Leaving = nil
	}
	status.LeavingUsers = new(int32(len(status.Leaving))) //nolint:gosec // at most MaxLeavers
}
