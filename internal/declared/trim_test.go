package declared

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

func TestTheCacheKeepsOfAnObjectWhatIsReadOfIt(t *testing.T) {
	object := func() *v1alpha1.OrgUser {
		user := &v1alpha1.OrgUser{ObjectMeta: metav1.ObjectMeta{
			Namespace: strings.Clone("team"), Name: "ada", UID: "uid-ada", ResourceVersion: "7", Generation: 2, Finalizers: []string{v1alpha1.Finalizer},
		}}
		user.Spec.Email, user.Status.Email = "ada@example.com", strings.Clone("ada@example.com")
		user.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "True", Reason: "InSync", Message: strings.Clone("as declared")}}
		user.Annotations = map[string]string{v1alpha1.PausedAnnotation: "true"}
		return user
	}
	full := object()
	full.Labels = map[string]string{"a": "b"}
	full.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = strings.Repeat("x", 250_000)
	full.OwnerReferences = []metav1.OwnerReference{{Name: "owner"}}
	full.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	got, err := Trim(full)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(object(), got); diff != "" {
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
	other := object()
	if _, err := Trim(other); err != nil {
		t.Fatal(err)
	}
	if unsafe.StringData(full.Status.Conditions[0].Message) != unsafe.StringData(other.Status.Conditions[0].Message) {
		t.Error("a text of two objects is kept twice")
	}
	gone := cache.DeletedFinalStateUnknown{Key: "team/ada"}
	if got, err := Trim(gone); err != nil || got != gone {
		t.Errorf("what is no object came back as %v, %v", got, err)
	}
}

func TestSharedTextsAreBounded(t *testing.T) {
	s := sharedTexts{known: map[string]string{}}
	for i := range 3 * mostTexts {
		s.of(strings.Repeat("x", i%7) + string(rune(i)))
	}
	if len(s.known) > mostTexts {
		t.Errorf("%d texts are kept", len(s.known))
	}
}
