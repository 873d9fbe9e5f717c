package api_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

var _ = Describe("The API server accepts", func() {
	DescribeTable("on creation", func(ctx SpecContext, kind, change string) {
		Expect(k8s.Create(ctx, object(kind, change))).To(Succeed())
	},
		Entry("the least Organization", organization, ``),
		Entry("the shortest interval", organization, `spec: {resyncInterval: 30s}`),
		Entry("the longest interval", organization, `spec: {resyncInterval: 24h}`),
		Entry("the longest interval in seconds", organization, `spec: {resyncInterval: 86400s}`),
		Entry("an interval of two units", organization, `spec: {resyncInterval: 1h30m}`),
		Entry("an interval with a fraction", organization, `spec: {resyncInterval: 0.5h}`),
		Entry("an interval in milliseconds", organization, `spec: {resyncInterval: 45000ms}`),
		Entry("an interval as Go writes it", organization, `spec: {resyncInterval: 10m0s}`),
		Entry("no removals at all", organization, `spec: {guard: {maxRemovals: 0}}`),
		Entry("a number of removals", organization, `spec: {guard: {maxRemovals: 25}}`),
		Entry("all at once", organization, `spec: {guard: {maxRemovals: 100%, minOwners: 1, window: 1m}}`),
		Entry("a long window", organization, `spec: {guard: {maxRemovals: 1%, minOwners: 1000, window: 720h}}`),
		Entry("no delay at all", organization, `spec: {guard: {removalDelay: 0s}}`),
		Entry("a delay below a second", organization, `spec: {guard: {removalDelay: 500ms}}`),
		Entry("two weeks' notice", organization, `spec: {guard: {removalDelay: 336h}}`),
		Entry("the longest delay, as Go writes it", organization, `spec: {guard: {removalDelay: 8760h0m0s}}`),
		Entry("a look without a touch", organization, `spec: {mode: Observe, undeclared: {users: Remove, roleAssignments: Unassign}}`),
		Entry("one request a minute", organization, `spec: {requestsPerMinute: 1}`),
		Entry("100000 requests a minute", organization, `spec: {requestsPerMinute: 100000}`),
		Entry("names of the greatest length", organization, `spec: {adminKeySecretRef: {name: `+chars(253)+`, key: `+chars(253)+`}}`),
		Entry("a key with everything a key may have", organization, `spec: {adminKeySecretRef: {name: team.openai-key, key: .Api_Key-1}}`),

		Entry("the least OrgUser", orgUser, ``),
		Entry("a user by ID", orgUser, `spec: {email: null, userID: user-Abc_123}`),
		Entry("an email and a userID", orgUser, `spec: {userID: user-ada}`),
		Entry("an email and a userID of the greatest length", orgUser, `spec: {email: `+address(254)+`, userID: `+chars(128)+`}`),
		Entry("a userID of the greatest length", orgUser, `spec: {email: null, userID: `+chars(128)+`}`),
		Entry("the shortest email", orgUser, `spec: {email: a@b}`),
		Entry("the longest email", orgUser, `spec: {email: `+address(254)+`}`),
		Entry("an email with capitals, a tag and an apostrophe", orgUser, `spec: {email: "Ada.O'Lovelace+ai@Example.co.uk"}`),
		Entry("an email beyond ASCII", orgUser, `spec: {email: "åda@exämple.com"}`),
		Entry("an owner", orgUser, `spec: {role: owner}`),
		Entry("a reader", orgUser, `spec: {role: reader}`),
		Entry("a role by ID", orgUser, `spec: {roleID: role-api-organization-reader__api-organization__org-1}`),
		Entry("a roleID of the greatest length", orgUser, `spec: {roleID: `+chars(256)+`}`),
		Entry("persona and level of the greatest length", orgUser, `spec: {developerPersona: `+chars(256)+`, technicalLevel: `+chars(256)+`}`),
		Entry("a user who stays when the object goes", orgUser, `spec: {deletionPolicy: Retain}`),
		Entry("an Organization of another name", orgUser, `spec: {organizationRef: {name: research.eu-1}}`),

		Entry("the least binding", binding, ``),
		Entry("a role by name", binding, `spec: {roleRef: {id: null, name: Usage Viewer}}`),
		Entry("a role whose name only begins like a predefined one", binding, `spec: {roleRef: {id: null, name: reader-plus}}`),
		Entry("a role name of the greatest length", binding, `spec: {roleRef: {id: null, name: `+chars(256)+`}}`),
		Entry("a role ID of the greatest length", binding, `spec: {roleRef: {id: `+chars(256)+`}}`),
		Entry("a predefined role other than owner and reader", binding, `spec: {roleRef: {id: role-api-organization-viewer__api-organization__org-1}}`),
		Entry("each way to name a subject", binding, `spec: {subjects: [{orgUser: ada}, {email: grace@example.com}, {userID: user-alan}]}`),
		Entry("one person named in two ways, which rollcall tells apart from live data only", binding, `spec: {subjects: [{orgUser: ada}, {email: ada@example.com}]}`),
		Entry("subjects of the greatest length", binding, `spec: {subjects: [{orgUser: `+chars(253)+`}, {email: `+address(254)+`}, {userID: `+chars(128)+`}]}`),
		Entry("1000 subjects", binding, `spec: {subjects: `+subjects(1000)+`}`),
		Entry("1000 subjects of the greatest length", binding, `spec: {subjects: `+longSubjects(1000)+`}`),
		Entry("an OrgUser and a user ID of the same letters", binding, `spec: {subjects: [{orgUser: ada}, {userID: ada}]}`),
		Entry("nobody", binding, `spec: {subjects: []}`),
		Entry("assignments that stay when the object goes", binding, `spec: {deletionPolicy: Retain}`),
	)

	DescribeTable("as a change", func(ctx SpecContext, kind, before, change string) {
		o := object(kind, before)
		Expect(k8s.Create(ctx, o)).To(Succeed())
		Expect(k8s.Patch(ctx, o, mergePatch(change))).To(Succeed())
	},
		Entry("another Secret", organization, ``, `spec: {adminKeySecretRef: {name: rotated}}`),
		Entry("another interval and pace", organization, ``, `spec: {resyncInterval: 1m, requestsPerMinute: 60}`),
		Entry("another delay", organization, ``, `spec: {guard: {removalDelay: 0s}}`),
		Entry("a userID added beside the email", orgUser, ``, `spec: {userID: user-ada}`),
		Entry("the email in another case", orgUser, ``, `spec: {email: Ada.Lovelace@EXAMPLE.com}`),
		Entry("the email in another case beside a userID", orgUser, `spec: {userID: user-ada}`, `spec: {email: ADA.LOVELACE@example.com}`),
		Entry("a userID and the email in another case at once", orgUser, ``, `spec: {email: Ada.Lovelace@example.com, userID: user-ada}`),
		Entry("the longest email in another case", orgUser, `spec: {email: `+address(254)+`}`, `spec: {email: `+strings.ToUpper(address(254))+`}`),
		Entry("another role", orgUser, `spec: {role: reader}`, `spec: {role: owner}`),
		Entry("a role that is no longer managed", orgUser, `spec: {role: reader}`, `spec: {role: null}`),
		Entry("a roleID in place of the role", orgUser, `spec: {role: reader}`, `spec: {role: null, roleID: role-reader}`),
		Entry("another deletionPolicy", orgUser, ``, `spec: {deletionPolicy: Retain}`),
		Entry("organizationRef taken out where it is the default", orgUser, ``, `spec: {organizationRef: null}`),
		Entry("the default Organization named", binding, ``, `spec: {organizationRef: {name: default}}`),
		Entry("other subjects", binding, ``, `spec: {subjects: [{email: grace@example.com}]}`),
		Entry("all subjects taken out", binding, `spec: {subjects: [{orgUser: ada}, {orgUser: grace}]}`, `spec: {subjects: []}`),
		Entry("another deletionPolicy of a binding", binding, ``, `spec: {deletionPolicy: Retain}`),
	)

	It("the fullest status of each kind", func(ctx SpecContext) {
		for kind, change := range map[string]string{
			organization: `{organizationID: org-1, baseURL: "https://api.openai.com/v1", leavingUsers: 1,
				leaving: [{userID: user-1, email: ada@example.com, orgUser: ada, since: "2026-01-01T00:00:00Z", due: "2026-01-01T00:05:00Z",
				held: it would leave 1 owner}], users: {total: 3, owners: 2, readers: 1, serviceAccounts: 0, scimManaged: 0}, declaredUsers: 0,
				lastSyncTime: "2026-01-01T00:00:00Z", lastHandledSyncRequest: now, observedGeneration: 1}`,
			orgUser: `{userID: user-1, name: Ada Lovelace, email: ada@example.com, role: owner, developerPersona: analyst,
				technicalLevel: expert, addedAt: "2026-01-01T00:00:00Z", scimManaged: true, observedGeneration: 1}`,
			binding: `{roleID: role-1, roleName: usage-viewer, assigned: 4000/4000, subjects: ` + subjectStates(4000) + `, observedGeneration: 1}`,
		} {
			o := object(kind, "")
			Expect(k8s.Create(ctx, o)).To(Succeed())
			status := merge(parse("status: "+change), parse(conditions("Ready", "Reconciling", "Stalled")))
			o.Object["status"] = status["status"]
			// Strict, so that a field that the schema would drop is an error.
			Expect(k8s.Status().Update(ctx, o, client.FieldValidation(metav1.FieldValidationStrict))).To(Succeed(), kind)
		}
	})
})

