// Package e2e_test runs the manager as it is built, with the rights and arguments that config/ gives it, and
// drives it by kubectl, as people do.
package e2e_test

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"

	"github.com/rollcall-dev/rollcall/test/controlplane"
)

const (
	root      = "../.."
	namespace = "rollcall-system"
	account   = "rollcall-controller-manager"
)

var (
	plane   *controlplane.ControlPlane
	program string
	// logs are of every manager that ran.
	logs []*gexec.Session
	// keys are the admin keys that the managers were given.
	keys []string
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(40 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "End to end")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	program, err = gexec.Build("github.com/rollcall-dev/rollcall/cmd/manager")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	plane, err = controlplane.Start(ctx, controlplane.Options{ControllerManager: true, Audit: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	install(ctx)
})

func kubectl(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	output, err := plane.Run(ctx, "", arguments...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// manager is a running manager, as a process.
type manager struct {
	*gexec.Session
}

// startManager starts the manager with the Deployment's arguments and the token of its ServiceAccount. What a
// pod's network and ServiceAccount give in a cluster is given by flags. more are further arguments.
func startManager(ctx context.Context, more ...string) *manager {
	GinkgoHelper()
	output := kubectl(ctx, "get", "deployment", account, "-n", namespace, "-o", `jsonpath={range .spec.template.spec.containers[0].args[*]}{@}{"\n"}{end}`)
	kubeconfig, err := plane.ServiceAccountKubeconfig(ctx, namespace, account)
	Expect(err).NotTo(HaveOccurred())
	health := freeAddress()
	arguments := append(strings.Fields(output), "--leader-election-namespace="+namespace, "--kubeconfig="+kubeconfig,
		"--health-probe-bind-address="+health, "--metrics-bind-address=127.0.0.1:0")
	arguments = append(arguments, more...)
	session, err := gexec.Start(exec.Command(program, arguments...), GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	logs = append(logs, session)
	DeferCleanup(func() { session.Terminate().Wait("30s") })
	Eventually(func() error {
		response, err := http.Get("http://" + health + "/readyz")
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}).Should(Succeed())
	return &manager{session}
}

// kill is kill -9: nothing is finished, nothing is given up.
func (m *manager) kill() { m.Kill().Wait("10s") }

func freeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}
