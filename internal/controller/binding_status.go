package controller

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// bindingOutcome sums up what came of the subjects. What goes on by itself soonest names the state, and
// only an error of one kind is returned: a transient one joined with a terminal one would count as terminal.
func bindingOutcome(seen observedBinding, made progress, err error) outcome {
	if err != nil {
		return outcomeOf(err, "")
	}
	all := outcomeOf(nil, "every subject has the role")
	if seen.conn != nil && seen.conn.observeOnly {
		all = outcomeOf(observedOnly(made.left), "")
	}
	var lacking []string
	for _, s := range seen.subjects {
		if s.err == nil {
			continue
		}
		o := outcomeOf(s.err, "")
		if wait := o.result.RequeueAfter; wait > 0 && (all.result.RequeueAfter == 0 || wait < all.result.RequeueAfter) {
			all.result.RequeueAfter = wait
		}
		if o.err != nil {
			all.err = o.err
		}
		if urgency(o) > urgency(all) {
			all.state, all.reason = o.state, o.reason
		}
		if o.message != "" && o.reason != v1alpha1.ReasonProgressing {
			lacking = append(lacking, s.who+": "+o.message)
		}
	}
	if all.err != nil {
		all.result.RequeueAfter = 0 // the workqueue's backoff decides
	}
	if all.state != ready {
		all.message = lackingMessage(seen, lacking)
	}
	return all
}

// lackingMessage words how far the binding has come and what each subject lacks. In a deletion no subject is to
// have the role any more, so that none is counted.
func lackingMessage(seen observedBinding, lacking []string) string {
	var words []string
	if has, named := assigned(seen); named > 0 {
		words = append(words, fmt.Sprintf("%d/%d of the subjects have the role", has, named))
	}
	if len(lacking) > 0 {
		words = append(words, firstOf(lacking, 3, "; "))
	}
	if len(words) == 0 {
		return atWork
	}
	return strings.Join(words, "; ")
}

// urgency ranks outcomes: the highest among the subjects is the binding's.
func urgency(o outcome) int {
	switch {
	case o.state == ready:
		return 0
	case o.state == keep:
		return 1
	case o.reason == v1alpha1.ReasonNotAMember:
		return 2
	case o.state == stalled:
		return 3
	}
	return 4
}

// firstOf joins the first few words and says how many more there are.
func firstOf(words []string, most int, separator string) string {
	if len(words) <= most {
		return strings.Join(words, separator)
	}
	return fmt.Sprintf("%s%sand %d more", strings.Join(words[:most], separator), separator, len(words)-most)
}

// assigned counts the subjects that have the role, of those that are named in the spec.
func assigned(seen observedBinding) (has, named int) {
	for _, s := range seen.subjects {
		if s.released {
			continue
		}
		named++
		if s.err == nil && (s.holding == plan.Held || s.holding == plan.Inherited) {
			has++
		}
	}
	return has, named
}

// setBindingStatus writes down who has the role and what the reconcile came to. left are the steps that are
// planned and not made.
func setBindingStatus(binding *v1alpha1.OrgUserRoleBinding, seen observedBinding, left []plan.Step, o outcome) {
	status := &binding.Status
	if o.state != keep {
		status.Plan = planLines(left)
	}
	if seen.role.ID != "" {
		status.RoleID, status.RoleName = seen.role.ID, cut(seen.role.Name, 1000)
	}
	if seen.subjects != nil || o.state == ready {
		status.Subjects = lines(seen.subjects)
		has, named := assigned(seen)
		status.Assigned = fmt.Sprintf("%d/%d", has, named)
	}
	if o.state == keep {
		return
	}
	status.ObservedGeneration = binding.Generation
	setConditions(&status.Conditions, binding.Generation, o)
}

func lines(subjects []*subject) []v1alpha1.SubjectStatus {
	var all []v1alpha1.SubjectStatus
	for _, s := range subjects {
		line := s.SubjectStatus
		o := outcomeOf(s.err, "")
		switch {
		case s.err == nil && s.released && s.holding != plan.Held:
			continue // nothing is left of it
		case s.err == nil && s.holding == plan.Held && !s.released:
			line.State = v1alpha1.SubjectAssigned
		case s.err == nil && s.holding == plan.Inherited:
			line.State = v1alpha1.SubjectInherited
		case o.reason == v1alpha1.ReasonNotAMember:
			line.State = v1alpha1.SubjectNotAMember
		case o.state == stalled:
			line.State, line.Message = v1alpha1.SubjectFailed, shortened(o.message)
		default:
			line.State = v1alpha1.SubjectPending
			if o.reason == v1alpha1.ReasonRetrying {
				line.Message = shortened(o.message)
			}
		}
		all = append(all, line)
	}
	return all
}

// shortened fits a message into a subject's line.
func shortened(message string) string { return cut(message, 1000) }

func (r *OrgUserRoleBindingReconciler) patchStatus(ctx context.Context, before, after *v1alpha1.OrgUserRoleBinding) error {
	// The finalizer was patched on the way: only the status is to be compared and sent.
	before.ObjectMeta = *after.ObjectMeta.DeepCopy()
	return patchStatus(ctx, r.Status(), before, after, func(o client.Object) any {
		return o.(*v1alpha1.OrgUserRoleBinding).Status //nolint:forcetypeassert // called with the two bindings above only
	})
}

// tell sends one event for the users who got the role and one for those who lost it.
func (r *OrgUserRoleBindingReconciler) tell(binding, before *v1alpha1.OrgUserRoleBinding, done []plan.Step) {
	drift := settled(before.Status.Conditions, before.Status.ObservedGeneration, binding.Generation)
	for verb, words := range map[plan.Verb]struct{ reason, did, direction string }{
		plan.Assign:   {v1alpha1.EventAssigned, "assigned", "to"},
		plan.Unassign: {v1alpha1.EventUnassigned, "unassigned", "from"},
	} {
		var users []string
		for _, step := range done {
			if step.Verb == verb {
				users = append(users, step.Who)
			}
		}
		if len(users) == 0 {
			continue
		}
		if drift && verb == plan.Assign {
			words.reason = v1alpha1.EventDriftCorrected
		}
		r.Events.Eventf(binding, nil, "Normal", words.reason, string(verb), "%s role %s %s %s",
			words.did, done[0].Role.Name, words.direction, firstOf(users, 10, ", "))
	}
}
