package examples_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// pipeline is a copy of examples/ci outside of this repository, in which the commands of its workflow are run.
type pipeline struct {
	folder, temporary string
	steps             []string
}

var _ = Describe("The example for a pipeline", Ordered, ContinueOnFailure, func() {
	var p *pipeline

	BeforeAll(func(ctx SpecContext) {
		p = &pipeline{filepath.Join(GinkgoT().TempDir(), "openai-members"), GinkgoT().TempDir(), nil}
		Expect(os.CopyFS(p.folder, os.DirFS(root+"/examples/ci"))).To(Succeed())
		checkout, err := filepath.Abs(root)
		Expect(err).NotTo(HaveOccurred())
		output, err := p.shell(ctx, `go mod edit -replace github.com/rollcall-dev/rollcall="`+checkout+`"`)
		Expect(err).NotTo(HaveOccurred(), output)
		var workflow struct {
			Jobs map[string]struct{ Steps []struct{ Run string } }
		}
		text, err := os.ReadFile(p.folder + "/.github/workflows/members.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml.Unmarshal(text, &workflow)).To(Succeed())
		for _, step := range workflow.Jobs["try"].Steps {
			if step.Run != "" {
				p.steps = append(p.steps, step.Run)
			}
		}
		Expect(p.steps).To(HaveLen(2))
		Expect(os.CopyFS(p.folder+"/.base/manifests", os.DirFS(p.folder+"/manifests"))).To(Succeed())
	})

	It("passes on a change that comes true, and says what a merge would change", func(ctx SpecContext) {
		p.edit("people.yaml", "role: reader", "role: owner")
		output, err := p.run(ctx)
		Expect(err).NotTo(HaveOccurred(), output)
		summary, err := os.ReadFile(p.temporary + "/summary")
		Expect(err).NotTo(HaveOccurred())
		Expect(string(summary)).To(MatchRegexp("^```\n.*\n.*POST /organization/users/user-gracehopper[0-9]+ +\\{\"role\":\"owner\"\\}\n```\n$"))
	})

	DescribeTable("fails on", func(ctx SpecContext, file, old, replacement, complaint string) {
		p.edit(file, old, replacement)
		output, err := p.run(ctx)
		Expect(err).To(HaveOccurred(), output)
		Expect(output).To(ContainSubstring(complaint))
	},
		Entry("a role that the organization does not have", "roles.yaml", "usage-viewers\nspec:\n  roleRef:\n    name: usage-viewer\n", "viewers\nspec:\n  roleRef:\n    name: usage-viwer\n", `no role with the name "usage-viwer"`),
		Entry("a change of what cannot be changed", "roles.yaml", "name: usage-viewer\n", "name: model-evaluator\n", "roleRef is immutable"),
		Entry("a manifest that the API server refuses", "people.yaml", "email: grace.hopper@example.com", "email: Grace", "email must be one address"),
		Entry("a binding of somebody who is not declared", "roles.yaml", "orgUser: grace", "orgUser: nobody", `no OrgUser "nobody"`),
		Entry("fewer owners than the guard keeps", "people.yaml", "email: margaret.hamilton@example.com\n  role: owner", "email: margaret.hamilton@example.com\n  role: reader", "spec.guard.minOwners"),
		Entry("somebody who is no colleague", "people.yaml", "grace.hopper@example.com", "grace.hopper@example.org", "grace.hopper@example.org is not in @example.com"),
	)
})

// edit changes one of the manifests of this spec.
func (p *pipeline) edit(file, old, replacement string) {
	GinkgoHelper()
	name := filepath.Join(p.folder, "manifests", file)
	text, err := os.ReadFile(name)
	Expect(err).NotTo(HaveOccurred())
	changed := strings.Replace(string(text), old, replacement, 1)
	Expect(changed).NotTo(Equal(string(text)))
	Expect(os.WriteFile(name, []byte(changed), 0o600)).To(Succeed())
	DeferCleanup(os.WriteFile, name, text, os.FileMode(0o600))
}

// run runs the steps of the workflow, until one fails.
func (p *pipeline) run(ctx context.Context) (string, error) {
	var all strings.Builder
	for _, step := range p.steps {
		output, err := p.shell(ctx, step)
		all.WriteString(output)
		if err != nil {
			return all.String(), err
		}
	}
	return all.String(), nil
}

func (p *pipeline) shell(ctx context.Context, commands string) (string, error) {
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	command.Dir = p.folder
	command.Env = append(os.Environ(), "GOWORK=off", "RUNNER_TEMP="+p.temporary, "GITHUB_STEP_SUMMARY="+p.temporary+"/summary")
	output, err := command.CombinedOutput()
	return string(output), err
}
