package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// program builds the manager, unless there is one to be measured.
func (s *settings) program(ctx context.Context, say progress, folder string) (string, error) {
	if s.manager != "" {
		if _, err := os.Stat(s.manager); err != nil {
			return "", fmt.Errorf("--manager: %w; name a program, or leave the flag out to have one built", err)
		}
		return filepath.Abs(s.manager)
	}
	if _, err := os.Stat("cmd/manager"); err != nil {
		return "", errors.New("there is no cmd/manager here; run bench from the root of the checkout, as make bench does")
	}
	defer say.stepf("building the manager")()
	program := filepath.Join(folder, "manager")
	arguments := []string{"build", "-o", program}
	if s.profile != "" {
		overlay, err := profilingOverlay(folder)
		if err != nil {
			return "", err
		}
		arguments = append(arguments, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(arguments, "./cmd/manager")...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the manager does not build: %w\n%s", err, out)
	}
	return program, nil
}

// process is a running manager.
type process struct {
	command *exec.Cmd
	begun   time.Time
	log     string
	exited  chan struct{}
	err     error // of its end; to be read after exited is closed
}

// startManager starts the manager for one namespace, since the floor's objects in others are none of its business, or
// with "" for all.
func startManager(program, kubeconfig, folder, namespace string, workers int) (*process, error) {
	p := &process{log: filepath.Join(folder, "manager.log"), exited: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) // it may be a restart
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Not CommandContext: stop ends it, and lets it end by itself.
	p.command = exec.Command(program, "--kubeconfig="+kubeconfig,
		"--workers="+strconv.Itoa(workers), "--health-probe-bind-address=0", "--log-format=json")
	if namespace != "" {
		p.command.Args = append(p.command.Args, "--watch-namespaces="+namespace)
	}
	p.command.Stdout, p.command.Stderr = log, log
	p.begun = time.Now()
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start the manager: %w", err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// grace is what a pod of the manager has to end: calls under way end first.
const grace = 45 * time.Second

// stop ends the manager and returns when it is gone.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(grace):
		err := p.command.Process.Kill()
		<-p.exited
		return errors.Join(fmt.Errorf("the manager did not end within %s of SIGTERM and was killed", grace), err)
	}
}

// explain adds to an error what the manager said last.
func (p *process) explain(err error) error {
	content, readErr := os.ReadFile(p.log)
	if err == nil || readErr != nil {
		return err
	}
	const most = 2000
	if len(content) > most {
		content = content[len(content)-most:]
	}
	return fmt.Errorf("%w; the manager's log ends with:\n%s", err, content)
}
