package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Whoever reads a reason in a condition or an event finds it in the operations page.
func TestEveryReasonIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range []string{"conditions.go", "events.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), "../../api/v1alpha1/"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") && !strings.HasPrefix(spec.Names[0].Name, "Event") {
				return true
			}
			found++
			reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Error(err)
			}
			if !strings.Contains(string(page), "`"+reason+"`") {
				t.Errorf("docs/operations.md does not explain %s (%s)", reason, spec.Names[0].Name)
			}
			return true
		})
	}
	if found < 20 {
		t.Errorf("only %d reasons found in api/v1alpha1", found)
	}
}
