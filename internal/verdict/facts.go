package verdict

import (
	"fmt"
	"strings"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// OrganizationMissing says that the Organization which an object names is not there.
func OrganizationMissing(name plan.Ref) Verdict {
	return Verdict{Waiting, v1alpha1.ReasonOrganizationNotReady,
		fmt.Sprintf("no Organization %q in namespace %s, which spec.organizationRef.name names; create it", name.Name, name.Namespace)}
}

// OrganizationNotReady says that an object waits for its Organization.
func OrganizationNotReady(name plan.Ref) Verdict {
	return Verdict{Waiting, v1alpha1.ReasonOrganizationNotReady,
		fmt.Sprintf("waits for Organization %q; kubectl describe oaiorg %s -n %s says what it needs", name.Name, name.Name, name.Namespace)}
}

// OrganizationPaused says that an object waits while its Organization is paused.
func OrganizationPaused(name plan.Ref) Verdict {
	return Verdict{Waiting, v1alpha1.ReasonOrganizationNotReady,
		fmt.Sprintf("waits while Organization %q has the annotation %s", name.Name, v1alpha1.PausedAnnotation)}
}

// Paused says that a person stopped everything for the object.
func Paused() Verdict {
	return Verdict{Stalled, v1alpha1.ReasonPaused,
		"nothing is done for this object, nor is its deletion, while it has the annotation " + v1alpha1.PausedAnnotation +
			`: "true"; take the annotation away to go on`}
}

// AwaitsTurn says that work waits for its turn within the organization's budget of requests.
func AwaitsTurn() Verdict {
	return Verdict{Waiting, v1alpha1.ReasonProgressing, "waits for its turn: spec.requestsPerMinute of the Organization, or what the API takes, allows no more at the moment"}
}

// ofFact says what a fact about a person is for an object. who is the person as the manifest names them.
func ofFact(f plan.Fact, who string, organization *v1alpha1.Organization, steps []plan.Step) Verdict {
	switch f.Kind {
	case plan.None:
		return Verdict{Ready, v1alpha1.ReasonInSync, "the organization has this user as declared"}
	case plan.Observed:
		return observed(steps)
	case plan.NotAMember:
		return Verdict{Waiting, v1alpha1.ReasonNotAMember,
			fmt.Sprintf("%s is not a member of the organization; invite them, and this object becomes ready within a resync of their joining", who)}
	case plan.Left:
		return Verdict{Waiting, v1alpha1.ReasonNotAMember,
			fmt.Sprintf("%s was a member of the organization, and left it or was removed from it past rollcall; invite them again, or delete this object", who)}
	case plan.Ambiguous:
		return Verdict{Stalled, v1alpha1.ReasonConflict,
			fmt.Sprintf("%d users of the organization have the email %s: %s; declare the right one by userID", len(f.Users), who, join(f.Users, idOf))}
	case plan.AddressChanged:
		return Verdict{Stalled, v1alpha1.ReasonConflict, addressChanged(f, who)}
	case plan.DeclaredElsewhere:
		return declaredElsewhere(f, who)
	case plan.Paused:
		return Paused()
	case plan.OrganizationPaused:
		return OrganizationPaused(refOf(organization))
	case plan.OrganizationNotReady:
		return OrganizationNotReady(refOf(organization))
	case plan.Refused:
		return Verdict{Stalled, v1alpha1.ReasonRejected, refused(f)}
	case plan.Retrying:
		return Verdict{Waiting, v1alpha1.ReasonRetrying, "tried again until it succeeds: " + f.Words}
	case plan.NotTakenOver:
		return Verdict{Stalled, v1alpha1.ReasonRejected,
			"the API answered that it made the change, but did not: still to do is to " + sentences(steps) + "; " + asksAgain}
	case plan.Guarded:
		return guarded(f, organization, steps)
	case plan.NoSuchOrgUser:
		return Verdict{Stalled, v1alpha1.ReasonConflict,
			fmt.Sprintf("no OrgUser %q in namespace %s; create it, or take the subject out of spec.subjects", f.Object.Name, f.Object.Namespace)}
	case plan.OtherOrganizationsUser:
		return Verdict{Stalled, v1alpha1.ReasonConflict,
			fmt.Sprintf("OrgUser %q belongs to Organization %q and this binding to %q; name an OrgUser of the same Organization", f.Object.Name, f.Words, organization.Name)}
	case plan.Awaits:
		return Verdict{Waiting, v1alpha1.ReasonProgressing,
			"keeps the role for a while, since a subject names an OrgUser that is not there: it may be the same person under another name"}
	case plan.Leaving:
		return Verdict{Waiting, v1alpha1.ReasonProgressing, fmt.Sprintf("%s is being removed from the organization, so that nothing is given to them", who)}
	}
	return AsItWas() // Unknown, Pending, NotWritten: it goes on in a moment
}

// asksAgain says when what the API refused is tried again.
const asksAgain = "it is asked again when something changes, and else ever more rarely, from a minute to an hour apart"

func refused(f plan.Fact) string {
	return "the API refused the change; " + asksAgain + ": " + f.Words
}

func addressChanged(f plan.Fact, who string) string {
	has := f.Users[0]
	words := fmt.Sprintf("this object stands for user %s, who has %s in the organization now, and not %s", has.ID, orNone(has.Email), who)
	if len(f.Users) > 1 {
		words += fmt.Sprintf("; %s is user %s now", who, join(f.Users[1:], idOf))
	}
	return words + ". Nothing is changed on a guess: to follow the person, create an OrgUser with their new address or userID; " +
		"to follow the address, create this one anew, with deletionPolicy: Retain on the old one"
}

func declaredElsewhere(f plan.Fact, who string) Verdict {
	state := Stalled
	if f.Until != 0 {
		state = Waiting // the older one may be about to go
	}
	return Verdict{state, v1alpha1.ReasonConflict,
		fmt.Sprintf("OrgUser %s declares %s too and is older, so it acts and this object does nothing; delete one of the two", f.Object, who)}
}

func orNone(email string) string {
	if email == "" {
		return "no address"
	}
	return email
}

func idOf(user plan.User) string { return user.ID }

func refOf(organization *v1alpha1.Organization) plan.Ref {
	if organization == nil {
		return plan.Ref{}
	}
	return plan.Ref{Namespace: organization.Namespace, Name: organization.Name}
}

// observed is no trouble: under Observe an object is ready when it has been compared.
func observed(steps []plan.Step) Verdict {
	message := "compared; there is nothing to do"
	if len(steps) > 0 {
		message = "compared; status.plan says what would be done, which the Organization's mode Observe leaves undone"
	}
	return Verdict{Ready, v1alpha1.ReasonObserved, message}
}

// guardedStep names a step that the guard holds.
func guardedStep(step plan.Step) string {
	if step.Verb == plan.Remove {
		return "the removal of " + step.Who
	}
	return "the role change of " + step.Who
}

func guarded(f plan.Fact, organization *v1alpha1.Organization, steps []plan.Step) Verdict {
	what := "a change"
	if len(steps) > 0 {
		what = guardedStep(steps[0])
	}
	guard := organization.Spec.Guard
	switch {
	case f.Rule == plan.RuleMinOwners:
		whose := "Organization " + organization.Name
		if f.Numbers.Most > int(guard.MinOwners) {
			whose = "another Organization object of the same organization"
		}
		return Verdict{Stalled, v1alpha1.ReasonHeld,
			fmt.Sprintf("%s is held by spec.guard.minOwners of %s: it would leave fewer than %d owners; declare another owner, or lower minOwners",
				what, whose, f.Numbers.Most)}
	case f.Numbers.Most == 0:
		return Verdict{Stalled, v1alpha1.ReasonHeld,
			fmt.Sprintf("%s is held by spec.guard.maxRemovals of Organization %s, which is 0: nobody is removed; raise maxRemovals", what, organization.Name)}
	}
	return Verdict{Waiting, v1alpha1.ReasonHeld,
		fmt.Sprintf("%s is held by spec.guard.maxRemovals of Organization %s: at most %s of the users are removed in %s; "+
			"goes on by itself in the next window, or raise maxRemovals", what, organization.Name, guard.MaxRemovals.String(), Words(guard.Window.Duration))}
}

// HeldNumbers words what the guard counted, which changes, for an event.
func HeldNumbers(f plan.Fact, organization *v1alpha1.Organization, until string) string {
	switch {
	case f.Rule == plan.RuleMinOwners:
		return fmt.Sprintf("It would leave %d of at least %d owners", f.Numbers.Would, f.Numbers.Most)
	case f.Numbers.Most == 0:
		return "It would be a removal of at most 0"
	}
	return fmt.Sprintf("It would be removal %d of at most %d in %s; next at %s", f.Numbers.Would, f.Numbers.Most, Words(organization.Spec.Guard.Window.Duration), until)
}

// WithRetain adds to what a deletion waits for how to let the object go without it. stays is what stays then.
func WithRetain(v Verdict, stays string) Verdict {
	if v.State != Keep {
		v.Message = strings.TrimSuffix(v.Message, ".") + ". To let the object go and leave " + stays + ", set spec.deletionPolicy to Retain"
	}
	return v
}

// Retrying says that something failed in a way that passes by itself.
func Retrying(err string) Verdict {
	return Verdict{Waiting, v1alpha1.ReasonRetrying, "tried again until it succeeds: " + err}
}
