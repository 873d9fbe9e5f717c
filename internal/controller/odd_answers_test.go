package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// secondOrganization adds an Organization "second" with a Secret of its own.
func (w *world) secondOrganization(data map[string]string, rules ...func(*v1alpha1.OrganizationSpec)) *v1alpha1.Organization {
	GinkgoHelper()
	org := w.organization()
	org.Name, org.Spec.AdminKeySecretRef.Name = "second", "second"
	for _, rule := range rules {
		rule(&org.Spec)
	}
	w.create(&corev1.Secret{ObjectMeta: w.named("second"), StringData: data}, org)
	return org
}

func inSecond(spec *v1alpha1.OrgUserSpec) { spec.OrganizationRef.Name = "second" }

var _ = Describe("Odd answers:", func() {
	DescribeTable("a role list that fails at a binding's first look assigns nothing that is held",
		func(ctx context.Context, fault openaitest.Fault) {
			w := bindingWorld(ctx)
			id := w.member("ada@example.com").ID
			w.sim.AddInheritedRole(id, w.roleID("viewer"), "group-staff")
			fault.Method, fault.Path = http.MethodGet, "/organization/users/"+id+"/roles"
			w.sim.Fail(fault)
			binding := w.binding("viewers", "viewer", "ada", "grace")
			w.create(binding)
			Eventually(w.holders).WithArguments("viewer").Should(ConsistOf("ada@example.com", "grace@example.com"))
			w.quiet()
			Expect(w.directRoles("ada@example.com")).To(BeEmpty())
			Expect(w.mutationsTried()).To(HaveLen(1), "grace's")
			w.sim.ClearFaults()
			w.resync()
			w.expectReady(binding)
			w.quiet()
			Expect(states(binding)).To(Equal([]string{"ada Inherited", "grace Assigned"}))
			Expect(w.mutationsTried()).To(HaveLen(1))
		},
		Entry("503", openaitest.Fault{Status: http.StatusServiceUnavailable}),
		Entry("403", openaitest.Fault{Status: http.StatusForbidden}),
		Entry("a lost connection", openaitest.Fault{Drop: openaitest.DropBefore}),
	)

	It("a subject that goes from the address to an OrgUser which comes a moment later loses nothing", func(ctx context.Context) {
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			spec.Guard.RemovalDelay = &metav1.Duration{Duration: 30 * time.Second}
		}, ada, grace)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		binding := w.binding("viewers", "viewer")
		binding.Spec.Subjects = []v1alpha1.Subject{{Email: "grace@example.com"}}
		w.create(binding)
		w.expectReady(binding)
		w.sim.ResetJournal()
		edit(w, binding, func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = []v1alpha1.Subject{{OrgUser: "grace"}} })
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		w.create(w.orgUser("grace"))
		w.expectReady(binding)
		w.quiet()
		Expect(states(binding)).To(Equal([]string{"grace Assigned"}))
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("a binding's end does not take a role that an OrgUser's roleID sets", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		id := w.sim.AddRole(openaitest.Role{Name: "viewer"})
		user := w.orgUser("grace", func(spec *v1alpha1.OrgUserSpec) { spec.RoleID = id })
		w.create(user)
		w.expectReady(user)
		binding := w.binding("viewers", "viewer", "grace")
		w.create(binding)
		w.expectReady(binding)
		w.sim.ResetJournal()
		w.delete(binding)
		w.expectGone(binding)
		w.quiet()
		Expect(w.holders("viewer")).To(ConsistOf("grace@example.com"))
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("a role whose assignment lost its answer is taken in the end from a subject that was taken out meanwhile", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/*/roles", Drop: openaitest.DropAfter, Times: 1})
		binding := w.binding("viewers", "viewer", "grace")
		done := make(chan bool)
		w.sim.During(func(call openaitest.Call) {
			if call.Method == http.MethodPost && call.Endpoint == "/organization/users/{id}/roles" {
				select {
				case <-done:
				default:
					close(done)
					edit(w, w.binding("viewers", ""), func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = []v1alpha1.Subject{} })
				}
			}
		})
		w.create(binding)
		Eventually(done).Should(BeClosed())
		Eventually(w.holders).WithArguments("viewer").Should(BeEmpty())
		Eventually(func() []string { w.verdict(binding); return states(binding) }).Should(BeEmpty())
		w.quiet()
		Expect(w.holders("viewer")).To(BeEmpty())
	})

	It("role lists that answer 404 for members whom the user list has cost few calls", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.sim.Fail(openaitest.Fault{Method: http.MethodGet, Path: "/organization/users/*/roles", Status: http.StatusNotFound})
		w.create(w.binding("viewers", "viewer", "ada", "grace", "alan"))
		Consistently(func() int { return len(w.sim.Journal()) }).WithTimeout(8 * time.Second).Should(BeNumerically("<", 40))
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("the first of many subjects refused: those behind them are served, and calls stay few", func(ctx context.Context) {
		people, _ := numberedPeople(130, "reader")
		w := newWorld(ctx, append(people, ada)...)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		binding := w.binding("viewers", "viewer")
		for i := range 130 {
			binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{Email: numbered(i)})
			if i < 100 {
				w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/" + w.member(numbered(i)).ID + "/roles", Status: http.StatusConflict})
			}
		}
		w.sim.ResetJournal()
		w.create(binding)
		Eventually(w.holders).WithArguments("viewer").Should(HaveLen(30))
		w.expectSays(binding, "Rejected", "30/130") // lines gather
		w.quiet()
		w.resync()
		w.quiet()
		Expect(w.callCounts()["POST /organization/users/{id}/roles"]).To(BeNumerically(">=", 130))
		Expect(w.callCounts()["POST /organization/users/{id}/roles"]).To(BeNumerically("<=", 230+5), "a person who asks has each tried once more")
	})

	It("held removals cost no looks", func(ctx context.Context) {
		people, names := numberedPeople(75, "reader")
		w := newWorldWith(ctx, maxRemovals(intstr.FromInt32(5)), append(people, ada)...)
		users := w.declareAll(names)
		w.settle()
		for _, user := range users {
			w.delete(user)
		}
		Eventually(w.people).WithTimeout(time.Minute).Should(HaveLen(71))
		Eventually(w.leavers).Should(HaveLen(70))
		w.quiet()
		w.sim.ResetJournal()
		w.resync()
		w.quiet()
		w.resync()
		w.quiet()
		Expect(w.callCounts()).To(Equal(map[string]int{"GET /organization/users": 2}), "the two readings")
		w.expectWaiting(w.organization(), "Held", "maxRemovals")
	})

	It("a window that begins in the future holds nothing for longer than a window", func(ctx context.Context) {
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			maxRemovals(intstr.FromInt32(1))(spec)
			spec.Guard.Window = metav1.Duration{Duration: time.Minute}
		}, ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		org := w.organization()
		Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
		before := org.DeepCopy()
		org.Status.Removals = &v1alpha1.Removals{WindowStart: metav1.NewTime(time.Now().Add(30 * 24 * time.Hour)), Count: 1}
		Expect(admin.Status().Patch(w.ctx, org, client.MergeFrom(before))).To(Succeed())
		w.delete(user)
		Eventually(w.people).WithTimeout(90 * time.Second).Should(HaveLen(1))
	})

	It("a role that the API calls by a longer ID is not assigned again and again", func(ctx context.Context) {
		w := bindingWorld(ctx)
		w.sim.LongRoleIDs(true)
		binding := w.binding("viewers", "viewer", "ada")
		w.create(binding)
		w.expectReady(binding)
		w.resync()
		w.quiet()
		w.resync()
		w.quiet()
		Expect(w.timesOf(http.MethodPost)).To(HaveLen(1))
		Expect(w.verdict(binding)).To(Equal(inSync))
		w.delete(binding)
		w.expectGone(binding)
		Expect(w.holders("viewer")).To(BeEmpty())
	})

	It("two spellings of an address are one organization, with one lock for its owners", func(ctx context.Context) {
		w := newWorldWith(ctx, minOwners(2), ada, person("bob", "owner"), person("carol", "owner"))
		second := w.secondOrganization(map[string]string{"api-key": w.sim.AdminKey(), "base-url": w.sim.URL() + "/"}, minOwners(2))
		w.expectReady(second)
		bob, carol := w.orgUser("bob", role("owner")), w.orgUser("carol", role("owner"), inSecond)
		w.create(bob, carol)
		w.expectReady(bob, carol)
		for _, user := range []*v1alpha1.OrgUser{bob, carol} {
			edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "reader" })
		}
		Eventually(func() string { return w.verdict(bob) + w.verdict(carol) }).Should(And(ContainSubstring(inSync), ContainSubstring("Held")))
		w.quiet()
		for _, call := range w.sim.Mutations() {
			Expect(call.Owners).To(BeNumerically(">=", 2))
		}
	})

	It("a tenant whose own server sends the same organization ID shares nothing", func(ctx context.Context) {
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			removeUndeclared(spec)
			maxRemovals(intstr.FromInt32(1))(spec)
		}, ada, grace, alan)
		user := w.orgUser("ada")
		w.create(user)
		w.expectReady(user)
		theirs := openaitest.NewServer(openaitest.WithOrganizationID(w.status().OrganizationID))
		DeferCleanup(theirs.Close)
		for _, member := range []openaitest.User{{ID: w.member("grace@example.com").ID, Email: "grace@example.com", Role: "reader"}, person("mallory", "owner")} {
			theirs.AddUser(member)
		}
		second := w.secondOrganization(map[string]string{"api-key": theirs.AdminKey(), "base-url": theirs.URL()})
		w.expectReady(second)
		w.create(w.orgUser("mallory", role("owner"), inSecond), w.orgUser("grace", role("owner"), inSecond))
		w.expectReady(w.orgUser("mallory"), w.orgUser("grace"))
		w.resync()
		w.resync()
		Eventually(w.people).Should(HaveLen(2), "one of the two in the window")
		w.expectWaiting(w.organization(), "Held", "maxRemovals")
		Expect(w.mutationsTried()).To(HaveLen(1))
		Expect(w.member("ada@example.com").Role).To(Equal("owner"))
	})

	It("an organization that hangs delays no other", func(ctx context.Context) {
		w := emptyWorld(ctx, ada, grace, alan)
		w.requestTimeout = time.Minute // longer than any story waits for anything
		w.begin(func(*v1alpha1.OrganizationSpec) {})
		hanging := openaitest.NewServer(openaitest.WithOrganizationID("org-hanging"))
		DeferCleanup(hanging.Close)
		people, names := numberedPeople(60, "reader")
		for _, member := range people {
			hanging.AddUser(member)
		}
		second := w.secondOrganization(map[string]string{"api-key": hanging.AdminKey(), "base-url": hanging.URL()})
		w.expectReady(second)
		var users []client.Object
		for _, name := range names {
			user := w.orgUser(name, inSecond)
			users = append(users, user)
			w.create(user)
		}
		w.expectAllReady(60)
		asked := make(chan struct{})
		ask := sync.OnceFunc(func() { close(asked) })
		hanging.Arrived(func(openaitest.Call) { ask() })
		hanging.Fail(openaitest.Fault{Latency: time.Hour})
		for _, user := range users {
			w.delete(user)
		}
		Eventually(asked).Should(BeClosed(), "it is asked, and does not answer")
		user := w.orgUser("grace", role("owner"))
		w.create(user)
		w.expectReady(user)
		Expect(w.member("grace@example.com").Role).To(Equal("owner"))
		Expect(fmt.Sprint(w.mutations())).To(Equal(strings.TrimSpace("[POST /organization/users/{id} grace@example.com]")))
	})
})
