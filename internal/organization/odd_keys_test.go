package organization_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/plan"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// 17. The key of one Organization may do nothing any more (403): the people of another object of the organization, with a good
// key, are changed all the same.
func TestAKeyThatMayNotLookDelaysNobodyOfAnotherObject(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		api.AddKey("sk-admin-b")
		s.Organization("a")
		s.Organization("b")
		one := s.OrgUser("a", "user-001", "user-001@example.com", Wants("reader"))
		two := s.OrgUser("b", "user-002", "user-002@example.com", Wants("reader"))
		s.Connect("a", "api", Hourly, link.Pair{})
		s.ConnectWith("b", "sk-admin-b", "api", Hourly, link.Pair{}, "")
		s.Settle(time.Minute)
		s.APIs["api"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.Header.Get("Authorization"), openaitest.DefaultAdminKey) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Openai-Organization", "org-1")
				w.WriteHeader(http.StatusForbidden)
				_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": "missing scopes", "type": "invalid_request_error"}})
				return
			}
			api.ServeHTTP(w, r)
		})
		one.Spec.Role = "owner"
		two.Spec.Role = "owner"
		one.Generation++
		two.Generation++
		s.Put(one, two)
		s.All.Of(ObjectName("b")).Wake(0, true, append(declared.KeysOf(one), declared.KeysOf(two)...)...)
		began := time.Now()
		for len(s.Edge.IDsOf(plan.Update)) == 0 && time.Since(began) < 6*time.Hour {
			s.Settle(time.Second)
		}
		t.Log("waited", time.Since(began))
		if waited := time.Since(began); waited > time.Minute {
			t.Errorf("a change of b's, whose key is good, waited %v for a's key", waited)
		}
	})
}

// 18. A binding is deleted of which a subject by userID was taken out before.
func TestABindingIsDeletedAfterASubjectByUserIDWasTakenOut(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(5)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		api.AssignRole("user-001", "role-1")
		s.Organization("team")
		b := s.Binding("team", "role-1", nil)
		b.Status.Subjects = []v1alpha1.SubjectStatus{{Subject: v1alpha1.Subject{UserID: "user-001"}, UserID: "user-001", State: v1alpha1.SubjectAssigned}}
		b.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		s.Put(b)
		s.Connect("team", "api", link.Terms{Interval: 10 * time.Minute, RequestsPerMinute: 300}, link.Pair{})
		s.All.Of(ObjectName("team")).Wake(0, true, plan.IDKey("user-001"))
		s.Settle(24 * time.Hour)
		s.Expect("role", []string(nil), api.Members()[1].Direct)
		d, err := s.All.Of(ObjectName("team")).Decide(t.Context(), "user-001")
		if err != nil {
			t.Fatal(err)
		}
		s.Expect("the finalizer may go", true, d.Grants[string(b.UID)].Forget)
	})
}
