package declared

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// Trim leaves of an object what rollcall reads of it: there may be a hundred thousand in the informers' cache, with
// annotations as large as whoever wrote them likes. What it takes away is written back by nobody, since writes are patches of
// what differs. It is a transform of a cache, and returns no error.
func Trim(object any) (any, error) {
	o, ok := object.(client.Object)
	if !ok {
		return object, nil // what an informer says of an object whose deletion it missed
	}
	o.SetManagedFields(nil)
	o.SetLabels(nil)
	o.SetOwnerReferences(nil)
	o.SetAnnotations(ours(o.GetAnnotations()))
	texts.share(o)
	return object, nil
}

// ours are the annotations that rollcall reads.
func ours(annotations map[string]string) map[string]string {
	var kept map[string]string
	for _, name := range []string{v1alpha1.PausedAnnotation, v1alpha1.SyncRequestedAtAnnotation} {
		value, there := annotations[name]
		if !there {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[name] = value
	}
	return kept
}

// texts are those that are the same in very many objects, each kept once.
var texts = sharedTexts{known: map[string]string{}}

// mostTexts bounds them: where there are more, they begin anew.
const mostTexts = 4096

type sharedTexts struct {
	mu    sync.Mutex
	known map[string]string
}

// share has an object's texts that others have too be the same in memory.
func (s *sharedTexts) share(object client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	object.SetNamespace(s.of(object.GetNamespace()))
	finalizers := object.GetFinalizers()
	for i := range finalizers {
		finalizers[i] = s.of(finalizers[i])
	}
	user, ok := object.(*v1alpha1.OrgUser)
	if !ok {
		return
	}
	user.Kind, user.APIVersion = s.of(user.Kind), s.of(user.APIVersion)
	user.Spec.OrganizationRef.Name = s.of(user.Spec.OrganizationRef.Name)
	user.Spec.Role, user.Status.Role = v1alpha1.UserRole(s.of(string(user.Spec.Role))), s.of(user.Status.Role)
	user.Spec.DeletionPolicy = v1alpha1.DeletionPolicy(s.of(string(user.Spec.DeletionPolicy)))
	if user.Status.Email == user.Spec.Email {
		user.Status.Email = user.Spec.Email
	}
	for i := range user.Status.Conditions {
		condition := &user.Status.Conditions[i]
		condition.Type, condition.Reason = s.of(condition.Type), s.of(condition.Reason)
		condition.Status, condition.Message = metav1.ConditionStatus(s.of(string(condition.Status))), s.of(condition.Message)
	}
}

// of is the text as it is kept.
func (s *sharedTexts) of(text string) string {
	if known, ok := s.known[text]; ok {
		return known
	}
	if len(s.known) == mostTexts {
		clear(s.known)
	}
	s.known[text] = text
	return text
}
