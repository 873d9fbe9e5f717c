package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// fact is something that keeps an object from being ready: what it is, and how to mend it.
type fact struct {
	state           state
	reason, message string
	// rule is the guard's that holds a step, if one does.
	rule plan.Rule
	// lookAgain is set where nothing but time tells that the fact has gone.
	lookAgain time.Duration
}

func (f *fact) Error() string { return f.message }

// heldBy is the rule of the guard that the error comes from, or "".
func heldBy(err error) plan.Rule {
	var f *fact
	if !errors.As(err, &f) {
		return ""
	}
	return f.rule
}

func sharedOrganization(org *v1alpha1.Organization, siblings []types.NamespacedName) error {
	others := slices.DeleteFunc(slices.Clone(siblings), func(name types.NamespacedName) bool {
		return name == types.NamespacedName{Namespace: org.Namespace, Name: org.Name}
	})
	return &fact{
		state: stalled, reason: v1alpha1.ReasonConflict,
		message: fmt.Sprintf("spec.undeclared must not be Remove or Unassign while another Organization object stands for the same organization (%s): "+
			"what this namespace does not declare, another may; set it to Report, or keep one Organization object. All else goes on",
			join(others, types.NamespacedName.String)),
	}
}

func isFact(err error) bool {
	var f *fact
	return errors.As(err, &f)
}

func (f *fact) outcome() outcome {
	return outcome{state: f.state, reason: f.reason, message: f.message, result: ctrl.Result{RequeueAfter: f.lookAgain}}
}

// secretPoll is how often a Secret that cannot be used is read again. It is not watched: see
// OrganizationReconciler.credential.
const secretPoll = 30 * time.Second

func secretNotFound(org *v1alpha1.Organization) error {
	ref := org.Spec.AdminKeySecretRef
	return &fact{
		state: waiting, reason: v1alpha1.ReasonSecretNotFound,
		message: fmt.Sprintf("Secret %q, which spec.adminKeySecretRef.name names, is not in namespace %s; create it: "+
			"kubectl create secret generic %s -n %s --from-literal=%s=sk-admin-...", ref.Name, org.Namespace, ref.Name, org.Namespace, ref.Key),
		lookAgain: secretPoll,
	}
}

func secretForbidden(org *v1alpha1.Organization) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonSecretNotFound,
		message: fmt.Sprintf("rollcall may not read Secret %q in namespace %s; grant its ServiceAccount the verb get on secrets there",
			org.Spec.AdminKeySecretRef.Name, org.Namespace),
		lookAgain: secretPoll,
	}
}

func secretWithoutKey(org *v1alpha1.Organization, secret *corev1.Secret) error {
	ref := org.Spec.AdminKeySecretRef
	found := "it is empty"
	if _, ok := secret.Data[ref.Key]; ok {
		found = "that key is empty"
	} else if len(secret.Data) > 0 {
		var keys []string
		for key := range secret.Data {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		found = "its keys are " + strings.Join(keys, ", ")
		if slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "sk-") }) {
			// Somebody took a key's name for its value.
			found = "the name of one of its keys looks like an admin key, which belongs into the value"
		}
	}
	return &fact{
		state: stalled, reason: v1alpha1.ReasonSecretInvalid,
		message: fmt.Sprintf("Secret %q has no admin key under %q, which spec.adminKeySecretRef.key names: %s; "+
			"put the organization's admin key (sk-admin-...) there", ref.Name, ref.Key, found),
		lookAgain: secretPoll,
	}
}

func credentialInvalid(org *v1alpha1.Organization, err error) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonSecretInvalid,
		message:   fmt.Sprintf("Secret %q cannot be used: %s", org.Spec.AdminKeySecretRef.Name, err),
		lookAgain: secretPoll,
	}
}

func keyRefused(org *v1alpha1.Organization, err error) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonUnauthorized,
		message: fmt.Sprintf("the API refused the admin key in Secret %q: %s; put a valid admin key of this organization there. "+
			"Until then nothing in the organization is changed", org.Spec.AdminKeySecretRef.Name, describe(err)),
		lookAgain: secretPoll,
	}
}

func readingRejected(org *v1alpha1.Organization, err error) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonRejected,
		message: fmt.Sprintf("the organization cannot be read: %s; where Secret %q has a %s, it must be the API's address with its version, "+
			"as in https://api.openai.com/v1. It is asked again every %s", describe(err), org.Spec.AdminKeySecretRef.Name, baseURLKey, words(secretPoll)),
		lookAgain: secretPoll,
	}
}

func otherOrganization(org *v1alpha1.Organization, found string) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonConflict,
		message: fmt.Sprintf("the admin key in Secret %q belongs to organization %s, but this object stands for %s; "+
			"put a key of %s there, or create another Organization for %s",
			org.Spec.AdminKeySecretRef.Name, found, org.Status.OrganizationID, org.Status.OrganizationID, found),
		lookAgain: secretPoll,
	}
}

