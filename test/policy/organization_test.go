package policy_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func organizations() {
	BeforeAll(func(ctx SpecContext) {
		newTeam(ctx, "rules")
		must(ctx, granter, anOrganization("paused"), "create", "-n", "rules", "-f", "-")
		kubectl(ctx, granter, "annotate", "oaiorg", "paused", "-n", "rules", "openai.rollcall.dev/paused=true")
	})

	const decides = "an Organization decides about owners, so you may not "
	DescribeTable("may be changed by those who", func(ctx SpecContext, stdin, organization, refusal string, arguments ...string) {
		arguments = append(arguments, "-n", "rules", "--dry-run=server")
		_, err := try(ctx, tenant, stdin, arguments...)
		if refusal == "" {
			Expect(err).NotTo(HaveOccurred())
		} else {
			Expect(err).To(MatchError(And(
				ContainSubstring("Error from server (Forbidden)"), ContainSubstring("ValidatingAdmissionPolicy 'rollcall-organization'"),
				ContainSubstring("denied request: "+decides+refusal+ask+"rules (verb grant-owner on the Organization "+organization+")"))))
		}
		must(ctx, granter, stdin, arguments...)
	},
		Entry("make one: granters", anOrganization("another"), "another", "create it", "create", "-f", "-"),
		Entry("take another key: granters", "", "default", "change its spec",
			"patch", "oaiorg", "default", "--type=merge", "-p", `{"spec":{"adminKeySecretRef":{"name":"other"}}}`),
		Entry("have nothing enforced: granters", "", "default", "change its spec",
			"patch", "oaiorg", "default", "--type=merge", "-p", `{"spec":{"mode":"Observe"}}`),
		Entry("lower the guard: granters", "", "default", "change its spec",
			"patch", "oaiorg", "default", "--type=merge", "-p", `{"spec":{"guard":{"minOwners":5}}}`),
		Entry("have all removed whom no OrgUser declares: granters", "", "default", "change its spec",
			"patch", "oaiorg", "default", "--type=merge", "-p", `{"spec":{"undeclared":{"users":"Remove"}}}`),
		Entry("pause it: granters", "", "default", "set or remove its annotation openai.rollcall.dev/paused",
			"annotate", "oaiorg", "default", "openai.rollcall.dev/paused=true"),
		Entry("let it go on: granters", "", "paused", "set or remove its annotation openai.rollcall.dev/paused",
			"annotate", "oaiorg", "paused", "openai.rollcall.dev/paused-"),
		Entry("delete it: granters", "", "default", "delete it", "delete", "oaiorg", "default"),
		Entry("ask for a reading: anybody", "", "default", "",
			"annotate", "oaiorg", "default", "openai.rollcall.dev/sync-requested-at=now"),
		Entry("label it: anybody", "", "default", "", "label", "oaiorg", "default", "team=a"),
		Entry("apply it again without a change: anybody", anOrganization("default"), "default", "",
			"apply", "--server-side", "--force-conflicts", "-f", "-"),
	)

	It("may be made under a name that the API server makes up by granters", func(ctx SpecContext) {
		nameless := strings.Replace(anOrganization("another"), "{name: another}", "{generateName: another-}", 1)
		_, err := try(ctx, tenant, nameless, "create", "-n", "rules", "--dry-run=server", "-f", "-")
		Expect(err).To(MatchError(MatchRegexp(decides + `create it\` + ask + `rules \(verb grant-owner on the Organization another-\w+\)`)))
		must(ctx, granter, nameless, "create", "-n", "rules", "--dry-run=server", "-f", "-")
	})

	It("have a right that nobody gives who does not hold it, though they give rights in the namespace", func(ctx SpecContext) {
		const giver = "giver"
		for _, role := range []string{"system:aggregate-to-admin", "rollcall-organization-admin-role", "rollcall-orguser-admin-role"} {
			kubectl(ctx, administrator, "create", "rolebinding", giver+"-"+strings.ReplaceAll(role, ":", "-"), "-n", "rules",
				"--clusterrole="+role, "--user="+giver)
		}
		give := func(arguments ...string) error {
			_, err := try(ctx, giver, "", append(arguments, "-n", "rules", "--dry-run=server")...)
			return err
		}
		Eventually(give).WithArguments("create", "rolebinding", "mine", "--clusterrole=rollcall-orguser-admin-role", "--user=friend").Should(Succeed())
		for _, arguments := range [][]string{
			{"create", "rolebinding", "mine", "--clusterrole=rollcall-organization-owner-granter", "--user=" + giver},
			{"create", "role", "mine", "--verb=grant-owner", "--resource=organizations.openai.rollcall.dev"},
			{"create", "role", "mine", "--verb=*", "--resource=organizations.openai.rollcall.dev"},
		} {
			Expect(give(arguments...)).To(MatchError(ContainSubstring("is attempting to grant RBAC permissions not currently held")))
		}
	})
}

// bindings need no policy: the kinds themselves refuse the role of the owners to everybody.
func bindings() {
	DescribeTable("give", func(ctx SpecContext, roleRef, refusal string) {
		manifest := `{apiVersion: openai.rollcall.dev/v1alpha1, kind: OrgUserRoleBinding, metadata: {name: try},
			spec: {roleRef: {` + roleRef + `}, subjects: [{email: grace@example.com}]}}`
		for _, user := range []string{tenant, granter} {
			_, err := try(ctx, user, manifest, "create", "-n", "rules", "--dry-run=server", "-f", "-")
			if refusal == "" {
				Expect(err).NotTo(HaveOccurred())
			} else {
				Expect(err).To(MatchError(ContainSubstring(refusal)))
			}
		}
	},
		Entry("a role that is not predefined: by anybody", "name: viewer", ""),
		Entry("the owner's by name: by nobody", "name: owner", "owner and reader cannot be bound; set spec.role on the OrgUser instead"),
		Entry("the owner's by a name in other letters: by nobody", "name: OWNER", "owner and reader cannot be bound; set spec.role on the OrgUser instead"),
		Entry("the owner's by its ID: by nobody", "id: role-api-organization-owner__api-organization__org-rules",
			"the predefined roles owner and reader cannot be bound; set spec.role on the OrgUser instead"),
	)
}
