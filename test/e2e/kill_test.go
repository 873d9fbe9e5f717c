package e2e_test

import (
	"net/http"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const (
	grace        = "/organization/users/user-grace"
	graceRoles   = grace + "/roles"
	graceViewer  = graceRoles + "/role_viewer"
	alanRoles    = "/organization/users/user-alan/roles"
	roleOfGrace  = "{.status.role}"
	whoLeaves    = "{.status.leaving[*].userID}"
	stateOfGrace = `{.status.subjects[?(@.userID=="user-grace")].state}`
)

// bad is a bad moment for the manager to be killed: the organization has carried a call out, and its answer
// has not arrived.
type bad struct {
	method, path string
	// before prepares, change makes the manager call, and meanwhile happens while no manager runs.
	before, change, meanwhile func(ctx SpecContext, t *team)
	// object and field are where the manager would have written what came of the call. It holds unwritten then.
	object, field, unwritten string
	// after waits for what is to come of it, and calls are all that were made.
	after func(ctx SpecContext, t *team)
	calls []string
}

// killStories are of managers that end by kill -9.
func killStories() {
	DescribeTable("makes each change once when it is killed between the call and its status",
		func(ctx SpecContext, name string, moment bad) {
			first := startManager(ctx)
			t := newTeam(ctx, name)
			t.declare(ctx, "grace", "role: reader")
			t.ready(ctx, "orguser/grace")
			if moment.before != nil {
				moment.before(ctx, t)
			}
			made, release := t.hold(moment.method, moment.path)
			moment.change(ctx, t)
			Eventually(made).Should(BeClosed(), "the call was not made")
			first.kill()
			Expect(first.ExitCode()).To(Equal(128+9), "it was not killed")
			Expect(t.in(ctx, "get", moment.object, "-o", "jsonpath="+moment.field)).To(Equal(moment.unwritten), "at the kill something else was written down")
			release()
			if moment.meanwhile != nil {
				moment.meanwhile(ctx, t)
			}
			forgetLease(ctx)
			startManager(ctx)
			moment.after(ctx, t)
			t.reread(ctx)
			Expect(t.tried()).To(ConsistOf(moment.calls))
			Expect(t.sim.Mutations()).To(HaveLen(len(moment.calls)), "something was tried in vain")
		},
		Entry("for an update", "kill-update", bad{
			method: http.MethodPost, path: grace, object: "orguser/grace", field: roleOfGrace, unwritten: "reader",
			change: func(ctx SpecContext, t *team) { t.declare(ctx, "grace", "role: owner") },
			after: func(ctx SpecContext, t *team) {
				t.ready(ctx, "orguser/grace")
				Expect(t.role("grace")).To(Equal("owner"))
			},
			calls: []string{"POST " + grace},
		}),
		Entry("for a removal", "kill-removal", bad{
			method: http.MethodDelete, path: grace, object: "oaiorg/default", field: whoLeaves, unwritten: "user-grace",
			change: func(ctx SpecContext, t *team) { t.in(ctx, "delete", "orguser", "grace", "--timeout=60s") },
			after: func(ctx SpecContext, t *team) {
				Eventually(t.leaving(ctx)).Should(BeEmpty())
				Expect(t.people()).To(ConsistOf("ada", "bob", "alan", "emmy"))
				Expect(t.in(ctx, "get", "oaiorg", "default", "-o", "jsonpath={.status.removals.count}")).To(Equal("1"))
			},
			calls: []string{"DELETE " + grace},
		}),
		Entry("for an assignment", "kill-assign", bad{
			method: http.MethodPost, path: graceRoles, object: "orgurb/viewers", field: stateOfGrace, unwritten: "Pending",
			change: func(ctx SpecContext, t *team) { t.bind(ctx, "grace") },
			after: func(ctx SpecContext, t *team) {
				t.ready(ctx, "orgurb/viewers")
				Expect(t.viewers()).To(ConsistOf("grace"))
			},
			calls: []string{"POST " + graceRoles},
		}),
		Entry("for an assignment whose subject is taken out meanwhile", "kill-released", bad{
			method: http.MethodPost, path: graceRoles, object: "orgurb/viewers", field: stateOfGrace, unwritten: "Pending",
			change:    func(ctx SpecContext, t *team) { t.bind(ctx, "grace") },
			meanwhile: func(ctx SpecContext, t *team) { t.bind(ctx, "alan") },
			after: func(ctx SpecContext, t *team) {
				Eventually(t.viewers).Should(ConsistOf("alan"))
				t.ready(ctx, "orgurb/viewers")
			},
			calls: []string{"POST " + graceRoles, "DELETE " + graceViewer, "POST " + alanRoles},
		}),
		Entry("for an assignment whose binding is deleted meanwhile", "kill-deleted", bad{
			method: http.MethodPost, path: graceRoles, object: "orgurb/viewers", field: stateOfGrace, unwritten: "Pending",
			change:    func(ctx SpecContext, t *team) { t.bind(ctx, "grace") },
			meanwhile: func(ctx SpecContext, t *team) { t.in(ctx, "delete", "orgurb", "viewers", "--wait=false") },
			after: func(ctx SpecContext, t *team) {
				t.in(ctx, "wait", "--for=delete", "orgurb/viewers", "--timeout=60s")
				Expect(t.viewers()).To(BeEmpty())
			},
			calls: []string{"POST " + graceRoles, "DELETE " + graceViewer},
		}),
		Entry("for the end of an assignment", "kill-unassign", bad{
			method: http.MethodDelete, path: graceViewer, object: "orgurb/viewers", field: stateOfGrace, unwritten: "Assigned",
			before: func(ctx SpecContext, t *team) {
				t.bind(ctx, "alan", "grace")
				t.ready(ctx, "orgurb/viewers")
			},
			change: func(ctx SpecContext, t *team) { t.bind(ctx, "alan") },
			after: func(ctx SpecContext, t *team) {
				t.ready(ctx, "orgurb/viewers")
				Expect(t.viewers()).To(ConsistOf("alan"))
			},
			calls: []string{"POST " + graceRoles, "POST " + alanRoles, "DELETE " + graceViewer},
		}),
	)

	It("acts through one of two managers, and the other takes over when it is killed", func(ctx SpecContext) {
		first := startManager(ctx)
		t := newTeam(ctx, "elects")
		t.declare(ctx, "grace", "role: owner")
		t.ready(ctx, "orguser/grace")
		leader := leaseHolder(ctx)
		second := startManager(ctx)
		t.declare(ctx, "alan", "role: owner")
		t.ready(ctx, "orguser/alan")
		Expect(t.tried()).To(ConsistOf("POST "+grace, "POST /organization/users/user-alan"))
		Expect(leaseHolder(ctx)).To(Equal(leader))
		Expect(string(second.Err.Contents())).NotTo(ContainSubstring("uccessfully acquired lease"))

		first.kill()
		t.declare(ctx, "emmy", "role: owner")
		Eventually(func() string { return t.role("emmy") }).WithTimeout(2 * time.Minute).Should(Equal("owner"))
		t.ready(ctx, "orguser/emmy")
		Expect(leaseHolder(ctx)).NotTo(Equal(leader))
		t.reread(ctx)
		Expect(t.tried()).To(ConsistOf("POST "+grace, "POST /organization/users/user-alan", "POST /organization/users/user-emmy"))
	})
}

// forgetLease spares the next manager the minute for which the Lease of one that was killed still holds.
func forgetLease(ctx SpecContext) {
	GinkgoHelper()
	kubectl(ctx, "delete", "lease", "openai.rollcall.dev", "-n", namespace, "--ignore-not-found")
}

func leaseHolder(ctx SpecContext) string {
	GinkgoHelper()
	return kubectl(ctx, "get", "lease", "openai.rollcall.dev", "-n", namespace, "-o", "jsonpath={.spec.holderIdentity}")
}

// hold keeps back the answers to such calls, which are carried out, until release is called.
func (t *team) hold(method, path string) (made <-chan struct{}, release func()) {
	reached, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	t.sim.During(func(call openaitest.Call) {
		if call.Method == method && call.Path == path {
			once.Do(func() { close(reached) })
			<-free
		}
	})
	release = sync.OnceFunc(func() {
		t.sim.During(nil)
		close(free)
	})
	// A simulator does not close while a call is under way.
	DeferCleanup(release)
	return reached, release
}
