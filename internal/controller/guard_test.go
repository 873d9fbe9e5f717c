package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

func minOwners(count int32) func(*v1alpha1.OrganizationSpec) {
	return func(spec *v1alpha1.OrganizationSpec) { spec.Guard.MinOwners = count }
}

func maxRemovals(limit intstr.IntOrString) func(*v1alpha1.OrganizationSpec) {
	return func(spec *v1alpha1.OrganizationSpec) { spec.Guard.MaxRemovals = &limit }
}

// numberedPeople are so many people with the role, and their OrgUsers' names.
func numberedPeople(count int, role string) (people []openaitest.User, names []string) {
	for i := range count {
		people = append(people, openaitest.User{Email: numbered(i), Role: role})
		names = append(names, fmt.Sprintf("user-%04d", i))
	}
	return people, names
}

func (w *world) declareAll(names []string) []*v1alpha1.OrgUser {
	GinkgoHelper()
	var users []*v1alpha1.OrgUser
	for _, name := range names {
		user := w.orgUser(name)
		w.create(user)
		users = append(users, user)
	}
	w.expectAllReady(len(names))
	return users
}

func (w *world) removals() int {
	GinkgoHelper()
	org := w.organization()
	Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
	if org.Status.Removals == nil {
		return 0
	}
	return int(org.Status.Removals.Count)
}

// windowBegan has the window of removals begin so long ago. The manager writes it too.
func (w *world) windowBegan(ago time.Duration) {
	GinkgoHelper()
	Eventually(func() error {
		org := w.organization()
		if err := admin.Get(w.ctx, client.ObjectKeyFromObject(org), org); err != nil {
			return err
		}
		org.Status.Removals.WindowStart = metav1.NewTime(time.Now().Add(-ago))
		return admin.Status().Update(w.ctx, org)
	}).Should(Succeed())
}

