package policy_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// What a refusal says about how to get the right.
const (
	ask         = ". Ask for the ClusterRole rollcall-organization-owner-granter in namespace "
	askForOwner = ask + "owners (verb grant-owner on the Organization default)"
)

// attempt is what somebody does to the namespace owners, in which are ada, whom granter declared as an owner, bob, of
// whom rollcall found out that he is an owner, the readers grace and alan, and kay and lee, whom granter declared, kay as
// an owner and lee by the ID of a role, and who have not joined, so that only the spec tells.
type attempt struct {
	// manifest is what kubectl reads.
	manifest string
	// arguments of kubectl, with spaces between them; those of a patch are JSON without spaces.
	arguments string
	// refusal is what the tenant is told. "": nothing, the tenant may.
	refusal string
}

func (a attempt) by(ctx context.Context, user string) error {
	_, err := try(ctx, user, a.manifest, append(strings.Fields(a.arguments), "-n", "owners", "--dry-run=server")...)
	return err
}

func orgUsers() {
	BeforeAll(func(ctx SpecContext) {
		newTeam(ctx, "owners")
		must(ctx, granter, orgUser("ada", "role: owner"), "create", "-n", "owners", "-f", "-")
		must(ctx, granter, orgUser("kay", "role: owner"), "create", "-n", "owners", "-f", "-")
		must(ctx, granter, orgUser("lee", "roleID: role-1"), "create", "-n", "owners", "-f", "-")
		for _, person := range []string{"bob", "grace", "alan"} {
			must(ctx, tenant, orgUser(person), "create", "-n", "owners", "-f", "-")
		}
		must(ctx, granter, `{apiVersion: openai.rollcall.dev/v1alpha1, kind: OrgUser, metadata: {name: elsewhere},
			spec: {email: elsewhere@example.com, role: reader, organizationRef: {name: elsewhere}}}`, "create", "-n", "owners", "-f", "-")
		kubectl(ctx, administrator, "wait", "orguser", "kay", "lee", "-n", "owners", "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=NotAMember", "--timeout=60s")
		kubectl(ctx, administrator, "wait", "orguser", "ada", "bob", "grace", "alan", "-n", "owners", "--for=condition=Ready", "--timeout=60s")
		Expect(kubectl(ctx, tenant, "get", "orguser", "bob", "-n", "owners", "-o", "jsonpath={.status.role}")).To(Equal("owner"))
	})

	// What the tenant may, granter may too.
	DescribeTable("may be changed by those who", func(ctx SpecContext, a attempt) {
		if a.refusal == "" {
			Expect(a.by(ctx, tenant)).To(Succeed())
		} else {
			Expect(a.by(ctx, tenant)).To(MatchError(And(
				ContainSubstring("Error from server (Forbidden)"), ContainSubstring("ValidatingAdmissionPolicy 'rollcall-orguser'"),
				ContainSubstring("denied request: "+a.refusal+askForOwner))))
		}
		Expect(a.by(ctx, granter)).To(Succeed())
	},
		Entry("declare a reader: anybody", attempt{orgUser("emmy", "role: reader"), "create -f -", ""}),
		Entry("declare somebody without a role: anybody", attempt{orgUser("emmy"), "create -f -", ""}),
		Entry("declare an owner: granters", attempt{orgUser("emmy", "role: owner"), "create -f -", maySet}),
		Entry("declare an owner by the name that is the default: granters",
			attempt{orgUser("emmy", "role: owner", "organizationRef: {name: default}"), "create -f -", maySet}),
		Entry("declare an owner by server-side apply: granters", attempt{orgUser("emmy", "role: owner"), "apply --server-side -f -", maySet}),
		Entry("declare an owner by the user's ID: granters", attempt{byID("owner"), "create -f -", maySet}),
		Entry("declare an owner under a name that the API server makes up: granters", attempt{nameless("owner"), "create -f -", maySet}),
		Entry("declare a reader under a name that the API server makes up: anybody", attempt{nameless("reader"), "create -f -", ""}),
		Entry("declare a role by its ID, which may be the owner's: granters", attempt{orgUser("emmy", "roleID: role-1"), "create -f -", maySet}),

		Entry("promote somebody: granters", patch("grace", `{"spec":{"role":"owner"}}`, maySet)),
		Entry("promote somebody by server-side apply: granters",
			attempt{orgUser("grace", "role: owner"), "apply --server-side --force-conflicts -f -", maySet}),
		Entry("promote somebody by putting another object in place: granters", attempt{orgUser("grace", "role: owner"), "replace -f -", maySet}),
		Entry("promote somebody by the role's ID: granters", patch("grace", `{"spec":{"roleID":"role-1"}}`, maySet)),
		Entry("declare the role of a reader: anybody", patch("grace", `{"spec":{"role":"reader"}}`, "")),
		Entry("change what else there is of a reader: anybody", patch("grace", `{"spec":{"technicalLevel":"expert","deletionPolicy":"Retain"}}`, "")),
		Entry("demote an owner: granters", patch("ada", `{"spec":{"role":"reader"}}`, mayChange)),
		Entry("stop declaring an owner: granters", patch("ada", `{"spec":{"role":null}}`, mayChange)),
		Entry("demote who is found to be an owner: granters", patch("bob", `{"spec":{"role":"reader"}}`, mayChange)),
		Entry("promote who is an owner already: granters", patch("bob", `{"spec":{"role":"owner"}}`, mayChange)),
		Entry("demote who is to be an owner: granters", patch("kay", `{"spec":{"role":"reader"}}`, mayChange)),
		Entry("stop declaring a role by its ID: granters", patch("lee", `{"spec":{"roleID":null}}`, mayChange)),
		Entry("have an owner stay who is to be removed: granters", patch("ada", `{"spec":{"deletionPolicy":"Retain"}}`, mayChange)),
		Entry("label an owner: anybody", patch("ada", `{"metadata":{"labels":{"team":"a"},"annotations":{"note":"x"}}}`, "")),
		Entry("apply an owner again without a change: anybody", attempt{orgUser("ada", "role: owner"), "apply --server-side --force-conflicts -f -", ""}),

		Entry("delete a reader: anybody", attempt{"", "delete orguser grace", ""}),
		Entry("delete an owner: granters", attempt{"", "delete orguser ada", mayDelete}),
		Entry("delete who is found to be an owner: granters", attempt{"", "delete orguser bob", mayDelete}),
		Entry("delete who is to be an owner: granters", attempt{"", "delete orguser kay", mayDelete}),
		Entry("delete who is declared by a role's ID: granters", attempt{"", "delete orguser lee", mayDelete}),
		Entry("delete an owner with what depends on it: granters", attempt{"", "delete orguser ada --cascade=foreground", mayDelete}),

		Entry("pause a reader: anybody", patch("grace", `{"metadata":{"annotations":{"openai.rollcall.dev/paused":"true"}}}`, "")),
		Entry("pause an owner: granters", patch("ada", `{"metadata":{"annotations":{"openai.rollcall.dev/paused":"true"}}}`, mayPause)),
		Entry("pause who is found to be an owner: granters", patch("bob", `{"metadata":{"annotations":{"openai.rollcall.dev/paused":"true"}}}`, mayPause)),
		Entry("take the finalizer off a reader: anybody", patch("grace", `{"metadata":{"finalizers":null}}`, "")),
		Entry("take the finalizer off an owner: granters", patch("ada", `{"metadata":{"finalizers":null}}`, mayRelease)),
		Entry("take the finalizer off who is found to be an owner: granters", patch("bob", `{"metadata":{"finalizers":["example.com/other"]}}`, mayRelease)),
		Entry("add a finalizer to an owner: anybody", patch("ada", `{"metadata":{"finalizers":["openai.rollcall.dev/finalizer","example.com/other"]}}`, "")),
	)

	It("of another Organization need the right for that one", func(ctx SpecContext) {
		promote := patch("elsewhere", `{"spec":{"role":"owner"}}`, "")
		refused := MatchError(ContainSubstring("you may not set spec.role to owner, nor spec.roleID, which may be that of the owners" +
			ask + "owners (verb grant-owner on the Organization elsewhere)"))
		kubectl(ctx, administrator, "create", "role", "one", "-n", "owners", "--verb=grant-owner",
			"--resource=organizations.openai.rollcall.dev", "--resource-name=default")
		kubectl(ctx, administrator, "create", "rolebinding", "one", "-n", "owners", "--role=one", "--user="+ofOne)
		kubectl(ctx, administrator, "create", "rolebinding", "one-writes", "-n", "owners", "--clusterrole=rollcall-orguser-editor-role", "--user="+ofOne)
		Eventually(promote.by).WithArguments(ctx, ofOne).Should(refused)
		Eventually(patch("grace", `{"spec":{"role":"owner"}}`, "").by).WithArguments(ctx, ofOne).Should(Succeed())
	})

	It("cannot be moved to an Organization for which somebody has the right", func(ctx SpecContext) {
		move := patch("elsewhere", `{"spec":{"organizationRef":{"name":"default"},"role":"owner"}}`, "")
		for _, user := range []string{tenant, granter} {
			Expect(move.by(ctx, user)).To(MatchError(ContainSubstring("organizationRef is immutable")))
		}
	})

	It("may be let go by rollcall itself, which may not make owners", func(ctx SpecContext) {
		Expect(patch("ada", `{"metadata":{"finalizers":null}}`, "").by(ctx, manager)).To(Succeed())
		Expect(patch("grace", `{"spec":{"role":"owner"}}`, "").by(ctx, manager)).To(MatchError(ContainSubstring(maySet + askForOwner)))
		Expect(patch("ada", `{"spec":{"role":"reader"}}`, "").by(ctx, manager)).To(MatchError(ContainSubstring(mayChange + askForOwner)))
	})

	It("of owners cannot be deleted all at once by a tenant", func(ctx SpecContext) {
		// Not by kubectl, which deletes one by one.
		Expect(deleteAll(ctx, tenant, "owners")).To(MatchError(ContainSubstring("denied request: " + mayDelete + askForOwner)))
		Expect(kubectl(ctx, administrator, "get", "orguser", "-n", "owners", "-o", "name")).To(And(
			ContainSubstring("orguser.openai.rollcall.dev/ada"), ContainSubstring("orguser.openai.rollcall.dev/bob")))
		Expect(role("ada")).To(Equal("owner"))
		Expect(role("bob")).To(Equal("owner"))
	})
}

