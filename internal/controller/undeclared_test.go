package controller_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

func removeUndeclared(spec *v1alpha1.OrganizationSpec) {
	spec.Undeclared.Users = v1alpha1.UndeclaredUsersRemove
}

func unassignUndeclared(spec *v1alpha1.OrganizationSpec) {
	spec.Undeclared.RoleAssignments = v1alpha1.UndeclaredRolesUnassign
}

// everybody is one of each kind of user.
var everybody = []openaitest.User{
	ada, grace, alan,
	{Name: "robot", Role: "reader", IsServiceAccount: true},
	{Email: "scim@example.com", Role: "reader", IsSCIMManaged: true},
	{Email: "default@example.com", Role: "reader", IsDefault: true},
}

func (w *world) status() v1alpha1.OrganizationStatus {
	GinkgoHelper()
	org := w.organization()
	Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
	return org.Status
}

var _ = Describe("Undeclared users", func() {
	It("are counted, and nothing else, by default", func(ctx context.Context) {
		w := newWorld(ctx, everybody...)
		user := w.orgUser("ada")
		w.create(user)
		w.expectReady(user)
		w.resync()
		w.resync()
		w.resync()
		w.quiet()
		Expect(w.status().UndeclaredUsers).To(HaveValue(BeEquivalentTo(2)), "grace and alan")
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("are removed after the second whole reading, but never service accounts, SCIM-managed users or the default user", func(ctx context.Context) {
		w := newWorld(ctx, everybody...)
		user := w.orgUser("ada")
		w.create(user)
		w.expectReady(user)
		w.settle()
		edit(w, w.organization(), func(org *v1alpha1.Organization) { removeUndeclared(&org.Spec) })
		w.settle()
		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MinOwners++ })
		w.settle()
		w.resync()
		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MinOwners-- })
		w.settle()
		Expect(w.mutationsTried()).To(BeEmpty(), "one reading is not enough, however often it is looked at")
		w.resync()
		Eventually(w.people).Should(ConsistOf("ada@example.com", "", "scim@example.com", "default@example.com"))
		w.expectEvent(w.organization(), "UndeclaredRemoved", "removed alan@example.com from the organization")
		w.expectReady(w.organization())
	})

	It("are not removed while an OrgUser is not matched with a member", func(ctx context.Context) {
		w := newWorldWith(ctx, removeUndeclared, ada, grace)
		user, typo := w.orgUser("ada"), w.orgUser("garce")
		w.create(user, typo)
		w.expectReady(user)
		w.expectWaiting(typo, "NotAMember", "")
		w.resync()
		w.resync()
		w.resync()
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		w.delete(typo)
		w.expectGone(typo)
		w.resync()
		w.resync()
		Eventually(w.people).Should(ConsistOf("ada@example.com"))
	})

	It("are not removed while an OrgUser is not matched with a member, and the Organization says so, once, and which", func(ctx context.Context) {
		w := newWorldWith(ctx, removeUndeclared, ada, grace)
		user, typo := w.orgUser("ada"), w.orgUser("garce")
		w.create(user, typo)
		w.expectReady(user)
		w.expectWaiting(typo, "NotAMember", "")
		org := w.organization()
		w.resync()
		says := "until every OrgUser is matched with a member: not yet " + w.namespace + "/garce"
		w.expectSays(org, "InSync", says)
		w.expectEvent(org, "UndeclaredBlocked", says)
		Eventually(func() []string { return w.series("rollcall_undeclared_blocked") }).Should(ConsistOf("rollcall_undeclared_blocked 1"))
		w.resync()
		w.quiet()
		blocked := 0
		for _, event := range w.events(org) {
			if strings.HasPrefix(event, "UndeclaredBlocked: ") && strings.Contains(event, says) {
				blocked++
			}
		}
		Expect(blocked).To(Equal(1))
		Expect(w.mutationsTried()).To(BeEmpty())

		w.delete(typo)
		w.expectGone(typo)
		w.resync()
		w.quiet()
		Expect(w.people()).To(HaveLen(2), "one reading in which all were matched is not enough")
		w.resync()
		Eventually(w.people).Should(ConsistOf("ada@example.com"))
		Eventually(func() string { w.verdict(org); return w.message(org) }).ShouldNot(ContainSubstring("garce"))
		Eventually(func() []string { return w.series("rollcall_undeclared_blocked") }).Should(ConsistOf("rollcall_undeclared_blocked 0"))
	})

	It("are not removed by an Organization without any OrgUser", func(ctx context.Context) {
		w := newWorldWith(ctx, removeUndeclared, ada, grace)
		w.resync()
		w.resync()
		w.resync()
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		Expect(w.status().UndeclaredUsers).To(HaveValue(BeEquivalentTo(2)))
		w.expectSays(w.organization(), "InSync", "since no OrgUser names this Organization")
	})

	It("pass the guard", func(ctx context.Context) {
		people, _ := numberedPeople(5, "reader")
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			removeUndeclared(spec)
			maxRemovals(intstr.FromInt32(2))(spec)
		}, append(people, ada)...)
		user := w.orgUser("ada")
		w.create(user)
		w.expectReady(user)
		w.resync()
		w.resync()
		Eventually(w.people).Should(HaveLen(4))
		w.expectWaiting(w.organization(), "Held", "is held by spec.guard.maxRemovals of Organization default")
		Expect(w.status().Plan).To(HaveLen(3))
		w.resync()
		w.quiet()
		Expect(w.people()).To(HaveLen(4))
	})

	It("are removed though the API refuses the removal of another", func(ctx context.Context) {
		w := newWorldWith(ctx, removeUndeclared, ada, grace, alan)
		first := min(w.member("grace@example.com").ID, w.member("alan@example.com").ID)
		w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Path: "/organization/users/" + first, Status: http.StatusForbidden})
		user := w.orgUser("ada")
		w.create(user)
		w.expectReady(user)
		w.resync()
		w.resync()
		w.resync()
		Eventually(w.people).Should(HaveLen(2))
		w.expectEvent(w.organization(), "Rejected", "403")
		for range 3 { // it is tried again each time that a person asks, and refused again
			w.expectSays(w.organization(), "Rejected", "to remove ")
			w.resync()
		}
		w.expectSays(w.organization(), "Rejected", "to remove ")
	})

	It("are planned and not removed under Observe", func(ctx context.Context) {
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			removeUndeclared(spec)
			observeOnly(spec)
		}, ada, grace)
		w.create(w.orgUser("ada"))
		w.resync()
		w.resync()
		w.resync()
		Eventually(func() []string { return w.status().Plan }).Should(Equal([]string{"remove Grace@Example.com from the organization"}))
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("are not removed while another Organization object stands for the same organization", func(ctx context.Context) {
		w := newWorldWith(ctx, removeUndeclared, ada, grace)
		second := w.organization()
		second.Name = "second"
		w.create(second)
		w.expectReady(second)
		user := w.orgUser("ada", role("owner"))
		w.create(user)
		w.expectReady(user)
		w.resync()
		w.resync()
		w.resync()
		w.expectStalled(w.organization(), "Conflict", "another Organization object stands for the same organization ("+w.namespace+"/second)")
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		Expect(w.verdict(user)).To(Equal(inSync), "all else goes on")
	})
})

