package link

import (
	"strings"
	"testing"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

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
