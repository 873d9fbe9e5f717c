package examples_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("The examples for kubectl", func() {
	It("make plain manifests true", func(ctx SpecContext) {
		c := newClusterWith(ctx, "-f", root+"/examples/plain")
		Expect(c.people()).To(And(HaveKeyWithValue("ada.lovelace", "owner usage-viewer"),
			HaveKeyWithValue("grace.hopper", "reader"), HaveKeyWithValue("alan.turing", "reader usage-viewer")))
	})

	It("make a component for each team true, and take a team away without its colleagues' roles", func(ctx SpecContext) {
		c := newClusterWith(ctx, "-k", root+"/examples/kustomize")
		expectTeams(c)

		By("deleting the team research, whose two people are as many as the guard lets go")
		c.removeAtOnce(ctx)
		c.kubectl(ctx, "delete", "orgurb,orguser", "-l", "team=research", "-n", "openai", "--timeout=60s")
		Eventually(c.people).Should(And(Not(HaveKey("barbara.liskov")), Not(HaveKey("edsger.dijkstra"))))
		Expect(c.people()).To(And(HaveKeyWithValue("grace.hopper", "reader usage-viewer"), HaveKeyWithValue("alan.turing", "reader usage-viewer")))
	})
})

// expectTeams expects the organization as examples/kustomize declares it.
func expectTeams(c *cluster) {
	GinkgoHelper()
	Expect(c.people()).To(And(HaveKeyWithValue("ada.lovelace", "owner"), HaveKeyWithValue("margaret.hamilton", "owner"),
		HaveKeyWithValue("grace.hopper", "reader usage-viewer"), HaveKeyWithValue("alan.turing", "reader usage-viewer"),
		HaveKeyWithValue("barbara.liskov", Or(Equal("reader model-evaluator usage-viewer"), Equal("reader usage-viewer model-evaluator"))),
		HaveKeyWithValue("edsger.dijkstra", "reader model-evaluator"), HaveKeyWithValue("katherine.johnson", "owner")))
}
