package verdict

import (
	"strings"
	"testing"
)

// A server's JSON may hold bytes that are no UTF-8; package openai hands them on (TestAttackANameOfContinuationBytes there), and
// memberOf and setBindingStatus cut them: user.Name at 1000, user.Email at 300, user.Role at 200, role.Name at 1000.
func TestAttackCutPanics(t *testing.T) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("Cut panics: %v", r)
		}
	}()
	Cut(strings.Repeat("\x80", 1010), 1000)
}
