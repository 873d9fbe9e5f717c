package controller

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"
)

func TestNothingThatHoldsACredentialShowsItWhenItIsFormatted(t *testing.T) {
	cred := credential{
		adminKey: unique.Make("sk-admin-THEKEY"), baseURL: unique.Make("https://api.example/THEADDRESS"), label: "team-a/default",
	}
	connections := NewConnections(time.Now)
	object := types.NamespacedName{Namespace: "team-a", Name: "default"}
	conn, err := connections.Connect(object, cred, terms{requestsPerMinute: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{cred, &cred, conn, *conn, connections, connections.byObject[object], []credential{cred}} {
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
	if again := (credential{adminKey: unique.Make(strings.Clone("sk-admin-THEKEY")), baseURL: cred.baseURL, label: cred.label}); again != cred {
		t.Error("the same key makes another credential")
	}
}
