package openai

import (
	"regexp"
	"strings"
	"unicode"
)

// maxForeignText bounds what is kept of a text that the server chose, in runes.
// A condition's message may be 32 KiB, but nobody reads that.
const maxForeignText = 500

var (
	// keyShaped also matches what the API sends back of a wrong key, which is
	// its start, stars, and its last four characters.
	keyShaped = regexp.MustCompile(`\bsk-[A-Za-z0-9_*.\-]{4,}`)
	// volatileID matches IDs that differ from one request to the next.
	volatileID = regexp.MustCompile(`\breq_[A-Za-z0-9]+|\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`)
)

// redactor makes a text that the server chose fit to be shown: without the
// admin key, on one line, and not longer than maxForeignText. It is a closure
// so that the key sits in no struct field that %+v could print.
func redactor(key string) func(string) string {
	return func(text string) string {
		if key != "" {
			text = strings.ReplaceAll(text, key, "sk-…")
		}
		text = keyShaped.ReplaceAllString(text, "sk-…")
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == unicode.ReplacementChar {
				return ' '
			}
			return r
		}, text)
		text = strings.TrimSpace(text)
		if runes := []rune(text); len(runes) > maxForeignText {
			text = string(runes[:maxForeignText]) + "…"
		}
		return text
	}
}

func withoutVolatileIDs(text, requestID string) string {
	if requestID != "" {
		text = strings.ReplaceAll(text, requestID, "…")
	}
	return volatileID.ReplaceAllString(text, "…")
}