func organizationNotReady(name types.NamespacedName, exists bool) error {
	message := fmt.Sprintf("waits for Organization %q; kubectl describe oaiorg %s -n %s says what it needs", name.Name, name.Name, name.Namespace)
	if !exists {
		message = fmt.Sprintf("no Organization %q in namespace %s, which spec.organizationRef.name names; create it", name.Name, name.Namespace)
	}
	return &fact{state: waiting, reason: v1alpha1.ReasonOrganizationNotReady, message: message}
}

func notAMember(who string) error {
	return &fact{
		state: waiting, reason: v1alpha1.ReasonNotAMember,
		message: fmt.Sprintf("%s is not a member of the organization; invite them, and this object becomes ready within a resync of their joining", who),
	}
}

func ambiguousEmail(email string, users []openai.User) error {
	ids := make([]string, len(users))
	for i, user := range users {
		ids[i] = user.ID
	}
	return &fact{
		state: stalled, reason: v1alpha1.ReasonConflict,
		message: fmt.Sprintf("%d users of the organization have the email %s: %s; declare the right one by userID", len(users), email, strings.Join(ids, ", ")),
	}
}

func declaredElsewhere(who string, winner types.NamespacedName) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonConflict,
		message: fmt.Sprintf("OrgUser %s declares %s too and is older, so it acts and this object does nothing; delete one of the two", winner, who),
	}
}

func notTakenOver(changes string) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonRejected,
		message: "the API answered that it made the change, but did not: still to do is to " + changes + "; it is asked again at each resync",
	}
}

func isPaused() error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonPaused,
		message: "nothing is done for this object, nor is its deletion, while it has the annotation " + v1alpha1.PausedAnnotation +
			`: "true"; take the annotation away to go on`,
	}
}

func organizationPaused(name types.NamespacedName) error {
	return &fact{
		state: waiting, reason: v1alpha1.ReasonOrganizationNotReady,
		message: fmt.Sprintf("waits while Organization %q has the annotation %s", name.Name, v1alpha1.PausedAnnotation),
	}
}

// observedOnly is no trouble: under Observe an object is ready when it has been compared.
func observedOnly(steps []plan.Step) error {
	message := "compared; there is nothing to do"
	if len(steps) > 0 {
		message = "compared; status.plan says what would be done, which the Organization's mode Observe leaves undone"
	}
	return &fact{state: ready, reason: v1alpha1.ReasonObserved, message: message}
}

// guarded names a step that the guard asks about.
func guarded(step plan.Step) string {
	if step.Verb == plan.Remove {
		return "the removal of " + step.Who
	}
	return "the role change of " + step.Who
}

func heldByMinOwners(org *v1alpha1.Organization, step plan.Step) *fact {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonHeld, rule: plan.RuleMinOwners,
		message: fmt.Sprintf("%s is held by spec.guard.minOwners of Organization %s: it would leave fewer than %d owners; declare another owner, "+
			"or lower minOwners", guarded(step), org.Name, org.Spec.Guard.MinOwners),
	}
}

func heldByMaxRemovals(org *v1alpha1.Organization, step plan.Step, wait time.Duration) *fact {
	return &fact{
		state: waiting, reason: v1alpha1.ReasonHeld, rule: plan.RuleMaxRemovals,
		message: fmt.Sprintf("%s is held by spec.guard.maxRemovals of Organization %s: at most %s of the users are removed in %s; "+
			"goes on by itself in the next window, or raise maxRemovals", guarded(step), org.Name, org.Spec.Guard.MaxRemovals.String(), words(org.Spec.Guard.Window.Duration)),
		lookAgain: max(wait, minimumWait),
	}
}

// heldByNoRemovals: no window ends this one.
func heldByNoRemovals(org *v1alpha1.Organization, step plan.Step) *fact {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonHeld, rule: plan.RuleMaxRemovals,
		message: fmt.Sprintf("%s is held by spec.guard.maxRemovals of Organization %s, which is 0: nobody is removed; raise maxRemovals", guarded(step), org.Name),
	}
}

func invalidRole(message string) error {
	return &fact{state: stalled, reason: v1alpha1.ReasonInvalidRole, message: message}
}

func otherPerson(who, recorded, found string) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonConflict,
		message: fmt.Sprintf("nobody is removed: this object stands for user %s, but %s is %s in the organization now; "+
			"set spec.deletionPolicy to Retain to let the object go, and remove by hand whom you mean", recorded, who, found),
	}
}

func noSuchOrgUser(name, namespace string) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonConflict,
		message: fmt.Sprintf("no OrgUser %q in namespace %s; create it, or take the subject out of spec.subjects", name, namespace),
	}
}

func otherOrganizationsUser(name, has, wants string) error {
	return &fact{
		state: stalled, reason: v1alpha1.ReasonConflict,
		message: fmt.Sprintf("OrgUser %q belongs to Organization %q and this binding to %q; name an OrgUser of the same Organization", name, has, wants),
	}
}
