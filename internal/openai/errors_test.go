package openai

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestEveryAnswerThatIsAnErrorHasOneClass(t *testing.T) {
	const (
		limited      = "rate limited"
		unauthorized = "unauthorized"
		rejected     = "rejected"
		transient    = "transient"
	)
	classes := map[string]func(error) bool{
		limited: IsRateLimited, unauthorized: IsUnauthorized, rejected: IsRejected, transient: IsTransient,
	}
	for status, want := range map[int]string{
		400: rejected, 401: unauthorized, 402: rejected, 403: unauthorized, 404: rejected, 405: rejected, 408: transient,
		409: rejected, 410: rejected, 413: rejected, 415: rejected, 418: rejected, 422: rejected, 429: limited, 499: rejected,
		500: transient, 501: transient, 502: transient, 503: transient, 504: transient, 529: transient, 599: transient,
	} {
		client, _ := newMemoryClient(t, answers(apiError(status, "the_code", "the message")))
		_, err := client.GetUser(t.Context(), "user-1")
		e, isOurs := AsError(err)
		if !isOurs || e.Status != status || e.Code != "the_code" || e.Type != "some_type" || e.Message != "the message" {
			t.Errorf("%d: got %+v", status, e)
		}
		for _, err := range []error{err, fmt.Errorf("wrapped: %w", err), &Error{Status: status}} {
			for class, holds := range classes {
				if got := holds(err); got != (class == want) {
					t.Errorf("%d: %s is %t for %v", status, class, got, err)
				}
			}
			if got := IsNotFound(err); got != (status == 404) {
				t.Errorf("%d: not found is %t", status, got)
			}
		}
	}
}

func TestOnlyOurErrorsHaveAClass(t *testing.T) {
	for _, err := range []error{nil, errors.New("else"), context.Canceled, context.DeadlineExceeded} {
		if IsNotFound(err) || IsRateLimited(err) || IsUnauthorized(err) || IsRejected(err) || IsTransient(err) {
			t.Errorf("%v has a class", err)
		}
	}
}

func TestAnErrorThatIsNotTheAPIsIsNoNewsAboutTheUser(t *testing.T) {
	html := map[string]string{"Content-Type": "text/html"}
	for name, body := range map[string]answer{
		"HTML":                 {404, html, "<h1>404</h1>"},
		"JSON that says so":    {404, html, `{"error":{"message":"no","code":null}}`},
		"JSON of another kind": {404, nil, `{"message":"no Route matched"}`},
		"an error of words":    {404, nil, `{"error":"not found"}`},
		"an empty error":       {404, nil, `{"error":{}}`},
		"nothing":              {404, nil, ``},
		"an array":             {404, nil, `[]`},
	} {
		client, _ := newMemoryClient(t, answers(body))
		err := NewChanger(client).DeleteUser(t.Context(), "user-1")
		if IsNotFound(err) || IsRejected(err) || !IsTransient(err) {
			t.Errorf("%s: got %v, want a transient error", name, err)
		}
	}
}

func TestAnErrorSaysForTheLogWhatAConditionMustNotRepeat(t *testing.T) {
	refused := apiError(400, "invalid_value", "role is wrong (request req_abc123DEF, 1b4e28ba-2fa1-11d2-883f-0016d3cca427)\nAsk\t us about trace-77.")
	refused.header = map[string]string{"X-Request-Id": "trace-77"}
	for name, test := range map[string]struct {
		answer              answer
		wantLog, wantStable string
	}{
		"a rejection": {refused,
			"openai: get user: 400 Bad Request: role is wrong (request req_abc123DEF, 1b4e28ba-2fa1-11d2-883f-0016d3cca427) Ask  us about trace-77. (code invalid_value, request ID trace-77)",
			"get user: the API answered 400 Bad Request: role is wrong (request …, …) Ask  us about …."},
		"a rejection without a code": {answer{409, nil, `{"error":{"message":"busy","type":null,"param":null,"code":null}}`},
			"openai: get user: 409 Conflict: busy", "get user: the API answered 409 Conflict: busy"},
		"a code that is a number": {answer{422, nil, `{"error":{"message":"no","code":7}}`},
			"openai: get user: 422 Unprocessable Entity: no (code 7)", "get user: the API answered 422 Unprocessable Entity: no"},
		"a failure": {apiError(500, "server_error", "Try again in 3.141 s."),
			"openai: get user: 500 Internal Server Error: Try again in 3.141 s. (code server_error)", "get user: the API answered 500 Internal Server Error"},
		"a limit": {throttle("Retry-After-Ms", "100"),
			"openai: get user: 429 Too Many Requests: slow down (code rate_limit_exceeded)", "get user: the API's rate limit is reached"},
		"a status without a name": {apiError(499, "", "odd"), "openai: get user: 499: odd", "get user: the API answered 499: odd"},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newMemoryClient(t, answers(test.answer))
			_, err := client.GetUser(t.Context(), "user-1")
			if err.Error() != test.wantLog {
				t.Errorf("log:\n got %s\nwant %s", err, test.wantLog)
			}
			if e, _ := AsError(err); e.StableMessage() != test.wantStable {
				t.Errorf("condition:\n got %s\nwant %s", e.StableMessage(), test.wantStable)
			}
		})
	}
}
