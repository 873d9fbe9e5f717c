package registry

import "github.com/rollcall-dev/rollcall/internal/openai"

// Trouble is why an organization cannot be read, for those who know no HTTP.
type Trouble struct {
	// Words are the same for the same trouble.
	Words string
	// Refused: the API answers, and does not let itself be read. Busy: it was asked too often, and nothing is wrong.
	Refused, Busy bool
}

// TroubleOf says what an error of a View means.
func TroubleOf(err error) Trouble {
	if err == nil {
		return Trouble{Words: "no answer"}
	}
	return Trouble{
		Words: openai.StableMessage(err), Refused: openai.IsRejected(err) || openai.IsUnauthorized(err), Busy: openai.IsRateLimited(err),
	}
}
