package edge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// madeStep is a step that a binding made.
type madeStep struct {
	step  plan.Step
	drift bool
}

// Made implements organization.Edge.
func (e *Edge) Made(_ context.Context, made organization.Made) {
	step := made.Step
	if step.Verb == plan.Update || step.Verb == plan.Remove {
		for _, org := range made.Objects.Organizations {
			e.Recount(client.ObjectKeyFromObject(org))
		}
	}
	switch {
	case step.Verb == plan.Update:
		for _, user := range made.Objects.Users {
			if slices.Contains(made.For, string(user.UID)) {
				reason := v1alpha1.EventUpdated
				if wasInSync(user) {
					reason = v1alpha1.EventDriftCorrected
				}
				e.events.Eventf(user, nil, "Normal", reason, string(step.Verb), "%s", step.Done())
			}
		}
	case made.Undeclared:
		if org := e.asker(made); org != nil {
			e.events.Eventf(org, nil, "Normal", v1alpha1.EventUndeclaredRemoved, aboutStep(step), "%s: no object declares it", step.Done())
		}
	case step.Verb == plan.Remove:
		e.mu.Lock()
		e.removed[leaver{made.Asker, step.UserID}] = true
		e.mu.Unlock()
		if org := e.asker(made); org != nil {
			e.events.Eventf(org, nil, "Normal", v1alpha1.EventRemoved, aboutStep(step), "removed %s (%s) from the organization", step.Who, step.UserID)
		}
	default:
		e.mu.Lock()
		for _, binding := range made.Objects.Bindings {
			if slices.Contains(made.For, string(binding.UID)) {
				e.made[binding.UID] = append(e.made[binding.UID], madeStep{step, wasInSync(binding)})
			}
		}
		e.mu.Unlock()
	}
}

func (e *Edge) asker(made organization.Made) *v1alpha1.Organization {
	for _, org := range made.Objects.Organizations {
		if client.ObjectKeyFromObject(org) == made.Asker {
			return org
		}
	}
	return nil
}

// wasInSync says whether an object says that what it declares held: what was changed now had been changed by somebody else.
func wasInSync(object client.Object) bool {
	return declared.Settled(object) && reasonOf(object) == v1alpha1.ReasonInSync
}

// reasonOf is the reason of an object's condition Ready.
func reasonOf(object client.Object) string {
	var conditions []metav1.Condition
	switch o := object.(type) {
	case *v1alpha1.OrgUser:
		conditions = o.Status.Conditions
	case *v1alpha1.OrgUserRoleBinding:
		conditions = o.Status.Conditions
	case *v1alpha1.Organization:
		conditions = o.Status.Conditions
	}
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

// aboutStep is the action of an event about a step: events that differ in their note only would be counted as one.
func aboutStep(step plan.Step) string {
	return verdict.Cut(strings.TrimSpace(fmt.Sprintf("%s %s %s", step.Verb, step.UserID, step.Role.ID)), 120)
}

// TellMade sends one event for the users who got the role of a binding since the last time, and one for those who lost it.
func (e *Edge) TellMade(binding *v1alpha1.OrgUserRoleBinding) {
	made := e.takeMade(binding.UID)
	for _, verb := range []plan.Verb{plan.Assign, plan.Unassign} {
		var users []string
		role, drift := "", true
		for _, m := range made {
			if m.step.Verb == verb {
				users = append(users, m.step.Who)
				role, drift = m.step.Role.Name, drift && m.drift
			}
		}
		if len(users) == 0 {
			continue
		}
		reason, words := v1alpha1.EventAssigned, "assigned role %s to %s"
		if verb == plan.Unassign {
			reason, words = v1alpha1.EventUnassigned, "unassigned role %s from %s"
		} else if drift {
			reason = v1alpha1.EventDriftCorrected
		}
		e.events.Eventf(binding, nil, "Normal", reason, string(verb), words, role, verdict.FirstOf(users, 10, ", "))
	}
}

// takeMade returns the steps that a binding made and has not told yet.
func (e *Edge) takeMade(binding types.UID) []madeStep {
	e.mu.Lock()
	defer e.mu.Unlock()
	made := e.made[binding]
	delete(e.made, binding)
	return made
}

// leaver is a leaver of one Organization: the ID alone may be another person's in another organization.
type leaver struct {
	organization types.NamespacedName
	userID       string
}

// WasRemoved says whether rollcall removed a leaver, and forgets it.
func (e *Edge) WasRemoved(org types.NamespacedName, userID string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	who := leaver{org, userID}
	removed := e.removed[who]
	delete(e.removed, who)
	return removed
}
