package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/openai/openai-go/v3/option"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

// maxErrorBody bounds what is read of an answer that is an error anyway.
const maxErrorBody = 64 << 10

// exchange is one request with its answer. It sits between the SDK, which
// builds the request and decodes the JSON, and the transport, and lets through
// only an answer that is a whole JSON object.
type exchange struct {
	client   *Client
	op       string
	endpoint budget.Endpoint
	sentAt   time.Time
	// status is 0 until an answer arrives.
	status    int
	requestID string
}

// do is an option.Middleware.
func (x *exchange) do(request *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	response, err := next(request)
	if err != nil {
		return nil, err
	}
	wire := response.Body
	defer func() { _ = wire.Close() }()
	x.status = response.StatusCode
	x.requestID = x.client.redact(response.Header.Get("X-Request-Id"))
	x.noteOrganization(response.Header)
	if x.status < 500 && x.status != http.StatusTooManyRequests {
		x.client.limiter.Succeeded(x.endpoint, x.sentAt)
	}

	switch {
	case x.status >= 400:
		return nil, x.refusal(response)
	case x.status >= 300:
		return nil, x.answered("it redirects to %s, and the admin key is sent nowhere else; is base-url right?", x.redirectTarget(response))
	}
	body, err := x.wholeObject(response)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// wholeObject reads the body of a success. The SDK would take a page of HTML,
// half a document, or null without a word that a program can use.
func (x *exchange) wholeObject(response *http.Response) ([]byte, error) {
	if !isJSON(response.Header) {
		return nil, x.answered("it sent %s instead of JSON; is base-url right?", x.contentType(response.Header))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, x.client.maxBody+1))
	switch {
	case err != nil:
		e := x.answered("the answer broke off before its end")
		e.cause = x.inWords(err)
		return nil, e
	case int64(len(body)) > x.client.maxBody:
		return nil, x.answered("the answer is longer than %d bytes", x.client.maxBody)
	case !utf8.Valid(body):
		return nil, x.answered("the answer is not UTF-8")
	case !json.Valid(body):
		return nil, x.answered("the answer is not valid JSON")
	case !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")):
		return nil, x.answered("the answer is not a JSON object")
	}
	if fault := tooMany(body); fault != "" {
		return nil, x.answered("%s", fault)
	}
	return body, nil
}

const (
	// maxElements is the longest array that an answer has: the longest page that is asked for.
	maxElements = rolesPerPage
	// maxValues is more than such a page of roles with all of their permissions has.
	maxValues = 100_000
)

// tooMany says what valid JSON has too many of, or "". Decoded, an empty object of
// three bytes may take a kilobyte.
func tooMany(body []byte) string {
	values := 0
	// elements has how many each array has that is open, and below 0 for an object.
	var elements []int
	inText := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '[':
			values++
			elements = append(elements, 1)
		case c == '{':
			values++
			elements = append(elements, math.MinInt)
		case c == ']' || c == '}':
			elements = elements[:len(elements)-1]
		case c == ',':
			values++
			elements[len(elements)-1]++
			if elements[len(elements)-1] > maxElements {
				return fmt.Sprintf("the answer has more than %d values in a list", maxElements)
			}
		}
		if values > maxValues {
			return fmt.Sprintf("the answer has more than %d values", maxValues)
		}
	}
	return ""
}

// refusal reads the body of an error: {"error":{"message","type","param","code"}}
// (observed; the reference does not say).
func (x *exchange) refusal(response *http.Response) *Error {
	e := &Error{Op: x.op, Status: x.status, RequestID: x.requestID}
	told := retryAfter(response.Header, time.Now())
	switch {
	case told == 0:
	case x.status == http.StatusTooManyRequests:
		// Noted before the body is read, which may take its time.
		e.RetryAfter = x.client.limiter.Throttled(x.endpoint, x.sentAt, told)
	default:
		// A 503 may ask everybody to wait as well.
		e.RetryAfter = told
		x.client.limiter.Pause(told)
	}
	x.envelope(response, e)
	if x.status == http.StatusTooManyRequests && told == 0 {
		e.RetryAfter = x.client.limiter.Throttled(x.endpoint, x.sentAt, retryInWords(e.Message))
	}
	return e
}

// envelope reads what the API says about the error, if it is the API that says it.
func (x *exchange) envelope(response *http.Response, e *Error) {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	var envelope struct {
		Error struct {
			Message any `json:"message"`
			Type    any `json:"type"`
			Code    any `json:"code"`
		} `json:"error"`
	}
	if !isJSON(response.Header) || json.Unmarshal(body, &envelope) != nil || envelope.Error.Message == nil {
		e.kind = notTheAPI
		e.Message = fmt.Sprintf("the answer, %s, is not an error of the API; is base-url right, or is there a proxy?", x.contentType(response.Header))
		return
	}
	text := func(value any) string {
		if value == nil {
			return ""
		}
		return x.client.redact(fmt.Sprint(value))
	}
	e.Message, e.Type, e.Code = text(envelope.Error.Message), text(envelope.Error.Type), text(envelope.Error.Code)
}

// failure makes an error of whatever the SDK gave back.
func (x *exchange) failure(caller, attempt context.Context, err error) error {
	var shape *shapeError
	if e, ok := AsError(err); ok && (attempt.Err() == nil || e.Status >= 400) {
		return e
	}
	switch {
	case errors.As(err, &shape):
		return x.answered("%s", shape.fault)
	case caller.Err() != nil:
		return fmt.Errorf("openai: %s: %w", x.op, caller.Err())
	case attempt.Err() != nil:
		return &Error{Op: x.op, RequestID: x.requestID, Message: fmt.Sprintf("no whole answer within %s", x.client.timeout)}
	case x.status != 0:
		e := x.answered("the answer does not have the shape that the reference gives it")
		e.cause = x.inWords(err)
		return e
	}
	return &Error{Op: x.op, Message: unanswered(err), cause: x.inWords(withoutURL(err))}
}

// answered is an error about an answer whose status was not an error.
func (x *exchange) answered(format string, args ...any) *Error {
	return &Error{Op: x.op, Status: x.status, RequestID: x.requestID, Message: fmt.Sprintf(format, args...)}
}

// inWords keeps the words of an error and not the error. The words may be the
// server's: of a malformed answer, net/http repeats what is malformed. And an
// error that claims to be a context's, as a dial's does that takes too long,
// would pass for the end of the caller's own context.
func (x *exchange) inWords(err error) error { return errors.New(x.client.redact(err.Error())) }

func (x *exchange) noteOrganization(header http.Header) {
	if id := x.client.redact(header.Get("Openai-Organization")); id != "" && len(id) <= maxIDLength && !strings.HasPrefix(id, Unnamed) {
		x.client.organizationID.Store(&id)
	}
}

// redirectTarget is the host only: a path or query may hold secrets.
func (x *exchange) redirectTarget(response *http.Response) string {
	location, err := response.Location()
	if err != nil {
		return "nowhere"
	}
	return x.client.redact((&url.URL{Scheme: location.Scheme, Host: location.Host}).String())
}

func (x *exchange) contentType(header http.Header) string {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if media == "" {
		return "something without a content type"
	}
	return x.client.redact(media)
}

func isJSON(header http.Header) bool {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
