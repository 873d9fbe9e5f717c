package controller_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

func numbered(i int) string { return fmt.Sprintf("user-%04d@example.com", i) }

// These tests fail when a call or a write is added.
var _ = Describe("The cost", func() {
	It("of a resync is ten list calls for a thousand OrgUsers in sync, and of a restart no more", func(ctx context.Context) {
		var people []openaitest.User
		for i := range 1000 {
			people = append(people, openaitest.User{Email: numbered(i), Role: "reader"})
		}
		w := newWorld(ctx, people...)
		for i := range 1000 {
			w.create(w.orgUser(fmt.Sprintf("user-%04d", i), role("reader")))
		}
		w.expectAllReady(1000)
		w.settle()

		w.sim.ResetJournal()
		w.writes.take(true)
		w.resync()
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{"GET /organization/users": 10}))
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch organizations/status": 1}))

		w.stop()
		w.sim.ResetJournal()
		w.startManager()
		Eventually(w.callCounts).Should(Equal(map[string]int{"GET /organization/users": 10}))
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{"GET /organization/users": 10}))
		Expect(w.writes.take(true)).To(Or(BeEmpty(), Equal(map[string]int{"patch organizations/status": 1})))
	})

	It("of a user with three bindings is one role list a resync, besides the organization's roles", func(ctx context.Context) {
		w := bindingWorld(ctx)
		for i := range 3 {
			name := fmt.Sprintf("role-%d", i)
			w.sim.AddRole(openaitest.Role{Name: name})
		}
		for i := range 3 {
			name := fmt.Sprintf("role-%d", i)
			binding := w.binding(name, name, "ada")
			w.create(binding)
			w.expectReady(binding)
		}
		w.settle()
		w.sim.ResetJournal()
		w.writes.take(true)
		w.resync()
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{
			"GET /organization/users": 1, "GET /organization/roles": 1, "GET /organization/users/{id}/roles": 1,
		}))
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch organizations/status": 1}))
	})

	It("of adopting a member is two writes: finalizer and status", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		w.settle()
		w.sim.ResetJournal()
		w.writes.take(true)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectReady(user)
		w.settle()
		Expect(w.callCounts()).To(BeEmpty())
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch orgusers": 1, "patch orgusers/status": 1, "patch organizations/status": 1}),
			"the Organization counts its OrgUsers")
	})

	It("of a change of a member is a look, a call and one write", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectReady(user)
		w.settle()
		w.sim.ResetJournal()
		w.writes.take(true)
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectReady(user)
		Eventually(func() int32 { return w.status().Users.Owners }).Should(BeEquivalentTo(2))
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{"GET /organization/users": 1, "POST /organization/users/{id}": 1}))
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch orgusers/status": 1, "patch organizations/status": 1}),
			"the Organization counts its owners")
	})

	It("of adopting a member together with a new Organization is no more: nothing is said before it was read", func(ctx context.Context) {
		w := emptyWorld(ctx, ada, grace)
		w.sim.SetLatency(200 * time.Millisecond)
		w.startManager()
		user := w.orgUser("grace", role("reader"))
		w.create(w.secret(), w.organization(), user)
		w.expectReady(user)
		w.settle()
		Expect(w.writes.take(true)).To(And(
			HaveKeyWithValue("patch orgusers", 1), HaveKeyWithValue("patch orgusers/status", 1), HaveLen(3)), "finalizer, status, and the Organization's")
	})

	It("of a removal is a look and a call, and its writes are those of the leaver", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectReady(user)
		w.settle()
		w.sim.ResetJournal()
		w.writes.take(true)
		w.delete(user)
		w.expectGone(user)
		Eventually(w.people).Should(ConsistOf("ada@example.com"))
		w.settle()
		Expect(w.callCounts()).To(Equal(map[string]int{"GET /organization/users": 1, "DELETE /organization/users/{id}": 1}))
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch orgusers": 1, "patch organizations/status": 3}),
			"the finalizer goes; the leaver, the removal that is counted, and the leaver who is gone, with the counts")
	})

	It("of a binding for existing members is one look at all, a role list and an assignment each, and three writes", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.settle()
		w.sim.ResetJournal()
		w.writes.take(true)
		binding := w.binding("viewers", "viewer", "ada", "grace", "alan")
		w.create(binding)
		w.expectReady(binding)
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{
			"GET /organization/roles": 1, "GET /organization/users": 1,
			"GET /organization/users/{id}/roles": 3, "POST /organization/users/{id}/roles": 3,
		}))
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch orguserrolebindings": 1, "patch orguserrolebindings/status": 2}),
			"finalizer, the subjects before the calls, and the subjects after them")
	})

	It("of one more subject, and of one fewer, is three calls each", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(binding)
		w.settle()
		w.sim.ResetJournal()
		w.writes.take(true)
		edit(w, binding, func(b *v1alpha1.OrgUserRoleBinding) {
			b.Spec.Subjects = append(b.Spec.Subjects, v1alpha1.Subject{OrgUser: "grace"})
		})
		Eventually(w.holders).WithArguments("viewer").Should(HaveLen(2))
		w.expectReady(binding)
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{
			"GET /organization/users": 1, "GET /organization/users/{id}/roles": 1, "POST /organization/users/{id}/roles": 1,
		}))
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch orguserrolebindings/status": 2}), "who is to get it, and who has it")

		w.sim.ResetJournal()
		edit(w, binding, func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = b.Spec.Subjects[:1] })
		Eventually(w.holders).WithArguments("viewer").Should(HaveLen(1))
		w.expectReady(binding)
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{
			"GET /organization/users": 1, "GET /organization/users/{id}/roles/{role_id}": 1, "DELETE /organization/users/{id}/roles/{role_id}": 1,
		}))
		Expect(w.writes.take(true)).To(HaveKeyWithValue("patch orguserrolebindings/status", BeNumerically("<=", 2)))
	})

	It("of anything reconciled a second time is nothing", func(ctx context.Context) {
		w := bindingWorld(ctx)
		user := w.orgUser("new")
		binding := w.binding("viewers", "viewer", "ada", "grace")
		w.create(user, binding)
		w.expectWaiting(user, "NotAMember", "")
		w.expectReady(binding)
		w.settle()
		w.sim.ResetJournal()
		w.writes.take(true)
		w.resync()
		w.quiet()
		w.resync()
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		Expect(w.writes.take(true)).To(Equal(map[string]int{"patch organizations/status": 2}))
	})
})
