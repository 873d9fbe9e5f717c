// Package members_test tries the manifests on a Kubernetes API server and a simulated organization before they are
// merged: are they accepted, does everything that they declare come true, and what would be changed?
package members_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

// What is known of the organization, and does not stand in the manifests.
var (
	// roles that it offers. A binding that names another is a mistake.
	roles = []string{"usage-viewer", "model-evaluator"}
	// others is how many people it has whom no manifest names: the guard reckons in percent of all.
	others = 50
	// domain that everybody's address is in.
	domain = "@example.com"
)

var (
	manifests   = flag.String("manifests", "manifests", "folder of the kustomization to try")
	base        = flag.String("base", "", "folder of the kustomization as it is now; none: nothing is declared yet")
	changesFile = flag.String("changes", "", "file to write to what a merge would change")
)

func TestTheManifestsComeTrue(t *testing.T) {
	c := start(t)
	after := c.render(*manifests)
	var before []object
	if *base != "" {
		before = c.render(*base)
	}
	c.join(append(slices.Clone(before), after...))
	if *base != "" {
		c.apply(*base)
		c.settle()
		c.orgsim("journal", "--clear")
	}

	c.apply(*manifests)
	c.prune(before, after)
	c.settle()

	changes := c.orgsim("journal", "--changes")
	t.Logf("what a merge would change:\n%s", changes)
	if *changesFile != "" {
		if err := os.WriteFile(*changesFile, []byte(changes+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A rule of one's own: nobody but colleagues.
func TestEverybodyIsAColleague(t *testing.T) {
	for _, o := range (&cluster{T: t}).render(*manifests) {
		if o.Spec.Email != "" && !strings.HasSuffix(strings.ToLower(o.Spec.Email), domain) {
			t.Errorf("%s: %s is not in %s", o.name(), o.Spec.Email, domain)
		}
	}
}