var _ = Describe("Undeclared role assignments", func() {
	It("stay when a binding gives them by now", func(ctx context.Context) {
		w := newWorldWith(ctx, unassignUndeclared, ada, grace, alan)
		viewer := w.sim.AddRole(openaitest.Role{Name: "viewer"})
		binding := w.binding("viewers", "viewer", "ada", "grace", "alan")
		var once sync.Once
		created := make(chan error, 1)
		for _, m := range w.sim.Members() {
			w.sim.AssignRole(m.ID, viewer)
		}
		w.sim.During(func(call openaitest.Call) {
			if call.Method == http.MethodGet && call.Endpoint == "/organization/users/{id}/roles/{role_id}" {
				// The look of the turn that is to take them away is under way.
				once.Do(func() { created <- admin.Create(w.ctx, binding) })
			}
		})
		w.declareAll([]string{"ada", "grace", "alan"})
		Eventually(func() chan error {
			w.ask()
			w.quiet()
			return created
		}).Should(Receive(BeNil()))
		w.expectReady(binding)
		w.quiet()
		Expect(w.holders("viewer")).To(HaveLen(3))
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("stay when the policy is changed while they are looked at to be taken away", func(ctx context.Context) {
		w := newWorldWith(ctx, unassignUndeclared, ada, grace, alan)
		viewer := w.sim.AddRole(openaitest.Role{Name: "viewer"})
		for _, m := range w.sim.Members() {
			w.sim.AssignRole(m.ID, viewer)
		}
		var once sync.Once
		var looked atomic.Bool
		w.sim.During(func(call openaitest.Call) {
			if call.Method == http.MethodGet && call.Endpoint == "/organization/users/{id}/roles/{role_id}" {
				once.Do(func() {
					looked.Store(true)
					edit(w, w.organization(), func(org *v1alpha1.Organization) {
						org.Spec.Undeclared.RoleAssignments = v1alpha1.UndeclaredRolesReport
					})
				})
			}
		})
		w.declareAll([]string{"ada", "grace", "alan"})
		for range 4 {
			w.ask()
			w.quiet()
		}
		Expect(looked.Load()).To(BeTrue())
		Expect(w.holders("viewer")).To(HaveLen(3))
	})

	It("are taken away after the second whole reading, but none that is declared, inherited or predefined", func(ctx context.Context) {
		w := newWorldWith(ctx, unassignUndeclared, ada, grace, alan)
		viewer, admins := w.sim.AddRole(openaitest.Role{Name: "viewer"}), w.sim.AddRole(openaitest.Role{Name: "admin"})
		for _, email := range []string{"ada@example.com", "grace@example.com", "alan@example.com"} {
			w.sim.AssignRole(w.member(email).ID, viewer)
		}
		w.sim.AddInheritedRole(w.member("grace@example.com").ID, admins, "group-staff")
		binding := w.binding("viewers", "viewer", "ada")
		w.create(w.orgUser("ada"), w.orgUser("grace"), binding)
		w.expectReady(w.orgUser("ada"), w.orgUser("grace"), binding)
		w.settle()
		w.resync()
		w.quiet()
		w.resync()
		w.quiet()
		w.resync()
		Eventually(func() []string { return w.holders("viewer") }).Should(ConsistOf("ada@example.com", "alan@example.com"), "nobody declares alan")
		Expect(w.holders("admin")).To(ConsistOf("grace@example.com"))
		w.resync()
		w.quiet()
		Expect(w.mutations()).To(Equal([]string{"DELETE /organization/users/{id}/roles/{role_id} grace@example.com"}))
		Eventually(func() *int32 { return w.status().UndeclaredRoleAssignments }).Should(HaveValue(BeEquivalentTo(0)))
	})
})
