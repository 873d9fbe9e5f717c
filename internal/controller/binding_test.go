package controller_test

import (
	"context"
	"net/http"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// bindingWorld has three people, each declared, and a role "viewer".
func bindingWorld(ctx context.Context) *world {
	GinkgoHelper()
	w := newWorld(ctx, ada, grace, alan)
	w.sim.AddRole(openaitest.Role{Name: "viewer"})
	users := []*v1alpha1.OrgUser{w.orgUser("ada"), w.orgUser("grace"), w.orgUser("alan")}
	for _, user := range users {
		w.create(user)
		w.expectReady(user)
	}
	w.sim.ResetJournal()
	return w
}

func states(binding *v1alpha1.OrgUserRoleBinding) []string {
	var all []string
	for _, line := range binding.Status.Subjects {
		all = append(all, line.Subject.OrgUser+line.Subject.Email+line.Subject.UserID+" "+string(line.State))
	}
	return all
}

var _ = Describe("An OrgUserRoleBinding", func() {
	It("gives the role to all its subjects, however they are named, and shows each", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada")
		binding.Spec.Subjects = append(binding.Spec.Subjects,
			v1alpha1.Subject{Email: "GRACE@example.com"}, v1alpha1.Subject{UserID: w.member("alan@example.com").ID})
		w.create(binding)
		w.expectReady(binding)
		Expect(w.holders("viewer")).To(ConsistOf("ada@example.com", "grace@example.com", "alan@example.com"))
		Expect(binding.Status.Assigned).To(Equal("3/3"))
		Expect(states(binding)).To(Equal([]string{"ada Assigned", "GRACE@example.com Assigned", w.member("alan@example.com").ID + " Assigned"}))
		Expect(binding.Status.RoleName).To(Equal("viewer"))
		w.expectEvent(binding, "Assigned", "assigned role viewer to ")
	})

	It("takes the role from a subject that is taken out, after a fresh look", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada", "grace")
		w.create(binding)
		w.expectReady(binding)
		w.sim.ResetJournal()
		edit(w, binding, func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = b.Spec.Subjects[:1] })
		w.expectReady(binding)
		Expect(w.holders("viewer")).To(ConsistOf("ada@example.com"))
		Expect(binding.Status.Assigned).To(Equal("1/1"))
		Expect(states(binding)).To(Equal([]string{"ada Assigned"}))
		id := w.member("grace@example.com").ID
		calls := w.callsIn()
		Expect(calls[:len(calls)-1]).To(ConsistOf("GET /organization/users", "GET /organization/users/{id}/roles/{role_id} "+id))
		Expect(calls[len(calls)-1]).To(Equal("DELETE /organization/users/{id}/roles/{role_id} " + id))
		w.expectEvent(binding, "Unassigned", "unassigned role viewer from Grace@Example.com")
	})

	It("adopts an assignment that is there already without a call that changes anything", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.sim.AssignRole(w.member("ada@example.com").ID, w.roleID("viewer"))
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(binding)
		Expect(w.mutations()).To(BeEmpty())
	})

	It("assigns again what was taken away by hand", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(binding)
		w.sim.UnassignRole(w.member("ada@example.com").ID, w.roleID("viewer"))
		w.resync()
		Eventually(func() []string { return w.holders("viewer") }).Should(ConsistOf("ada@example.com"))
		w.expectEvent(binding, "DriftCorrected", "assigned role viewer to ada@example.com")
	})

	It("leaves the role with whom another binding names, until the last one goes", func(ctx context.Context) {
		w := bindingWorld(ctx)
		first, second := w.binding("first", "viewer", "ada", "grace"), w.binding("second", "viewer", "ada")
		second.Spec.RoleRef = v1alpha1.RoleReference{ID: w.roleID("viewer")}
		second.Spec.Subjects = []v1alpha1.Subject{{Email: "ada@example.com"}}
		w.create(first, second)
		w.expectReady(first, second)
		w.sim.ResetJournal()
		w.delete(first)
		w.expectGone(first)
		Expect(w.holders("viewer")).To(ConsistOf("ada@example.com"))
		Expect(w.mutations()).To(Equal([]string{"DELETE /organization/users/{id}/roles/{role_id} grace@example.com"}), "not taken and given again")
		w.delete(second)
		w.expectGone(second)
		Expect(w.holders("viewer")).To(BeEmpty())
	})

	It("counts an inherited role as held, never takes it, and assigns directly when the inheritance ends", func(ctx context.Context) {
		w := bindingWorld(ctx)
		id := w.member("ada@example.com").ID
		w.sim.AddInheritedRole(id, w.roleID("viewer"), "group-staff")
		binding := w.binding("viewers", "viewer", "ada", "grace")
		w.create(binding)
		w.expectReady(binding)
		Expect(states(binding)).To(Equal([]string{"ada Inherited", "grace Assigned"}))
		Expect(binding.Status.Assigned).To(Equal("2/2"))

		w.sim.RemoveInheritedRole(id, w.roleID("viewer"), "group-staff")
		w.resync()
		Eventually(func() []string { return w.directRoles("ada@example.com") }).Should(ContainElement("viewer"))

		w.sim.UnassignRole(id, w.roleID("viewer"))
		w.sim.AddInheritedRole(id, w.roleID("viewer"), "group-staff")
		w.resync()
		w.quiet()
		w.sim.ResetJournal()
		w.delete(binding)
		w.expectGone(binding)
		Expect(w.holders("viewer")).To(ConsistOf("ada@example.com"), "the inherited role stays")
		Expect(w.mutationsTried()).To(HaveLen(1), "only grace's is taken away")
	})

	It("waits for a subject that is no member, gives the role to the others, and goes on when they join", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada")
		binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{Email: "new@example.com"})
		w.create(binding)
		w.expectWaiting(binding, "NotAMember", "new@example.com: new@example.com is not a member")
		Eventually(func(g Gomega) { // lines that nothing waits for gather
			w.expectWaiting(binding, "NotAMember", "")
			g.Expect(w.message(binding)).To(HavePrefix("1/2 of the subjects have the role; new@example.com: "))
			g.Expect(states(binding)).To(Equal([]string{"ada Assigned", "new@example.com NotAMember"}))
			g.Expect(binding.Status.Assigned).To(Equal("1/2"))
		}).Should(Succeed())
		w.sim.AddUser(openaitest.User{Email: "new@example.com", Role: "reader"})
		w.resync()
		w.expectReady(binding)
		Expect(w.holders("viewer")).To(ConsistOf("ada@example.com", "new@example.com"))
	})

	It("confirms the absence of many subjects by one call", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer")
		for i := range 50 {
			binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{Email: numbered(i)})
		}
		w.create(binding)
		w.expectWaiting(binding, "NotAMember", "0/50 of the subjects have the role; user-0000@example.com: ")
		Expect(w.message(binding)).To(HaveSuffix("and 47 more"))
		Expect(w.callCounts()).To(Equal(map[string]int{"GET /organization/roles": 1, "GET /organization/users": 1}))
	})

	It("asks whom a subject means whose address is somebody else's now", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer")
		binding.Spec.Subjects = []v1alpha1.Subject{{Email: "ada@example.com"}}
		w.create(binding)
		w.expectReady(binding)
		before := w.member("ada@example.com").ID
		w.sim.SetEmail(before, "ada.k@example.com")
		w.sim.AddUser(openaitest.User{ID: "user-new", Email: "ada@example.com", Role: "reader"})
		w.resync()
		w.expectStalled(binding, "Conflict", "ada@example.com: it stands for user "+before+", who has ada.k@example.com in the organization now, "+
			"and its address is that of user user-new")
		Expect(w.holders("viewer")).To(ConsistOf("ada.k@example.com"), "nothing is given or taken on a guess")
		edit(w, binding, func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = []v1alpha1.Subject{{UserID: "user-new"}} })
		w.expectReady(binding)
		Eventually(func() []string { return w.holders("viewer") }).Should(ConsistOf("ada@example.com"))
	})

	It("names a subject that names no OrgUser, gives the role to the others, and goes on when it is created", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.sim.AddUser(openaitest.User{Email: "late@example.com", Role: "reader"})
		w.resync()
		binding := w.binding("viewers", "viewer", "ada", "late")
		w.create(binding)
		w.expectStalled(binding, "Conflict", `no OrgUser "late" in namespace `+w.namespace+`; create it, or take the subject out of spec.subjects`)
		Eventually(func() []string {
			w.expectStalled(binding, "Conflict", "")
			return states(binding)
		}).Should(Equal([]string{"ada Assigned", "late Failed"}))
		w.create(w.orgUser("late"))
		w.expectReady(binding)
	})

	It("says which roles there are when the name matches none, and goes on when the role is made", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("auditors", "auditor", "ada")
		w.create(binding)
		w.expectStalled(binding, "InvalidRole", `the organization has no role with the name "auditor", which spec.roleRef.name names; it has "viewer" (`)
		w.sim.AddRole(openaitest.Role{Name: "auditor"})
		w.resync()
		w.expectReady(binding)
		Expect(w.holders("auditor")).To(ConsistOf("ada@example.com"))
	})

	It("does not go over to another role that gets the name, and a deletion takes away the one that it gave", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(binding)
		before := w.roleID("viewer")
		w.sim.AddRole(openaitest.Role{ID: before, Name: "old-viewer"})
		w.resync()
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		w.resync()
		w.expectSays(binding, "InvalidRole", `spec.roleRef.name "viewer" meant role `+before+`, which is called "old-viewer" now, and means role `+w.roleID("viewer")+" now; delete this binding")
		Expect(w.holders("old-viewer")).To(ConsistOf("ada@example.com"))
		w.delete(binding)
		w.expectGone(binding)
		Expect(w.holders("old-viewer")).To(BeEmpty())
		Expect(w.holders("viewer")).To(BeEmpty())
	})

	It("stops between two calls when it is paused", func(ctx context.Context) {
		people, names := numberedPeople(60, "reader")
		w := newWorld(ctx, append(people, ada)...)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		binding := w.binding("viewers", "viewer")
		for _, name := range names {
			binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{Email: name + "@example.com"})
		}
		w.sim.SetLatency(50 * time.Millisecond)
		var once sync.Once
		w.sim.During(func(call openaitest.Call) {
			if call.Method == http.MethodPost {
				once.Do(func() {
					edit(w, w.binding("viewers", "viewer"), func(binding *v1alpha1.OrgUserRoleBinding) {
						binding.Annotations = map[string]string{v1alpha1.PausedAnnotation: "true"}
					})
				})
			}
		})
		w.resync()
		w.create(binding)
		w.expectStalled(binding, "Paused", "")
		w.quiet()
		Expect(len(w.mutationsTried())).To(And(BeNumerically(">", 0), BeNumerically("<", 50)))
		edit(w, binding, func(binding *v1alpha1.OrgUserRoleBinding) { binding.Annotations = nil })
		w.expectReady(binding)
		Expect(w.holders("viewer")).To(HaveLen(60))
	})

	It("is told of what was changed by hand for one user though the list of another fails again and again", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada", "grace")
		w.create(binding)
		w.expectReady(binding)
		first, last := w.member("ada@example.com").ID, w.member("grace@example.com").ID
		if last < first {
			first, last = last, first
		}
		for _, status := range []int{http.StatusForbidden, http.StatusInternalServerError} {
			w.sim.Fail(openaitest.Fault{Method: http.MethodGet, Path: "/organization/users/" + first + "/roles", Status: status})
			w.sim.UnassignRole(last, w.roleID("viewer"))
			w.resync()
			Eventually(w.holders).WithArguments("viewer").Should(HaveLen(2))
			w.sim.ClearFaults()
		}
	})

	It("asks for the ID when the name matches several roles", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectStalled(binding, "InvalidRole", `2 roles of the organization have the name "viewer": role`)
		Expect(w.message(binding)).To(ContainSubstring("name one by spec.roleRef.id"))
	})

	It("refuses a predefined role that is named by its ID", func(ctx context.Context) {
		w := bindingWorld(ctx)
		id := w.sim.AddRole(openaitest.Role{Name: "assistant-owner", Predefined: true})
		binding := w.binding("viewers", "", "ada")
		binding.Spec.RoleRef = v1alpha1.RoleReference{ID: id}
		w.create(binding)
		w.expectStalled(binding, "InvalidRole", `role "assistant-owner" is predefined and cannot be bound; set spec.role on the OrgUsers instead`)
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("looks before it assigns again after a lost answer", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/*/roles", Drop: openaitest.DropAfter, Times: 1})
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(binding)
		Expect(w.mutationsTried()).To(HaveLen(1))
	})

	It("keeps trying for the one that fails while the others have the role", func(ctx context.Context) {
		w := bindingWorld(ctx)
		id := w.member("grace@example.com").ID
		w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/" + id + "/roles", Status: 500})
		binding := w.binding("viewers", "viewer", "ada", "grace", "alan")
		w.create(binding)
		w.expectWaiting(binding, "Retrying", "2/3 of the subjects have the role; Grace@Example.com: ")
		Expect(states(binding)).To(Equal([]string{"ada Assigned", "grace Pending", "alan Assigned"}))
		w.sim.ClearFaults()
		w.expectReady(binding)
	})

	Describe("that is deleted", func() {
		It("takes the role from its subjects", func(ctx context.Context) {
			w := bindingWorld(ctx)
			binding := w.binding("viewers", "viewer", "ada", "grace")
			w.create(binding)
			w.expectReady(binding)
			w.delete(binding)
			w.expectGone(binding)
			Expect(w.holders("viewer")).To(BeEmpty())
			w.expectEvent(binding, "Unassigned", "unassigned role viewer from ")
		})

		It("leaves the assignments with Retain", func(ctx context.Context) {
			w := bindingWorld(ctx)
			binding := w.binding("viewers", "viewer", "ada")
			binding.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
			w.create(binding)
			w.expectReady(binding)
			w.delete(binding)
			w.expectGone(binding)
			Expect(w.holders("viewer")).To(ConsistOf("ada@example.com"))
			w.expectEvent(binding, "Retained", "the role assignments stay: spec.deletionPolicy is Retain")
		})

		It("leaves the assignments when the namespace is being deleted", func(ctx context.Context) {
			w := bindingWorld(ctx)
			binding := w.binding("viewers", "viewer", "ada")
			w.create(binding)
			w.expectReady(binding)
			w.deleteNamespace()
			w.expectGone(binding)
			Expect(w.holders("viewer")).To(ConsistOf("ada@example.com"))
		})

		It("waits for the API and forgets nobody", func(ctx context.Context) {
			w := bindingWorld(ctx)
			binding := w.binding("viewers", "viewer", "ada", "grace")
			w.create(binding)
			w.expectReady(binding)
			w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Path: "/organization/users/*/roles/*", Status: 500})
			w.delete(binding)
			w.expectWaiting(binding, "Retrying", "set spec.deletionPolicy to Retain")
			w.sim.ClearFaults()
			w.expectGone(binding)
			Expect(w.holders("viewer")).To(BeEmpty())
		})
	})
})
