package openaitest

import (
	"fmt"
	"net/http"
)

// refusal is an answer that says no, in the API's envelope.
type refusal struct {
	status                     int
	kind, code, param, message string
}

func (r *refusal) Error() string { return r.message }

func (r *refusal) body() any {
	type inner struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	return map[string]inner{"error": {r.message, r.kind, orNull(r.param), orNull(r.code)}}
}

func badRequest(param, format string, arguments ...any) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_request_error", "invalid_value", param, fmt.Sprintf(format, arguments...)}
}

func notFound(format string, arguments ...any) *refusal {
	return &refusal{http.StatusNotFound, "invalid_request_error", "not_found", "", fmt.Sprintf(format, arguments...)}
}

func noSuchUser(id string) *refusal { return notFound("No such user: %s", id) }

func noSuchRole(id string) *refusal { return notFound("No such role: %s", id) }
