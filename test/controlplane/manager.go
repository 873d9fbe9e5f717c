package controlplane

import (
	"context"
	"os/exec"
)

// Manager is the command that runs the manager, which is a program, with the rights that config/default gives to its
// ServiceAccount, by itself and without the ports of a pod.
func (p *ControlPlane) Manager(ctx context.Context, program string) (*exec.Cmd, error) {
	kubeconfig, err := p.ServiceAccountKubeconfig(ctx, "rollcall-system", "rollcall-controller-manager")
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(context.WithoutCancel(ctx), program, "--leader-elect", "--leader-election-namespace=rollcall-system", "--kubeconfig="+kubeconfig,
		"--health-probe-bind-address=0", "--metrics-bind-address=0"), nil
}
