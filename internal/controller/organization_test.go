package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var _ = Describe("An Organization", func() {
	It("shows the live organization", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace, openaitest.User{Name: "robot", Role: "reader", IsServiceAccount: true},
			openaitest.User{Email: "scim@example.com", Role: "reader", IsSCIMManaged: true})
		w.create(w.orgUser("ada"))
		org := w.organization()
		Eventually(func(g Gomega) {
			w.expectReady(org)
			g.Expect(org.Status.DeclaredUsers).To(HaveValue(BeEquivalentTo(1)))
		}).Should(Succeed())
		Expect(org.Status.Users).To(HaveValue(Equal(v1alpha1.UserCounts{Total: 4, Owners: 1, Readers: 3, ServiceAccounts: 1, ScimManaged: 1})))
		Expect(org.Status.OrganizationID).To(HavePrefix("org-"))
		Expect(org.Status.LastSyncTime.Time).To(BeTemporally("~", time.Now(), 30*time.Second))
	})

	It("counts its owners again soon after rollcall made one", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		w.create(w.orgUser("grace"))
		w.settle()
		edit(w, w.orgUser("grace"), func(user *v1alpha1.OrgUser) { user.Spec.Role = v1alpha1.UserRoleOwner })
		org := w.organization()
		Eventually(func(g Gomega) {
			w.expectReady(org)
			g.Expect(org.Status.Users.Owners).To(BeEquivalentTo(2))
		}).Should(Succeed())
	})

	DescribeTable("says what is wrong with the Secret and how to mend it, and goes on when it is mended",
		func(ctx context.Context, data map[string]string, verdict, reason, message string) {
			w := emptyWorld(ctx, ada, grace)
			user, org := w.orgUser("grace", role("owner")), w.organization()
			if data != nil {
				for key, value := range data {
					if value == "URL" {
						data[key] = w.sim.URL()
					}
				}
				w.create(&corev1.Secret{ObjectMeta: w.named(secretName), StringData: data})
			}
			w.create(org, user)
			w.startManager()
			if verdict == waits {
				w.expectWaiting(org, reason, message)
			} else {
				w.expectStalled(org, reason, message)
			}
			w.expectWaiting(user, "OrganizationNotReady", `waits for Organization "default"; kubectl describe oaiorg default -n `+w.namespace)
			Expect(w.mutationsTried()).To(BeEmpty())
			if data != nil {
				w.delete(&corev1.Secret{ObjectMeta: w.named(secretName)})
			}
			w.create(w.secret())
			w.ask()
			w.expectReady(w.organization(), user)
			Expect(w.member("grace@example.com").Role).To(Equal("owner"))
		},
		Entry("when it is missing", nil, waits, "SecretNotFound", `Secret "openai-admin-key", which spec.adminKeySecretRef.name names, is not in namespace`),
		Entry("when it is empty", map[string]string{}, isStuck, "SecretInvalid", `Secret "openai-admin-key" has no admin key under "api-key", which spec.adminKeySecretRef.key names: it is empty`),
		Entry("when the key is under another name", map[string]string{"task-token": "x"}, isStuck, "SecretInvalid", "which spec.adminKeySecretRef.key names: it has no such key; put the organization's admin key (sk-admin-...) there; or name the key that has it"),
		Entry("when the admin key is a name, which is not repeated", map[string]string{"sk-admin-abcdefghijkl": "x"}, isStuck, "SecretInvalid", "which spec.adminKeySecretRef.key names: the name of one of its keys looks like an admin key, which belongs into the value; put"),
		Entry("when the key is empty", map[string]string{"api-key": " \n"}, isStuck, "SecretInvalid", "that key is empty"),
		Entry("when the key is no admin key", map[string]string{"api-key": "sk-proj-abcdefghijkl"}, isStuck, "SecretInvalid", "sk-admin-"),
		Entry("when the address is no URL", map[string]string{"api-key": "sk-admin-abcdefghijkl", "base-url": "api.openai.com"}, isStuck, "SecretInvalid", "base-url"),
		Entry("when the address has an admin key in it", map[string]string{"api-key": "sk-admin-abcdefghijkl", "base-url": "https://api.openai.com/sk-admin-abcdefghijkl/v1"}, isStuck, "SecretInvalid", "base-url in the Secret contains an admin key"),
		Entry("when the address would send the key in the clear", map[string]string{"api-key": "sk-admin-abcdefghijkl", "base-url": "http://example.com/v1"}, isStuck, "SecretInvalid", "--allow-insecure-base-url"),
		Entry("when the API refuses the key", map[string]string{"api-key": "sk-admin-of-somebody-else", "base-url": "URL"}, isStuck, "Unauthorized", `the API refused the admin key in Secret "openai-admin-key"`),
	)

	It("tells its objects when its first reading fails, and again when it can be read", func(ctx context.Context) {
		w := emptyWorld(ctx, ada)
		w.startManager()
		user, org := w.orgUser("ada"), w.organization()
		w.create(org, user)
		w.expectWaiting(org, "SecretNotFound", "")
		w.expectWaiting(user, "OrganizationNotReady", "")
		w.create(w.secret())
		w.ask()
		w.expectReady(org, user)
	})

	It("says that the API cannot be reached, and goes on when it can", func(ctx context.Context) {
		w := emptyWorld(ctx, ada)
		w.sim.Fail(openaitest.Fault{Path: "/organization/users", Drop: openaitest.DropBefore})
		w.create(w.secret(), w.organization())
		w.startManager()
		w.expectWaiting(w.organization(), "Retrying", "list users")
		w.sim.ClearFaults()
		w.expectReady(w.organization())
	})

	It("says that what answers is not the API", func(ctx context.Context) {
		w := emptyWorld(ctx, ada)
		w.sim.Fail(openaitest.Fault{Path: "/organization/users", Status: http.StatusOK, HTML: true})
		w.create(w.secret(), w.organization())
		w.startManager()
		w.expectWaiting(w.organization(), "Retrying", "instead of JSON")
	})

	It("never takes half a list for the organization", func(ctx context.Context) {
		people := []openaitest.User{ada}
		for i := range 150 {
			people = append(people, openaitest.User{Email: numbered(i), Role: "reader"})
		}
		w := newWorld(ctx, people...)
		last := w.orgUser("last", role("reader"), func(spec *v1alpha1.OrgUserSpec) { spec.Email = numbered(149) })
		w.create(last)
		w.expectReady(last)
		w.sim.Fail(openaitest.Fault{Path: "/organization/users", Status: 500, Skip: 1, Times: 3})
		w.ask()
		w.expectWaiting(w.organization(), "Retrying", "500")
		Expect(w.verdict(last)).To(Equal(inSync))
		w.expectReady(w.organization())
		Expect(w.verdict(last)).To(Equal(inSync))
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("uses a rotated key at once after the old one is refused, and its objects wait meanwhile", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace", role("reader"))
		w.create(user)
		w.expectReady(user)
		w.sim.RotateKey("sk-admin-the-new-one")
		edit(w, w.secret(), func(secret *corev1.Secret) { secret.StringData = map[string]string{"api-key": "sk-admin-the-new-one"} })
		edit(w, user, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectReady(user)
		Expect(w.member("grace@example.com").Role).To(Equal("owner"))
	})

	It("asks once, not once an object, while its key is revoked, and objects in sync stay as they are", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace, alan)
		settled, changed := w.orgUser("alan", role("reader")), w.orgUser("grace", role("reader"))
		w.create(settled, changed)
		w.expectReady(settled, changed)
		key := w.sim.AdminKey()
		w.sim.RotateKey("sk-admin-unknown-to-rollcall")
		edit(w, changed, func(user *v1alpha1.OrgUser) { user.Spec.Role = "owner" })
		w.expectStalled(w.organization(), "Unauthorized", "put a valid admin key of this organization there")
		w.expectWaiting(changed, "OrganizationNotReady", "")
		Expect(w.verdict(settled)).To(Equal(inSync))
		w.quiet()
		w.sim.ResetJournal()
		edit(w, changed, func(user *v1alpha1.OrgUser) { user.Spec.TechnicalLevel = new(string) })
		w.quiet()
		Expect(w.callsIn()).To(BeEmpty())
		w.sim.RotateKey(key)
		w.ask()
		w.expectReady(w.organization(), changed)
	})

	It("stands still when the key turns out to belong to another organization", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		other := openaitest.NewServer(openaitest.WithOrganizationID("org-other"))
		DeferCleanup(other.Close)
		edit(w, w.secret(), func(secret *corev1.Secret) {
			secret.StringData = map[string]string{"api-key": other.AdminKey(), "base-url": other.URL()}
		})
		w.ask()
		w.expectStalled(w.organization(), "Conflict", "belongs to organization org-other, but this object stands for org-")
		w.delete(user)
		w.expectGone(user)
		Eventually(w.leavers).Should(ConsistOf(And(
			HaveField("UserID", w.member("grace@example.com").ID), HaveField("Held", "the Organization's admin key cannot be used"))))
		w.quiet()
		w.expectStalled(w.organization(), "Conflict", "belongs to organization org-other")
		Expect(w.people()).To(HaveLen(2))
		Expect(other.Mutations()).To(BeEmpty())

		own := w.secret()
		edit(w, w.secret(), func(secret *corev1.Secret) { secret.StringData = own.StringData })
		w.ask()
		w.expectReady(w.organization())
		Eventually(w.people).Should(ConsistOf("ada@example.com"), "whoever left is not forgotten")
	})

	It("shares one reading and one pace among objects of one organization in several namespaces", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		second := w.organization()
		second.Name = "second"
		w.sim.AddKey("sk-admin-second-of-the-same")
		secret := w.secret()
		secret.Name, second.Spec.AdminKeySecretRef.Name = "second", "second"
		secret.StringData["api-key"] = "sk-admin-second-of-the-same"
		w.create(secret, second)
		w.expectReady(second)
		inFirst := w.orgUser("grace", role("reader"))
		w.create(inFirst)
		w.expectReady(inFirst)
		inSecond := w.orgUser("grace-too", role("owner"), func(spec *v1alpha1.OrgUserSpec) {
			spec.Email, spec.OrganizationRef.Name = "grace@example.com", "second"
		})
		w.create(inSecond)
		w.expectStalled(inSecond, "Conflict", w.namespace+"/grace declares grace@example.com too")
	})

	It("knows of another object of its organization that has no usable key, also after a restart", func(ctx context.Context) {
		w := newWorldWith(ctx, removeUndeclared, ada, grace, alan)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		second := w.organization()
		secret := w.secret()
		second.Name, secret.Name, second.Spec.AdminKeySecretRef.Name = "second", "second", "second"
		w.create(secret, second)
		w.expectReady(second)
		in := func(spec *v1alpha1.OrgUserSpec) { spec.OrganizationRef.Name = "second" }
		theirs, mine, alone := w.orgUser("grace", in), w.orgUser("grace"), w.orgUser("alan", in)
		mine.Name = "grace-too"
		bound, boundToo := w.binding("viewers", "viewer"), w.binding("viewers-too", "viewer")
		bound.Spec.Subjects = []v1alpha1.Subject{{Email: "ada@example.com"}}
		boundToo.Spec.Subjects = bound.Spec.Subjects
		boundToo.Spec.OrganizationRef.Name = "second"
		w.create(alone, bound, boundToo)
		w.expectReady(alone, bound, boundToo)
		w.create(mine)
		w.expectReady(mine)
		w.create(theirs)
		Eventually(func() string { return w.verdict(theirs) }).Should(Or(Equal(inSync), ContainSubstring("Conflict")))

		edit(w, secret, func(secret *corev1.Secret) { secret.Data["api-key"] = []byte("not\na key") })
		edit(w, second, func(org *v1alpha1.Organization) { org.Spec.ResyncInterval.Duration += time.Minute })
		w.expectStalled(second, "SecretInvalid", "")
		expectNobodyLost := func() {
			GinkgoHelper()
			for range 3 {
				w.resync()
			}
			w.quiet()
			w.expectStalled(w.organization(), "Conflict", "another Organization object stands for the same organization ("+w.namespace+"/second)")
			Expect(w.people()).To(HaveLen(3))
			Expect(w.directRoles("ada@example.com")).To(ContainElement("viewer"))
		}
		expectNobodyLost()
		w.stop()
		w.delete(mine)
		w.delete(bound)
		w.startManager()
		w.expectGone(mine)
		// The other one cannot act, since its Organization has no key. She stays for it all the same, whether it had adopted
		// her before or not.
		Eventually(func() string {
			return strings.Join(append(w.events(mine), w.events(w.organization())...), "\n") + fmt.Sprint(w.leavers())
		}).Should(Or(
			ContainSubstring("OrgUser "+w.namespace+"/grace declares the same person"),
			ContainSubstring("OrgUser "+w.namespace+"/grace declares them"),
			ContainSubstring("OrgUser "+w.namespace+"/grace names them, and has not adopted them yet")))
		w.expectGone(bound)
		expectNobodyLost()
	})

	It("reads an organization again by itself that it could not read for a wrong address", func(ctx context.Context) {
		w := newWorld(ctx, ada)
		w.sim.Fail(openaitest.Fault{Method: http.MethodGet, Path: "/organization/users", Status: http.StatusNotFound})
		w.ask()
		w.expectStalled(w.organization(), "Rejected", `where Secret "openai-admin-key" has a base-url, it must be the API's address with its version`)
		w.sim.ClearFaults()
		Eventually(func() string { return w.verdict(w.organization()) }).WithTimeout(time.Minute).Should(Equal(inSync))
	})

	It("does not go round for ever with a key that may read and not change", func(ctx context.Context) {
		w := newWorld(ctx, ada, grace)
		w.sim.Fail(openaitest.Fault{Method: http.MethodPost, Status: http.StatusUnauthorized})
		user := w.orgUser("grace", role("owner"))
		w.create(user)
		w.expectWaiting(user, "OrganizationNotReady", "")
		w.quiet() // until the next look at the key
		Expect(len(w.timesOf(http.MethodPost))).To(BeNumerically("<", 5))
	})
})
