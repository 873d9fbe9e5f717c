package controlplane

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Run runs the control plane's own kubectl as a cluster administrator and returns what it prints. stdin is
// what `-f -` reads.
func (p *ControlPlane) Run(ctx context.Context, stdin string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, p.Kubectl, append([]string{
		"--kubeconfig=" + p.Kubeconfig, "--cache-dir=" + filepath.Join(p.Folder, "cache"),
	}, arguments...)...)
	command.Stdin = strings.NewReader(stdin)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return string(output), err
}

// ServiceAccountKubeconfig writes a kubeconfig with the rights of a ServiceAccount and returns its path.
func (p *ControlPlane) ServiceAccountKubeconfig(ctx context.Context, namespace, account string) (string, error) {
	token, err := p.Run(ctx, "", "create", "token", account, "--namespace="+namespace)
	if err != nil {
		return "", err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: p.Config.Host, CertificateAuthorityData: p.Config.CAData}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: strings.TrimSpace(token)}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	config.CurrentContext = "test"
	file := filepath.Join(p.Folder, "kubeconfig-"+account)
	return file, clientcmd.WriteToFile(*config, file)
}