var _ = Describe("What is left out", func() {
	DescribeTable("gets its default", func(ctx SpecContext, kind, change, field string, expected any) {
		o := object(kind, change)
		Expect(k8s.Create(ctx, o)).To(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		value, found, err := unstructured.NestedFieldNoCopy(o.Object, fields(field)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(BeTrue(), "%s is not set", field)
		Expect(value).To(Equal(expected))
	},
		Entry("the key of the Secret", organization, ``, "spec.adminKeySecretRef.key", "api-key"),
		Entry("the interval", organization, ``, "spec.resyncInterval", "10m"),
		Entry("the pace", organization, ``, "spec.requestsPerMinute", int64(300)),
		Entry("the mode", organization, ``, "spec.mode", "Enforce"),
		Entry("the owners that stay", organization, ``, "spec.guard.minOwners", int64(2)),
		Entry("the removals", organization, ``, "spec.guard.maxRemovals", "10%"),
		Entry("the window, where another rule is set", organization, `spec: {guard: {minOwners: 3}}`, "spec.guard.window", "1h"),
		Entry("the delay", organization, ``, "spec.guard.removalDelay", "5m"),
		Entry("the delay, where another rule is set", organization, `spec: {guard: {minOwners: 3}}`, "spec.guard.removalDelay", "5m"),
		Entry("what becomes of undeclared users", organization, ``, "spec.undeclared.users", "Report"),
		Entry("what becomes of undeclared role assignments", organization, ``, "spec.undeclared.roleAssignments", "Ignore"),
		Entry("an Organization's observedGeneration", organization, ``, "status.observedGeneration", int64(-1)),
		Entry("an OrgUser's Organization", orgUser, ``, "spec.organizationRef.name", "default"),
		Entry("an OrgUser's Organization, where organizationRef is empty", orgUser, `spec: {organizationRef: {}}`, "spec.organizationRef.name", "default"),
		Entry("an OrgUser's deletionPolicy", orgUser, ``, "spec.deletionPolicy", "Delete"),
		Entry("an OrgUser's observedGeneration", orgUser, ``, "status.observedGeneration", int64(-1)),
		Entry("a binding's Organization", binding, ``, "spec.organizationRef.name", "default"),
		Entry("a binding's Organization, where organizationRef is empty", binding, `spec: {organizationRef: {}}`, "spec.organizationRef.name", "default"),
		Entry("a binding's deletionPolicy", binding, ``, "spec.deletionPolicy", "Delete"),
		Entry("a binding's observedGeneration", binding, ``, "status.observedGeneration", int64(-1)),
	)

	It("is not managed: what has no default stays unset", func(ctx SpecContext) {
		o := object(orgUser, "")
		Expect(k8s.Create(ctx, o)).To(Succeed())
		Expect(o.Object["spec"]).To(And(HaveLen(3), HaveKey("email"), HaveKey("organizationRef"), HaveKey("deletionPolicy")))
	})

	It("gets the defaults from Go too, where a field that is not set is its zero value", func(ctx SpecContext) {
		org := &v1alpha1.Organization{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "go-"},
			Spec:       v1alpha1.OrganizationSpec{AdminKeySecretRef: v1alpha1.SecretKeyReference{Name: "openai-admin-key"}},
		}
		Expect(k8s.Create(ctx, org)).To(Succeed())
		Expect(org.Spec.AdminKeySecretRef.Key).To(Equal("api-key"))
		Expect(org.Spec.ResyncInterval.Duration).To(Equal(10 * time.Minute))
		Expect(org.Spec.RequestsPerMinute).To(BeEquivalentTo(300))
		Expect(org.Spec.Guard.MinOwners).To(BeEquivalentTo(2))
		Expect(org.Spec.Guard.Window.Duration).To(Equal(time.Hour))
		Expect(org.Spec.Guard.RemovalDelay).To(HaveValue(Equal(metav1.Duration{Duration: 5 * time.Minute})))

		user := &v1alpha1.OrgUser{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "go-"},
			Spec:       v1alpha1.OrgUserSpec{Email: "ada@example.com"},
		}
		Expect(k8s.Create(ctx, user)).To(Succeed())
		Expect(user.Spec.OrganizationRef.Name).To(Equal("default"))
		Expect(user.Spec.DeletionPolicy).To(Equal(v1alpha1.DeletionPolicyDelete))
	})
})