// The refusals of the policy for OrgUsers.
const (
	maySet     = "you may not set spec.role to owner, nor spec.roleID, which may be that of the owners"
	mayChange  = "this OrgUser is of an owner, so you may not change its spec"
	mayDelete  = "this OrgUser is of an owner, so you may not delete it"
	mayPause   = "this OrgUser is of an owner, so you may not set or remove its annotation openai.rollcall.dev/paused"
	mayRelease = "this OrgUser is of an owner, so you may not remove its finalizer"
	// ofOne may decide about the owners of one Organization.
	ofOne = "granter-of-one"
)

// byID is a manifest of emmy by her ID.
func byID(role string) string {
	return `{apiVersion: openai.rollcall.dev/v1alpha1, kind: OrgUser, metadata: {name: emmy}, spec: {userID: user-emmy, role: ` + role + `}}`
}

// nameless is a manifest of emmy whose name is made up.
func nameless(role string) string {
	return `{apiVersion: openai.rollcall.dev/v1alpha1, kind: OrgUser, metadata: {generateName: emmy-}, spec: {email: emmy@example.com, role: ` + role + `}}`
}

func patch(name, text, refusal string) attempt {
	return attempt{arguments: "patch orguser " + name + " --type=merge -p " + text, refusal: refusal}
}
