package registry

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

func BenchmarkWhoStandsForAnOrganizationBesideManyOthers(b *testing.B) {
	all := New(Options{Now: time.Now})
	pair := link.Pair{Address: "https://api/v1", ID: "org-1"}
	o := all.begin(pair, budget.NewLimiter(300))
	all.noted[types.NamespacedName{Namespace: "team", Name: "acme"}] = pair
	for i := range 5000 {
		name := types.NamespacedName{Namespace: fmt.Sprintf("m%d", i), Name: "acme"}
		credential := link.NewCredential("sk-admin-"+name.Namespace, "https://evil/v1", false)
		all.links[name] = &key{Link: link.New(name, credential, nil, link.Terms{}, nil, &all.changes)}
	}
	for b.Loop() {
		all.objectsOf(o)
	}
}
