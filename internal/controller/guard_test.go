package controller_test

import (
	"context"
	"fmt"
	"net/http"
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

	It("holds nobody back in a teardown: an object that it held goes, and the person stays", func(ctx context.Context) {
		w := newWorldWith(ctx, minOwners(2), ada, openaitest.User{Email: "second@example.com", Role: "owner"})
		user, second := w.orgUser("ada"), w.orgUser("second")
		w.create(user, second)
		w.expectReady(user, second)
		w.delete(user)
		w.expectStalled(user, "Held", "minOwners")
		w.delete(w.organization())
		w.expectGone(user)
		w.delete(second)
		w.expectGone(second)
		Expect(w.mutationsTried()).To(BeEmpty())
		w.expectEvent(user, "Retained", "Organization default is gone")
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
		for _, user := range users[:2] {
			w.delete(user)
			w.expectGone(user)
		}
		w.delete(users[2])
		w.expectWaiting(users[2], "Held", "the removal of user-0002@example.com is held by spec.guard.maxRemovals of Organization default: "+
			"at most 2 of the users are removed in 1h; goes on by itself in the next window, or raise maxRemovals. To let the object go")
		Expect(users[2].Status.Plan).To(Equal([]string{"remove user-0002@example.com from the organization"}))
		w.expectEvent(users[2], "Held", "would be removal 3 of at most 2 in 1h; next at ")
		Expect(w.events(users[2])).To(HaveLen(1), "it is told once")
		Expect(w.people()).To(HaveLen(4))
		Expect(w.removals()).To(Equal(2))
		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(3)) })
		w.expectGone(users[2])
		Expect(w.removals()).To(Equal(3))
	})

	It("begins a new window when the last one is over", func(ctx context.Context) {
		people, names := numberedPeople(3, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), append(people, ada)...)
		users := w.declareAll(names)
		w.delete(users[0])
		w.expectGone(users[0])
		w.delete(users[1])
		w.expectWaiting(users[1], "Held", "maxRemovals")
		org := w.organization()
		Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
		org.Status.Removals.WindowStart = metav1.NewTime(time.Now().Add(-2 * time.Hour))
		Expect(admin.Status().Update(w.ctx, org)).To(Succeed())
		w.resync()
		w.expectGone(users[1])
		Expect(w.removals()).To(Equal(1))
	})

	It("holds every removal where none is allowed, and does not ask again and again", func(ctx context.Context) {
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(0)), ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		w.delete(user)
		w.expectStalled(user, "Held", "the removal of Grace@Example.com is held by spec.guard.maxRemovals of Organization default, which is 0: nobody is removed; raise maxRemovals. To let")
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromInt32(1)) })
		w.expectGone(user)
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
		w.expectGone(user)
		Expect(counted).To(Receive(Equal(1)))
	})

	It("gives the count back when the API refuses the removal", func(ctx context.Context) {
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), ada, grace, openaitest.User{Email: "scim@example.com", Role: "reader", IsSCIMManaged: true})
		refused, user := w.orgUser("scim"), w.orgUser("grace")
		w.create(refused, user)
		w.expectReady(refused, user)
		w.delete(refused)
		w.expectStalled(refused, "Rejected", "managed through SCIM")
		w.delete(user)
		w.expectGone(user)
		Expect(w.removals()).To(Equal(1))
	})

	It("gives the count back when the key may not remove", func(ctx context.Context) {
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(1)), ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Status: http.StatusForbidden})
		w.delete(user)
		w.expectStalled(user, "Rejected", "403")
		Expect(w.removals()).To(BeZero())
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
		w.expectGone(users[0])
		w.delete(inSecond)
		w.expectWaiting(inSecond, "Held", "maxRemovals of Organization second")
		w.quiet() // until the window of the first is over
	})
})
