package e2e_test

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var _ = Describe("rollcall", Ordered, func() {
	It("adopts, changes and binds what is applied, and shows it in columns", func(ctx SpecContext) {
		startManager(ctx)
		t := newTeam(ctx, "adopts")
		t.declare(ctx, "ada", "role: owner")
		t.declare(ctx, "grace", "role: owner", `technicalLevel: expert`)
		t.bind(ctx, "ada", "alan")
		t.ready(ctx, "oaiorg/default", "orguser/ada", "orguser/grace", "orgurb/viewers")
		Expect(t.role("grace")).To(Equal("owner"))
		Expect(t.viewers()).To(ConsistOf("ada", "alan"))
		Expect(t.tried()).To(ConsistOf("POST /organization/users/user-grace",
			"POST /organization/users/user-ada/roles", "POST /organization/users/user-alan/roles"))
		Expect(t.in(ctx, "get", "orgusers", "--no-headers")).To(And(
			MatchRegexp(`ada +True +InSync +ada@example.com +owner`), MatchRegexp(`grace +True +InSync +grace@example.com +owner`)))
		Eventually(func() string { return t.in(ctx, "get", "oaiorg") }).Should(And(
			MatchRegexp(`NAME +READY +REASON +USERS +OWNERS +DECLARED +UNDECLARED +LEAVING +MODE +LAST SYNC +AGE\n`),
			MatchRegexp(`default +True +InSync +5 +3 +2 +3 +0 +Enforce `)))
		Expect(t.in(ctx, "get", "orgurb", "--no-headers")).To(MatchRegexp(`viewers +True +InSync +viewer +2/2`))

		By("undoing drift, with an event")
		t.sim.SetRole("user-grace", "reader")
		t.sim.UnassignRole("user-alan", "role_viewer")
		t.resync(ctx, "1")
		Eventually(func() string { return t.role("grace") }).Should(Equal("owner"))
		Eventually(t.viewers).Should(ConsistOf("ada", "alan"))
		Eventually(func() string { return t.in(ctx, "events", "--for=orguser/grace") }).Should(ContainSubstring(`role from "reader" to "owner"`))

		By("removing who is deleted, and leaving in who is retained")
		t.in(ctx, "delete", "orguser", "grace", "--timeout=60s")
		Eventually(t.people).ShouldNot(ContainElement("grace"))
		Eventually(t.leaving(ctx)).Should(BeEmpty())
		Eventually(func() string { return t.in(ctx, "events", "--for=oaiorg/default") }).Should(And(
			MatchRegexp(`Leaving +Organization/default +.*grace@example.com`), MatchRegexp(`Removed +Organization/default +removed grace@example.com`)))
		t.declare(ctx, "emmy", "deletionPolicy: Retain")
		t.ready(ctx, "orguser/emmy")
		t.in(ctx, "delete", "orguser", "emmy", "--timeout=60s")
		Expect(t.people()).To(ContainElement("emmy"))
	})

	orderStories()
	rightsStory()
	keyStories()
	killStories()

	It("does not overspend the window when it is killed between the count and the removal", func(ctx SpecContext) {
		first := startManager(ctx)
		t := newTeam(ctx, "overspends")
		t.in(ctx, "patch", "oaiorg", "default", "--type=merge", "-p", `{"spec":{"guard":{"maxRemovals":1}}}`)
		t.declare(ctx, "grace")
		t.declare(ctx, "alan")
		t.ready(ctx, "orguser/grace", "orguser/alan")
		t.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Latency: time.Hour})
		t.in(ctx, "delete", "orguser", "grace", "alan", "--timeout=60s")
		Eventually(t.removals(ctx)).Should(Equal("1"))
		first.kill()
		t.sim.ClearFaults()
		forgetLease(ctx)
		startManager(ctx)
		Eventually(t.leavers(ctx, "held")).Should(HaveLen(2))
		Expect(t.leaving(ctx)()).To(ConsistOf("user-grace", "user-alan"))
		Expect(t.people()).To(HaveLen(5))

		By("letting one more go")
		t.in(ctx, "patch", "oaiorg", "default", "--type=merge", "-p", `{"spec":{"guard":{"maxRemovals":2}}}`)
		Eventually(t.people).Should(HaveLen(4))
		Eventually(t.removals(ctx)).Should(Equal("2"))
		Consistently(t.people, "2s").Should(HaveLen(4))

		By("keeping the other one: the documented way out")
		Eventually(t.leaving(ctx)).Should(HaveLen(1))
		left := strings.TrimPrefix(t.leaving(ctx)()[0], "user-")
		t.declare(ctx, left, "deletionPolicy: Retain")
		t.ready(ctx, "orguser/"+left)
		Eventually(t.leaving(ctx)).Should(BeEmpty())
		Eventually(func() string { return t.in(ctx, "events", "--for=oaiorg/default") }).Should(ContainSubstring("DeclaredAgain"))
		t.in(ctx, "delete", "orguser", left, "--timeout=60s")
		Consistently(t.people, "2s").Should(HaveLen(4))
	})

	It("lets the oldest of two namespaces act for a person, and neither remove what the other declares", func(ctx SpecContext) {
		startManager(ctx)
		older := newTeam(ctx, "older")
		older.declare(ctx, "grace", "role: reader")
		older.ready(ctx, "oaiorg/default", "orguser/grace")
		younger := &team{name: "younger", sim: older.sim}
		younger.setUp(ctx, "undeclared: {users: Remove}")
		Eventually(younger.reason(ctx, "oaiorg/default")).Should(Equal("Conflict"))
		Expect(younger.in(ctx, "describe", "oaiorg", "default")).To(ContainSubstring("another Organization object stands for the same organization (older/default)"))
		younger.declare(ctx, "grace", "role: owner")
		Eventually(younger.reason(ctx, "orguser/grace")).Should(Equal("Conflict"))
		for _, value := range []string{"1", "2", "3"} {
			younger.resync(ctx, value)
			Eventually(func() string {
				return younger.in(ctx, "get", "oaiorg", "default", "-o", "jsonpath={.status.lastHandledSyncRequest}")
			}).Should(Equal(value))
		}
		Expect(older.tried()).To(BeEmpty())

		By("letting the younger take over when the older goes")
		older.in(ctx, "delete", "orguser", "grace", "--timeout=60s")
		younger.ready(ctx, "orguser/grace")
		Expect(older.tried()).To(Equal([]string{"POST /organization/users/user-grace"}))
	})

	echoStories()
	secrecyStories()

	It("needed no more rights than it has", func() {
		Expect(logs).NotTo(BeEmpty())
		for _, session := range logs {
			for line := range strings.Lines(string(session.Out.Contents()) + string(session.Err.Contents())) {
				Expect(line).NotTo(ContainSubstring("orbidden"))
			}
		}
	})

	It("removes nobody when a namespace or the kinds are deleted, nor when it is uninstalled", func(ctx SpecContext) {
		running := startManager(ctx)
		t, other := newTeam(ctx, "goes"), newTeam(ctx, "stays")
		for _, team := range []*team{t, other} {
			team.declare(ctx, "grace")
			team.bind(ctx, "alan")
			team.ready(ctx, "orguser/grace", "orgurb/viewers")
		}
		kubectl(ctx, "delete", "namespace", "goes", "--timeout=60s")
		Expect(t.people()).To(HaveLen(5))
		Expect(t.viewers()).To(ConsistOf("alan"))
		Eventually(func() string { return kubectl(ctx, "get", "events", "-n", "default", "-o", "wide") }).Should(
			ContainSubstring("OrgUser grace: grace@example.com stays in the organization: namespace goes is gone or being deleted"))

		By("deleting the kinds while the manager is killed, which then finds objects that are being deleted")
		running.kill()
		forgetLease(ctx)
		kubectl(ctx, "delete", "-k", root+"/config/crd", "--wait=false")
		// Nothing holds the Organizations: their kind is gone when the manager comes back.
		kubectl(ctx, "wait", "--for=delete", "crd/organizations.openai.rollcall.dev", "--timeout=60s")
		startManager(ctx)
		kubectl(ctx, "wait", "--for=delete", "crd/orgusers.openai.rollcall.dev", "crd/orguserrolebindings.openai.rollcall.dev", "--timeout=90s")
		Expect(other.people()).To(HaveLen(5))
		Expect(other.viewers()).To(ConsistOf("alan"))

		By("uninstalling the rest")
		kubectl(ctx, "delete", "-k", root+"/config/default", "--ignore-not-found", "--timeout=60s")
		Expect(other.people()).To(HaveLen(5))

		By("starting where there are no kinds")
		session, err := gexec.Start(exec.Command(program, "--kubeconfig="+plane.Kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0"), GinkgoWriter, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Eventually(session).Should(gexec.Exit(1))
		Expect(session.Err).To(gbytes.Say("rollcall's kinds cannot be read: .*; if they are not installed yet: kubectl apply -k config/crd"))
		Expect(slices.Concat(t.tried(), other.tried())).To(HaveEach(HavePrefix("POST ")), "nobody and nothing was taken away")
	})

	It("removes nobody while it may not look at the surroundings, as when its ClusterRole goes before it", func(ctx SpecContext) {
		install(ctx)
		startManager(ctx)
		t := newTeam(ctx, "blind")
		t.declare(ctx, "grace")
		t.ready(ctx, "orguser/grace")
		kubectl(ctx, "delete", "clusterrolebinding", "rollcall-manager-rolebinding")
		t.in(ctx, "delete", "orguser", "grace", "--wait=false")
		Consistently(t.people, "3s").Should(HaveLen(5))
		Expect(t.tried()).To(BeEmpty())
		kubectl(ctx, "apply", "-k", root+"/config/default")
		t.in(ctx, "wait", "--for=delete", "orguser/grace", "--timeout=90s")
		Eventually(t.people).Should(HaveLen(4))
	})

	uninstallStories()

	It("showed its keys in no log", func() {
		Expect(logs).NotTo(BeEmpty())
		for _, session := range logs {
			Expect(session.Err).To(gbytes.Say("rollcall starts"))
			expectNoKey(string(session.Out.Contents()) + string(session.Err.Contents()))
		}
	})

	AfterEach(func(ctx SpecContext) {
		output, err := plane.Run(ctx, "", "get", "organizations,orgusers,orguserrolebindings,events", "-A", "-o", "yaml")
		if err != nil {
			// By the first or the second, as kubectl remembers the kinds or not.
			Expect(err).To(MatchError(Or(ContainSubstring("the server could not find the requested resource"),
				ContainSubstring("the server doesn't have a resource type"))), "only uninstalling takes the kinds away")
		}
		expectNoKey(output)
	})
})
