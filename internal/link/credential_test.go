package link

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

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

type transport func(*http.Request)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t(r)
	return nil, http.ErrAbortHandler
}

// What a proxy goes by is what the object stands for.
func TestARequestGoesToTheAddressThatTheStatusSays(t *testing.T) {
	for _, spelling := range []string{
		"", "https://gw.example", "https://gw.example/", "https://gw.example/team(a)/v1/", "https://gw.example/%76%31", "https://gw.example/%e2%84%aa/é/v1",
		"https://gw.example/%252Fvictim/v1", "https://gw.example/v1%00", "https://gw.example/v1;x=1", "https://gw.example/%3f/%20%23/a:b/v1",
	} {
		got := ""
		c := NewCredential("sk-admin-abcdefghij", spelling, false)
		client, err := c.Client(openai.Config{Transport: transport(func(r *http.Request) { got = r.URL.String() })})
		if err != nil {
			t.Fatalf("%q: %v", spelling, err)
		}
		_, _ = client.GetUser(t.Context(), "u")
		if want := c.Address() + "/organization/users/u"; got != want {
			t.Errorf("%q: it goes to %s, want %s", spelling, got, want)
		}
	}
}

func TestAnAddressThatNoStatusTakesIsRefused(t *testing.T) {
	for _, long := range []string{"https://h.example/" + strings.Repeat("(", 1900), "https://" + strings.Repeat("\u3300.", 190) + "example/v1"} {
		if _, err := NewCredential("sk-admin-abcdefghij", long, false).Client(openai.Config{}); err == nil || !strings.HasPrefix(err.Error(), "base-url in the Secret ") {
			t.Errorf("got %v", err)
		}
	}
}
