package controller_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const observed = "Ready=True Observed"

func observeOnly(spec *v1alpha1.OrganizationSpec) { spec.Mode = v1alpha1.ModeObserve }

func (w *world) observe() {
	GinkgoHelper()
	edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Mode = v1alpha1.ModeObserve })
}

func (w *world) enforce() {
	GinkgoHelper()
	edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Mode = v1alpha1.ModeEnforce })
}

var _ = Describe("The mode Observe", func() {
	It("changes nothing, says what would be done, and Enforce then does exactly that", func(ctx context.Context) {
		w := newWorldWith(ctx, observeOnly, ada, grace, alan)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		changed, same := w.orgUser("grace", role("owner")), w.orgUser("alan", role("reader"))
		binding := w.binding("viewers", "viewer", "grace", "alan")
		w.create(changed, same, binding)
		w.expectVerdict(changed, observed)
		Expect(w.message(changed)).To(ContainSubstring("status.plan says what would be done"))
		Expect(changed.Status.Plan).To(Equal([]string{`update Grace@Example.com: role from "reader" to "owner"`}))
		w.expectVerdict(same, observed)
		Expect(same.Status.Plan).To(BeEmpty())
		w.expectVerdict(binding, observed)
		Expect(binding.Status.Plan).To(ConsistOf("assign role viewer to Grace@Example.com", "assign role viewer to alan@example.com"))
		Expect(binding.Status.Assigned).To(Equal("0/2"))
		w.resync()
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		Expect(changed.Finalizers).To(BeEmpty())

		w.enforce()
		w.expectReady(changed, same, binding)
		Expect(changed.Status.Plan).To(BeEmpty())
		Expect(w.mutations()).To(ConsistOf(
			"POST /organization/users/{id} grace@example.com",
			"POST /organization/users/{id}/roles grace@example.com", "POST /organization/users/{id}/roles alan@example.com"))
	})

	It("releases what is deleted and changes nothing", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		user, binding := w.orgUser("grace"), w.binding("viewers", "viewer", "grace")
		w.create(user, binding)
		w.expectReady(user, binding)
		w.observe()
		w.expectVerdict(user, observed)
		w.expectVerdict(binding, observed)
		w.sim.ResetJournal()
		w.delete(binding)
		w.expectGone(binding)
		w.delete(user)
		w.expectGone(user)
		Expect(w.mutationsTried()).To(BeEmpty())
		Expect(w.holders("viewer")).To(ConsistOf("grace@example.com"))
		w.expectEvent(user, "Retained", "the Organization's mode is Observe")
		w.expectNoLeavers()
	})

	It("has corrected no drift when it ends: what was never so has not drifted", func(ctx context.Context) {
		w := newWorldWith(ctx, observeOnly, ada, grace)
		user := w.orgUser("grace", role("owner"))
		w.create(user)
		w.expectVerdict(user, observed)
		w.enforce()
		w.expectReady(user)
		w.expectEvent(user, "Updated", `role from "reader" to "owner"`)
		Expect(w.events(user)).NotTo(ContainElement(HavePrefix("DriftCorrected")))
		w.observe()
		w.expectVerdict(user, observed)
		w.sim.SetRole(w.member("grace@example.com").ID, "reader")
		w.resync()
		Eventually(func(g Gomega) {
			g.Expect(w.verdict(user)).To(Equal(observed))
			g.Expect(user.Status.Plan).To(HaveLen(1))
		}).Should(Succeed())
		w.enforce()
		w.expectReady(user)
		Expect(w.member("grace@example.com").Role).To(Equal("owner"))
		w.quiet()
		Expect(w.events(user)).NotTo(ContainElement(HavePrefix("DriftCorrected")))
	})
})

// annotated is any object of ours.
type annotated = client.Object

func pause(w *world, object annotated) {
	GinkgoHelper()
	edit(w, object, func(o annotated) { o.SetAnnotations(map[string]string{v1alpha1.PausedAnnotation: "true"}) })
}

func resume(w *world, object annotated) {
	GinkgoHelper()
	edit(w, object, func(o annotated) { o.SetAnnotations(nil) })
}

var _ = Describe("The annotation paused", func() {
	It("stops everything for an OrgUser, also its deletion, until it is taken away", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectReady(user)
		pause(w, user)
		w.expectStalled(user, "Paused", "take the annotation away to go on")
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectStalled(user, "Paused", "")
		w.delete(user)
		w.resync()
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		w.expectNoLeavers()
		resume(w, user)
		w.expectGone(user)
		w.expectOut("grace@example.com")
	})

	It("stops everything for a binding until it is taken away", func(ctx context.Context) {
		w := bindingWorld(ctx)
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(binding)
		pause(w, binding)
		w.expectStalled(binding, "Paused", "take the annotation away")
		edit(w, binding, func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = []v1alpha1.Subject{} })
		w.quiet()
		Expect(w.holders("viewer")).To(ConsistOf("ada@example.com"))
		resume(w, binding)
		w.expectReady(binding)
		Expect(w.holders("viewer")).To(BeEmpty())
	})

	It("holds up no deletion that changes nothing outside: with the policy Retain, or in a teardown", func(ctx context.Context) {
		w := bindingWorld(ctx)
		stays, goes, binding := w.orgUser("ada"), w.orgUser("grace"), w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(stays, goes, binding)
		w.sim.ResetJournal()
		pause(w, goes)
		w.delete(goes)
		w.expectStalled(goes, "Paused", "set spec.deletionPolicy to Retain")
		edit(w, goes, func(user *v1alpha1.OrgUser) { retain(&user.Spec) })
		w.expectGone(goes)
		pause(w, stays)
		pause(w, binding)
		w.deleteNamespace()
		w.expectGone(stays)
		w.expectGone(binding)
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("on the Organization stops all of its objects and all calls", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace, alan)
		user, same := w.orgUser("grace", role("reader")), w.orgUser("alan")
		w.create(user, same)
		w.expectReady(user, same)
		pause(w, w.organization())
		w.expectStalled(w.organization(), "Paused", "take the annotation away")
		w.settle()
		w.sim.ResetJournal()
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectWaiting(user, "OrganizationNotReady", "waits while Organization \"default\" has the annotation")
		w.quiet()
		Expect(w.callsIn()).To(BeEmpty())
		Expect(w.verdict(same)).To(Equal(inSync))
		resume(w, w.organization())
		w.expectReady(w.organization(), user)
		Expect(w.member("grace@example.com").Role).To(Equal("owner"))
	})
})
