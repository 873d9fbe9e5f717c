// Package policy_test tries config/policy on a real API server, with users of different rights, with the manager as
// it is deployed, and with the cluster's own controllers under their own accounts.
package policy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/test/controlplane"
)

const (
	root    = "../.."
	system  = "rollcall-system"
	account = "rollcall-controller-manager"
	// tenant has every right that config/rbac gives to people.
	tenant = "tenant"
	// granter has the same and grant-owner on the Organization default.
	granter = "granter"
	// manager is rollcall itself.
	manager = "system:serviceaccount:" + system + ":" + account
	// administrator is the one that made the control plane.
	administrator = ""
)

var (
	plane        *controlplane.ControlPlane
	organization *openaitest.Server
)

func TestPolicy(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Policy")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	plane, err = controlplane.Start(ctx, controlplane.Options{ControllerManager: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	kubectl(ctx, administrator, "apply", "-k", root+"/config/default")
	kubectl(ctx, administrator, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
	Expect(kubectl(ctx, administrator, "apply", "-k", root+"/config/policy")).NotTo(ContainSubstring("Warning"))
	inForce(ctx)
	startManager(ctx)
	organization = openaitest.NewServer()
	DeferCleanup(organization.Close)
})

// inForce returns when the API server goes by both policies.
func inForce(ctx context.Context) {
	GinkgoHelper()
	newNamespace(ctx, "probe")
	for _, object := range []string{orgUser("ada", "role: owner"), anOrganization("default")} {
		Eventually(func() error {
			_, err := try(ctx, tenant, object, "create", "--dry-run=server", "-n", "probe", "-f", "-")
			return err
		}).Should(MatchError(ContainSubstring("ValidatingAdmissionPolicy")))
	}
}

func startManager(ctx context.Context) {
	GinkgoHelper()
	program, err := gexec.Build("github.com/rollcall-dev/rollcall/cmd/manager")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	command, err := plane.Manager(ctx, program)
	Expect(err).NotTo(HaveOccurred())
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Terminate().Wait("30s") })
}

func kubectl(ctx context.Context, user string, arguments ...string) string {
	GinkgoHelper()
	output, err := try(ctx, user, "", arguments...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// try runs kubectl as the user. stdin is what `-f -` reads.
func try(ctx context.Context, user, stdin string, arguments ...string) (string, error) {
	if user != administrator {
		arguments = append(arguments, "--as="+user)
	}
	return plane.Run(ctx, stdin, arguments...)
}

// newNamespace makes a namespace in which tenant and granter have their rights.
func newNamespace(ctx context.Context, name string) {
	GinkgoHelper()
	kubectl(ctx, administrator, "create", "namespace", name)
	for _, kind := range []string{"organization", "orguser", "orguserrolebinding"} {
		kubectl(ctx, administrator, "create", "rolebinding", kind, "-n", name, "--clusterrole=rollcall-"+kind+"-admin-role",
			"--user="+tenant, "--user="+granter)
	}
	kubectl(ctx, administrator, "create", "rolebinding", "granter", "-n", name,
		"--clusterrole=rollcall-organization-owner-granter", "--user="+granter)
}

// newTeam makes a namespace with an Organization for the simulated organization, in which the owners ada and bob
// and the readers grace and alan are afresh.
func newTeam(ctx context.Context, name string) {
	GinkgoHelper()
	organization.Close()
	organization = openaitest.NewServer(openaitest.WithOrganizationID("org-" + name))
	DeferCleanup(organization.Close)
	for person, role := range map[string]string{"ada": "owner", "bob": "owner", "grace": "reader", "alan": "reader"} {
		organization.AddUser(openaitest.User{ID: "user-" + person, Name: person, Email: person + "@example.com", Role: role})
	}
	newNamespace(ctx, name)
	kubectl(ctx, administrator, "create", "secret", "generic", "openai-admin-key", "-n", name,
		"--from-literal=api-key="+organization.AdminKey(), "--from-literal=base-url="+organization.URL())
	must(ctx, granter, anOrganization("default"), "create", "-n", name, "-f", "-")
	kubectl(ctx, administrator, "wait", "oaiorg/default", "-n", name, "--for=condition=Ready", "--timeout=60s")
}

// must is try that has to succeed.
func must(ctx context.Context, user, stdin string, arguments ...string) {
	GinkgoHelper()
	_, err := try(ctx, user, stdin, arguments...)
	Expect(err).NotTo(HaveOccurred())
}

func anOrganization(name string) string {
	return fmt.Sprintf(`{apiVersion: openai.rollcall.dev/v1alpha1, kind: Organization, metadata: {name: %s},
		spec: {adminKeySecretRef: {name: openai-admin-key}, guard: {minOwners: 1, maxRemovals: 100%%, removalDelay: 0s}}}`, name)
}

// orgUser is a manifest of the person with the email NAME@example.com. more are further fields of its spec.
func orgUser(name string, more ...string) string {
	return fmt.Sprintf(`{apiVersion: openai.rollcall.dev/v1alpha1, kind: OrgUser, metadata: {name: %[1]s}, spec: {%[2]s}}`,
		name, strings.Join(append([]string{"email: " + name + "@example.com"}, more...), ", "))
}

func role(person string) string {
	for _, member := range organization.Members() {
		if member.Name == person {
			return member.Role
		}
	}
	return "no member"
}
