package examples_test

import (
	"context"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// fluxKustomization is what this test reads of one.
type fluxKustomization struct {
	Metadata struct{ Name string }
	Spec     struct {
		DependsOn []struct{ Name string }
		SourceRef struct{ Kind, Name string }
		Path      string
		Images    []struct{ Name, NewName, NewTag string }

		HealthChecks []struct{ Kind, Name, Namespace string }
	}
}

var _ = Describe("The example for Flux", func() {
	It("is what Flux takes, and what it points to comes true in the order of dependsOn", func(ctx SpecContext) {
		c := newCluster(ctx)
		for _, kinds := range []crds{kustomizeController, sourceController, externalSecrets} {
			kinds.install(ctx, c)
		}
		c.kubectl(ctx, "create", "namespace", "flux-system")
		c.kubectl(ctx, "apply", "--server-side", "--validate=strict", "-k", root+"/examples/flux")

		for _, k := range inOrder(c.fluxKustomizations(ctx)) {
			By("doing what Flux does for " + k.Metadata.Name)
			c.kubectl(ctx, "get", "gitrepository", k.Spec.SourceRef.Name, "-n", "flux-system")
			var images []string
			for _, image := range k.Spec.Images {
				images = append(images, image.Name+"="+image.NewName+":"+image.NewTag)
			}
			folder := overlay(filepath.Join(repositories[k.Spec.SourceRef.Name], k.Spec.Path), images...)
			c.kubectl(ctx, "apply", "--server-side", "--field-manager=kustomize-controller", "--validate=strict", "-k", folder)
			c.operators(ctx, k.Metadata.Name)
			for _, check := range k.Spec.HealthChecks {
				c.kubectl(ctx, "wait", "--for=condition=Ready", check.Kind+"/"+check.Name, "-n", check.Namespace, "--timeout=60s")
			}
		}
		c.ready(ctx, "openai")
		expectTeams(c)
		Expect(c.kubectl(ctx, "diff", "--server-side", "--field-manager=kustomize-controller", "-k", root+"/examples/kustomize")).To(BeEmpty())
	})
})

// repositories are the folders that hold what the examples name as repositories.
var repositories = map[string]string{
	"rollcall": root, "https://github.com/rollcall-dev/rollcall": root,
	"openai-members": root + "/examples", "https://github.com/example/openai-members": root + "/examples",
}

// operators do what the operators that an example needs would do.
func (c *cluster) operators(ctx context.Context, applied string) {
	GinkgoHelper()
	switch applied {
	case "rollcall":
		Expect(c.kubectl(ctx, "get", "deployment", "-n", "rollcall-system", "-o", "jsonpath={..image}")).To(Equal("registry.example.com/rollcall:v0.1.0"))
		c.startManager(ctx)
	case "openai-credentials":
		var external struct {
			Metadata struct{ Namespace string }
			Spec     struct {
				Target struct{ Name string }
				Data   []struct{ SecretKey string }
			}
		}
		c.get(ctx, &external, "externalsecret", "openai-admin-key", "-n", "openai")
		Expect(external.Spec.Data).To(HaveLen(1))
		c.secret(ctx, external.Metadata.Namespace, external.Spec.Target.Name, external.Spec.Data[0].SecretKey)
	}
}

func (c *cluster) fluxKustomizations(ctx context.Context) []fluxKustomization {
	GinkgoHelper()
	var list struct{ Items []fluxKustomization }
	c.get(ctx, &list, "kustomizations.kustomize.toolkit.fluxcd.io", "-n", "flux-system")
	Expect(list.Items).To(HaveLen(3))
	return list.Items
}

// inOrder puts each after those that it depends on.
func inOrder(left []fluxKustomization) []fluxKustomization {
	GinkgoHelper()
	var ordered []fluxKustomization
	done := map[string]bool{}
	for len(left) > 0 {
		next := slices.IndexFunc(left, func(k fluxKustomization) bool {
			return !slices.ContainsFunc(k.Spec.DependsOn, func(on struct{ Name string }) bool { return !done[on.Name] })
		})
		Expect(next).NotTo(Equal(-1), "dependsOn names one that there is not, or goes in a circle")
		done[left[next].Metadata.Name] = true
		ordered = append(ordered, left[next])
		left = slices.Delete(left, next, next+1)
	}
	return ordered
}
