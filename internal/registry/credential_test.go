package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/link"
)

func TestNothingThatHoldsACredentialShowsItWhenItIsFormatted(t *testing.T) {
	cred := link.NewCredential("sk-admin-THEKEY", "https://api.example/THEADDRESS", false)
	organizations := New(Options{Now: time.Now})
	object := types.NamespacedName{Namespace: "team-a", Name: "default"}
	if err := organizations.Connect(object, cred, link.Terms{RequestsPerMinute: 1}, link.Pair{}, ""); err != nil {
		t.Fatal(err)
	}
	l := organizations.links[object]
	pair := link.Pair{Address: "https://api.example", ID: "org-1"}
	l.Found(pair)
	o := organizations.begin(pair, l.Client().Limiter())
	organizations.join(o, l)
	for _, value := range []any{cred, &cred, l, l.Link, organizations, o, organizations.links, []link.Credential{cred}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			text := fmt.Sprintf(verb, value)
			encoded, err := json.Marshal(value)
			for _, secret := range []string{"THEKEY", "THEADDRESS", fmt.Sprintf("%x", "THEKEY")} {
				if strings.Contains(text, secret) || strings.Contains(string(encoded), secret) {
					t.Errorf("%s of a %T shows %s: %s, as JSON %s, %v", verb, value, secret, text, encoded, err)
				}
			}
		}
	}
	if again := link.NewCredential(strings.Clone("sk-admin-THEKEY"), " https://api.example/THEADDRESS", false); again != cred {
		t.Error("the same key makes another credential")
	}
}
