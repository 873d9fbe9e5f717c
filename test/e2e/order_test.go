package e2e_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// orderStories apply the objects of a team in every order.
func orderStories() {
	It("reaches what is declared in whatever order it is applied", func(ctx SpecContext) {
		startManager(ctx)
		var teams []*team
		for i, order := range permutations([]string{"secret", "organization", "user", "binding"}) {
			t := newOrganization(fmt.Sprintf("order-%02d", i))
			teams = append(teams, t)
			kubectl(ctx, "create", "namespace", t.name)
			for _, what := range order {
				t.applyPart(ctx, what)
			}
		}
		for _, t := range teams {
			t.ready(ctx, "oaiorg/default", "orguser/grace", "orgurb/viewers")
			Expect(t.viewers()).To(ConsistOf("grace"))
		}
	})

	It("changes nothing in what was applied, whoever applies it", func(ctx SpecContext) {
		startManager(ctx)
		t := newTeam(ctx, "diff")
		manifests := organizationManifest + `
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata: {name: grace}
spec: {email: Grace@Example.com, role: owner, technicalLevel: ""}
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUserRoleBinding
metadata: {name: viewers}
spec: {roleRef: {name: viewer}, subjects: [{orgUser: grace}, {email: alan@example.com}]}
`
		for _, by := range [][]string{nil, {"--server-side", "--field-manager=kustomize-controller", "--force-conflicts"}, {"--server-side", "--field-manager=argocd-controller"}} {
			_, err := plane.Run(ctx, manifests, append([]string{"apply", "-n", t.name, "-f", "-"}, by...)...)
			Expect(err).NotTo(HaveOccurred())
			t.ready(ctx, "oaiorg/default", "orguser/grace", "orgurb/viewers")
			for _, way := range [][]string{nil, by} {
				difference, err := plane.Run(ctx, manifests, append([]string{"diff", "-n", t.name, "-f", "-"}, way...)...)
				Expect(err).NotTo(HaveOccurred(), "by %v", by)
				Expect(difference).To(BeEmpty())
			}
		}
	})
}

func (t *team) applyPart(ctx SpecContext, what string) {
	GinkgoHelper()
	switch what {
	case "secret":
		t.apply(ctx, t.secret())
	case "organization":
		t.apply(ctx, organizationManifest)
	case "user":
		t.declare(ctx, "grace")
	case "binding":
		t.apply(ctx, `
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUserRoleBinding
metadata: {name: viewers}
spec: {roleRef: {name: viewer}, subjects: [{orgUser: grace}]}
`)
	}
}

// permutations returns the items in every order.
func permutations(items []string) [][]string {
	if len(items) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i, first := range items {
		rest := append(append([]string{}, items[:i]...), items[i+1:]...)
		for _, order := range permutations(rest) {
			all = append(all, append([]string{first}, order...))
		}
	}
	return all
}
