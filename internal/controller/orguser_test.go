package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var (
	ada   = openaitest.User{Email: "ada@example.com", Name: "Ada", Role: "owner"}
	grace = openaitest.User{Email: "Grace@Example.com", Name: "Grace", Role: "reader", DeveloperPersona: "backend"}
	alan  = openaitest.User{Email: "alan@example.com", Name: "Alan", Role: "reader"}
)

var _ = Describe("An OrgUser", func() {
	It("adopts the member with its email, in any case, and changes nothing that it does not declare", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		member := w.member("grace@example.com")
		Expect(user.Status.UserID).To(Equal(member.ID))
		Expect(user.Status.Email).To(Equal("Grace@Example.com"))
		Expect(user.Status.Role).To(Equal("reader"))
		Expect(user.Status.DeveloperPersona).To(Equal("backend"))
		Expect(user.Status.AddedAt).NotTo(BeNil())
		Expect(w.mutations()).To(BeEmpty())
	})

	It("sets all fields that differ in one call, and clears one that is declared empty", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace", role("owner"), func(spec *v1alpha1.OrgUserSpec) {
			spec.DeveloperPersona, spec.TechnicalLevel = new(""), new("expert")
		})
		w.create(user)
		w.expectReady(user)
		Expect(w.mutations()).To(Equal([]string{"POST /organization/users/{id} grace@example.com"}))
		member := w.member("grace@example.com")
		Expect([]string{member.Role, member.DeveloperPersona, member.TechnicalLevel}).To(Equal([]string{"owner", "", "expert"}))
		w.expectEvent(user, "Updated", `role from "reader" to "owner"`)
	})

	It("sets a role by its ID", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		roleID := w.sim.AddRole(openaitest.Role{Name: "viewer"})
		user := w.orgUser("grace", func(spec *v1alpha1.OrgUserSpec) { spec.RoleID = roleID })
		w.create(user)
		w.expectReady(user)
		Expect(w.directRoles("grace@example.com")).To(ContainElement("viewer"))
		Expect(w.mutations()).To(HaveLen(1))
	})

	It("follows a user without an email by ID", func(ctx context.Context) {
		w := newWorld(ctx, ada, openaitest.User{Name: "robot", Role: "reader", IsServiceAccount: true})
		robot := w.memberNamed("robot")
		user := w.orgUser("robot", func(spec *v1alpha1.OrgUserSpec) {
			spec.Email, spec.UserID, spec.TechnicalLevel = "", robot.ID, new("machine")
		})
		w.create(user)
		w.expectReady(user)
		Expect(w.memberNamed("robot").TechnicalLevel).To(Equal("machine"))
	})

	It("says that the person is no member, and becomes ready within a resync of their joining", func(ctx context.Context) {
		w := newWorld(ctx, ada)
		user := w.orgUser("grace", role("owner"))
		w.create(user)
		w.expectWaiting(user, "NotAMember", "grace@example.com is not a member of the organization; invite them")
		Expect(w.queries("GET /organization/users")).To(ContainElement(ContainSubstring("emails")), "absence is confirmed")
		w.sim.AddUser(grace)
		w.resync()
		w.expectReady(user)
		Expect(w.member("grace@example.com").Role).To(Equal("owner"))
	})

	It("says that the person has left, and whom it means, and becomes ready when they are back", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		id := w.member("grace@example.com").ID
		w.sim.RemoveUser(id)
		w.resync()
		w.expectWaiting(user, "NotAMember", "grace@example.com was a member of the organization, and left it")
		Expect(user.Status.UserID).To(Equal(id), "whom it was matched with is remembered")
		Expect([]string{user.Status.Email, user.Status.Role, user.Status.Name}).To(HaveEach(BeEmpty()), "of a member who is none nothing is said")
		again := w.sim.AddUser(openaitest.User{Email: "grace@example.com", Role: "reader"})
		Expect(again).NotTo(Equal(id))
		w.resync()
		w.expectReady(user)
		Expect(user.Status.UserID).To(Equal(again))
	})

	It("undoes a change made by hand, and says which", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectReady(user)
		w.sim.SetRole(w.member("grace@example.com").ID, "owner")
		w.resync()
		Eventually(func() string { return w.member("grace@example.com").Role }).Should(Equal("reader"))
		w.expectEvent(user, "DriftCorrected", `role from "owner" to "reader"`)
	})

	It("shows what the API refuses in the API's words, and asks again when a person asks and when the spec changes", func(ctx context.Context) {
		w := newWorld(ctx, ada, openaitest.User{Email: "scim@example.com", Role: "reader", IsSCIMManaged: true})
		user := w.orgUser("scim", role("owner"))
		w.create(user)
		w.expectStalled(user, "Rejected", "the API refused the change")
		Expect(w.message(user)).To(ContainSubstring("managed through SCIM"))
		Expect(user.Status.ScimManaged).To(BeTrue())
		Expect(w.mutationsTried()).To(HaveLen(1))
		w.resync()
		Eventually(w.mutationsTried).Should(HaveLen(2))
		w.quiet()
		Expect(w.mutationsTried()).To(HaveLen(2), "and not by itself so soon")
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role, user.Spec.TechnicalLevel = "", new("expert") })
		w.expectReady(user)
		Expect(w.member("scim@example.com").TechnicalLevel).To(Equal("expert"))
	})

	It("looks afresh before it changes an owner", func(ctx context.Context) {
		w := newWorld(ctx, ada, openaitest.User{Email: "second@example.com", Role: "owner"})
		w.sim.ResetJournal()
		w.create(w.orgUser("ada", role("reader")))
		w.expectReady(w.orgUser("ada"))
		Expect(w.callsIn()).To(Equal([]string{"GET /organization/users", "POST /organization/users/{id} " + w.member("ada@example.com").ID}))
		Expect(addressesIn(w.queries("GET /organization/users")[0])).To(ConsistOf("ada@example.com", "second@example.com"), "also at the owner who is to stay")
	})

	It("goes by the person, not by the address, when the address goes to somebody else between two readings", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace, alan)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectReady(user)
		holder, other := w.member("grace@example.com").ID, w.member("alan@example.com").ID
		w.sim.SetEmail(holder, "hopper@example.com")
		w.sim.SetEmail(other, "grace@example.com")
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectStalled(user, "Conflict", "this object stands for user "+holder+", who has hopper@example.com in the organization now, and not grace@example.com; "+
			"grace@example.com is user "+other+" now")
		w.resync()
		w.quiet()
		w.expectStalled(user, "Conflict", "this object stands for user "+holder)
		Expect(user.Status.UserID).To(Equal(holder))
		Expect(w.mutationsTried()).To(BeEmpty(), "neither is made an owner")

		w.sim.SetRole(holder, "owner")
		w.sim.SetRole(other, "owner")
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "reader" })
		w.resync()
		w.quiet()
		w.expectStalled(user, "Conflict", "")
		Expect(w.mutationsTried()).To(BeEmpty(), "neither is demoted")

		w.delete(user)
		w.expectGone(user)
		w.expectHeld("grace", "nobody is removed: user "+holder+" has hopper@example.com in the organization now, and not grace@example.com")
		w.expectStalled(w.organization(), "Conflict", "nobody is removed")
		w.resync()
		w.quiet()
		Expect(w.people()).To(ConsistOf("ada@example.com", "hopper@example.com", "grace@example.com"), "neither is removed")
	})

	Describe("that is changed again while its change is looked at", func() {
		DescribeTable("changes nothing", func(ctx context.Context, meanwhile func(*world, *v1alpha1.OrgUser)) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace", role("reader"))
			w.create(user)
			w.expectReady(user)
			w.during("grace@example.com", func() { meanwhile(w, w.orgUser("grace")) })
			edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
			w.expectLook("grace@example.com")
			w.quiet()
			Expect(w.mutationsTried()).To(BeEmpty())
		},
			Entry("where it is set back", func(w *world, user *v1alpha1.OrgUser) {
				edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "reader" })
			}),
			Entry("where it is paused", func(w *world, user *v1alpha1.OrgUser) { pause(w, user) }),
			Entry("where it is deleted with Retain", func(w *world, user *v1alpha1.OrgUser) {
				edit(w, user, func(user *v1alpha1.OrgUser) { retain(&user.Spec) })
				w.delete(user)
			}),
			Entry("where the Organization is paused", func(w *world, _ *v1alpha1.OrgUser) { pause(w, w.organization()) }),
			Entry("where Observe is set", func(w *world, _ *v1alpha1.OrgUser) { w.observe() }),
			Entry("where the Organization is deleted", func(w *world, _ *v1alpha1.OrgUser) { w.delete(w.organization()) }),
			Entry("where the namespace is deleted", func(w *world, _ *v1alpha1.OrgUser) { w.deleteNamespace() }),
		)
	})

	Describe("that is deleted", func() {
		It("removes the person after a fresh look", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			id := w.member("grace@example.com").ID
			w.sim.ResetJournal()
			w.delete(user)
			w.expectGone(user)
			w.expectOut("grace@example.com")
			Expect(w.people()).To(Equal([]string{"ada@example.com"}))
			Expect(w.callsIn()).To(Equal([]string{"GET /organization/users", "DELETE /organization/users/{id} " + id}))
			Expect(addressesIn(w.queries("GET /organization/users")[0])).To(ContainElement("Grace@Example.com"))
			w.expectEvent(w.organization(), "Leaving", "grace@example.com ("+id+") leaves the organization: OrgUser grace was deleted")
			w.expectEvent(w.organization(), "Removed", "removed Grace@Example.com ("+id+") from the organization")
			w.expectNoLeavers()
		})

		It("leaves the person in with Retain", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace", retain)
			w.create(user)
			w.expectReady(user)
			w.delete(user)
			w.expectGone(user)
			Expect(w.people()).To(ContainElement("Grace@Example.com"))
			Expect(w.mutations()).To(BeEmpty())
			w.expectEvent(user, "Retained", "spec.deletionPolicy is Retain")
		})

		It("stays while it is paused, and leaves the person in when Retain is set then", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			pause(w, user)
			w.delete(user)
			w.expectStalled(user, "Paused", "set spec.deletionPolicy to Retain")
			w.quiet()
			w.expectNoLeavers()
			edit(w, user, func(user *v1alpha1.OrgUser) { retain(&user.Spec) })
			w.expectGone(user)
			w.expectEvent(user, "Retained", "spec.deletionPolicy is Retain")
			w.quiet()
			w.expectNoLeavers()
			Expect(w.mutationsTried()).To(BeEmpty())
		})

		It("takes a person who is gone already for removed", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			w.sim.RemoveUser(w.member("grace@example.com").ID)
			w.delete(user)
			w.expectGone(user)
			w.expectNoLeavers()
			Expect(w.mutationsTried()).To(BeEmpty())
			w.expectEvent(w.organization(), "Removed", "is not in the organization any more")
		})

		It("removes the person also when the manager was killed before it wrote down whom it had matched", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			w.stop()
			user := w.orgUser("grace")
			user.Finalizers = []string{v1alpha1.Finalizer}
			w.create(user)
			w.delete(user)
			w.startManager()
			w.expectGone(user)
			Eventually(w.people).Should(Equal([]string{"ada@example.com"}))
		})

		It("lets an object go that was never matched with anybody", func(ctx context.Context) {
			w := newWorld(ctx, ada)
			user := w.orgUser("grace")
			w.create(user)
			w.expectWaiting(user, "NotAMember", "")
			w.delete(user)
			w.expectGone(user)
			Expect(w.mutationsTried()).To(BeEmpty())
		})

		It("removes nobody when the email belongs to somebody else by now, and says so", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			id := w.member("grace@example.com").ID
			w.sim.SetEmail(id, "hopper@example.com")
			w.delete(user)
			w.expectGone(user)
			w.expectHeld("grace", "nobody is removed")
			w.expectStalled(w.organization(), "Conflict", "nobody is removed: user "+id+" has hopper@example.com in the organization now, and not grace@example.com")
			Expect(w.mutations()).To(BeEmpty())

			stays := w.orgUser("hopper", retain, func(spec *v1alpha1.OrgUserSpec) { spec.Email, spec.UserID = "", id })
			w.create(stays)
			w.expectReady(stays, w.organization())
			w.expectNoLeavers()
			w.delete(stays)
			w.expectGone(stays)
			w.quiet()
			Expect(w.mutations()).To(BeEmpty(), "it was told how to let them stay")
		})

		It("removes nobody when the namespace is being deleted", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			w.deleteNamespace()
			w.expectGone(user)
			w.quiet()
			Expect(w.people()).To(HaveLen(2))
			Expect(w.mutationsTried()).To(BeEmpty())
		})

		It("removes nobody when the Organization is gone", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			w.delete(w.organization())
			w.delete(user)
			w.expectGone(user)
			w.quiet()
			Expect(w.mutationsTried()).To(BeEmpty())
			w.expectEvent(user, "Retained", "Organization default is gone")
		})

		It("waits for the API and forgets nobody", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			w.sim.Fail(openaitest.Fault{Method: http.MethodGet, Path: "/organization/users", Status: 503})
			w.delete(user)
			w.expectGone(user)
			w.quiet()
			Expect(w.leavers()).To(HaveLen(1))
			Expect(w.mutationsTried()).To(BeEmpty())
			w.sim.ClearFaults()
			w.expectOut("grace@example.com")
			w.expectNoLeavers()
		})

		It("tries a removal again that failed, and says so", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Status: 503})
			w.delete(user)
			w.expectGone(user)
			w.expectHeld("grace", "503")
			w.expectWaiting(w.organization(), "Retrying", "the removal of grace@example.com waits: tried again until it succeeds")
			w.sim.ClearFaults()
			w.expectOut("grace@example.com")
			w.expectNoLeavers()
			w.expectReady(w.organization())
		})

		It("removes once when the answer to the removal was lost", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			user := w.orgUser("grace")
			w.create(user)
			w.expectReady(user)
			w.sim.Fail(openaitest.Fault{Method: http.MethodDelete, Path: "/organization/users/*", Drop: openaitest.DropAfter, Times: 1})
			w.delete(user)
			w.expectGone(user)
			w.expectOut("grace@example.com")
			w.expectNoLeavers()
			w.quiet()
			Expect(w.mutationsTried()).To(HaveLen(1))
		})
	})

	Describe("when the API fails", func() {
		It("looks before it writes again after a lost answer", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/*", Drop: openaitest.DropAfter, Times: 1})
			user := w.orgUser("grace", role("owner"))
			w.create(user)
			w.expectReady(user)
			Expect(w.mutationsTried()).To(HaveLen(1), "the first try was applied, so there is nothing to do again")
			Expect(w.member("grace@example.com").Role).To(Equal("owner"))
		})

		It("tries again after a 5xx and says so meanwhile", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/*", Status: 500})
			user := w.orgUser("grace", role("owner"))
			w.create(user)
			w.expectWaiting(user, "Retrying", "500")
			w.sim.ClearFaults()
			w.expectReady(user)
			Expect(w.member("grace@example.com").Role).To(Equal("owner"))
		})

		It("waits as told after a 429, and turns nothing red for it", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace, alan)
			user, other := w.orgUser("grace", role("reader")), w.orgUser("alan", role("reader"))
			w.create(user, other)
			w.expectReady(user, other)
			w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/*", Status: 429, RetryAfter: 3, Times: 1})
			seen := w.verdictsOf(user)
			edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
			w.expectReady(user)
			Expect(seen()).NotTo(ContainElement(HavePrefix("Ready=False")))
			tries := w.timesOf(http.MethodPost)
			Expect(tries).To(HaveLen(2))
			Expect(tries[1].Sub(tries[0]).Seconds()).To(BeNumerically(">=", 2.9))
		})
	})

	Describe("beside another of the same person", func() {
		It("lets the oldest act, and deleting the others changes nothing outside", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			first := w.orgUser("grace", role("reader"))
			first.Name = "the-oldest" // by name it would come last
			w.create(first)
			w.expectReady(first)
			Eventually(time.Now).Should(BeTemporally(">", first.CreationTimestamp.Add(time.Second)), "creation times have whole seconds")
			second := w.orgUser("grace", role("owner"), func(spec *v1alpha1.OrgUserSpec) { spec.Email = "GRACE@example.com" })
			second.Name = "grace-again"
			third := w.orgUser("grace-by-id", role("owner"), func(spec *v1alpha1.OrgUserSpec) { spec.Email, spec.UserID = "", w.member("grace@example.com").ID })
			w.create(second, third)
			w.expectStalled(second, "Conflict", "OrgUser "+w.namespace+"/the-oldest declares GRACE@example.com too")
			w.expectStalled(third, "Conflict", "OrgUser "+w.namespace+"/the-oldest declares")
			w.delete(second)
			w.expectGone(second)
			w.quiet()
			w.expectNoLeavers()
			Expect(w.mutations()).To(BeEmpty())

			w.delete(first)
			w.expectGone(first)
			w.expectReady(third)
			Expect(w.member("grace@example.com").Role).To(Equal("owner"), "the next takes over")
			w.quiet()
			w.expectNoLeavers()
			Expect(w.mutations()).To(Equal([]string{"POST /organization/users/{id} grace@example.com"}), "without a removal in between")
		})

		It("changes nothing when it is deleted, also where it acted once", func(ctx context.Context) {
			w := newWorld(ctx, ada, grace)
			first := w.orgUser("grace", role("reader"))
			w.create(first)
			w.expectReady(first)
			Eventually(time.Now).Should(BeTemporally(">", first.CreationTimestamp.Add(time.Second)), "creation times have whole seconds")
			loser := w.orgUser("grace", role("owner"))
			loser.Name, loser.Finalizers = "grace-again", []string{v1alpha1.Finalizer}
			w.create(loser)
			w.expectStalled(loser, "Conflict", "OrgUser "+w.namespace+"/grace declares")
			Expect(loser.Status.UserID).NotTo(BeEmpty())
			w.delete(loser)
			w.expectGone(loser)
			w.expectEvent(loser, "Retained", "OrgUser "+w.namespace+"/grace declares the same person")
			w.resync()
			w.quiet()
			w.expectReady(first)
			w.expectNoLeavers()
			Expect(w.mutationsTried()).To(BeEmpty())
		})

		It("lets one act also where both were created in one second and the other acted first", func(ctx context.Context) {
			people, _ := numberedPeople(10, "reader")
			w := newWorld(ctx, append(people, ada)...)
			for i := range people {
				sent, goOn := make(chan bool, 1), make(chan bool)
				w.sim.During(func(call openaitest.Call) {
					if call.Method == http.MethodPost && strings.EqualFold(call.Email, numbered(i)) {
						select {
						case sent <- true:
							<-goOn
						default:
						}
					}
				})
				other, winner := w.orgUser("zoe", role("owner")), w.orgUser("ann", role("reader"))
				for _, user := range []*v1alpha1.OrgUser{other, winner} {
					user.Name, user.Spec.Email = fmt.Sprintf("%s-%d", user.Name, i), numbered(i)
				}
				w.create(other)
				Eventually(sent).Should(Receive())
				w.create(winner)
				Eventually(func() string { return w.verdict(winner) }).Should(Or(Equal(inSync), ContainSubstring("Conflict")))
				close(goOn)
				if !winner.CreationTimestamp.Equal(&other.CreationTimestamp) {
					continue // the other is older
				}
				w.expectStalled(other, "Conflict", "OrgUser "+w.namespace+"/"+winner.Name+" declares")
				Eventually(func() string { return w.member(numbered(i)).Role }).Should(Equal("reader"))
				w.expectReady(winner)
				return
			}
			Fail("never two in one second")
		})
	})
})
