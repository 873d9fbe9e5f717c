package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// SecretPoll is how often a Secret that cannot be used is read again. It is not watched, which would need the right to
// list every Secret.
const SecretPoll = 30 * time.Second

// WasRead says that the organization was read whole.
func WasRead() Verdict {
	return Verdict{Ready, v1alpha1.ReasonInSync, "the organization was read whole"}
}

// WasReadSlowly says that changes wait for the budget of requests: for what the API takes, or for the ceiling of the spec.
func WasReadSlowly(learnt bool) Verdict {
	v := WasRead()
	if learnt {
		v.Message += "; changes wait, since the API takes fewer requests a minute than spec.requestsPerMinute (rollcall_api_learnt_requests_per_minute)"
	} else {
		v.Message += "; changes wait for their turn within spec.requestsPerMinute"
	}
	return v
}

// RolesListedLate adds that the roles of users are listed less often than was asked for: wait is how long one of them has
// waited beyond the interval. What is said is rounded up to a doubling of the interval, so that it does not change each time.
func RolesListedLate(v Verdict, interval, wait time.Duration) Verdict {
	every := interval
	for every < interval+wait {
		every *= 2
	}
	v.Message += fmt.Sprintf("; the roles of users are looked at within %s instead of spec.resyncInterval, %s, since there are too few requests "+
		"a minute for so many: raise spec.requestsPerMinute or spec.resyncInterval", Words(every), Words(interval))
	return v
}

// SecretNotFound says that the Secret is missing.
func SecretNotFound(org *v1alpha1.Organization) Verdict {
	ref := org.Spec.AdminKeySecretRef
	return Verdict{Waiting, v1alpha1.ReasonSecretNotFound,
		fmt.Sprintf("Secret %q, which spec.adminKeySecretRef.name names, is not in namespace %s; create it: "+
			"kubectl create secret generic %s -n %s --from-literal=%s=sk-admin-...", ref.Name, org.Namespace, ref.Name, org.Namespace, ref.Key)}
}

// SecretForbidden says that rollcall may not read the Secret.
func SecretForbidden(org *v1alpha1.Organization) Verdict {
	return Verdict{Stalled, v1alpha1.ReasonSecretNotFound,
		fmt.Sprintf("rollcall may not read Secret %q in namespace %s; grant its ServiceAccount the verb get on secrets there",
			org.Spec.AdminKeySecretRef.Name, org.Namespace)}
}

// SecretWithoutKey says that the Secret holds no admin key where it is looked for. It tells nobody which other keys there are:
// a manifest can name any Secret of its namespace, and a status is read by more people than a Secret.
func SecretWithoutKey(org *v1alpha1.Organization, secret *corev1.Secret) Verdict {
	ref := org.Spec.AdminKeySecretRef
	found, mend := "it has no such key", "; or name the key that has it"
	_, there := secret.Data[ref.Key]
	switch {
	case there:
		found, mend = "that key is empty", ""
	case len(secret.Data) == 0:
		found, mend = "it is empty", ""
	case slices.ContainsFunc(slices.Collect(maps.Keys(secret.Data)), func(key string) bool { return strings.HasPrefix(key, "sk-") }):
		// Somebody took a key's name for its value.
		found, mend = "the name of one of its keys looks like an admin key, which belongs into the value", ""
	}
	return Verdict{Stalled, v1alpha1.ReasonSecretInvalid,
		fmt.Sprintf("Secret %q has no admin key under %q, which spec.adminKeySecretRef.key names: %s; "+
			"put the organization's admin key (sk-admin-...) there%s", ref.Name, ref.Key, found, mend)}
}

// SecretInvalid says why what the Secret holds cannot be used.
func SecretInvalid(org *v1alpha1.Organization, why string) Verdict {
	return Verdict{Stalled, v1alpha1.ReasonSecretInvalid, fmt.Sprintf("Secret %q cannot be used: %s", org.Spec.AdminKeySecretRef.Name, why)}
}

// KeyRefused says that the API refused the key.
func KeyRefused(org *v1alpha1.Organization, words string) Verdict {
	return Verdict{Stalled, v1alpha1.ReasonUnauthorized,
		fmt.Sprintf("the API refused the admin key in Secret %q: %s; put a valid admin key of this organization there. "+
			"Until then nothing in the organization is changed", org.Spec.AdminKeySecretRef.Name, words)}
}

// ReadingRejected says that the API refuses to be read.
func ReadingRejected(org *v1alpha1.Organization, words string) Verdict {
	return Verdict{Stalled, v1alpha1.ReasonRejected,
		fmt.Sprintf("the organization cannot be read: %s; where Secret %q has a base-url, it must be the API's address with its version, "+
			"as in https://api.openai.com/v1. It is asked again every %s, and later more rarely", words, org.Spec.AdminKeySecretRef.Name, Words(SecretPoll))}
}