var _ = Describe("A removalDelay of 0s", func() {
	noDelay := HaveValue(Equal(metav1.Duration{}))

	It("differs from an unset one and survives a Go client", func(ctx SpecContext) {
		o := object(organization, `spec: {guard: {removalDelay: 0s}}`)
		Expect(k8s.Create(ctx, o)).To(Succeed())
		var org v1alpha1.Organization
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), &org)).To(Succeed())
		Expect(org.Spec.Guard.RemovalDelay).To(noDelay)

		// A Go client that writes the whole object back must not get the default.
		org.Spec.Guard.MinOwners = 3
		Expect(k8s.Update(ctx, &org)).To(Succeed())
		org = v1alpha1.Organization{}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), &org)).To(Succeed())
		Expect(org.Spec.Guard.MinOwners).To(BeEquivalentTo(3))
		Expect(org.Spec.Guard.RemovalDelay).To(noDelay)

		Expect(k8s.Patch(ctx, &org, mergePatch(`spec: {guard: {removalDelay: null}}`))).To(Succeed())
		Expect(org.Spec.Guard.RemovalDelay).To(HaveValue(Equal(metav1.Duration{Duration: 5 * time.Minute})))
	})

	It("can be created from Go", func(ctx SpecContext) {
		org := &v1alpha1.Organization{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "go-"},
			Spec: v1alpha1.OrganizationSpec{
				AdminKeySecretRef: v1alpha1.SecretKeyReference{Name: "openai-admin-key"},
				Guard:             v1alpha1.Guard{RemovalDelay: &metav1.Duration{}},
			},
		}
		Expect(k8s.Create(ctx, org)).To(Succeed())
		Expect(org.Spec.Guard.RemovalDelay).To(noDelay)
		Expect(org.Spec.Guard.Window.Duration).To(Equal(time.Hour))
	})
})

