package e2e_test

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// keyStories are of admin keys that change.
func keyStories() {
	It("goes on by itself when the key in the Secret is replaced and the old one is revoked", func(ctx SpecContext) {
		startManager(ctx)
		t := newTeam(ctx, "rotates")
		t.declare(ctx, "grace", "role: reader")
		t.ready(ctx, "orguser/grace")
		t.putKey(ctx, "sk-admin-the-second-of-rotates")
		t.sim.RotateKey("sk-admin-the-second-of-rotates")
		t.declare(ctx, "grace", "role: owner")
		Eventually(func() string { return t.role("grace") }).Should(Equal("owner"))
		t.ready(ctx, "oaiorg/default", "orguser/grace")
		Expect(t.sim.Mutations()).To(HaveLen(1))
	})

	It("stands still while its key is revoked, and says how to mend it", func(ctx SpecContext) {
		startManager(ctx)
		t := newTeam(ctx, "revoked")
		t.declare(ctx, "grace", "role: reader")
		t.bind(ctx, "alan")
		t.ready(ctx, "orguser/grace", "orgurb/viewers")
		t.sim.RotateKey("sk-admin-the-second-of-revoked")
		t.declare(ctx, "grace", "role: owner")
		t.in(ctx, "delete", "orgurb", "viewers", "--wait=false")
		Eventually(t.reason(ctx, "oaiorg/default")).Should(Equal("Unauthorized"))
		Eventually(t.reason(ctx, "orguser/grace")).Should(Equal("OrganizationNotReady"))
		Eventually(t.reason(ctx, "orgurb/viewers")).Should(Equal("OrganizationNotReady"))
		Expect(t.in(ctx, "describe", "oaiorg", "default")).To(ContainSubstring("put a valid admin key of this organization there"))
		Expect(t.role("grace")).To(Equal("reader"))
		Expect(t.people()).To(HaveLen(5))
		Expect(t.viewers()).To(ConsistOf("alan"))

		t.putKey(ctx, "sk-admin-the-second-of-revoked")
		t.resync(ctx, "now")
		t.ready(ctx, "oaiorg/default", "orguser/grace")
		t.in(ctx, "wait", "--for=delete", "orgurb/viewers", "--timeout=60s")
		Expect(t.role("grace")).To(Equal("owner"))
		Expect(t.viewers()).To(BeEmpty())
	})
}

// putKey puts another admin key into the Secret.
func (t *team) putKey(ctx SpecContext, key string) {
	GinkgoHelper()
	keys = append(keys, key)
	t.in(ctx, "patch", "secret", "openai-admin-key", "--type=merge", "-p", `{"stringData":{"api-key":"`+key+`"}}`)
}

// secrecyStories look for the admin keys, and for rights that were missing, in what all stories left.
func secrecyStories() {
	It("wrote its keys into no object and no event", func(ctx SpecContext) {
		kinds := strings.Fields(kubectl(ctx, "api-resources", "--verbs=list", "-o", "name"))
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == "secrets" })
		Expect(kinds).To(ContainElements("events", "leases.coordination.k8s.io", "orgusers.openai.rollcall.dev"))
		expectNoKey(kubectl(ctx, "get", strings.Join(kinds, ","), "-A", "-o", "yaml", "--show-managed-fields"))
		Expect(keys).To(ContainElement(kubectl(ctx, "get", "secret", "openai-admin-key", "-n", "elects",
			"-o", `go-template={{index .data "api-key" | base64decode}}`)), "what was looked for is not what the Secrets hold")
	})

	It("is refused what it needs not", func(ctx SpecContext) {
		kubeconfig, err := plane.ServiceAccountKubeconfig(ctx, namespace, account)
		Expect(err).NotTo(HaveOccurred())
		asManager := func(arguments ...string) (string, error) {
			return plane.Run(ctx, "", append(arguments, "--kubeconfig="+kubeconfig)...)
		}
		output, err := asManager("get", "orgusers", "-n", "elects", "-o", "name")
		Expect(err).NotTo(HaveOccurred())
		Expect(output).To(ContainSubstring("orguser.openai.rollcall.dev/grace"))
		for _, arguments := range [][]string{
			{"get", "secrets", "-n", "elects"},
			{"delete", "orguser", "grace", "-n", "elects", "--wait=false"},
			{"delete", "oaiorg", "default", "-n", "elects", "--wait=false"},
			{"delete", "crd", "orgusers.openai.rollcall.dev", "--wait=false"},
			{"delete", "namespace", "elects", "--wait=false"},
		} {
			_, err := asManager(arguments...)
			Expect(err).To(MatchError(ContainSubstring("Error from server (Forbidden)")))
		}
	})
}

func expectNoKey(text string) {
	GinkgoHelper()
	Expect(keys).NotTo(BeEmpty())
	for _, key := range keys {
		// Not ContainSubstring, which would print the whole text.
		for line := range strings.Lines(text) {
			Expect(strings.Contains(line, key)).To(BeFalse(), "the admin key is in: %s", line)
		}
	}
}
