package organization_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	. "github.com/rollcall-dev/rollcall/internal/registry/registrytest"
)

// A subject is taken out after the turn has read the binding and before the assignment is sent. Were the line forgotten in
// that moment, nobody would remember who has the role from it.
func TestNoLineIsForgottenOnceATurnHasLookedAtWhatItRestsOn(t *testing.T) {
	InScene(t, func(s *Scene) {
		api := s.Host("api", "org-1", Persons(3)...)
		api.AddRole(openaitest.Role{ID: "role-1", Name: "viewer"})
		s.Organization("team")
		binding := s.Binding("team", "role-1", map[string]string{"user-001": "user-001@example.com"})
		var forgets []bool
		read := false
		s.BeforeAnswers(func(what string) error {
			switch {
			case strings.HasPrefix(what, "get OrgUserRoleBinding"):
				read = true
			case read && strings.HasPrefix(what, "get *v1.PartialObjectMetadata"):
				read = false
				released := binding.DeepCopy()
				released.Generation++
				released.Spec.Subjects = []v1alpha1.Subject{}
				s.Put(released)
				d, err := s.All.Of(ObjectName("team")).Decide(t.Context(), "user-001")
				if err != nil {
					t.Error(err)
				}
				forgets = append(forgets, d.Grants[string(binding.UID)].Forget)
			}
			return nil
		})
		s.Connect("team", "api", Hourly, link.Pair{})
		s.All.Of(ObjectName("team")).Readings().Soon()
		s.Settle(time.Minute)
		s.Expect("looked at, given and taken again", 2, len(forgets))
		s.Expect("forgotten meanwhile", false, slices.Contains(forgets, true))
		s.Expect("calls", 1, Calls(api)["POST /organization/users/{id}/roles"])
	})
}
