// Package examples_test applies what is below examples/ as its readers would, to a control plane of its own each.
package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/test/controlplane"
)

const root = "../.."

// manager is the program.
var manager string

func TestExamples(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(40 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Examples")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	var err error
	manager, err = gexec.Build("github.com/rollcall-dev/rollcall/cmd/manager")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
})

// cluster is a control plane, and the organization that a reader of the examples has.
type cluster struct {
	*controlplane.ControlPlane

	organization *openaitest.Server
}

func newCluster(ctx context.Context) *cluster {
	GinkgoHelper()
	plane, err := controlplane.Start(ctx, controlplane.Options{ControllerManager: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	organization := openaitest.NewServer()
	DeferCleanup(organization.Close)
	organization.SeedDemo()
	return &cluster{plane, organization}
}

// newClusterWith is a cluster with rollcall, to which manifests were applied and in which they have come true.
func newClusterWith(ctx context.Context, manifests ...string) *cluster {
	GinkgoHelper()
	c := newCluster(ctx)
	c.install(ctx)
	c.kubectl(ctx, "create", "namespace", "openai")
	c.secret(ctx, "openai", "openai-admin-key", "api-key")
	c.kubectl(ctx, append([]string{"apply", "--namespace=openai"}, manifests...)...)
	c.ready(ctx, "openai")
	return c
}

// removeAtOnce takes the delay away that gives a commit time to be taken back.
func (c *cluster) removeAtOnce(ctx context.Context) {
	GinkgoHelper()
	c.kubectl(ctx, "patch", "oaiorg", "default", "-n", "openai", "--type=merge", "-p", `{"spec":{"guard":{"removalDelay":"0s"}}}`)
}

// install installs config/default and starts the manager.
func (c *cluster) install(ctx context.Context) {
	GinkgoHelper()
	c.kubectl(ctx, "apply", "-k", root+"/config/default")
	c.startManager(ctx)
}

// startManager starts the manager with the rights that the cluster gives it.
func (c *cluster) startManager(ctx context.Context) {
	GinkgoHelper()
	c.kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	command, err := c.Manager(ctx, manager)
	Expect(err).NotTo(HaveOccurred())
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Terminate().Wait("30s") })
}

func (c *cluster) kubectl(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	output, err := c.Run(ctx, "", arguments...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// get reads what the arguments of `kubectl get` choose.
func (c *cluster) get(ctx context.Context, into any, arguments ...string) {
	GinkgoHelper()
	text := c.kubectl(ctx, append([]string{"get", "-o=json"}, arguments...)...)
	Expect(json.Unmarshal([]byte(text), into)).To(Succeed())
}

// secret makes the Secret that no repository has.
func (c *cluster) secret(ctx context.Context, namespace, name, key string) {
	GinkgoHelper()
	c.kubectl(ctx, "create", "secret", "generic", name, "--namespace="+namespace,
		"--from-literal="+key+"="+c.organization.AdminKey(), "--from-literal=base-url="+c.organization.URL())
}

// ready waits until every object is ready.
func (c *cluster) ready(ctx context.Context, namespace string) {
	GinkgoHelper()
	c.kubectl(ctx, "wait", "--for=condition=Ready", "rollcall", "--all", "--namespace="+namespace, "--timeout=90s")
}

// people are the roles that the organization gave by hand, by the address of who has them.
func (c *cluster) people() map[string]string {
	people := map[string]string{}
	for _, m := range c.organization.Members() {
		name, _, _ := strings.Cut(m.Email, "@")
		people[name] = strings.Join(append([]string{m.Role}, m.Direct...), " ")
	}
	return people
}

// overlay writes a kustomization of a folder with other images, as Flux and Argo CD do, and returns its folder.
// images are written as in `kustomize edit set image`.
func overlay(folder string, images ...string) string {
	GinkgoHelper()
	from, err := filepath.Abs(folder)
	Expect(err).NotTo(HaveOccurred())
	if len(images) == 0 {
		return from
	}
	to, err := os.MkdirTemp(filepath.Dir(from), ".overlay-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, to)
	text := fmt.Sprintf("resources:\n- ../%s\nimages:\n", filepath.Base(from))
	for _, image := range images {
		name, reference, _ := strings.Cut(image, "=")
		tag := strings.LastIndex(reference, ":")
		text += fmt.Sprintf("- {name: %s, newName: %s, newTag: %s}\n", name, reference[:tag], reference[tag+1:])
	}
	Expect(os.WriteFile(filepath.Join(to, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
	return to
}
