package chart_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/test/controlplane"
)

const account = "rollcall-controller-manager"

var (
	plane   *controlplane.ControlPlane
	manager string // the program
	// managers are those that were started in the cluster.
	managers []*gexec.Session
)

func TestChartInACluster(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "Chart")
}

var _ = BeforeSuite(func() {
	var err error
	manager, err = gexec.Build("github.com/rollcall-dev/rollcall/cmd/manager")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
})

// startCluster starts a control plane without anything of rollcall's, with a namespace for releases.
func startCluster(ctx context.Context) {
	GinkgoHelper()
	log.SetLogger(GinkgoLogr)
	var err error
	plane, err = controlplane.Start(ctx, controlplane.Options{ControllerManager: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	// Here and not where they start: they outlive the spec that starts them.
	DeferCleanup(func() {
		for _, session := range managers {
			session.Terminate().Wait("50s")
		}
		managers = nil
	})
	kubectl(ctx, "create", "namespace", namespace)
	kubectl(ctx, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
}

func kubectl(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	output, err := plane.Run(ctx, "", arguments...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

func inCluster(arguments []string) []string {
	return append(arguments, "--kubeconfig="+plane.Kubeconfig, "--namespace="+namespace)
}

// helmDoes runs helm against the control plane.
func helmDoes(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	output, err := helm(ctx, plane.Folder, inCluster(arguments)...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

func helmFails(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	output, err := helm(ctx, plane.Folder, inCluster(arguments)...)
	Expect(err).To(HaveOccurred(), output)
	return err.Error()
}

// start runs the manager with the arguments of a Deployment and the token of its ServiceAccount. What a pod's
// network and ServiceAccount give in a cluster is given by flags.
func start(ctx context.Context, deployment string) *gexec.Session {
	GinkgoHelper()
	var arguments []string
	output := kubectl(ctx, "get", "deployment", deployment, "-n", namespace, "-o", "jsonpath={.spec.template.spec.containers[0].args}")
	Expect(json.Unmarshal([]byte(output), &arguments)).To(Succeed())
	kubeconfig, err := plane.ServiceAccountKubeconfig(ctx, namespace, deployment)
	Expect(err).NotTo(HaveOccurred())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	health := listener.Addr().String()
	Expect(listener.Close()).To(Succeed())

	arguments = append(arguments, "--leader-election-namespace="+namespace, "--kubeconfig="+kubeconfig,
		"--health-probe-bind-address="+health, "--metrics-bind-address=127.0.0.1:0")
	session, err := gexec.Start(exec.Command(manager, arguments...), GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	managers = append(managers, session)
	Eventually(func() error {
		response, err := http.Get("http://" + health + "/readyz")
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}).Should(Succeed())
	return session
}

// newTeam makes a namespace with a Secret for an organization, and declares the people of the samples in it.
func newTeam(ctx context.Context, name string) *openaitest.Server {
	GinkgoHelper()
	organization := openaitest.NewServer(openaitest.WithOrganizationID("org-"+name), openaitest.WithAdminKey("sk-admin-of-"+name))
	DeferCleanup(organization.Close)
	organization.SeedDemo()
	kubectl(ctx, "create", "namespace", name)
	kubectl(ctx, "create", "secret", "generic", "openai-admin-key", "-n", name,
		"--from-literal=api-key="+organization.AdminKey(), "--from-literal=base-url="+organization.URL())
	return organization
}

const declared = "organizations,orgusers,orguserrolebindings"

// declare applies the samples, with a guard that lets people go at once.
func declare(ctx context.Context, team string) {
	GinkgoHelper()
	kubectl(ctx, "apply", "-k", root+"/config/samples", "-n", team)
	kubectl(ctx, "patch", "oaiorg/default", "-n", team, "--type=merge", `--patch={"spec":{"guard":{"maxRemovals":"100%","removalDelay":"0s"}}}`)
}

// ready waits until rollcall has read the organization again and all that a team declares is ready.
func ready(ctx context.Context, team, why string) {
	GinkgoHelper()
	kubectl(ctx, "annotate", "oaiorg/default", "-n", team, "--overwrite", "openai.rollcall.dev/sync-requested-at="+why)
	kubectl(ctx, "wait", "oaiorg/default", "-n", team, "--for=jsonpath={.status.lastHandledSyncRequest}="+why, "--timeout=60s")
	kubectl(ctx, "wait", "--for=condition=Ready", "--all", "-n", team, "--timeout=60s", declared)
}

// emails are those of the people in an organization.
func emails(organization *openaitest.Server) []string {
	var found []string
	for _, member := range organization.Members() {
		found = append(found, member.Email)
	}
	return found
}

// names are those of all objects of rollcall's kinds.
func names(ctx context.Context) []string {
	GinkgoHelper()
	return strings.Fields(kubectl(ctx, "get", declared, "--all-namespaces", "-o", `jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name} {end}`))
}

// mayRead reports whether the manager of a release may read Secrets in a namespace.
func mayRead(ctx context.Context, deployment, secretsOf string) bool {
	output, _ := plane.Run(ctx, "", "auth", "can-i", "get", "secrets/openai-admin-key", "-n", secretsOf,
		"--as=system:serviceaccount:"+namespace+":"+deployment) // fails for a no too
	return strings.HasSuffix(strings.TrimSpace(output), "yes")
}

// newerChart is a copy of the chart whose kinds have one more column.
func newerChart() string {
	GinkgoHelper()
	folder := filepath.Join(plane.Folder, "newer")
	Expect(os.CopyFS(folder, os.DirFS(chart))).To(Succeed())
	file := filepath.Join(folder, "templates", "crd_orgusers.yaml")
	content, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	text := strings.Replace(string(content), "  - additionalPrinterColumns:\n", "  - additionalPrinterColumns:\n    - jsonPath: .status.addedAt\n      name: Newer\n      type: string\n", 1)
	Expect(text).To(ContainSubstring("Newer"))
	Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
	return folder
}
