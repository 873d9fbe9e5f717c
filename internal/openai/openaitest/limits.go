package openaitest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Hint is how a 429 says when to come again. Live APIs were seen to do each of these.
type Hint string

const (
	// HintNone says nothing.
	HintNone Hint = "none"
	// HintRetryAfter is the header Retry-After in whole seconds, rounded up.
	HintRetryAfter Hint = "retry-after"
	// HintZero is "Retry-After: 0", however long it takes.
	HintZero Hint = "zero"
	// HintText is in the message only, as "Please try again in 6.937s".
	HintText Hint = "text"
)

var hints = []Hint{HintNone, HintRetryAfter, HintZero, HintText}

// Limit is how many calls of an endpoint are answered; to the others goes 429.
type Limit struct {
	Method string `json:"method"`
	// Endpoint is the template of the path, such as /organization/users/{id}.
	Endpoint  string `json:"endpoint"`
	PerMinute int    `json:"per_minute"`
	// Burst makes it a token bucket with so many tokens. 0: windows of a minute, each beginning with its first call.
	Burst int  `json:"burst,omitempty"`
	Hint  Hint `json:"hint,omitempty"`
}

func (l Limit) check() error {
	methods, known := endpoints[l.Endpoint]
	switch {
	case !known || !slices.Contains(methods, l.Method):
		return fmt.Errorf("%s %s is no call of the API; name it as the reference does, such as GET /organization/users/{id}", l.Method, l.Endpoint)
	case l.PerMinute < 0 || l.Burst < 0:
		return errors.New("per_minute and burst must not be negative")
	case l.Hint != "" && !slices.Contains(hints, l.Hint):
		return fmt.Errorf("hint must be one of %q", hints)
	}
	return nil
}

// LimitEndpoint answers 429 to more than so many calls of an endpoint in a window of a minute. 0 ends the limit.
func (o *Organization) LimitEndpoint(method, endpointTemplate string, perMinute int, hint Hint) {
	o.Limit(Limit{Method: method, Endpoint: endpointTemplate, PerMinute: perMinute, Hint: hint})
}

// Limit sets the limit of an endpoint, in place of an earlier one. PerMinute 0 ends it. It panics on a limit of no call
// of the API, which would limit nothing.
func (o *Organization) Limit(limit Limit) {
	if err := limit.check(); err != nil {
		panic("openaitest: " + err.Error())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	key := limit.Method + " " + limit.Endpoint
	if limit.PerMinute == 0 {
		delete(o.limits, key)
		return
	}
	o.limits[key] = &endpointLimit{
		Limit: limit, window: rateLimit{perMinute: limit.PerMinute},
		bucket: tokenBucket{perMinute: limit.PerMinute, burst: limit.Burst, tokens: float64(limit.Burst)},
	}
}

// ClearLimits ends the limits of all endpoints.
func (o *Organization) ClearLimits() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.limits)
}

type endpointLimit struct {
	Limit
	window rateLimit
	bucket tokenBucket
}

// refuse counts a call and refuses what is too much. o.mu is held.
func (l *endpointLimit) refuse(now time.Time, header http.Header) *refusal {
	wait, ok := l.bucket.take(now)
	if l.Burst == 0 {
		_, wait, ok = l.window.take(now)
	}
	if ok {
		return nil
	}
	message := "Rate limit reached for requests."
	switch l.Hint {
	case HintRetryAfter:
		header.Set("Retry-After", wholeSeconds(wait))
	case HintZero:
		header.Set("Retry-After", "0")
	case HintText:
		message += " Limit: " + strconv.Itoa(l.PerMinute) + " / min. Please try again in " + wait.Round(time.Millisecond).String() + "."
	case HintNone:
	}
	return tooMany(message)
}

func tooMany(message string) *refusal {
	return &refusal{http.StatusTooManyRequests, "requests", "rate_limit_exceeded", "", message}
}

func wholeSeconds(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// tokenBucket lets a burst through, and then so many a minute.
type tokenBucket struct {
	perMinute, burst int
	tokens           float64
	at               time.Time
}

func (b *tokenBucket) take(now time.Time) (wait time.Duration, ok bool) {
	if !b.at.IsZero() {
		b.tokens = min(float64(b.burst), b.tokens+now.Sub(b.at).Minutes()*float64(b.perMinute))
	}
	b.at = now
	const rounding = 1e-9
	if b.tokens < 1-rounding {
		return time.Duration((1 - b.tokens) / float64(b.perMinute) * float64(time.Minute)), false
	}
	b.tokens--
	return 0, true
}

// rateLimit is a window of a minute that begins with its first call.
type rateLimit struct {
	perMinute int
	begun     time.Time
	used      int
}

// LimitRate has the organization answer 429 to more than so many calls a minute. 0: no limit.
func (o *Organization) LimitRate(perMinute int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limit = rateLimit{perMinute: perMinute}
}

// take counts a call. It returns what is left and when the window ends, and whether the call is within it.
func (l *rateLimit) take(now time.Time) (left int, reset time.Duration, ok bool) {
	if now.Sub(l.begun) >= time.Minute {
		l.begun, l.used = now, 0
	}
	reset = l.begun.Add(time.Minute).Sub(now)
	if l.perMinute > 0 && l.used >= l.perMinute {
		return 0, reset, false
	}
	l.used++
	if l.perMinute == 0 {
		return unlimited - 1, reset, true
	}
	return l.perMinute - l.used, reset, true
}

// unlimited is what the headers say where there is no limit.
const unlimited = 100000
