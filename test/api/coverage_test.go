package api_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

var _ = Describe("The refusals above", func() {
	It("leave no validation rule of the CustomResourceDefinitions untried", func() {
		var untried []string
		rules := 0
		for _, crd := range crds() {
			kind := crd.Spec.Names.Kind
			walk(schemaOf(crd), "", func(path string, schema *apiextensionsv1.JSONSchemaProps) {
				for _, complaint := range rulesOf(path, schema) {
					rules++
					if !triedBySomeCase(kind, complaint) {
						untried = append(untried, kind+" "+complaint)
					}
				}
			})
		}
		Expect(rules).To(BeNumerically(">", 80), "the rules were not found in the schemas")
		Expect(untried).To(BeEmpty(), "write a case in the file of the kind for each of these, as the API server says them")
	})
})

// rulesOf returns for each rule on a schema how its refusal begins; "*" stands for the refused value, and what
// follows the beginning is left to the case.
func rulesOf(path string, s *apiextensionsv1.JSONSchemaProps) []string {
	var all []string
	add := func(format string, arguments ...any) {
		all = append(all, path+": "+fmt.Sprintf(format, arguments...))
	}
	if s.MinLength != nil {
		add("Invalid value: *should be at least %d chars long", *s.MinLength)
	}
	if s.MaxLength != nil {
		add("Too long: may not be more than %d bytes", *s.MaxLength)
	}
	if s.Minimum != nil {
		add("Invalid value: *should be greater than or equal to %v", int64(*s.Minimum))
	}
	if s.Maximum != nil {
		add("Invalid value: *should be less than or equal to %v", int64(*s.Maximum))
	}
	if s.MaxItems != nil {
		add("Too many: %d: must have at most %d items", *s.MaxItems+1, *s.MaxItems)
	}
	if listType := ptr.Deref(s.XListType, ""); listType == "set" || listType == "map" {
		all = append(all, path+"[]: Duplicate value: ")
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, value := range s.Enum {
			values = append(values, string(value.Raw))
		}
		add("Unsupported value: *supported values: %s", strings.Join(values, ", "))
	}
	for _, rule := range s.XValidations {
		add("Invalid value: *%s", rule.Message)
	}
	for _, name := range s.Required {
		all = append(all, strings.TrimPrefix(path+"."+name, ".")+": Required value")
	}
	for rule, set := range map[string]bool{
		"pattern": s.Pattern != "", "minItems": s.MinItems != nil, "uniqueItems": s.UniqueItems, "multipleOf": s.MultipleOf != nil,
		"oneOf": len(s.OneOf) > 0, "anyOf": len(s.AnyOf) > 0 && !s.XIntOrString, "allOf": len(s.AllOf) > 0, "not": s.Not != nil,
		"minProperties": s.MinProperties != nil, "maxProperties": s.MaxProperties != nil,
	} {
		if set {
			all = append(all, path+": the rule "+rule+" is new here; teach rulesOf what its refusal looks like")
		}
	}
	return all
}

var index = regexp.MustCompile(`\[\d+\]`)

func triedBySomeCase(kind, complaint string) bool {
	before, after, _ := strings.Cut(complaint, "*")
	for _, r := range allRefusals() {
		if r.kind != kind {
			continue
		}
		for _, says := range r.says {
			said := index.ReplaceAllString(says, "[]")
			if strings.HasPrefix(said, before) && strings.HasSuffix(said, after) {
				return true
			}
		}
	}
	return false
}

// crds reads the generated CustomResourceDefinitions.
func crds() []*apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(crdFolder, "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(files).To(HaveLen(3))
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		crd := &apiextensionsv1.CustomResourceDefinition{}
		Expect(yaml.UnmarshalStrict(text, crd)).To(Succeed())
		all = append(all, crd)
	}
	return all
}

func schemaOf(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.JSONSchemaProps {
	GinkgoHelper()
	Expect(crd.Spec.Versions).To(HaveLen(1))
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// walk visits a schema and all below it, but for the inside of conditions, which is Kubernetes' own.
func walk(schema *apiextensionsv1.JSONSchemaProps, path string, visit func(path string, schema *apiextensionsv1.JSONSchemaProps)) {
	visit(path, schema)
	for name, property := range schema.Properties {
		walk(&property, strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if schema.Items != nil && schema.Items.Schema != nil && path != "status.conditions" {
		walk(schema.Items.Schema, path+"[]", visit)
	}
}
