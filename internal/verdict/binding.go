package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Subject is one line of a binding: a subject that spec names, or one that it named and whose user is remembered still.
type Subject struct {
	v1alpha1.SubjectStatus
	// Who is the person for people.
	Who string
	// Released: no subject of spec is the user any more.
	Released bool
	// Said is what the plan says of the person.
	Said plan.Said
	// Step is the step that the binding calls for, if any.
	Step plan.Step
}

// Binding sums up what is said of the subjects. What goes on by itself soonest names the state.
func Binding(organization *v1alpha1.Organization, subjects []*Subject, steps []plan.Step) Verdict {
	all := Verdict{Ready, v1alpha1.ReasonInSync, "every subject has the role"}
	if organization.Spec.Mode == v1alpha1.ModeObserve {
		all = observed(steps)
	}
	var lacking []string
	for _, s := range subjects {
		v := of(s, organization)
		if urgency(v) > urgency(all) {
			all.State, all.Reason = v.State, v.Reason
		}
		if v.State != Ready && v.Message != "" {
			lacking = append(lacking, s.Who+": "+v.Message)
		}
	}
	if all.State != Ready {
		all.Message = lackingMessage(subjects, lacking)
	}
	return all
}

// of is what is said of one subject.
func of(s *Subject, organization *v1alpha1.Organization) Verdict {
	who := s.Who
	if s.Said.Fact.Kind == plan.Observed {
		return Verdict{State: Ready}
	}
	if s.Said.Fact.Kind == plan.None {
		if s.Released && !s.Said.Forget && s.Said.Holding == plan.NotHeld {
			return AsItWas() // a call may still be under way
		}
		return Verdict{State: Ready}
	}
	if s.Said.Fact.Kind == plan.AddressChanged {
		return Verdict{Stalled, v1alpha1.ReasonConflict, subjectMoved(s.Said.Fact)}
	}
	return ofFact(s.Said.Fact, who, organization, []plan.Step{s.Step})
}

// subjectMoved says that a subject's user has another address now.
func subjectMoved(f plan.Fact) string {
	has := f.Users[0]
	words := fmt.Sprintf("it stands for user %s, who has %s in the organization now", has.ID, orNone(has.Email))
	if len(f.Users) > 1 {
		words += fmt.Sprintf(", and its address is that of user %s", join(f.Users[1:], idOf))
	}
	return words + ". Nothing is changed on a guess: name whom you mean by userID in spec.subjects"
}

// lackingMessage words how far the binding has come and what each subject lacks. In a deletion no subject is to have the
// role any more, so that none is counted.
func lackingMessage(subjects []*Subject, lacking []string) string {
	var words []string
	if has, named := assigned(subjects); named > 0 {
		words = append(words, fmt.Sprintf("%d/%d of the subjects have the role", has, named))
	}
	if len(lacking) > 0 {
		words = append(words, FirstOf(lacking, 3, "; "))
	}
	if len(words) == 0 {
		return "at work"
	}
	return strings.Join(words, "; ")
}

// urgency ranks verdicts: the highest among the subjects is the binding's.
func urgency(v Verdict) int {
	switch {
	case v.State == Ready:
		return 0
	case v.State == Keep:
		return 1
	case v.Reason == v1alpha1.ReasonNotAMember:
		return 2
	case v.State == Stalled:
		return 3
	}
	return 4
}

// assigned counts the subjects that have the role, of those that are named in the spec.
func assigned(subjects []*Subject) (has, named int) {
	for _, s := range subjects {
		if s.Released {
			continue
		}
		named++
		if s.Said.Holding == plan.Direct || s.Said.Holding == plan.Inherited {
			has++
		}
	}
	return has, named
}

// Assigned is status.assigned: who has the role, of all who are named.
func Assigned(subjects []*Subject) string {
	has, named := assigned(subjects)
	return fmt.Sprintf("%d/%d", has, named)
}

// Unknown says whether it cannot be said yet how somebody has the role.
func Unknown(subjects []*Subject) bool {
	return slices.ContainsFunc(subjects, func(s *Subject) bool { return s.Said.Fact.Kind == plan.Unknown })
}

