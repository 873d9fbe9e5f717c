package organization

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestNothingThatHoldsACredentialShowsItWhenItIsFormatted(t *testing.T) {
	cred := NewCredential("sk-admin-THEKEY", "https://api.example/THEADDRESS", false)
	organizations := New(Options{Now: time.Now})
	object := types.NamespacedName{Namespace: "team-a", Name: "default"}
	if err := organizations.Connect(object, cred, Terms{RequestsPerMinute: 1}, Pair{}, ""); err != nil {
		t.Fatal(err)
	}
	l := organizations.links[object]
	l.pair = Pair{"https://api.example", "org-1"}
	o := newOrganization(organizations.world, l.pair, l.client.Limiter())
	organizations.byPair[l.pair] = o
	o.join(l)
	for _, value := range []any{cred, &cred, l, organizations, o, organizations.links, []Credential{cred}} {
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
	if again := NewCredential(strings.Clone("sk-admin-THEKEY"), " https://api.example/THEADDRESS", false); again != cred {
		t.Error("the same key makes another credential")
	}
}

func TestTwoSpellingsOfAnAddressAreOne(t *testing.T) {
	for want, spellings := range map[string][]string{
		"https://api.openai.com/v1": {"", "https://api.openai.com/v1", "https://API.openai.com/v1/", "https://api.openai.com:443/v1", "HTTPS://api.openai.com./v1//", "https://api.openai.com/x/../v1",
			"https://api.openai.com:0443/v1", "https://api.openai.com/%76%31", "https://ａｐｉ.openai.com/v1"},
		"http://127.0.0.1:8080/v1":  {"http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/"},
		"http://127.0.0.1/v1":       {"http://127.0.0.1:80/v1"},
		"https://[::1]:8443/v1":     {"https://[::1]:8443/v1"},
		"https://api.openai.com":    {"https://api.openai.com/"},
		"https://api.openai.com/V1": {"https://api.openai.com/V1"},
	} {
		for _, spelling := range spellings {
			if got := canonical(spelling); got != want {
				t.Errorf("%q is %q, want %q", spelling, got, want)
			}
		}
	}
}
