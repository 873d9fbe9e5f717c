package examples_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A commit that deletes everything", func() {
	It("removes nobody with the Organization in it, and leaves nothing hanging", func(ctx SpecContext) {
		c := newClusterWith(ctx, "-k", root+"/examples/kustomize")
		before := c.people()

		By("deleting in the order in which Flux does: the Organization last")
		for _, kind := range []string{"orguserrolebinding", "orguser", "organization"} {
			c.kubectl(ctx, "delete", kind, "--all", "-n", "openai", "--wait=false")
		}
		Eventually(func() string { return c.kubectl(ctx, "get", "rollcall", "-n", "openai", "-o", "name") }).Should(BeEmpty())
		Expect(c.people()).To(HaveLen(len(before)))
	})

	It("removes no more people than the guard allows, no owner, and lets the others be declared again", func(ctx SpecContext) {
		c := newClusterWith(ctx, "-k", root+"/examples/kustomize")
		before := c.people()
		c.removeAtOnce(ctx)
		c.kubectl(ctx, "delete", "orguser", "--all", "-n", "openai", "--timeout=60s")
		leavers := func(field string) func() []string {
			return func() []string {
				lines := c.kubectl(ctx, "get", "oaiorg", "default", "-n", "openai", "-o", `jsonpath={range .status.leaving[*]}{.`+field+`}{"\n"}{end}`)
				return strings.FieldsFunc(lines, func(r rune) bool { return r == '\n' })
			}
		}
		Eventually(leavers("userID")).Should(HaveLen(2))
		Eventually(leavers("held")).Should(HaveEach(ContainSubstring("spec.guard.maxRemovals")))
		Expect(leavers("held")()).To(HaveLen(2))
		Expect(c.people()).To(HaveLen(len(before) - 2))
		Expect(c.people()).To(And(HaveKey("ada.lovelace"), HaveKey("margaret.hamilton"), HaveKey("katherine.johnson")))

		By("taking the commit back")
		c.kubectl(ctx, "apply", "-k", root+"/examples/kustomize")
		c.kubectl(ctx, "wait", "--for=condition=Ready", "oaiorg/default", "orguser/ada", "-n", "openai", "--timeout=60s")
		Eventually(leavers("userID")).Should(BeEmpty())
		Expect(c.people()).To(HaveLen(len(before) - 2))
	})
})
