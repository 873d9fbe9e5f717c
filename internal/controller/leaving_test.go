package controller_test

import (
	"context"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// leavingWorld is a world in which grace is a leaver who has this much time.
func leavingWorld(ctx context.Context, delay time.Duration) (w *world, id string) {
	GinkgoHelper()
	w = newWorldWith(ctx, removalDelay(delay), ada, grace)
	user := w.orgUser("grace", role("reader"))
	w.create(user)
	w.expectReady(user)
	w.delete(user)
	w.expectGone(user)
	return w, w.expectLeaver("grace").UserID
}

// endless is a delay that no story outlasts.
const endless = time.Hour

var _ = Describe("A leaver", func() {
	It("is written down before the object goes, and removed after spec.guard.removalDelay, not before", func(ctx context.Context) {
		const delay = 4 * time.Second
		w, id := leavingWorld(ctx, delay)
		line := w.leaver("grace")
		Expect(line.UserID).To(Equal(w.member("grace@example.com").ID))
		Expect([]string{line.Email, line.OrgUser}).To(Equal([]string{"grace@example.com", "grace"}))
		Expect(line.Due.Time).To(Equal(line.Since.Add(delay)))
		org := w.organization()
		w.expectReady(org)
		Expect(org.Status.LeavingUsers).To(HaveValue(BeEquivalentTo(1)))
		w.expectEvent(org, "Leaving", "grace@example.com ("+id+") leaves the organization: OrgUser grace was deleted; they are removed behind the guard, 4s after that at the earliest")
		w.expectOut("grace@example.com")
		Expect(w.sim.Mutations()[0].Time).To(BeTemporally(">=", line.Due.Time))
		w.expectNoLeavers()
		w.expectEvent(org, "Removed", "removed Grace@Example.com ("+id+") from the organization")
		w.expectReady(org)
		w.quiet()
		Expect(w.mutationsTried()).To(HaveLen(1))
		Expect(org.Status.LeavingUsers).NotTo(HaveValue(BeEquivalentTo(1)))
	})

	It("is told of once, also where the write fails that ends the line", func(ctx context.Context) {
		w, id := leavingWorld(ctx, endless)
		w.writes.failOnce(`"leaving":null`)
		edit(w, w.organization(), func(org *v1alpha1.Organization) { removalDelay(0)(&org.Spec) })
		w.expectOut("grace@example.com")
		w.expectNoLeavers()
		w.quiet()
		Expect(w.writes.failing).To(BeEmpty(), "no write failed")
		told := slices.DeleteFunc(w.events(w.organization()), func(event string) bool { return !strings.HasPrefix(event, "Removed") })
		Expect(told).To(Equal([]string{"Removed: removed Grace@Example.com (" + id + ") from the organization"}))
	})

	It("goes when the delay is shortened", func(ctx context.Context) {
		w, _ := leavingWorld(ctx, endless)
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		edit(w, w.organization(), func(org *v1alpha1.Organization) { removalDelay(0)(&org.Spec) })
		w.expectOut("grace@example.com")
		w.expectNoLeavers()
	})

	Describe("who is declared again", func() {
		DescribeTable("stays, and no role is set twice", func(ctx context.Context, again func(*world) *v1alpha1.OrgUser) {
			w, id := leavingWorld(ctx, 5*time.Second)
			w.sim.ResetJournal()
			user := again(w)
			w.create(user)
			w.expectReady(user)
			w.expectNoLeavers()
			w.expectEvent(w.organization(), "DeclaredAgain", "grace@example.com ("+id+") stays: OrgUser "+w.namespace+"/"+user.Name+" declares them")
			Expect(user.Status.UserID).To(Equal(id))
			w.expectReady(w.organization())
			w.expectNoChangeAfter(time.Time{}, 7*time.Second)
			Expect(w.people()).To(ContainElement("Grace@Example.com"))
		},
			Entry("under the same name, as a revert does, or a replacement", func(w *world) *v1alpha1.OrgUser { return w.orgUser("grace", role("reader")) }),
			Entry("under another name, as a rename does", func(w *world) *v1alpha1.OrgUser {
				user := w.orgUser("grace", role("reader"))
				user.Name = "grace-hopper"
				return user
			}),
			Entry("by ID instead of the address", func(w *world) *v1alpha1.OrgUser {
				return w.orgUser("grace", role("reader"), func(spec *v1alpha1.OrgUserSpec) {
					spec.Email, spec.UserID = "", w.member("grace@example.com").ID
				})
			}),
		)

		It("stays, and becomes what the new object declares", func(ctx context.Context) {
			w, _ := leavingWorld(ctx, endless)
			user := w.orgUser("grace", role("owner"))
			w.create(user)
			w.expectReady(user)
			w.expectNoLeavers()
			Expect(w.mutations()).To(Equal([]string{"POST /organization/users/{id} grace@example.com"}))
		})

		It("stays also when the removal is being looked at", func(ctx context.Context) {
			w, _ := leavingWorld(ctx, 5*time.Second)
			w.during("grace@example.com", func() { w.create(w.orgUser("grace", role("reader"))) })
			w.expectLook("grace@example.com")
			user := w.orgUser("grace")
			w.expectReady(user)
			w.expectNoLeavers()
			w.quiet()
			Expect(w.mutationsTried()).To(BeEmpty())
		})

		It("stays through as many renames as there are, and goes when the last one is deleted", func(ctx context.Context) {
			w, id := leavingWorld(ctx, 3*time.Second)
			for range 3 {
				user := w.orgUser("grace")
				w.create(user)
				w.expectReady(user)
				w.expectNoLeavers()
				w.delete(user)
				w.expectGone(user)
				Expect(w.expectLeaver("grace").UserID).To(Equal(id))
			}
			Expect(w.mutationsTried()).To(BeEmpty())
			w.expectOut("grace@example.com")
		})

		It("is not removed for an object that is paused, or declared with Retain, and is again when that goes with Delete", func(ctx context.Context) {
			w, _ := leavingWorld(ctx, 2*time.Second)
			user := w.orgUser("grace")
			user.Annotations = map[string]string{v1alpha1.PausedAnnotation: "true"}
			w.create(user)
			w.expectStalled(user, "Paused", "")
			w.expectHeld("grace", "OrgUser "+w.namespace+"/grace names them, and has not adopted them yet")
			w.expectReady(w.organization())
			w.resync()
			w.quiet()
			Expect(w.mutationsTried()).To(BeEmpty())
			w.delete(user) // it has adopted nobody, so that it has nobody to leave behind, and takes back no protection but its own
			w.expectGone(user)
			w.expectOut("grace@example.com")
		})
	})

	It("whose address changes meanwhile is not removed, nor is whoever has it now", func(ctx context.Context) {
		w, id := leavingWorld(ctx, 3*time.Second)
		w.sim.SetEmail(id, "hopper@example.com")
		other := w.sim.AddUser(openaitest.User{Email: "grace@example.com", Role: "reader"})
		w.expectHeld("grace", "nobody is removed: user "+id+" has hopper@example.com in the organization now, and not grace@example.com")
		w.expectStalled(w.organization(), "Conflict", "nobody is removed")
		w.resync()
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
		w.expectHeld("grace", "nobody is removed")

		w.sim.RemoveUser(other)
		w.sim.SetEmail(id, "grace@example.com")
		w.resync()
		w.expectOut("grace@example.com")
		w.expectReady(w.organization())
	})

	It("who left by themselves is forgotten", func(ctx context.Context) {
		w, id := leavingWorld(ctx, endless)
		w.sim.RemoveUser(id)
		w.resync()
		w.expectNoLeavers()
		w.expectEvent(w.organization(), "Removed", "grace@example.com ("+id+"), whose OrgUser grace was deleted, is not in the organization any more")
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	Describe("who is due", func() {
		DescribeTable("waits and is not forgotten", func(ctx context.Context, stop func(*world), why string, goOn func(*world)) {
			w, _ := leavingWorld(ctx, 3*time.Second)
			stop(w)
			if why != "" {
				w.expectHeld("grace", why)
			}
			due := w.leaver("grace").Due.Time
			Eventually(time.Now).Should(BeTemporally(">", due.Add(time.Second)))
			w.quiet()
			Expect(w.mutationsTried()).To(BeEmpty())
			Expect(w.leavers()).To(HaveLen(1))
			goOn(w)
			w.expectOut("grace@example.com")
			w.expectNoLeavers()
			w.expectReady(w.organization())
		},
			Entry("while the Organization is paused", func(w *world) {
				pause(w, w.organization())
				w.expectStalled(w.organization(), "Paused", "")
			}, "the Organization is paused", func(w *world) { resume(w, w.organization()) }),
			Entry("under Observe", func(w *world) { w.observe() }, "the Organization's mode is Observe", func(w *world) { w.enforce() }),
			Entry("while the key is refused", func(w *world) {
				w.sim.RotateKey("sk-admin-unknown-to-rollcall")
				w.ask()
				w.expectStalled(w.organization(), "Unauthorized", "")
			}, "the Organization's admin key cannot be used", func(w *world) {
				w.sim.RotateKey("sk-admin-of-the-story")
				w.replaceSecret("sk-admin-of-the-story")
				w.ask()
			}),
			Entry("while the Secret is gone", func(w *world) {
				w.delete(w.secret())
				w.ask()
				w.expectWaiting(w.organization(), "SecretNotFound", "")
			}, "the Organization's admin key cannot be used", func(w *world) {
				w.create(w.secret())
				w.ask()
			}),
			Entry("while the API is down", func(w *world) {
				w.sim.Fail(openaitest.Fault{Status: 503})
			}, "", func(w *world) { w.sim.ClearFaults() }),
			Entry("while no manager runs", func(w *world) { w.kill() }, "", func(w *world) { w.startManager() }),
		)

		It("waits for the rest of the delay after a restart", func(ctx context.Context) {
			w, _ := leavingWorld(ctx, 6*time.Second)
			w.kill()
			w.startManager()
			line := w.leaver("grace")
			Expect(line.UserID).NotTo(BeEmpty())
			w.expectOut("grace@example.com")
			Expect(w.sim.Mutations()[0].Time).To(BeTemporally(">=", line.Due.Time))
			w.expectNoLeavers()
		})

		DescribeTable("stays where it is changed while the removal is looked at", func(ctx context.Context, meanwhile func(*world)) {
			w, _ := leavingWorld(ctx, 2*time.Second)
			w.during("grace@example.com", func() { meanwhile(w) })
			w.expectLook("grace@example.com")
			w.quiet()
			Expect(w.mutationsTried()).To(BeEmpty())
			Expect(w.people()).To(HaveLen(2))
		},
			Entry("that the Organization is paused", func(w *world) { pause(w, w.organization()) }),
			Entry("that Observe is set", func(w *world) { w.observe() }),
			Entry("that the guard allows none", func(w *world) {
				edit(w, w.organization(), func(org *v1alpha1.Organization) {
					org.Spec.Guard.MaxRemovals.IntVal, org.Spec.Guard.MaxRemovals.Type = 0, 0
				})
			}),
			Entry("that they have more time", func(w *world) {
				edit(w, w.organization(), func(org *v1alpha1.Organization) { removalDelay(endless)(&org.Spec) })
			}),
			Entry("that the Organization goes", func(w *world) { w.delete(w.organization()) }),
			Entry("that the namespace goes", func(w *world) { w.deleteNamespace() }),
		)
	})

	It("stays when the Organization is deleted, and it is told", func(ctx context.Context) {
		w, id := leavingWorld(ctx, 3*time.Second)
		w.delete(w.organization())
		w.expectEvent(w.organization(), "Retained", "grace@example.com ("+id+") stays in the organization: Organization default is gone or being deleted")
		w.expectNoChangeAfter(time.Time{}, 6*time.Second)
		w.create(w.organization())
		w.expectReady(w.organization())
		w.quiet()
		w.expectNoLeavers()
		Expect(w.mutationsTried()).To(BeEmpty(), "the new one knows of no leaver")
	})

	It("stays when the namespace is deleted, and it is told", func(ctx context.Context) {
		w, id := leavingWorld(ctx, 3*time.Second)
		w.deleteNamespace()
		w.expectNamespaceEvent("Retained", "grace@example.com ("+id+") stays in the organization")
		w.expectNoChangeAfter(time.Time{}, 6*time.Second)
	})

	It("is nobody when the OrgUsers go together with their Organization, as in kubectl delete -k", func(ctx context.Context) {
		w := newWorldWith(ctx, removalDelay(2*time.Second), ada, grace, alan)
		users := []*v1alpha1.OrgUser{w.orgUser("grace"), w.orgUser("alan")}
		w.create(users[0], users[1])
		w.expectReady(users[0], users[1])
		w.delete(users[0])
		w.delete(w.organization())
		w.delete(users[1])
		w.expectGone(users[0])
		w.expectGone(users[1])
		w.expectNoChangeAfter(time.Time{}, 5*time.Second)
		Expect(w.people()).To(HaveLen(3))
	})
})

// replaceSecret puts another admin key into the Secret.
func (w *world) replaceSecret(key string) {
	GinkgoHelper()
	edit(w, &corev1.Secret{ObjectMeta: w.named(secretName)}, func(secret *corev1.Secret) { secret.Data["api-key"] = []byte(key) })
}

// expectNamespaceEvent waits for an event about the namespace, which is where those of a teardown are found.
func (w *world) expectNamespaceEvent(reason, note string) {
	GinkgoHelper()
	Eventually(func(g Gomega) []string {
		list := &corev1.EventList{}
		g.Expect(admin.List(w.ctx, list, client.InNamespace(metav1.NamespaceDefault))).To(Succeed())
		var notes []string
		for i := range list.Items {
			if about := list.Items[i].InvolvedObject; about.Kind == "Namespace" && about.Name == w.namespace {
				notes = append(notes, list.Items[i].Reason+": "+list.Items[i].Message)
			}
		}
		return notes
	}).Should(ContainElement(And(HavePrefix(reason+": "), ContainSubstring(note))))
}

var _ = Describe("A change that waits under a small budget", func() {
	// frugal is a world with twelve requests a minute, in which no change can be made at once.
	frugal := func(ctx context.Context) *world {
		GinkgoHelper()
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequestsPerMinute = 12 },
			ada, grace, alan, openaitest.User{Email: "zoe@example.com", Role: "owner"})
		for _, user := range []*v1alpha1.OrgUser{w.orgUser("ada"), w.orgUser("grace", role("reader")), w.orgUser("alan", role("reader")), w.orgUser("zoe", role("owner"))} {
			w.create(user)
			w.expectReady(user)
		}
		return w
	}

	It("is not made when nobody wants it any more", func(ctx context.Context) {
		takenBack := map[string]func(*world){
			"the manifests were set back": func(w *world) {
				edit(w, w.orgUser("grace"), func(user *v1alpha1.OrgUser) { user.Spec.Role = "reader" })
				edit(w, w.orgUser("zoe"), func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
				w.create(w.orgUser("alan", role("reader")))
			},
			"Observe was set":            func(w *world) { w.observe() },
			"the Organization is paused": func(w *world) { pause(w, w.organization()) },
			"the namespace is deleted":   func(w *world) { w.deleteNamespace() },
		}
		worlds := map[string]*world{}
		moments := map[string]time.Time{}
		for why := range takenBack {
			worlds[why] = frugal(ctx)
		}
		for why, w := range worlds {
			// This one goes at once, and uses up what there is.
			edit(w, w.orgUser("ada"), func(user *v1alpha1.OrgUser) { user.Spec.TechnicalLevel = new(why) })
			Eventually(w.mutations).Should(HaveLen(1))
			w.sim.ResetJournal()
			edit(w, w.orgUser("grace"), func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
			edit(w, w.orgUser("zoe"), func(user *v1alpha1.OrgUser) { user.Spec.Role = "reader" })
			w.delete(w.orgUser("alan"))
			w.expectGone(w.orgUser("alan"))
			takenBack[why](w)
			moments[why] = time.Now()
		}
		Consistently(func() (made []string) {
			for why, w := range worlds {
				for _, call := range w.mutationsTried() {
					if call.Time.After(moments[why].Add(2 * time.Second)) {
						made = append(made, why+": "+call.Method+" "+call.Email)
					}
				}
			}
			return made
		}).WithTimeout(30 * time.Second).WithPolling(200 * time.Millisecond).Should(BeEmpty())
	})

	It("is made when it is its turn", func(ctx context.Context) {
		w := frugal(ctx)
		w.sim.ResetJournal()
		begun := time.Now()
		for _, name := range []string{"grace", "alan"} {
			edit(w, w.orgUser(name), func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		}
		Eventually(w.sim.Owners).WithTimeout(50 * time.Second).Should(Equal(4))
		calls := w.sim.Journal()
		// One goes at once, and those of one turn go together.
		Expect(time.Since(begun)).To(BeNumerically(">=", time.Duration(len(calls)-3)*5*time.Second), "%v", w.callsIn())
	})
})
