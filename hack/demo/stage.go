package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-dev/rollcall/test/controlplane"
)

// adminKey opens the simulated organization and nothing else.
const adminKey = "sk-admin-simulated-demo-key"

// stage is what the demo runs on.
type stage struct {
	plane     *controlplane.ControlPlane
	simulator string // its address
	programs  string
	children  []*child
}

// child is a program that the demo started.
type child struct {
	name   string
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

func setUp(ctx context.Context, assets, programs string) (*stage, error) {
	s := &stage{programs: programs}
	fmt.Println("Starting ...")
	plane, err := controlplane.Start(ctx, controlplane.Options{Assets: assets})
	if err != nil {
		return nil, err
	}
	s.plane = plane
	fmt.Printf("  control plane           %s\n", plane.Config.Host)

	if s.simulator, err = freeAddress(); err != nil {
		return s, err
	}
	if _, err := s.start("orgsim", "--listen", s.simulator, "--admin-key", adminKey, "--seed", "demo"); err != nil {
		return s, err
	}
	if err := s.answers(ctx, "http://"+s.simulator+"/sim/healthz"); err != nil {
		return s, err
	}
	fmt.Printf("  simulated organization  http://%s/v1\n", s.simulator)

	if err := s.quietly(ctx, "kubectl", "apply", "-k", "config/crd"); err != nil {
		return s, err
	}
	if err := s.quietly(ctx, "kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"); err != nil {
		return s, err
	}
	health, err := freeAddress()
	if err != nil {
		return s, err
	}
	manager, err := s.start("manager", "--leader-elect", "--leader-election-namespace", "default", "--health-probe-bind-address", health, "--log-format", "text")
	if err != nil {
		return s, err
	}
	if err := s.answers(ctx, "http://"+health+"/readyz"); err != nil {
		return s, err
	}
	fmt.Printf("  rollcall's manager      log in %s\n", manager.log)
	return s, nil
}

// start runs a program that goes on until tearDown.
func (s *stage) start(name string, arguments ...string) (*child, error) {
	path := filepath.Join(s.plane.Folder, name+".log")
	log, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.programs, name), arguments...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.plane.Kubeconfig)
	cmd.Stdout, cmd.Stderr = log, log
	// Ctrl-C goes to the demo alone, which ends its programs in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, log: path, exited: make(chan struct{})}
	go func() {
		defer close(c.exited)
		_ = cmd.Wait() // ended by tearDown, or noticed by answers
	}()
	s.children = append(s.children, c)
	return c, nil
}

// answers waits until the address answers, or the program that was started last has ended.
func (s *stage) answers(ctx context.Context, address string) error {
	last := s.children[len(s.children)-1]
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-last.exited:
			return errors.Join(fmt.Errorf("%s ended", last.name), s.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w", last.name, address, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tail returns the last lines that the programs logged, for an error.
func (s *stage) tail() error {
	var errs []error
	for _, c := range s.children {
		content, err := os.ReadFile(c.log)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		errs = append(errs, fmt.Errorf("the last of %s's log:\n  %s", c.name, strings.Join(lines[max(0, len(lines)-8):], "\n  ")))
	}
	return errors.Join(errs...)
}

// tearDown ends what setUp started, the last first.
func (s *stage) tearDown() error {
	var errs []error
	for _, c := range slices.Backward(s.children) {
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		select {
		case <-c.exited:
		case <-time.After(45 * time.Second):
			errs = append(errs, fmt.Errorf("%s did not end when asked and was killed", c.name), c.cmd.Process.Kill())
			<-c.exited
		}
	}
	return errors.Join(append(errs, s.plane.Stop())...)
}

// command makes a command that works on the stage. kubectl and orgsim are those of the demo.
func (s *stage) command(ctx context.Context, words ...string) *exec.Cmd {
	program := words[0]
	switch program {
	case "kubectl":
		program = s.plane.Kubectl
	case "orgsim":
		program = filepath.Join(s.programs, program)
		words = append(words, "--server", "http://"+s.simulator)
	}
	cmd := exec.CommandContext(ctx, program, words[1:]...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.plane.Kubeconfig)
	return cmd
}

func (s *stage) quietly(ctx context.Context, words ...string) error {
	_, err := s.output(ctx, words...)
	return err
}

func (s *stage) output(ctx context.Context, words ...string) (string, error) {
	var out, complaints bytes.Buffer
	cmd := s.command(ctx, words...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(words, " "), err, complaints.String())
	}
	return out.String(), nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
