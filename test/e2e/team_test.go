package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// team is a namespace with an Organization, and the organization that it stands for.
type team struct {
	name string
	sim  *openaitest.Server
}

// newTeam makes a namespace with an Organization for an organization of ada and bob, who are owners, and
// grace, alan and emmy, who are readers, with a role viewer.
func newTeam(ctx context.Context, name string) *team {
	GinkgoHelper()
	t := newOrganization(name)
	t.setUp(ctx)
	return t
}

// newOrganization is a team without its namespace.
func newOrganization(name string) *team {
	t := &team{name: name, sim: openaitest.NewServer(openaitest.WithOrganizationID("org-"+name), openaitest.WithAdminKey("sk-admin-of-team-"+name))}
	DeferCleanup(t.sim.Close)
	keys = append(keys, t.sim.AdminKey())
	for _, person := range []string{"ada", "bob", "grace", "alan", "emmy"} {
		role := "reader"
		if person == "ada" || person == "bob" {
			role = "owner"
		}
		t.sim.AddUser(openaitest.User{ID: "user-" + person, Name: person, Email: person + "@example.com", Role: role})
	}
	t.sim.AddRole(openaitest.Role{ID: "role_viewer", Name: "viewer"})
	return t
}

// setUp makes the namespace and the Organization. more are further lines of its spec.
func (t *team) setUp(ctx context.Context, more ...string) {
	GinkgoHelper()
	kubectl(ctx, "create", "namespace", t.name)
	t.apply(ctx, t.secret()+"---"+organizationManifest+strings.Join(append([]string{""}, more...), "\n  "))
}

func (t *team) secret() string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: openai-admin-key}
stringData: {api-key: %s, base-url: %s}
`, t.sim.AdminKey(), t.sim.URL())
}

const organizationManifest = `
apiVersion: openai.rollcall.dev/v1alpha1
kind: Organization
metadata: {name: default}
spec:
  adminKeySecretRef: {name: openai-admin-key}
  guard: {minOwners: 1, maxRemovals: 100%, removalDelay: 0s}`

func (t *team) apply(ctx context.Context, manifests string) {
	GinkgoHelper()
	_, err := plane.Run(ctx, manifests, "apply", "-n", t.name, "-f", "-")
	Expect(err).NotTo(HaveOccurred())
}

// declare applies an OrgUser. more are further lines of its spec.
func (t *team) declare(ctx context.Context, person string, more ...string) {
	GinkgoHelper()
	t.apply(ctx, fmt.Sprintf(`
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata: {name: %[1]s}
spec:
  email: %[1]s@example.com
  %s
`, person, strings.Join(more, "\n  ")))
}

func (t *team) bind(ctx context.Context, people ...string) {
	GinkgoHelper()
	subjects := make([]string, len(people))
	for i, person := range people {
		subjects[i] = fmt.Sprintf("{email: %s@example.com}", person)
	}
	t.apply(ctx, fmt.Sprintf(`
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUserRoleBinding
metadata: {name: viewers}
spec:
  roleRef: {name: viewer}
  subjects: [%s]
`, strings.Join(subjects, ", ")))
}

// in runs kubectl in the team's namespace.
func (t *team) in(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	return kubectl(ctx, append(arguments, "-n", t.name)...)
}

// ready waits until the objects are ready.
func (t *team) ready(ctx context.Context, objects ...string) {
	GinkgoHelper()
	t.in(ctx, append([]string{"wait", "--for=condition=Ready", "--timeout=60s"}, objects...)...)
}

func (t *team) resync(ctx context.Context, value string) {
	GinkgoHelper()
	t.in(ctx, "annotate", "oaiorg", "default", "--overwrite", "openai.rollcall.dev/sync-requested-at="+value)
}

// reread asks for a whole reading, and returns when it is done.
func (t *team) reread(ctx context.Context) {
	GinkgoHelper()
	value := fmt.Sprintf("after-%d-calls", len(t.sim.Journal()))
	t.resync(ctx, value)
	t.in(ctx, "wait", "oaiorg/default", "--for=jsonpath={.status.lastHandledSyncRequest}="+value, "--timeout=60s")
}

// reason is that of the object's condition Ready.
func (t *team) reason(ctx context.Context, object string) func() string {
	return func() string {
		output, err := plane.Run(ctx, "", "get", object, "-n", t.name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].reason}`)
		if err != nil {
			return err.Error()
		}
		return output
	}
}

// leaving are the user IDs in status.leaving.
func (t *team) leaving(ctx context.Context) func() []string {
	return t.leavers(ctx, "userID")
}

// leavers is a field of the lines of status.leaving that have it.
func (t *team) leavers(ctx context.Context, field string) func() []string {
	return func() []string {
		lines := t.in(ctx, "get", "oaiorg", "default", "-o", `jsonpath={range .status.leaving[*]}{.`+field+`}{"\n"}{end}`)
		return slices.DeleteFunc(strings.Split(lines, "\n"), func(line string) bool { return line == "" })
	}
}

// removals is the count of the guard's window.
func (t *team) removals(ctx context.Context) func() string {
	return func() string {
		return t.in(ctx, "get", "oaiorg", "default", "-o", "jsonpath={.status.removals.count}")
	}
}

func (t *team) people() []string {
	var people []string
	for _, m := range t.sim.Members() {
		people = append(people, m.Name)
	}
	return people
}

func (t *team) role(person string) string {
	for _, m := range t.sim.Members() {
		if m.Name == person {
			return m.Role
		}
	}
	return "no member"
}

func (t *team) viewers() []string {
	var people []string
	for _, m := range t.sim.Members() {
		if slices.Contains(m.Direct, "viewer") {
			people = append(people, m.Name)
		}
	}
	return people
}

// tried words the calls that change something, whether they did or not.
func (t *team) tried() []string {
	var tried []string
	for _, call := range t.sim.Journal() {
		if call.Method != http.MethodGet {
			tried = append(tried, call.Method+" "+call.Path)
		}
	}
	return tried
}
