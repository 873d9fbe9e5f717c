package adminkey_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/adminkey"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

type secrets struct {
	client.Reader
	data map[string]string // base-url by name
}

func (s secrets) Get(_ context.Context, name client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	base, ok := s.data[name.Name]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name.Name)
	}
	into.(*corev1.Secret).Data = map[string][]byte{"api-key": []byte(openaitest.DefaultAdminKey), "base-url": []byte(base)}
	return nil
}

// An Organization is deleted and created anew, with another Secret, before a worker comes to look: the queue has its name
// once, and the cache has the new object (as after a relist of the watch, always). The new one is of generation 1 too.
func TestAttackAnOrganizationThatIsCreatedAnewUsesTheSecretOfTheOldOne(t *testing.T) {
	InScene(t, func(s *Scene) {
		s.Host("old", "org-old", Persons(3)...)
		s.Host("new", "org-new", Persons(3)...)
		keys := adminkey.New(secrets{data: map[string]string{"old": "https://old/v1", "new": "https://new/v1"}}, s.All, false)
		with := func(secret string) func(*v1alpha1.Organization) {
			return func(o *v1alpha1.Organization) {
				o.Spec.AdminKeySecretRef = v1alpha1.SecretKeyReference{Name: secret, Key: "api-key"}
				o.Spec.ResyncInterval = metav1.Duration{Duration: 24 * time.Hour}
				o.Spec.RequestsPerMinute = 3000
			}
		}
		reconcile := func() link.Pair {
			t.Helper()
			org := s.OrgNow("team")
			s.All.Noted(client.ObjectKeyFromObject(org), link.PairOf(org))
			if _, _, err := keys.Connect(t.Context(), org); err != nil {
				t.Fatal(err)
			}
			s.Settle(time.Minute)
			return s.All.View(ObjectName("team")).Pair
		}
		s.Organization("team", with("old"))
		s.Expect("pair of the first", PairAt("old", "org-old"), reconcile())

		s.Organization("team", with("new"), func(o *v1alpha1.Organization) { o.UID = "another" })
		user := s.OrgUser("team", "user-001", "user-001@example.com", Wants("owner"))
		s.Expect("pair of the second", PairAt("new", "org-new"), reconcile())
		s.Wake(user)
		s.Settle(time.Minute)
		if made := s.Edge.IDsOf(plan.Update); len(made) > 0 && s.All.View(ObjectName("team")).Pair == PairAt("old", "org-old") {
			t.Errorf("%v were made owners in the organization of the old object, with a Secret that the new one does not name", made)
		}
		s.Settle(6 * time.Hour)
		s.Expect("pair of the second, hours later", PairAt("new", "org-new"), reconcile())
	})
}
