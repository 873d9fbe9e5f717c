package examples_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// argoApplication is what this test reads of one.
type argoApplication struct {
	Metadata struct {
		Name       string
		Finalizers []string
	}
	Spec struct {
		Project string
		Source  struct {
			RepoURL, Path string
			Kustomize     struct{ Images []string }
		}
		SyncPolicy struct{ SyncOptions []string }
	}
}

type groupKind struct{ Group, Kind string }

type argoProject struct {
	Spec struct {
		SourceRepos                []string
		Destinations               []struct{ Namespace string }
		ClusterResourceWhitelist   []groupKind
		NamespaceResourceWhitelist []groupKind
	}
}

var _ = Describe("The example for Argo CD", func() {
	It("is what Argo CD takes, and what it points to is allowed by its project and comes true", func(ctx SpecContext) {
		c := newCluster(ctx)
		argoCD.install(ctx, c)
		externalSecrets.install(ctx, c)
		c.kubectl(ctx, "create", "namespace", "argocd")
		c.kubectl(ctx, "apply", "--server-side", "--validate=strict", "-k", root+"/examples/argocd")
		var project argoProject
		c.get(ctx, &project, "appproject", "openai", "-n", "argocd")
		documented, err := os.ReadFile(filepath.Join(argoCD.source(ctx), "docs", "user-guide", "sync-options.md"))
		Expect(err).NotTo(HaveOccurred())

		for _, name := range []string{"rollcall", "openai-credentials", "openai-members"} {
			var application argoApplication
			c.get(ctx, &application, "application", name, "-n", "argocd")
			By("doing what Argo CD does for " + name)
			Expect(application.Metadata.Finalizers).To(BeEmpty(), "deleting it would delete what it made")
			for _, option := range application.Spec.SyncPolicy.SyncOptions {
				Expect(string(documented)).To(ContainSubstring(option))
			}
			source := application.Spec.Source
			Expect(repositories).To(HaveKey(source.RepoURL))
			folder := overlay(filepath.Join(repositories[source.RepoURL], source.Path), source.Kustomize.Images...)
			if application.Spec.Project != "default" {
				Expect(project.Spec.SourceRepos).To(ContainElement(source.RepoURL))
				c.expectAllowed(ctx, project, folder)
			}
			c.kubectl(ctx, "apply", "--server-side", "--field-manager=argocd-controller", "--validate=strict", "-k", folder)
			c.operators(ctx, name)
		}
		c.ready(ctx, "openai")
		expectTeams(c)
		Expect(c.kubectl(ctx, "diff", "--server-side", "--field-manager=argocd-controller", "-k", root+"/examples/kustomize")).To(BeEmpty())
	})
})

// expectAllowed expects that a project allows every object of a kustomization, where it is.
func (c *cluster) expectAllowed(ctx context.Context, project argoProject, folder string) {
	GinkgoHelper()
	for text := range strings.SplitSeq(c.kubectl(ctx, "kustomize", folder), "\n---\n") {
		var object struct {
			APIVersion, Kind string
			Metadata         struct{ Namespace string }
		}
		Expect(yaml.Unmarshal([]byte(text), &object)).To(Succeed())
		group, _, found := strings.Cut(object.APIVersion, "/")
		if !found {
			group = ""
		}
		allowed := project.Spec.ClusterResourceWhitelist
		if object.Metadata.Namespace != "" {
			allowed = project.Spec.NamespaceResourceWhitelist
			Expect(project.Spec.Destinations).To(ContainElement(HaveField("Namespace", object.Metadata.Namespace)))
		}
		Expect(slices.ContainsFunc(allowed, func(one groupKind) bool {
			return one.Group == group && (one.Kind == object.Kind || one.Kind == "*")
		})).To(BeTrue(), "%s of %q in %q", object.Kind, group, object.Metadata.Namespace)
	}
}
