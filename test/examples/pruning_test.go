package examples_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A commit that deletes everything", func() {
	It("removes no more people than the guard allows, no owner, and leaves nothing hanging", func(ctx SpecContext) {
		c := newClusterWith(ctx, "-k", root+"/examples/kustomize")
		before := c.people()

		By("deleting in the order in which Flux does: the Organization last")
		for _, kind := range []string{"orguserrolebinding", "orguser", "organization"} {
			c.kubectl(ctx, "delete", kind, "--all", "-n", "openai", "--wait=false")
		}
		Eventually(func() string { return c.kubectl(ctx, "get", "rollcall", "-n", "openai", "-o", "name") }).Should(BeEmpty())
		Expect(len(before)-len(c.people())).To(BeNumerically("<=", 2), "spec.guard.maxRemovals")
		Expect(c.people()).To(And(HaveKey("ada.lovelace"), HaveKey("margaret.hamilton"), HaveKey("katherine.johnson")))
	})

	It("keeps whom the guard holds until the commit is taken back and the objects are retained", func(ctx SpecContext) {
		c := newClusterWith(ctx, "-k", root+"/examples/kustomize")
		before := c.people()
		c.kubectl(ctx, "delete", "orguser", "--all", "-n", "openai", "--wait=false")
		// Not kubectl wait: it fails where an object goes while it waits, as the two do whom the guard lets go.
		Eventually(func() []string {
			return strings.Fields(c.kubectl(ctx, "get", "orguser", "-n", "openai", "-o", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].reason}`))
		}).Should(Equal([]string{"Held", "Held"}))
		Expect(c.people()).To(HaveLen(len(before) - 2))

		By("letting the objects go without their people, and applying them again")
		for _, name := range []string{"alan", "barbara", "edsger", "grace"} {
			_, err := c.Run(ctx, "", "patch", "orguser", name, "-n", "openai", "--type=merge", "-p", `{"spec":{"deletionPolicy":"Retain"}}`)
			if err != nil {
				Expect(err).To(MatchError(ContainSubstring("NotFound")), "it was one of the two")
			}
		}
		Eventually(func() string { return c.kubectl(ctx, "get", "orguser", "-n", "openai", "-o", "name") }).Should(BeEmpty())
		c.kubectl(ctx, "apply", "-k", root+"/examples/kustomize")
		c.kubectl(ctx, "wait", "--for=condition=Ready", "oaiorg/default", "orguser/ada", "-n", "openai", "--timeout=60s")
		Expect(c.people()).To(HaveLen(len(before) - 2))
	})
})
