package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

const (
	organization = "Organization"
	orgUser      = "OrgUser"
	binding      = "OrgUserRoleBinding"
)

// valid returns the least that each kind needs. Every case is one change away from it.
func valid(kind string) string {
	return map[string]string{
		organization: `spec: {adminKeySecretRef: {name: openai-admin-key}}`,
		orgUser:      `spec: {email: ada.lovelace@example.com}`,
		binding:      `spec: {roleRef: {id: role-usage-viewer}, subjects: [{orgUser: ada}]}`,
	}[kind]
}

// refusal is one manifest that the API server must refuse, and all that it must say about it.
type refusal struct {
	kind     string
	sentence string
	// before and change are merge patches in YAML: before makes the object out of the valid one, change is what
	// is refused.
	before, change string
	send           func(ctx context.Context, r refusal) error
	// says is every complaint, as "path of the field: what is wrong".
	says []string
}

// creating: the valid object of the kind, changed so, cannot be created.
func creating(kind, sentence, change string, says ...string) refusal {
	return refusal{kind: kind, sentence: sentence, change: change, says: says, send: func(ctx context.Context, r refusal) error {
		return k8s.Create(ctx, object(r.kind, r.change))
	}}
}

// updating: the object that before makes can be created, and then not be changed so.
func updating(kind, sentence, before, change string, says ...string) refusal {
	return refusal{kind: kind, sentence: sentence, before: before, change: change, says: says, send: func(ctx context.Context, r refusal) error {
		o := object(r.kind, r.before)
		Expect(k8s.Create(ctx, o)).To(Succeed())
		return k8s.Patch(ctx, o, mergePatch(r.change))
	}}
}

// reporting: this status cannot be written.
func reporting(kind, sentence, change string, says ...string) refusal {
	return refusal{kind: kind, sentence: sentence, change: change, says: says, send: func(ctx context.Context, r refusal) error {
		o := object(r.kind, "")
		Expect(k8s.Create(ctx, o)).To(Succeed())
		return k8s.Status().Patch(ctx, o, mergePatch(r.change))
	}}
}

func allRefusals() []refusal {
	var all []refusal
	all = append(all, organizationRefusals()...)
	all = append(all, orgUserRefusals()...)
	return append(all, bindingRefusals()...)
}

var _ = Describe("The API server refuses", func() {
	for _, r := range allRefusals() {
		It(r.kind+": "+r.sentence, func(ctx SpecContext) {
			err := r.send(ctx, r)
			Expect(err).To(HaveOccurred(), "it was accepted")
			Expect(complaints(err)).To(ConsistOf(r.says))
		})
	}
})

// complaints returns what the API server said, one string a field.
func complaints(err error) []string {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		return []string{"not a refusal by validation: " + err.Error()}
	}
	var all []string
	for _, cause := range status.Status().Details.Causes {
		// Said in addition wherever a simple rule was broken, since CEL rules are then left out.
		if strings.Contains(cause.Message, "some validation rules were not checked") {
			continue
		}
		all = append(all, cause.Field+": "+cause.Message)
	}
	return all
}

// object is the valid object of the kind with a merge patch in YAML applied.
func object(kind, change string) *unstructured.Unstructured {
	GinkgoHelper()
	content := merge(parse(valid(kind)), parse(change))
	o := &unstructured.Unstructured{Object: content}
	o.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	o.SetNamespace(namespace)
	o.SetGenerateName("case-")
	return o
}

func mergePatch(change string) client.Patch {
	GinkgoHelper()
	patch, err := yaml.YAMLToJSON([]byte(change))
	Expect(err).NotTo(HaveOccurred())
	return client.RawPatch(types.MergePatchType, patch)
}

func parse(text string) map[string]any {
	GinkgoHelper()
	content := map[string]any{}
	Expect(yaml.Unmarshal([]byte(text), &content)).To(Succeed(), "bad YAML in the test: %s", text)
	return content
}

// merge applies a JSON merge patch (RFC 7386).
func merge(into, patch map[string]any) map[string]any {
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(into, key)
		case map[string]any:
			inner, _ := into[key].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			into[key] = merge(inner, value)
		default:
			into[key] = value
		}
	}
	return into
}

// chars is a text of n characters that is a valid name, ID and key.
func chars(n int) string { return strings.Repeat("a", n) }

// address is an email address of n characters.
func address(n int) string { return strings.Repeat("a", n-len("@example.com")) + "@example.com" }

// subjectStates is a YAML list of n subjects as a status has them.
func subjectStates(n int) string {
	return "[" + strings.Repeat("{state: Pending, subject: {orgUser: ada}},", n) + "]"
}

// leaving is a status in YAML with these leavers.
func leaving(leavers ...string) string {
	return "status: {leaving: [{" + strings.Join(leavers, "}, {") + "}]}"
}

// leaver is the inside of a leaver in YAML, with all that one needs but for what is left out.
func leaver(id string, without ...string) string {
	var fields []string
	for _, field := range []string{"userID: " + id, "orgUser: ada", `since: "2026-01-01T00:00:00Z"`, `due: "2026-01-01T00:05:00Z"`} {
		if name, _, _ := strings.Cut(field, ":"); !slices.Contains(without, name) {
			fields = append(fields, field)
		}
	}
	return strings.Join(fields, ", ")
}

// leavers is a status in YAML with n leavers.
func leavers(n int) string {
	var all []string
	for i := range n {
		all = append(all, leaver(fmt.Sprintf("user-%d", i)))
	}
	return leaving(all...)
}

// conditions is a status in YAML with a condition of each type.
func conditions(conditionTypes ...string) string {
	var list strings.Builder
	for _, conditionType := range conditionTypes {
		fmt.Fprintf(&list, `{type: %s, status: "True", reason: InSync, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"},`, conditionType)
	}
	return "status: {conditions: [" + list.String() + "]}"
}

func tooManyConditions(kind string) refusal {
	var seventeen []string
	for i := range 17 {
		seventeen = append(seventeen, fmt.Sprintf("Type%d", i))
	}
	return reporting(kind, "17 conditions", conditions(seventeen...),
		`status.conditions: Too many: 17: must have at most 16 items`)
}

func tooLongPlan(kind string) refusal {
	return reporting(kind, "a plan of 51 lines", `status: {plan: [`+strings.Repeat("remove somebody,", 51)+`]}`,
		`status.plan: Too many: 51: must have at most 50 items`)
}

func endlessPlanLine(kind string) refusal {
	return reporting(kind, "a plan with an endless line", `status: {plan: [`+chars(1025)+`]}`,
		`status.plan[0]: Too long: may not be more than 1024 bytes`)
}

func twoConditionsOfOneType(kind string) refusal {
	return reporting(kind, "two conditions of one type", conditions("Ready", "Ready"),
		`status.conditions[1]: Duplicate value: {"type":"Ready"}`)
}

// subjects is a YAML list of n subjects.
func subjects(n int) string {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "{email: user-%d@example.com},", i)
	}
	return "[" + list.String() + "]"
}

// longSubjects is a YAML list of n subjects whose emails are as long as can be and differ at the end only, which
// is what costs the API server most.
func longSubjects(n int) string {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "{email: %s%04d@example.com},", chars(254-len("0000@example.com")), i)
	}
	return "[" + list.String() + "]"
}

// repeating is a YAML list of 1000 subjects of which the one at index first stands again at index second.
func repeating(first, second int) string {
	list := strings.Split(strings.Trim(subjects(1000), "[,]"), ",")
	list[second] = list[first]
	return "[" + strings.Join(list, ",") + "]"
}
