package link

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

type wire func(*http.Request)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w(r)
	return nil, http.ErrAbortHandler
}

// What goes over the wire must be what the address of the pair says.
func TestAttackTheWireIsNotTheAddress(t *testing.T) {
	for _, raw := range []string{
		"https://gw.example/mallory/..%2Fvictim/v1", "https://gw.example/mallory/v1/..%2F..%2Fvictim%2Fv1%2F", "https://gw.example//victim/v1", "https://gw.example/victim//v1", "https://gw.example/mallory/%2e%2e/victim/v1",
		"https://gw.example/victim/v1/x/..", "https://gw.example/victim/./v1", "https://gw.example/..//victim/v1", "https://gw.example/x/..//victim/v1", "https://gw.example///victim/v1", "https://gw.example/.//victim/v1",
		"https://gw.example/%2Fvictim/v1", "https://gw.example/victim/v1%2F", "https://gw.example/victim/v1/%20/..", "https://gw.example/victim/v1%00/..", "https://gw.example/%E2%84%AA/v1", "https://gw.example/a:b/../victim/v1", "https://gw.example/victim/v1;x=1",
	} {
		c := NewCredential("sk-admin-abcdefghij", raw, false)
		got := ""
		client, err := c.Client(openai.Config{Transport: wire(func(r *http.Request) { got = r.URL.String() })})
		if err != nil {
			t.Logf("%s: %v", raw, err)
			continue
		}
		_, _ = client.GetUser(t.Context(), "u")
		if want := c.Address() + "/organization/users/u"; got != want {
			mark := ""
			if strings.HasPrefix(want, "https://gw.example/victim/v1/") {
				mark = " <-- stands for the victim's"
			}
			t.Errorf("%s sends to %s, address %s%s", raw, got, c.Address(), mark)
		}
	}
}