var _ = Describe("The status of an Organization", func() {
	It("holds 1000 leavers", func(ctx SpecContext) {
		o := object(organization, "")
		Expect(k8s.Create(ctx, o)).To(Succeed())
		Expect(k8s.Status().Patch(ctx, o, mergePatch(leavers(1000)))).To(Succeed())
	})
})

var _ = Describe("A list by a field of the status", func() {
	DescribeTable("finds the objects with the ID, and those without one", func(ctx SpecContext, kind, field string) {
		mine := client.MatchingLabels{"listed-by": field}
		created := func(status string) string {
			o := object(kind, "")
			o.SetLabels(mine)
			Expect(k8s.Create(ctx, o)).To(Succeed())
			if status != "" {
				Expect(k8s.Status().Patch(ctx, o, mergePatch(status))).To(Succeed())
			}
			return o.GetName()
		}
		found := func(value string) []string {
			// Of both shapes in which rollcall may ask. No resourceVersion: a consistent list.
			whole, metadata := &unstructured.UnstructuredList{}, &metav1.PartialObjectMetadataList{}
			var names, again []string
			whole.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
			metadata.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
			selected := []client.ListOption{client.InNamespace(namespace), mine, client.MatchingFields{field: value}}
			Expect(k8s.List(ctx, whole, selected...)).To(Succeed())
			Expect(k8s.List(ctx, metadata, selected...)).To(Succeed())
			for _, o := range whole.Items {
				names = append(names, o.GetName())
			}
			for _, o := range metadata.Items {
				again = append(again, o.GetName())
			}
			Expect(again).To(ConsistOf(names))
			return names
		}
		segment := fields(field)[1]
		one, other, fresh := created(`status: {`+segment+`: id-1}`), created(`status: {`+segment+`: id-2}`), created(``)
		cleared := created(`status: {` + segment + `: ""}`)
		Expect(found("id-1")).To(ConsistOf(one))
		Expect(found("id-2")).To(ConsistOf(other))
		Expect(found("")).To(ConsistOf(fresh, cleared))
	},
		Entry("the user of an OrgUser", orgUser, "status.userID"),
		Entry("the role of a binding", binding, "status.roleID"),
	)
})

