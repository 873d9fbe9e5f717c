// Package docs_test runs every command of the README and of docs/ as a reader would type it, page by page, each
// on a control plane of its own, and has the API server look at every manifest that they show.
package docs_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

func TestDocs(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Docs")
}

// checkout is a copy of the tree in which the commands are run; manager and helm are programs.
var checkout, manager, helm string

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	// One folder further down, for what a page puts beside the checkout.
	checkout = filepath.Join(GinkgoT().TempDir(), "rollcall")
	Expect(os.Mkdir(checkout, 0o700)).To(Succeed())
	Expect(run(ctx, root, os.Environ(), `git ls-files -z --cached --others --exclude-standard | xargs -0 -I{} sh -c '[ ! -f "{}" ] || cp --parents "{}" "$0"' `+checkout)).To(Succeed())
	var err error
	manager, err = gexec.Build("github.com/rollcall-dev/rollcall/cmd/manager")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	output, err := exec.CommandContext(ctx, root+"/hack/tool.sh", "helm").Output()
	Expect(err).NotTo(HaveOccurred())
	helm = strings.TrimSpace(string(output))
})

var _ = Describe("The commands of", func() {
	names, err := pages()
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		page, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			panic(err)
		}
		blocks, err := parse(string(page))
		if err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		if !slices.ContainsFunc(blocks, block.matters) {
			continue
		}
		It(name+" work as they are written", func(ctx SpecContext) {
			r := newReader(ctx, !strings.Contains(string(page), "<!-- bare cluster -->"))
			for _, b := range blocks {
				r.follow(ctx, name, b)
			}
		})
	}
})

func (b block) matters() bool {
	return b.Untested == "" && (b.Language == onlyTest || b.Language == "sh" || b.isManifest())
}

func (b block) isManifest() bool {
	return b.Language == "yaml" && strings.HasPrefix(strings.TrimSpace(b.Text), "apiVersion: openai.rollcall.dev/")
}

// reader follows a page, with kubectl, a cluster and a simulated organization at hand.
type reader struct {
	environment []string
}

// newReader starts a control plane. Unless it is to be bare, rollcall is installed there and runs, and the
// namespace default has the Secret with an admin key.
func newReader(ctx context.Context, installed bool) *reader {
	GinkgoHelper()
	plane, err := controlplane.Start(ctx, controlplane.Options{ControllerManager: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	organization := openaitest.NewServer()
	DeferCleanup(organization.Close)
	organization.SeedDemo()

	key := filepath.Join(plane.Folder, "admin-key")
	Expect(os.WriteFile(key, []byte(organization.AdminKey()), 0o600)).To(Succeed())
	r := &reader{environment: append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig, "CI=true",
		"PATH="+filepath.Dir(plane.Kubectl)+":"+filepath.Dir(helm)+":"+os.Getenv("PATH"),
		"HELM_CACHE_HOME="+plane.Folder, "HELM_CONFIG_HOME="+plane.Folder, "HELM_DATA_HOME="+plane.Folder, "KEY_FILE="+key, "BASE_URL="+organization.URL())}
	if !installed {
		return r
	}
	Expect(r.run(ctx, `kubectl apply -k config/default
		kubectl wait --for=condition=Established crd --all --timeout=60s
		kubectl create secret generic openai-admin-key --from-file=api-key="$KEY_FILE" --from-literal=base-url="$BASE_URL"`)).To(Succeed())
	command, err := plane.Manager(ctx, manager)
	Expect(err).NotTo(HaveOccurred())
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait("30s") })
	r.environment = append(r.environment, fmt.Sprintf("MANAGER_PID=%d", session.Command.Process.Pid))
	return r
}

func (r *reader) follow(ctx context.Context, page string, b block) {
	GinkgoHelper()
	if !b.matters() {
		return
	}
	By(fmt.Sprintf("%s:%d: %s", page, b.Line, strings.TrimSpace(b.Text)))
	switch {
	case b.isManifest():
		Expect(r.run(ctx, "kubectl apply --dry-run=server -f - <<'END'\n"+b.Text+"\nEND")).To(Succeed(), "%s:%d", page, b.Line)
	case b.Terminal:
		r.start(ctx, b.Text)
	default:
		Expect(r.run(ctx, b.Text)).To(Succeed(), "%s:%d", page, b.Line)
	}
}

func (r *reader) run(ctx context.Context, commands string) error {
	return run(ctx, checkout, r.environment, commands)
}

// start has the commands go on until the page ends.
func (r *reader) start(ctx context.Context, commands string) {
	GinkgoHelper()
	command := shell(context.WithoutCancel(ctx), checkout, r.environment, commands)
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(syscall.Kill(-command.Process.Pid, syscall.SIGTERM)).To(Succeed())
		_ = command.Wait() // ended by the signal
	})
}

// run runs commands as a shell that stops at the first that fails.
func run(ctx context.Context, folder string, environment []string, commands string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := shell(ctx, folder, environment, commands).Run(); err != nil {
		return fmt.Errorf("%s: %s", strings.TrimSpace(commands), err) //nolint:errorlint // Gomega would print the whole process state
	}
	return nil
}

func shell(ctx context.Context, folder string, environment []string, commands string) *exec.Cmd {
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	command.Dir, command.Env = folder, environment
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	// A group of its own, so that what the commands start ends with them.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	return command
}