// OtherOrganization says that the key is of another organization than the object stands for.
func OtherOrganization(org *v1alpha1.Organization, foundAddress, foundID string) Verdict {
	known := org.Status.OrganizationID
	if foundID == known {
		return Verdict{Stalled, v1alpha1.ReasonConflict,
			fmt.Sprintf("the base-url in Secret %q is %s now, but this object stands for organization %s at %s; "+
				"put that base-url there, or create another Organization for the new one", org.Spec.AdminKeySecretRef.Name, foundAddress, known, org.Status.BaseURL)}
	}
	return Verdict{Stalled, v1alpha1.ReasonConflict,
		fmt.Sprintf("the admin key in Secret %q belongs to organization %s, but this object stands for %s; "+
			"put a key of %s there, or create another Organization for %s",
			org.Spec.AdminKeySecretRef.Name, foundID, known, known, foundID)}
}

// SharedOrganization says that what is undeclared cannot be told, since another object may declare it.
func SharedOrganization(others []string) Verdict {
	return Verdict{Stalled, v1alpha1.ReasonConflict,
		fmt.Sprintf("spec.undeclared must not be Remove or Unassign while another Organization object stands for the same organization (%s): "+
			"what this namespace does not declare, another may; set it to Report, or keep one Organization object. All else goes on",
			strings.Join(others, ", "))}
}

// UndeclaredBlocked says why nothing that is undeclared is taken, or "": unmatched are the OrgUsers that are not matched
// with anybody, none says that there is no OrgUser at all.
func UndeclaredBlocked(unmatched []plan.Ref, none bool) string {
	switch {
	case len(unmatched) > 0:
		names := make([]string, len(unmatched))
		for i, ref := range unmatched {
			names[i] = ref.String()
		}
		return "Nothing undeclared is taken, although spec.undeclared asks for it, until every OrgUser is matched with a member: not yet " +
			sortedFirst(names, 3)
	case none:
		return "Nothing undeclared is taken, although spec.undeclared asks for it, since no OrgUser names this Organization"
	}
	return ""
}

// Undeclared is what is said of the Organization about something undeclared that is to be taken and is not.
func Undeclared(f plan.Fact, step plan.Step, org *v1alpha1.Organization) Verdict {
	switch f.Kind {
	case plan.Guarded:
		return ofFact(f, step.Who, org, []plan.Step{step})
	case plan.Refused, plan.NotTakenOver, plan.Retrying:
		v := ofFact(f, step.Who, org, []plan.Step{step})
		v.Message = fmt.Sprintf("to %s, which no object declares, waits: %s", step, v.Message)
		return v
	}
	return Verdict{State: Ready}
}

// Leaver is what is said of somebody who is to leave: of the Organization, and in their line, where "" is that they wait
// for their time or are at work on.
func Leaver(f plan.Fact, who string, org *v1alpha1.Organization, step plan.Step) (Verdict, string) {
	switch f.Kind {
	case plan.NotDue, plan.None, plan.Unknown, plan.Pending, plan.Gone, plan.DeclaredAgain:
		return Verdict{State: Ready}, ""
	case plan.Protected:
		return Verdict{State: Ready}, fmt.Sprintf("OrgUser %s names them, and has not adopted them yet", f.Object)
	case plan.Observed:
		return Verdict{State: Ready}, "the Organization's mode is Observe"
	case plan.OrganizationPaused:
		return Verdict{State: Ready}, "the Organization is paused"
	case plan.OrganizationNotReady:
		return Verdict{State: Ready}, "the Organization's admin key cannot be used"
	case plan.AddressChanged:
		has := f.Users[0]
		message := fmt.Sprintf("nobody is removed: user %s has %s in the organization now, and not %s; to let them stay, create an OrgUser "+
			"with userID %s and deletionPolicy: Retain and delete it, else remove by hand whom you mean", has.ID, orNone(has.Email), who, has.ID)
		return Verdict{Stalled, v1alpha1.ReasonConflict, message}, message
	}
	v := ofFact(f, who, org, []plan.Step{step})
	if f.Kind != plan.Guarded {
		v.Message = fmt.Sprintf("the removal of %s waits: %s", who, v.Message)
	}
	return v, v.Message
}

// Worst is the verdict that is said of the whole, of several about parts: who needs a person goes before who waits.
func Worst(verdicts ...Verdict) Verdict {
	worst := Verdict{State: Ready}
	rank := map[State]int{Ready: 0, Keep: 1, Waiting: 2, Stalled: 3}
	for i, v := range verdicts {
		if i == 0 || rank[v.State] > rank[worst.State] {
			worst = v
		}
	}
	return worst
}

func sortedFirst(words []string, most int) string {
	slices.Sort(words)
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}