var _ = Describe("The guard", func() {
	It("holds a demotion that would leave too few owners, shows it as a plan, and lets it go on when another owner is there", func(ctx context.Context) {
		w := newWorldWith(ctx, minOwners(2), ada, grace, openaitest.User{Email: "second@example.com", Role: "owner"})
		user, other := w.orgUser("ada", role("reader")), w.orgUser("grace", role("reader"))
		w.create(user, other)
		w.expectStalled(user, "Held", "the role change of ada@example.com is held by spec.guard.minOwners of Organization default: it would leave fewer than 2 owners; declare another owner, or lower minOwners")
		Expect(user.Status.Plan).To(Equal([]string{`update ada@example.com: role from "owner" to "reader"`}))
		Expect(w.mutationsTried()).To(BeEmpty())
		w.expectEvent(user, "Held", "would leave 1 of at least 2 owners")
		edit(w, other, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectReady(user, other)
		Expect(user.Status.Plan).To(BeEmpty())
		Expect(w.member("ada@example.com").Role).To(Equal("reader"))
	})

	It("holds nobody back in a teardown: whom it held stays", func(ctx context.Context) {
		w := newWorldWith(ctx, minOwners(2), ada, openaitest.User{Email: "second@example.com", Role: "owner"})
		user, second := w.orgUser("ada"), w.orgUser("second")
		w.create(user, second)
		w.expectReady(user, second)
		w.delete(user)
		w.expectGone(user)
		w.expectHeld("ada", "minOwners")
		w.expectStalled(w.organization(), "Held", "the removal of ada@example.com is held by spec.guard.minOwners")
		w.delete(w.organization())
		w.delete(second)
		w.expectGone(second)
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		w.expectEvent(w.organization(), "Retained", "ada@example.com")
		w.expectEvent(second, "Retained", "Organization default is gone")
	})

	It("looks afresh at the owners who are to stay", func(ctx context.Context) {
		w := newWorldWith(ctx, minOwners(1), ada, openaitest.User{Email: "second@example.com", Role: "owner"})
		w.sim.SetRole(w.member("second@example.com").ID, "reader") // since the last reading
		user := w.orgUser("ada", role("reader"))
		w.create(user)
		w.expectStalled(user, "Held", "minOwners")
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("holds the demotion of somebody who became an owner since the last reading", func(ctx context.Context) {
		w := newWorldWith(ctx, minOwners(2), ada, openaitest.User{Email: "second@example.com", Role: "owner"}, grace)
		viewer := w.sim.AddRole(openaitest.Role{Name: "viewer"})
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		w.sim.SetRole(w.member("grace@example.com").ID, "owner")
		w.sim.SetRole(w.member("second@example.com").ID, "reader")
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.RoleID = viewer })
		w.expectStalled(user, "Held", "minOwners")
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("keeps the owners when all are removed at once by many workers", func(ctx context.Context) {
		people, names := numberedPeople(8, "owner")
		w := newWorldWith(ctx, minOwners(3), people...)
		for _, user := range w.declareAll(names) {
			w.delete(user)
		}
		Eventually(w.sim.Owners).Should(Equal(3))
		w.quiet()
		Expect(w.sim.Owners()).To(Equal(3))
		for _, call := range w.sim.Journal() {
			Expect(call.Owners).To(BeNumerically(">=", 3))
		}
	})

	It("holds removals beyond those of the window, says so once, and lets them go on when the rule allows", func(ctx context.Context) {
		people, names := numberedPeople(5, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(2)), append(people, ada)...)
		users := w.declareAll(names)
		for i, user := range users[:2] {
			w.delete(user)
			w.expectGone(user)
			w.expectOut(numbered(i))
		}
		w.delete(users[2])
		w.expectGone(users[2])
		rule := "the removal of user-0002@example.com is held by spec.guard.maxRemovals of Organization default: " +
			"at most 2 of the users are removed in 1h; goes on by itself in the next window, or raise maxRemovals"
		w.expectHeld(names[2], rule)
		org := w.organization()
		w.expectWaiting(org, "Held", rule)
		w.expectEvent(org, "Held", "would be removal 3 of at most 2 in 1h; next at ")
		w.resync()
		w.quiet()
		Expect(slices.DeleteFunc(w.events(org), func(e string) bool { return !strings.HasPrefix(e, "Held: ") })).To(HaveLen(1), "it is told once")
		Expect(w.people()).To(HaveLen(4))
		Expect(w.removals()).To(Equal(2))
		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(3)) })
		w.expectOut(numbered(2))
		w.expectNoLeavers()
		w.expectReady(org)
		Expect(w.removals()).To(Equal(3))
	})

	It("costs nothing where it holds many", func(ctx context.Context) {
		people, names := numberedPeople(30, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(0)), append(people, ada)...)
		for _, user := range w.declareAll(names) {
			w.delete(user)
		}
		Eventually(w.leavers).Should(HaveLen(30))
		w.expectStalled(w.organization(), "Held", "maxRemovals")
		w.quiet()
		w.sim.ResetJournal()
		w.resync()
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{"GET /organization/users": 1}), "the reading alone")
	})

	It("lets the oldest leavers go first", func(ctx context.Context) {
		people, names := numberedPeople(8, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(0)), append(people, ada)...)
		for _, user := range w.declareAll(names) {
			w.delete(user)
		}
		Eventually(w.leavers).Should(HaveLen(8))
		w.expectStalled(w.organization(), "Held", "")
		w.quiet()
		age := map[string]time.Duration{names[6]: 4 * time.Hour, names[3]: 3 * time.Hour}
		Eventually(func() error { // as if they had waited for long
			org := w.organization()
			Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
			for i := range org.Status.Leaving {
				line := &org.Status.Leaving[i]
				line.Since = metav1.NewTime(line.Since.Add(-age[line.OrgUser]))
			}
			return admin.Status().Update(w.ctx, org)
		}).Should(Succeed())
		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(2)) })
		w.expectOut(numbered(6))
		w.expectOut(numbered(3))
		w.quiet()
		Expect(w.people()).To(HaveLen(7))
		w.expectHeld(names[0], "at most 2 of the users are removed in 1h")
	})

	It("begins a new window when the last one is over", func(ctx context.Context) {
		people, names := numberedPeople(3, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), append(people, ada)...)
		users := w.declareAll(names)
		w.delete(users[0])
		w.expectOut(numbered(0))
		w.delete(users[1])
		w.expectHeld(names[1], "maxRemovals")
		w.windowBegan(2 * time.Hour)
		w.resync()
		w.expectOut(numbered(1))
		Expect(w.removals()).To(Equal(1))
	})

	It("goes on by itself when the window ends", func(ctx context.Context) {
		people, names := numberedPeople(2, "reader")
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			maxRemovals(intstr.FromInt32(1))(spec)
			spec.Guard.Window.Duration = time.Minute
		}, append(people, ada)...)
		users := w.declareAll(names)
		w.delete(users[0])
		w.expectOut(numbered(0))
		w.windowBegan(54 * time.Second)
		w.delete(users[1])
		w.expectHeld(names[1], "at most 1 of the users are removed in 1m")
		w.expectWaiting(w.organization(), "Held", "goes on by itself")
		w.expectOut(numbered(1))
		w.expectReady(w.organization())
	})

	It("holds every removal where none is allowed, and does not ask again and again", func(ctx context.Context) {
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(0)), ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		w.delete(user)
		w.expectGone(user)
		w.expectStalled(w.organization(), "Held", "the removal of Grace@Example.com is held by spec.guard.maxRemovals of Organization default, which is 0: nobody is removed; raise maxRemovals")
		w.expectHeld("grace", "which is 0: nobody is removed")
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(1)) })
		w.expectOut("grace@example.com")
	})

	It("takes a percentage of all users, rounded up and at least one", func(ctx context.Context) {
		people, names := numberedPeople(14, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromString("10%")), append(people, ada)...)
		for _, user := range w.declareAll(names) {
			w.delete(user)
		}
		Eventually(w.people).Should(HaveLen(13), "two of fifteen")
		w.quiet()
		Expect(w.people()).To(HaveLen(13))
	})

	It("counts a removal before it is made", func(ctx context.Context) {
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		counted := make(chan int, 1)
		w.sim.During(func(call openaitest.Call) {
			if call.Method == http.MethodDelete {
				counted <- w.removals()
			}
		})
		w.delete(user)
		w.expectOut("grace@example.com")
		Eventually(counted).Should(Receive(Equal(1)))
	})

	It("gives the count back when the API refuses the removal", func(ctx context.Context) {
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), ada, grace, openaitest.User{Email: "scim@example.com", Role: "reader", IsSCIMManaged: true})
		refused, user := w.orgUser("scim"), w.orgUser("grace")
		w.create(refused, user)
		w.expectReady(refused, user)
		w.delete(refused)
		w.expectGone(refused)
		w.expectHeld("scim", "managed through SCIM")
		w.expectStalled(w.organization(), "Rejected", "the removal of scim@example.com waits: the API refused the change")
		w.delete(user)
		w.expectOut("grace@example.com")
		Eventually(w.removals).Should(Equal(1))
	})

	It("gives the count back when the key may not remove", func(ctx context.Context) {
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Status: http.StatusForbidden})
		w.delete(user)
		w.expectStalled(w.organization(), "Rejected", "403")
		w.expectHeld("grace", "403")
		Eventually(w.removals).Should(BeZero())
	})

	It("counts across two Organization objects of one organization", func(ctx context.Context) {
		people, names := numberedPeople(3, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), append(people, ada)...)
		users := w.declareAll(names[:1])
		second := w.organization()
		second.Name, second.Spec.Guard.MaxRemovals = "second", new(intstr.FromInt32(1))
		w.create(second)
		w.expectReady(second)
		inSecond := w.orgUser(names[1], func(spec *v1alpha1.OrgUserSpec) { spec.OrganizationRef.Name = "second" })
		w.create(inSecond)
		w.expectReady(inSecond)
		w.delete(users[0])
		w.expectOut(numbered(0))
		w.delete(inSecond)
		w.expectGone(inSecond)
		w.expectWaiting(second, "Held", "maxRemovals of Organization second")
		w.quiet() // until the window of the first is over
		w.expectReady(w.organization())
		Expect(w.people()).To(ContainElement(numbered(1)))
	})
})
