package export_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/export"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

func write(t *testing.T, users []openai.User, assignments map[string][]openai.RoleAssignment) string {
	t.Helper()
	var text strings.Builder
	if err := export.Write(&text, export.People(users), assignments); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestWrite(t *testing.T) {
	viewer := openai.RoleAssignment{RoleID: "role_viewer", RoleName: "usage viewer"}
	for name, c := range map[string]struct {
		users       []openai.User
		assignments map[string][]openai.RoleAssignment
		want        string
	}{
		"people by email, sorted, with role, and a binding for whom a role was given directly": {
			users: []openai.User{
				{ID: "user-2", Email: "Grace.Hopper@example.com", Role: "reader"},
				{ID: "user-1", Email: "ada@example.com", Role: "owner"},
			},
			assignments: map[string][]openai.RoleAssignment{
				"user-1": {viewer, {RoleID: "role-api-organization-owner", RoleName: "owner", Predefined: true}},
				"user-2": {{RoleID: "role_viewer", RoleName: "usage viewer", Inherited: true}},
			},
			want: `---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata:
  name: ada
spec:
  deletionPolicy: Retain
  email: ada@example.com
  role: owner
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata:
  name: grace-hopper
spec:
  deletionPolicy: Retain
  email: Grace.Hopper@example.com
  role: reader
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUserRoleBinding
metadata:
  name: usage-viewer
spec:
  deletionPolicy: Retain
  roleRef:
    name: usage viewer
  subjects:
  - orgUser: ada
`,
		},
		"nobody who is no person": {
			users: []openai.User{{ID: "user-1", IsServiceAccount: true}, {ID: "user-2", Email: "default@example.com", IsDefault: true}},
		},
		"by ID where there is no email, or two have the same; no role where it is a custom one": {
			users: []openai.User{
				{ID: "user-3", Email: "Ada@example.com", Role: "reader"}, {ID: "user-2", Email: "ada@example.com"}, {ID: "user_1"},
			},
			want: `---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata:
  name: user-1
spec:
  deletionPolicy: Retain
  userID: user_1
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata:
  name: ada
spec:
  deletionPolicy: Retain
  userID: user-2
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata:
  name: ada-2
spec:
  deletionPolicy: Retain
  role: reader
  userID: user-3
`,
		},
		"roles of one name by ID": {
			users: []openai.User{{ID: "user-1", Email: "ada@example.com"}},
			assignments: map[string][]openai.RoleAssignment{"user-1": {
				{RoleID: "role_b", RoleName: "Viewer"}, {RoleID: "role_a", RoleName: "Viewer"},
			}},
			want: `---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata:
  name: ada
spec:
  deletionPolicy: Retain
  email: ada@example.com
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUserRoleBinding
metadata:
  name: viewer
spec:
  deletionPolicy: Retain
  roleRef:
    id: role_a
  subjects:
  - orgUser: ada
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUserRoleBinding
metadata:
  name: viewer-2
spec:
  deletionPolicy: Retain
  roleRef:
    id: role_b
  subjects:
  - orgUser: ada
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, write(t, c.users, c.assignments)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNamesAreOnesThatTheAPIServerTakes(t *testing.T) {
	text := write(t, []openai.User{
		{ID: "user-1", Email: "._-@example.com"}, {ID: "user-2", Email: strings.Repeat("Ä.x", 40) + "@example.com"},
	}, nil)
	for _, want := range []string{"  name: unnamed\n", "  name: x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