// Lines are the lines of status.subjects. Nothing is left of a released one that may be forgotten, and what cannot be
// said yet stays as it was.
func Lines(organization *v1alpha1.Organization, subjects []*Subject, before []v1alpha1.SubjectStatus) []v1alpha1.SubjectStatus {
	known := map[v1alpha1.SubjectStatus]v1alpha1.SubjectStatus{}
	for _, line := range before {
		known[v1alpha1.SubjectStatus{Subject: line.Subject, UserID: line.UserID}] = line
	}
	var all []v1alpha1.SubjectStatus
	for _, s := range subjects {
		if line, ok := known[v1alpha1.SubjectStatus{Subject: s.Subject, UserID: s.UserID}]; ok && s.Said.Fact.Kind == plan.Unknown {
			all = append(all, line)
			continue
		}
		if s.Released && s.Said.Forget {
			continue
		}
		line := s.SubjectStatus
		line.Message = ""
		v := of(s, organization)
		switch {
		case s.Said.Holding == plan.Direct && s.Said.Fact.Kind == plan.None:
			line.State = v1alpha1.SubjectAssigned
		case s.Said.Holding == plan.Inherited && s.Said.Fact.Kind == plan.None:
			line.State = v1alpha1.SubjectInherited
		case v.Reason == v1alpha1.ReasonNotAMember:
			line.State = v1alpha1.SubjectNotAMember
		case v.State == Stalled:
			line.State, line.Message = v1alpha1.SubjectFailed, Cut(v.Message, maxLine)
		default:
			line.State = v1alpha1.SubjectPending
			if v.Reason == v1alpha1.ReasonRetrying {
				line.Message = Cut(v.Message, maxLine)
			}
		}
		all = append(all, line)
	}
	return all
}

const maxLine = 1000

// Unassigning is what is said of a binding that is being deleted and cannot go yet.
func Unassigning(v Verdict) Verdict {
	if v.State != Keep {
		v.Message = "taking the role away waits: " + v.Message
	}
	return WithRetain(v, "the assignments")
}

// InvalidRole says why a binding's role does not resolve.
func InvalidRole(f plan.RoleFact, refers, noted plan.Role) Verdict {
	switch f.Kind {
	case plan.RoleResolved, plan.RolesUnknown:
		return AsItWas()
	case plan.SeveralRoles:
		return invalidRole(fmt.Sprintf("%d roles of the organization have the name %q: %s; name one by spec.roleRef.id",
			len(f.Roles), refers.Name, join(f.Roles, func(role plan.OfferedRole) string { return role.ID })))
	case plan.PredefinedRole:
		return invalidRole(fmt.Sprintf("role %q is predefined and cannot be bound; set spec.role on the OrgUsers instead", f.Roles[0].Name))
	case plan.OtherRole:
		return invalidRole(fmt.Sprintf("spec.roleRef.name %q meant role %s, which is called %q now, and means role %s now; "+
			"delete this binding, which takes %s away, and create it anew", refers.Name, noted.ID, f.Roles[0].Name, f.Roles[1].ID, noted.ID))
	}
	return invalidRole(noSuchRole(refers, f.Roles))
}

func invalidRole(message string) Verdict {
	return Verdict{Stalled, v1alpha1.ReasonInvalidRole, message}
}

func noSuchRole(refers plan.Role, offered []plan.OfferedRole) string {
	var roles []string
	for _, role := range offered {
		if !role.Predefined {
			roles = append(roles, fmt.Sprintf("%q (%s)", role.Name, role.ID))
		}
	}
	has := "it has no roles that can be bound"
	if len(roles) > 0 {
		has = "it has " + sortedFirst(roles, 20)
	}
	if refers.ID != "" {
		return fmt.Sprintf("the organization has no role with the ID %q, which spec.roleRef.id names; %s", refers.ID, has)
	}
	return fmt.Sprintf("the organization has no role with the name %q, which spec.roleRef.name names; %s", refers.Name, has)
}
