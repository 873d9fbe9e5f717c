package members_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	rollcall = "github.com/rollcall-dev/rollcall"
	adminKey = "sk-admin-of-the-simulator"
)

// cluster is an API server, rollcall's manager beside it, and a simulated organization.
type cluster struct {
	*testing.T
	kubeconfig, simulator string
}

// start starts all three, and ends them with the test.
func start(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t}
	source := c.run("go", "list", "-m", "-f", "{{.Dir}}", rollcall)
	plane := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(source, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true, ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute,
	}
	if _, err := plane.Start(); err != nil {
		t.Fatalf("start the API server of %s: %v", assets(t), err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(c.kubeconfig, plane.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}

	said := c.background(c.tool("orgsim"), "--listen=127.0.0.1:0", "--admin-key="+adminKey, fmt.Sprintf("--seed=many:%d", others))
	lines := bufio.NewScanner(said)
	for c.simulator == "" && lines.Scan() {
		if url, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "base-url"); ok {
			c.simulator = strings.TrimSuffix(strings.TrimSpace(url), "/v1")
		}
	}
	if c.simulator == "" {
		t.Fatal("orgsim did not start")
	}
	for _, role := range roles {
		c.orgsim("add-role", role)
	}
	c.background(c.tool("manager"), "--kubeconfig="+c.kubeconfig, "--leader-elect", "--leader-election-namespace=default",
		"--metrics-bind-address=0", "--health-probe-bind-address=0")
	return c
}

func assets(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		t.Fatal("KUBEBUILDER_ASSETS must name the folder of kube-apiserver, etcd and kubectl: see README.md")
	}
	return folder
}

// tool builds a program of rollcall, in the version that go.mod names, and returns its path.
func (c *cluster) tool(name string) string { return c.run("go", "tool", "-n", rollcall+"/cmd/"+name) }

func (c *cluster) orgsim(arguments ...string) string {
	c.Helper()
	return c.run(c.tool("orgsim"), append(arguments, "--server="+c.simulator)...)
}

func (c *cluster) kubectl(arguments ...string) string {
	c.Helper()
	return c.run(filepath.Join(assets(c.T), "kubectl"), append(arguments, "--kubeconfig="+c.kubeconfig)...)
}

// run returns what a command prints, and ends the test if it fails.
func (c *cluster) run(program string, arguments ...string) string {
	c.Helper()
	output, err := c.try(program, arguments...)
	if err != nil {
		c.Fatal(err)
	}
	return output
}

func (c *cluster) try(program string, arguments ...string) (string, error) {
	command := exec.CommandContext(c.Context(), program, arguments...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(arguments, " "), err, complaints.String())
	}
	return strings.TrimSpace(string(output)), nil
}

// background starts a program that ends with the test, and returns what it prints. Its log is shown if the test fails.
func (c *cluster) background(program string, arguments ...string) io.Reader {
	c.Helper()
	command := exec.Command(program, arguments...)
	var log bytes.Buffer
	command.Stderr = &log
	output, err := command.StdoutPipe()
	if err != nil {
		c.Fatal(err)
	}
	if err := command.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		if err := command.Process.Kill(); err != nil {
			c.Error(err)
		}
		_ = command.Wait() // killed
		if c.Failed() {
			c.Logf("%s:\n%s", filepath.Base(program), log.String())
		}
	})
	return output
}
