package node_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// node is a Kubernetes node beside the machine; up.sh says how.
type node struct {
	state, programs, sysroot string
	init                     string // process ID of its pid 1
}

// newNode gets what a node is made of. hack/test.sh has built it before.
func newNode(ctx context.Context) *node {
	GinkgoHelper()
	n := &node{}
	n.programs = run(exec.CommandContext(ctx, root+"/hack/controlplane.sh", "node"))
	n.sysroot = run(exec.CommandContext(ctx, "./packages.sh"))
	var err error
	n.state, err = os.MkdirTemp("", "rollcall-node-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, n.state) // where down.sh has not come to it
	Expect(os.Mkdir(n.images(), 0o700)).To(Succeed())
	return n
}

// images is the folder with the archives that the node is given at its start.
func (n *node) images() string { return filepath.Join(n.state, "images") }

func (n *node) start(ctx context.Context) {
	GinkgoHelper()
	DeferCleanup(func(ctx SpecContext) { n.script(ctx, "./down.sh") })
	n.init = n.script(ctx, "./up.sh")
	Eventually(func() error {
		_, err := n.kubectl(ctx, "", "wait", "--for=condition=Ready", "node", "--all", "--timeout=5s")
		if err == nil {
			_, err = n.kubectl(ctx, "", "get", "serviceaccount", "default", "-n", "default")
		}
		return err
	}).WithTimeout(3*time.Minute).Should(Succeed(), n.log)
}

func (n *node) script(ctx context.Context, name string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, name)
	command.Env = append(os.Environ(), "STATE="+n.state, "PROGRAMS="+n.programs, "SYSROOT="+n.sysroot, "LIMIT=1200")
	return run(command)
}

// load imports an image into the running node.
func (n *node) load(ctx context.Context, archive string) {
	GinkgoHelper()
	run(exec.CommandContext(ctx, "nsenter", "--target="+n.init, "--mount", "--net", "--pid",
		filepath.Join(n.programs, "ctr"), "--namespace=k8s.io", "images", "import", "--local", archive))
}

// within is a command in the node's network, with its administrator's kubeconfig.
func (n *node) within(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "nsenter", append([]string{"--target=" + n.init, "--net", program}, arguments...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(n.state, "conf", "admin.kubeconfig"), "HOME="+n.state)
	return command
}

func (n *node) kubectl(ctx context.Context, stdin string, arguments ...string) (string, error) {
	command := n.within(ctx, filepath.Join(n.programs, "kubectl"), arguments...)
	command.Stdin = strings.NewReader(stdin)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return string(output), err
}

// log is the end of what each part of the node logged.
func (n *node) log() string {
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(n.state, "log", "*.log"))
	for _, file := range files {
		content, _ := os.ReadFile(file)
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		fmt.Fprintf(&all, "--- %s\n%s\n", filepath.Base(file), strings.Join(lines[max(0, len(lines)-12):], "\n"))
	}
	return all.String()
}

// run runs the command and returns its standard output.
func run(command *exec.Cmd) string {
	GinkgoHelper()
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	err := command.Run()
	Expect(err).NotTo(HaveOccurred(), "%s: %s", strings.Join(command.Args, " "), complaints.String())
	return strings.TrimSpace(out.String())
}
