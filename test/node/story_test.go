package node_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	grace   = "grace.hopper@example.com"
	alan    = "alan.turing@example.com"
	frances = "frances.allen@example.com"
)

// One after the other: both install the same kinds.
var _ = Describe("rollcall on a node", Ordered, func() {
	JustAfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			explain(ctx)
		}
	})
	Context("installed by dist/install.yaml", fileStories)
	Context("installed by its chart", chartStories)
})

func fileStories() {
	var t team
	var everybody []string

	BeforeAll(func(ctx SpecContext) {
		kubectl(ctx, "apply", "-f", root+"/dist/install.yaml")
		// The simulator speaks http.
		kubectl(ctx, "patch", "deployment", manager, "-n", namespace, "--type=json",
			`--patch=[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--allow-insecure-base-url"}]`)
		rolledOut(ctx)
		t = newTeam(ctx, "team")
		everybody = t.emails(ctx)
	})

	It("runs under the restricted Pod Security Standard, which its namespace enforces", func(ctx SpecContext) {
		output, err := cluster.kubectl(ctx, "", "run", "anything", "--image=rollcall:dev", "-n", namespace)
		Expect(err).To(HaveOccurred(), "the namespace admits anything, so what follows says little")
		Expect(output).To(ContainSubstring(`violates PodSecurity "restricted`))

		pods := managerPods(ctx)
		Expect(pods).To(HaveLen(2))
		for _, pod := range pods {
			running := processes(ctx, pod, "/manager")
			Expect(running).To(HaveLen(1))
			status := statusOf(running[0])
			Expect(status["Uid"]).To(Equal("65532\t65532\t65532\t65532"))
			Expect(status).To(And(HaveKeyWithValue("CapBnd", "0000000000000000"), HaveKeyWithValue("NoNewPrivs", "1"), HaveKeyWithValue("Seccomp", "2")))
		}
		Expect(kubectl(ctx, "logs", leader(ctx), "-n", namespace)).To(ContainSubstring(oldVersion))
	})

	It("makes the organization as it is applied", func(ctx SpecContext) {
		t.declare(ctx, orgUser(grace, "role: owner"), orgUser(alan, "role: reader"), orgUser(frances, "technicalLevel: expert"), `---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUserRoleBinding
metadata: {name: viewers}
spec:
  roleRef: {name: usage-viewer}
  subjects: [{orgUser: alan.turing}]
`)
		t.ready(ctx, "oaiorg,orguser,orgurb", "--all")
		people := t.people(ctx)
		Expect(people[grace].Role).To(Equal("owner"))
		Expect(people[frances].TechnicalLevel).To(Equal("expert"))
		Expect(people[alan].Roles).To(ContainElement("usage-viewer"))
		Expect(t.tried(ctx, 0)).To(ConsistOf("POST /organization/users/user-gracehopper: 200",
			"POST /organization/users/user-francesallen: 200", "POST /organization/users/user-alanturing/roles: 200"))
	})

	It("undoes what is changed by hand", func(ctx SpecContext) {
		before := len(t.writes(ctx))
		t.byHand(ctx, "set", grace, "--role=reader")
		t.byHand(ctx, "set", alan, "--unassign=usage-viewer")
		Expect(t.people(ctx)[grace].Role).To(Equal("reader"))
		t.reread(ctx)
		Eventually(func() string { return t.people(ctx)[grace].Role }).Should(Equal("owner"))
		Eventually(func() []string { return t.people(ctx)[alan].Roles }).Should(ContainElement("usage-viewer"))
		t.ready(ctx, "orguser/grace.hopper", "orgurb/viewers")
		Expect(t.tried(ctx, before)).To(ConsistOf(
			"POST /organization/users/user-gracehopper: 200", "POST /organization/users/user-alanturing/roles: 200"))
	})

	It("removes whom it is told to, and nobody else", func(ctx SpecContext) {
		before := len(t.writes(ctx))
		t.in(ctx, "delete", "orguser", "frances.allen", "--timeout=60s")
		Eventually(func() []string { return t.tried(ctx, before) }).Should(ConsistOf("DELETE /organization/users/user-francesallen: 200"))
		Expect(everybody).To(ContainElement(frances))
		Expect(t.emails(ctx)).To(HaveLen(len(everybody) - 1))
		everybody = t.emails(ctx)
	})

	It("is upgraded under load, and makes each change once", func(ctx SpecContext) {
		before := len(t.writes(ctx))
		load := startLoad(ctx, t)
		Eventually(func() int { return len(t.writes(ctx)) - before }).Should(BeNumerically(">", len(crowd)), "there is no load")
		cluster.load(ctx, upgrade)
		old := managerPods(ctx)
		kubectl(ctx, "set", "image", "deployment/"+manager, "manager="+newImage, "-n", namespace)
		rolledOut(ctx)
		Eventually(managerPods).WithContext(ctx).Should(And(HaveLen(2), Not(ContainElement(BeElementOf(old)))))
		after := len(t.writes(ctx))
		Expect(kubectl(ctx, "logs", leader(ctx), "-n", namespace)).To(ContainSubstring(newVersion))
		Eventually(func() int { return len(t.writes(ctx)) - after }).Should(BeNumerically(">", len(crowd)), "the new leader does nothing")
		last := load.stop()

		for _, name := range crowd {
			Eventually(func() string { return t.people(ctx)[name+"@example.com"].TechnicalLevel }).Should(Equal(last), name)
		}
		t.ready(ctx, "orguser", "--all")
		t.reread(ctx)
		expectEachOnce(ctx, t, before)
		Expect(t.emails(ctx)).To(Equal(everybody))
	})

	It("goes on in the other replica when the leader is killed", func(ctx SpecContext) {
		before := len(t.writes(ctx))
		killed := leader(ctx)
		kill(ctx, killed)
		t.declare(ctx, orgUser(alan, "role: reader", "technicalLevel: beginner"))
		Eventually(func() string {
			kill(ctx, killed) // its container starts anew, and would compete for the Lease
			return field(ctx, "lease/"+lease, "{.spec.holderIdentity}")
		}).WithTimeout(150 * time.Second).Should(And(Not(BeEmpty()), Not(HavePrefix(killed+"_"))))
		Eventually(func() string { return t.people(ctx)[alan].TechnicalLevel }).Should(Equal("beginner"))
		Expect(field(ctx, "pod/"+killed, "{.status.containerStatuses[0].lastState.terminated.exitCode}")).To(Equal("137"))
		t.ready(ctx, "orguser/alan.turing")
		t.reread(ctx)
		Expect(t.tried(ctx, before)).To(ConsistOf("POST /organization/users/user-alanturing: 200"))
		rolledOut(ctx)
	})

	It("removes nobody when it is uninstalled", func(ctx SpecContext) {
		before := t.writes(ctx)
		kubectl(ctx, "delete", "-k", root+"/config/crd", "--timeout=90s")
		kubectl(ctx, "delete", "-f", root+"/dist/install.yaml", "--ignore-not-found", "--timeout=90s")
		Expect(t.emails(ctx)).To(Equal(everybody))
		Expect(t.writes(ctx)).To(Equal(before))
		Expect(kubectl(ctx, "get", "namespace,crd,clusterrole,clusterrolebinding", "-o", "name")).NotTo(ContainSubstring("rollcall"))
	})
}
