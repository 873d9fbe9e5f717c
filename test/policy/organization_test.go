package policy_test

import (
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
}
