package openai

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

// minPause keeps a wait of microseconds from becoming a busy loop.
const minPause = 100 * time.Millisecond

// retryAfter reads how long the server asks to wait: retry-after-ms in
// milliseconds, else Retry-After in seconds or as an HTTP date. 0 when the
// server does not say, or not in a way that can be read, or names no time to
// come: "Retry-After: 0" on a refusal is not an invitation (observed).
func retryAfter(header http.Header, now time.Time) time.Duration {
	if wait := parseNumber(header.Get("Retry-After-Ms"), time.Millisecond); wait > 0 {
		return wait
	}
	value := header.Get("Retry-After")
	if date, err := http.ParseTime(value); err == nil {
		return clampPause(date.Sub(now))
	}
	return parseNumber(value, time.Second)
}

// tryAgain matches what the API says of a limit (observed): "Please try again in
// 6.937s", or 20ms, or 1m2s.
var tryAgain = regexp.MustCompile(`(?i)try again in ((?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|h|m|s))+)`)

// retryInWords reads the same from the text of a 429.
func retryInWords(message string) time.Duration {
	found := tryAgain.FindStringSubmatch(message)
	if found == nil {
		return 0
	}
	wait, err := time.ParseDuration(strings.ToLower(found[1]))
	if err != nil {
		return 0
	}
	return clampPause(wait)
}

func parseNumber(value string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil && !math.IsInf(n, 1) || math.IsNaN(n) || n <= 0 {
		return 0
	}
	if n > float64(budget.MaxPause)/float64(unit) {
		return budget.MaxPause
	}
	return clampPause(time.Duration(n * float64(unit)))
}

// clampPause is 0 for what is no time to come.
func clampPause(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return min(max(d, minPause), budget.MaxPause)
}
