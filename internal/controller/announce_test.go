package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var _ = Describe("The events of an object", func() {
	It("tell how a user was waited for, came into sync, was changed and brought back", func(ctx context.Context) {
		w := newWorld(ctx, ada)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectWaiting(user, "NotAMember", "invite them")
		id := w.sim.AddUser(openaitest.User{Email: "grace@example.com", Role: "reader"})
		w.resync()
		w.expectReady(user)
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectReady(user)
		w.sim.SetRole(id, "reader")
		w.resync()
		Eventually(w.events).WithArguments(user).Should(HaveExactElements(
			HavePrefix("NotAMember: grace@example.com is not a member of the organization; invite them"),
			"InSync: the organization has this user as declared",
			`Updated: updated grace@example.com: role from "reader" to "owner"`,
			`DriftCorrected: updated grace@example.com: role from "reader" to "owner"`,
		))
	})

	It("tell of the first reading of an organization, of a refused key and of its end, and leave its objects out of it", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("ada")
		w.create(user)
		w.expectReady(w.organization(), user)
		key := w.sim.AdminKey()
		w.sim.RotateKey("sk-admin-unknown-to-rollcall")
		w.ask()
		w.expectStalled(w.organization(), "Unauthorized", "put a valid admin key")
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.TechnicalLevel = new("expert") })
		w.expectWaiting(user, "OrganizationNotReady", "")
		w.sim.RotateKey(key)
		w.ask()
		w.expectReady(w.organization(), user)
		Eventually(w.events).WithArguments(w.organization()).Should(HaveExactElements(
			"InSync: the organization was read whole: 2 users, 1 of them owners",
			HavePrefix("Unauthorized: the API refused the admin key"),
			"InSync: the organization was read whole: 2 users, 1 of them owners",
		))
		Expect(w.events(user)).To(HaveExactElements("Updated: updated ada@example.com: technicalLevel from none to \"expert\""))
	})

	It("tell of a deletion that waits, and how it ended", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Status: http.StatusForbidden})
		w.delete(user)
		w.expectGone(user)
		w.expectStalled(w.organization(), "Rejected", "A fault that was asked for: Forbidden")
		w.sim.ClearFaults()
		w.resync()
		w.expectOut("grace@example.com")
		w.expectReady(w.organization())
		Eventually(w.events).WithArguments(w.organization()).Should(Or(HaveExactElements(
			HavePrefix("InSync: the organization was read whole"),
			HavePrefix("Leaving: grace@example.com"),
			HavePrefix("Rejected: the removal of grace@example.com waits: the API refused the change"),
			HavePrefix("Removed: removed Grace@Example.com"),
			HavePrefix("InSync: the organization was read whole: 1 users"),
		), HaveExactElements(
			HavePrefix("InSync: the organization was read whole"),
			HavePrefix("Leaving: grace@example.com"),
			HavePrefix("Rejected: the removal of grace@example.com waits: the API refused the change"),
			HavePrefix("InSync: the organization was read whole: 2 users"),
			HavePrefix("Removed: removed Grace@Example.com"),
		)))
		Expect(w.events(user)).To(HaveExactElements(HavePrefix("Leaving: grace@example.com")), "the rest is the Organization's, since it is gone")
	})

	It("tell what a binding lacked, in a deletion too", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		binding := w.binding("viewers", "viewer")
		binding.Spec.Subjects = []v1alpha1.Subject{{OrgUser: "grace"}}
		w.resync()
		w.create(binding)
		w.expectStalled(binding, "Conflict", `no OrgUser "grace"`)
		w.create(w.orgUser("grace"))
		w.expectReady(binding)
		w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Status: http.StatusForbidden})
		w.delete(binding)
		w.expectStalled(binding, "Rejected", "taking the role away waits: Grace@Example.com: the API refused the change")
		w.sim.ClearFaults()
		w.resync()
		w.expectGone(binding)
		Eventually(w.events).WithArguments(binding).Should(HaveExactElements(
			HavePrefix("Conflict: 0/1 of the subjects have the role"),
			HavePrefix("Assigned: assigned role viewer to "),
			"InSync: every subject has the role",
			HavePrefix("Rejected: taking the role away waits: "),
			HavePrefix("Unassigned: unassigned role viewer from "),
			HavePrefix("Released: "),
		))
	})

	It("tell of each user from whom an undeclared role was taken, also where several were at once", func(ctx context.Context) {
		people, names := numberedPeople(3, "reader")
		w := newWorldWith(ctx, unassignUndeclared, people...)
		viewer := w.sim.AddRole(openaitest.Role{Name: "viewer"})
		for _, m := range people {
			w.sim.AssignRole(w.member(m.Email).ID, viewer)
		}
		w.declareAll(names)
		for range 4 {
			w.resync()
			w.quiet()
		}
		for _, m := range people {
			w.expectEvent(w.organization(), "UndeclaredRemoved", fmt.Sprintf("unassigned role viewer from %s: no object declares it", m.Email))
		}
	})

	It("are cut to what the API server takes, rather than lost", func(ctx context.Context) {
		w := newWorld(ctx, ada)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		binding := w.binding("viewers", "viewer")
		for i := range 6 {
			email := fmt.Sprintf("%d-%s@example.com", i, strings.Repeat("long", 50))
			w.sim.AddUser(openaitest.User{ID: fmt.Sprintf("user-%d", i), Email: email, Role: "reader"})
			binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{Email: email})
		}
		w.resync()
		w.create(binding)
		w.expectReady(binding)
		w.expectEvent(binding, "Assigned", "-longlong")
	})
})
