package openai

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is the one error type of this package: a call that the API refused,
// did not answer, or answered in a way that cannot be believed. Exactly one of
// [IsRateLimited], [IsUnauthorized], [IsRejected] and [IsTransient] holds for
// it. A call that ends because the caller's context ended gives that context's
// error instead.
type Error struct {
	// Op is the call in words, such as "list users".
	Op string
	// Status is the HTTP status, or 0 when no answer arrived. A call that was
	// held back by a pause carries 429 though nothing was sent.
	Status int
	// Code and Type are the API's own, such as "invalid_value" and
	// "invalid_request_error"; often "".
	Code string
	Type string
	// Message is the API's own message, or this package's words where there is
	// none. Without the admin key, but possibly with request IDs and numbers
	// that differ from try to try: see StableMessage.
	Message string
	// RequestID is the header x-request-id, for a support case; often "".
	RequestID string
	// RetryAfter is how long to wait before the next try; 0 when the API did
	// not say.
	RetryAfter time.Duration

	// kind overrides the class that Status alone would give.
	kind  kind
	cause error
}

type kind int

const (
	// byStatus: Status says all.
	byStatus kind = iota
	// refusedHere: the arguments were refused before anything was sent.
	refusedHere
	// notTheAPI: the status did not come from the API, but from something
	// before it. Its 404 must not be read as "this user is gone".
	notTheAPI
)

// Error is for logs: it has the request ID.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "openai: %s: ", e.Op)
	if e.Status != 0 {
		b.WriteString(statusText(e.Status))
		if e.Message != "" {
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Message)
	var details []string
	if e.Code != "" {
		details = append(details, "code "+e.Code)
	}
	if e.RequestID != "" {
		details = append(details, "request ID "+e.RequestID)
	}
	if len(details) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(details, ", "))
	}
	if e.cause != nil {
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	return b.String()
}

// StableMessage is for conditions: the same text from one try to the next, as
// long as the trouble is the same. It has no request ID, time, port or count.
func (e *Error) StableMessage() string {
	switch {
	case IsRateLimited(e):
		return e.Op + ": the API's rate limit is reached"
	case e.Status == http.StatusRequestTimeout || e.Status >= 500:
		return e.Op + ": the API answered " + statusText(e.Status)
	case e.Status >= 400 && e.Message == "":
		return e.Op + ": the API answered " + statusText(e.Status)
	case e.Status >= 400:
		return e.Op + ": the API answered " + statusText(e.Status) + ": " + withoutVolatileIDs(e.Message, e.RequestID)
	default:
		return e.Op + ": " + e.Message
	}
}

// Unwrap gives the underlying error, if any. It is never the error of a
// context: a request that timed out is not a caller that gave up.
func (e *Error) Unwrap() error { return e.cause }

// StableMessage words any error for people: the same words for the same trouble.
func StableMessage(err error) string {
	if e, ok := AsError(err); ok {
		return e.StableMessage()
	}
	return err.Error()
}

// AsError finds an *Error in err's chain.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok && e != nil
}

// IsNotFound: the API says that the user, or the assignment, does not exist.
// A 404 that something other than the API sent does not count.
func IsNotFound(err error) bool {
	e, ok := AsError(err)
	return ok && e.kind == byStatus && e.Status == http.StatusNotFound
}

// IsRateLimited: 429, or the organization is in the pause after one. Error.RetryAfter
// says how long.
func IsRateLimited(err error) bool {
	e, ok := AsError(err)
	return ok && e.Status == http.StatusTooManyRequests
}

// IsUnauthorized: 401 or 403; the key is wrong, revoked, or not allowed to do this.
func IsUnauthorized(err error) bool {
	e, ok := AsError(err)
	return ok && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// IsRejected: the request itself is wrong (400, 404, 409, 422 and the other 4xx
// that are not 401, 403, 408 or 429), so the same request would fail again.
func IsRejected(err error) bool {
	e, ok := AsError(err)
	if !ok || e.kind == notTheAPI {
		return false
	}
	if e.kind == refusedHere {
		return true
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return e.Status >= 400 && e.Status < 500
}

// IsTransient: worth trying again with backoff. 5xx, 408, a timeout, a dropped
// connection, an answer that is not what the reference says, and a list that
// would not hold still. A write that fails so may have been carried out.
func IsTransient(err error) bool {
	_, ok := AsError(err)
	return ok && !IsRateLimited(err) && !IsUnauthorized(err) && !IsRejected(err)
}

// refuse is an error about arguments, made before anything is sent.
func refuse(op, format string, args ...any) *Error {
	return &Error{Op: op, Message: fmt.Sprintf(format, args...), kind: refusedHere}
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprintf("%d", status)
}