var _ = Describe("An empty text", func() {
	DescribeTable("differs from an unset field and survives", func(ctx SpecContext, field string, of func(*v1alpha1.OrgUser) **string) {
		cleared, unmanaged := object(orgUser, `spec: {`+field+`: ""}`), object(orgUser, ``)
		Expect(k8s.Create(ctx, cleared)).To(Succeed())
		Expect(k8s.Create(ctx, unmanaged)).To(Succeed())

		var user v1alpha1.OrgUser
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(unmanaged), &user)).To(Succeed())
		Expect(*of(&user)).To(BeNil())

		user = v1alpha1.OrgUser{}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(cleared), &user)).To(Succeed())
		Expect(*of(&user)).To(HaveValue(BeEmpty()))

		// A Go client that writes the whole object back must not lose it.
		Expect(k8s.Update(ctx, &user)).To(Succeed())
		user = v1alpha1.OrgUser{}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(cleared), &user)).To(Succeed())
		Expect(*of(&user)).To(HaveValue(BeEmpty()))

		Expect(k8s.Patch(ctx, &user, mergePatch(`spec: {`+field+`: null}`))).To(Succeed())
		Expect(*of(&user)).To(BeNil())
	},
		Entry("as developerPersona", "developerPersona", func(u *v1alpha1.OrgUser) **string { return &u.Spec.DeveloperPersona }),
		Entry("as technicalLevel", "technicalLevel", func(u *v1alpha1.OrgUser) **string { return &u.Spec.TechnicalLevel }),
	)
})
