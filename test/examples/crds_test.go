package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// crds are the CustomResourceDefinitions of others, which come with the source of their programs.
type crds struct {
	// module and its sum, as go.sum has it.
	module, sum string
	files       []string
}

var (
	kustomizeController = crds{
		"github.com/fluxcd/kustomize-controller@v1.10.1", "h1:IjTnrkIy0ULJoTNC2ZKuMb32vkqj7dJ6zt6UqbTFxKA=",
		[]string{"config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"},
	}
	sourceController = crds{
		"github.com/fluxcd/source-controller@v1.10.1", "h1:vkYpgpLZu20LQ2UN4lPBdWH7sqTNdQ8FjcZD/HogN2E=",
		[]string{"config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml"},
	}
	argoCD = crds{
		"github.com/argoproj/argo-cd/v3@v3.6.1", "h1:OmhqeKiR3C//awbFrhQqFdtRI+Qiv17j8vqm3UkMj/g=",
		[]string{"manifests/crds/application-crd.yaml", "manifests/crds/appproject-crd.yaml"},
	}
	externalSecrets = crds{
		"github.com/external-secrets/external-secrets@v1.3.2", "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
		[]string{"config/crds/bases/external-secrets.io_externalsecrets.yaml"},
	}
)

// source downloads the module, if need be, and returns its folder.
func (d crds) source(ctx context.Context) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", d.module)
	// Some of them need a newer Go than this module, to be built at least.
	command.Dir, command.Env = GinkgoT().TempDir(), append(os.Environ(), "GOTOOLCHAIN=auto", "GOFLAGS=-mod=mod")
	command.Stderr = GinkgoWriter
	output, err := command.Output()
	Expect(err).NotTo(HaveOccurred(), "%s: %s", d.module, output)
	var module map[string]any
	Expect(json.Unmarshal(output, &module)).To(Succeed())
	Expect(module).To(And(HaveKeyWithValue("Sum", d.sum), HaveKey("Dir")), d.module)
	return fmt.Sprint(module["Dir"])
}

func (d crds) install(ctx context.Context, c *cluster) {
	GinkgoHelper()
	source := d.source(ctx)
	for _, file := range d.files {
		// Server-side: some are too large for the annotation that kubectl keeps otherwise.
		c.kubectl(ctx, "apply", "--server-side", "-f", filepath.Join(source, file))
	}
	c.kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
}
