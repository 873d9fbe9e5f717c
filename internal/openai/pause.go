package openai

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxPause caps what a server may ask for: a date in the wrong year must
	// not stop an organization for good.
	maxPause = time.Hour
	// minPause keeps "Retry-After: 0" from becoming a busy loop.
	minPause = 100 * time.Millisecond
)

// retryAfter reads how long the server asks to wait: retry-after-ms in
// milliseconds, else Retry-After in seconds or as an HTTP date. ok is false
// when the server does not say, or not in a way that can be read.
func retryAfter(header http.Header, now time.Time) (wait time.Duration, ok bool) {
	if wait, ok := parseNumber(header.Get("Retry-After-Ms"), time.Millisecond); ok {
		return wait, true
	}
	value := header.Get("Retry-After")
	if wait, ok := parseNumber(value, time.Second); ok {
		return wait, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return clampPause(date.Sub(now)), true
	}
	return 0, false
}

func parseNumber(value string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil && !math.IsInf(n, 1) || math.IsNaN(n) || n < 0 {
		return 0, false
	}
	if n > float64(maxPause)/float64(unit) {
		return maxPause, true
	}
	return clampPause(time.Duration(n * float64(unit))), true
}

func clampPause(d time.Duration) time.Duration {
	return min(max(d, minPause), maxPause)
}
