// Package controlplane starts a Kubernetes control plane for tests, the benchmark and the demo: etcd and
// kube-apiserver, with rollcall's kinds installed, and kube-controller-manager where namespace deletion and
// garbage collection are to be real.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Options of a control plane.
type Options struct {
	// Assets is the folder of the programs. "": what KUBEBUILDER_ASSETS names.
	Assets string
	// CRDs is the folder of the CustomResourceDefinitions to install. "": none.
	CRDs string
	// ControllerManager starts kube-controller-manager too.
	ControllerManager bool
	// Audit has the API server write down who asked for what: see Requests.
	Audit bool
}

// ControlPlane is a running control plane. Stop ends it.
type ControlPlane struct {
	// Config is that of a cluster administrator.
	Config *rest.Config
	// Folder is a temporary folder that goes with the control plane.
	Folder string
	// Kubeconfig is a file in it, of a cluster administrator.
	Kubeconfig string
	// Kubectl is the kubectl that belongs to the control plane.
	Kubectl string

	environment       *envtest.Environment
	controllerManager *exec.Cmd
	exited            chan struct{}
}

// Start starts a control plane and returns when it answers.
func Start(ctx context.Context, options Options) (_ *ControlPlane, err error) {
	assets := options.Assets
	if assets == "" {
		assets = os.Getenv("KUBEBUILDER_ASSETS")
	}
	if assets == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set, so there is no control plane to test on; " +
			"run the tests by make test, or set it: export KUBEBUILDER_ASSETS=$(hack/controlplane.sh)")
	}
	plane := &ControlPlane{Kubectl: filepath.Join(assets, "kubectl")}
	if plane.Folder, err = os.MkdirTemp("", "rollcall-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, plane.Stop())
		}
	}()

	plane.environment = &envtest.Environment{
		BinaryAssetsDirectory: assets, ErrorIfCRDPathMissing: options.CRDs != "",
		ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: time.Minute,
	}
	if options.CRDs != "" {
		plane.environment.CRDDirectoryPaths = []string{options.CRDs}
	}
	if options.Audit {
		if err := plane.audit(); err != nil {
			return nil, err
		}
	}
	if plane.Config, err = plane.environment.Start(); err != nil {
		return nil, fmt.Errorf("start the control plane of %s: %w", assets, err)
	}
	plane.Kubeconfig = filepath.Join(plane.Folder, "kubeconfig")
	if err := os.WriteFile(plane.Kubeconfig, plane.environment.KubeConfig, 0o600); err != nil {
		return nil, err
	}
	if options.ControllerManager {
		if err := plane.startControllerManager(ctx, filepath.Join(assets, "kube-controller-manager")); err != nil {
			return nil, err
		}
	}
	return plane, nil
}

// startControllerManager runs the controllers that tests need, and no others.
func (p *ControlPlane) startControllerManager(ctx context.Context, program string) error {
	log, err := os.Create(filepath.Join(p.Folder, "kube-controller-manager.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p.controllerManager = exec.CommandContext(context.WithoutCancel(ctx), program,
		"--kubeconfig="+p.Kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--controllers=namespace-controller,garbage-collector-controller,validatingadmissionpolicy-status-controller",
		// Each with rights of its own, as in a cluster, and not with those of an administrator.
		"--use-service-account-credentials=true",
		"--concurrent-namespace-syncs=5", "--namespace-sync-period=1m")
	p.controllerManager.Stdout, p.controllerManager.Stderr = log, log
	if err := p.controllerManager.Start(); err != nil {
		p.controllerManager = nil
		return fmt.Errorf("start kube-controller-manager: %w", err)
	}
	p.exited = make(chan struct{})
	go func() {
		defer close(p.exited)
		_ = p.controllerManager.Wait() // ended by Stop
	}()
	return nil
}

// Stop ends what Start started and removes its folder.
func (p *ControlPlane) Stop() error {
	var errs []error
	if p.controllerManager != nil {
		if err := p.controllerManager.Process.Signal(syscall.SIGTERM); err == nil {
			select {
			case <-p.exited:
			case <-time.After(20 * time.Second):
				errs = append(errs, p.controllerManager.Process.Kill())
				<-p.exited
			}
		}
	}
	if p.environment != nil && p.environment.Config != nil {
		errs = append(errs, p.environment.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(p.Folder))...)
}
