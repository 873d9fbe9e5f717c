package api_test

import (
	"encoding/json"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// kubectl runs the control plane's own kubectl and returns what it prints.
func kubectl(ctx SpecContext, arguments ...string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, plane.Kubectl, append([]string{
		"--kubeconfig=" + plane.Kubeconfig, "--cache-dir=" + plane.Folder, "--namespace=" + namespace,
	}, arguments...)...)
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "kubectl %s: %s", strings.Join(arguments, " "), output)
	return string(output)
}

func fields(path string) []string { return strings.Split(path, ".") }

var _ = Describe("kubectl", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		for _, kind := range []string{organization, orgUser, binding} {
			o := object(kind, "")
			o.SetName("shown")
			Expect(k8s.Create(ctx, o)).To(Succeed())
			if kind == orgUser {
				Expect(k8s.Status().Patch(ctx, o, mergePatch(`status: {email: ada.lovelace@example.com, role: owner, conditions: [
					{type: Ready, status: "False", reason: NotAMember, message: Invite them., lastTransitionTime: "2026-01-01T00:00:00Z"}]}`))).To(Succeed())
			}
		}
	})

	DescribeTable("finds every kind of a category", func(ctx SpecContext, category string) {
		Expect(strings.Fields(kubectl(ctx, "get", category, "--all-namespaces", "--output=name"))).To(ContainElements(
			"organization.openai.rollcall.dev/shown", "orguser.openai.rollcall.dev/shown", "orguserrolebinding.openai.rollcall.dev/shown"))
	},
		Entry("rollcall", "rollcall"),
		Entry("openai", "openai"),
	)

	DescribeTable("knows each kind by its names", func(ctx SpecContext, name, resource string) {
		Expect(kubectl(ctx, "get", name, "shown", "--output=name")).To(Equal(resource + ".openai.rollcall.dev/shown\n"))
	},
		Entry(nil, "oaiorg", "organization"), Entry(nil, "organizations", "organization"),
		Entry(nil, "orguser", "orguser"), Entry(nil, "orgusers", "orguser"),
		Entry(nil, "orgurb", "orguserrolebinding"), Entry(nil, "orguserrolebindings", "orguserrolebinding"),
	)

	DescribeTable("shows in its columns whether it is so, and if not why", func(ctx SpecContext, resource string, columns, wide []string) {
		Expect(header(kubectl(ctx, "get", resource))).To(Equal(append([]string{"NAME"}, columns...)))
		Expect(header(kubectl(ctx, "get", resource, "--output=wide"))).To(Equal(append(append([]string{"NAME"}, columns...), wide...)))
	},
		Entry(nil, "organizations", []string{"READY", "REASON", "USERS", "OWNERS", "DECLARED", "UNDECLARED", "LEAVING", "MODE", "LAST SYNC", "AGE"}, []string{"MESSAGE"}),
		Entry(nil, "orgusers", []string{"READY", "REASON", "EMAIL", "ROLE", "PLAN", "AGE"}, []string{"PERSONA", "LEVEL", "USER ID", "MESSAGE"}),
		Entry(nil, "orguserrolebindings", []string{"READY", "REASON", "ROLE", "ASSIGNED", "PLAN", "AGE"}, []string{"ROLE ID", "MESSAGE"}),
	)

	It("fills the columns", func(ctx SpecContext) {
		Expect(strings.Fields(kubectl(ctx, "get", "orguser", "shown", "--no-headers"))[:5]).To(
			Equal([]string{"shown", "False", "NotAMember", "ada.lovelace@example.com", "owner"}))
	})

	It("applies the samples by server-side apply, as Flux does, and again as another manager", func(ctx SpecContext) {
		const samples = "../../config/samples"
		Expect(kubectl(ctx, "apply", "--server-side", "--kustomize="+samples)).NotTo(ContainSubstring("Warning"))
		Expect(kubectl(ctx, "apply", "--server-side", "--kustomize="+samples, "--field-manager=other")).NotTo(ContainSubstring("Warning"))
		Expect(kubectl(ctx, "diff", "--server-side", "--kustomize="+samples, "--field-manager=other")).To(BeEmpty())
	})

	It("explains every kind and field", func(ctx SpecContext) {
		for _, crd := range crds() {
			explained := kubectl(ctx, "explain", crd.Spec.Names.Plural+".spec", "--recursive")
			Expect(explained).To(ContainSubstring("KIND:       " + crd.Spec.Names.Kind))
			walk(schemaOf(crd), "", func(path string, schema *apiextensionsv1.JSONSchemaProps) {
				what := crd.Spec.Names.Kind + " " + path
				if path == "apiVersion" || path == "kind" || path == "metadata" {
					return // not ours
				}
				if strings.HasSuffix(path, "[]") && schema.Type == "string" {
					return // the list says what its texts are
				}
				Expect(strings.TrimSpace(schema.Description)).NotTo(BeEmpty(), "%s has no description", what)
				Expect(schema.Description).NotTo(MatchRegexp(`\+(kubebuilder|optional|required|listType|structType)|TODO|nolint`), "a marker leaks into %s", what)
				Expect(schema.Description).To(HaveSuffix("."), "%s does not end in a full stop", what)
				for line := range strings.SplitSeq(schema.Description, "\n") {
					Expect(len(line)).To(BeNumerically("<=", 76), "kubectl explain would break this line of %s: %s", what, line)
				}
				if strings.HasPrefix(path, "spec") || strings.HasPrefix(path, "status") {
					segments := fields(path)
					name := segments[len(segments)-1]
					if !strings.HasSuffix(name, "[]") {
						Expect(schema.Description).To(HavePrefix(name+" "), "%s does not start with its name", what)
					}
				}
			})
		}
	})
})

var _ = Describe("The CustomResourceDefinitions", func() {
	It("are established under the names they ask for", func(ctx SpecContext) {
		var list apiextensionsv1.CustomResourceDefinitionList
		Expect(json.Unmarshal([]byte(kubectl(ctx, "get", "customresourcedefinitions", "--output=json")), &list)).To(Succeed())
		Expect(list.Items).To(HaveLen(3))
		for _, crd := range list.Items {
			Expect(crd.Spec.Scope).To(Equal(apiextensionsv1.NamespaceScoped))
			Expect(crd.Status.AcceptedNames).To(Equal(crd.Spec.Names), crd.Name)
			for _, condition := range crd.Status.Conditions {
				Expect(string(condition.Status)).To(Equal("True"), "%s: %s: %s", crd.Name, condition.Type, condition.Message)
			}
		}
	})
})

// header splits the first line of a table; columns stand at least two blanks apart.
func header(table string) []string {
	line, _, _ := strings.Cut(table, "\n")
	var columns []string
	for column := range strings.SplitSeq(line, "  ") {
		if column = strings.TrimSpace(column); column != "" {
			columns = append(columns, column)
		}
	}
	return columns
}
