package link

import (
	"strings"
	"testing"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

// Attack: another path on the wire, and the address of the victim in the registry.
func TestAttackAddressOfTheVictim(t *testing.T) {
	for _, c := range [][2]string{
		{"https://gw.example/mallory/..%2Fvictim/v1", "https://gw.example/victim/v1"},
		{"https://gw.example/mallory/%2e%2e/victim/v1", "https://gw.example/victim/v1"},
		{"https://gw.example/victim%2Fv1", "https://gw.example/victim/v1"},
		{"https://xn--victim-.example/v1", "https://victim.example/v1"},
		{"https://gw.example:0/v1", "https://gw.example/v1"},
	} {
		if canonical(c[0]) == canonical(c[1]) {
			t.Errorf("%s stands for %s", c[0], canonical(c[1]))
		}
	}
}

func TestAttackAddressLongerThanTheStatusTakes(t *testing.T) {
	base := "https://h.example/" + strings.Repeat("(", 1900)
	c := NewCredential("sk-admin-abcdefghij", base, false)
	if _, err := c.Client(openai.Config{}); err != nil {
		t.Skip(err)
	}
	if n := len(c.Address()); n > 2048 {
		t.Errorf("status.baseURL would have %d characters, and takes 2048", n)
	}
}

func TestAttackKeyInAddress(t *testing.T) {
	c := NewCredential("sk-admin-abcdefghij", "https://h.example/sk%2Dadmin-abcdefghij/v1", false)
	if _, err := c.Client(openai.Config{}); err != nil {
		t.Skip(err)
	}
	if strings.Contains(c.Address(), "sk-admin-abcdefghij") {
		t.Errorf("status.baseURL shows the key: %s", c.Address())
	}
}
