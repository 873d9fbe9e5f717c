package openaitest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is more than any body that the API takes.
const maxBody = 1 << 20

var _ http.Handler = (*Organization)(nil)

// endpoints are the paths of the API and the methods that each has.
var endpoints = map[string][]string{
	"/organization/users":                      {http.MethodGet},
	"/organization/users/{id}":                 {http.MethodGet, http.MethodPost, http.MethodDelete},
	"/organization/users/{id}/roles":           {http.MethodGet, http.MethodPost},
	"/organization/users/{id}/roles/{role_id}": {http.MethodGet, http.MethodDelete},
	"/organization/roles":                      {http.MethodGet},
}

// ServeHTTP answers as the API does, below /v1.
func (o *Organization) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	call := o.callOf(r)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the client went away
	}
	call.Body = string(body)

	fault, latency, arrived := o.receive(&call, w.Header())
	if arrived != nil {
		arrived(call)
	}
	if wait(r, latency+fault.Latency) != nil {
		return
	}
	if fault.Drop == DropBefore {
		o.note(call)
		hangUp(w)
		return
	}
	status, answer := o.answer(r, &call, body, fault, w.Header())
	o.interrupt(call)
	if fault.Drop == DropAfter {
		o.note(call)
		hangUp(w)
		return
	}
	call.Status = status
	o.note(call)
	w.Header().Set("Openai-Processing-Ms", strconv.FormatInt(time.Since(begun).Milliseconds(), 10))
	send(w, status, answer, fault)
}

func (o *Organization) callOf(r *http.Request) Call {
	call := Call{Time: time.Now(), Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, "/v1"), Query: r.URL.RawQuery}
	parts := strings.Split(strings.TrimPrefix(call.Path, "/"), "/")
	if len(parts) > 2 && parts[1] == "users" {
		call.UserID, parts[2] = parts[2], "{id}"
		if len(parts) > 4 {
			call.RoleID, parts[4] = parts[4], "{role_id}"
		}
	}
	call.Endpoint = "/" + strings.Join(parts, "/")
	return call
}

// receive gives the call its request ID, sets the headers that every answer has and looks for a fault.
func (o *Organization) receive(call *Call, header http.Header) (Fault, time.Duration, func(Call)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	call.RequestID = fmt.Sprintf("req_%s_%06d", o.id, o.asked)
	if user := o.users[call.UserID]; user != nil {
		call.Email = user.Email
	}
	header.Set("X-Request-Id", call.RequestID)
	header.Set("Openai-Version", "2020-10-01")
	return o.faultFor(*call), o.latency, o.arrived
}

func wait(r *http.Request, latency time.Duration) error {
	if latency == 0 {
		return nil
	}
	timer := time.NewTimer(latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

// answer carries the call out, unless a fault or a refusal comes before.
func (o *Organization) answer(r *http.Request, call *Call, body []byte, fault Fault, header http.Header) (int, any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	call.OwnersBefore = o.owners()
	defer func() { call.Owners = o.owners() }()
	if no := o.admit(r, call, header); no != nil {
		return no.status, no.body()
	}
	if fault.Status >= http.StatusBadRequest {
		return fault.refuse(header)
	}
	before := o.snapshot(call.UserID)
	answer, no := o.carryOut(r, call, body)
	call.Changed = before != o.snapshot(call.UserID)
	if no != nil {
		return no.status, no.body()
	}
	return http.StatusOK, answer
}

func (f Fault) refuse(header http.Header) (int, any) {
	if f.Status == http.StatusTooManyRequests {
		header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
		return f.Status, tooMany("Rate limit reached for requests.").body()
	}
	kind := "invalid_request_error"
	if f.Status >= http.StatusInternalServerError {
		kind = "server_error"
	}
	return f.Status, (&refusal{kind: kind, message: "A fault that was asked for: " + http.StatusText(f.Status) + "."}).body()
}

// admit checks the key, the rate limit, the path, the method and the kind of the body.
func (o *Organization) admit(r *http.Request, call *Call, header http.Header) *refusal {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || key == "" {
		return &refusal{http.StatusUnauthorized, "invalid_request_error", "", "", "You didn't provide an API key."}
	}
	if !o.keys[key] {
		return &refusal{http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "", "Incorrect API key provided: " + masked(key) + "."}
	}
	// Only who shows a key is told whose it is.
	header.Set("Openai-Organization", o.id)
	left, reset, ok := o.limit.take(time.Now())
	limit := o.limit.perMinute
	if limit == 0 {
		limit = unlimited
	}
	header.Set("X-Ratelimit-Limit-Requests", strconv.Itoa(limit))
	header.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(left))
	header.Set("X-Ratelimit-Reset-Requests", reset.Round(time.Millisecond).String())
	if !ok {
		header.Set("Retry-After", strconv.Itoa(int(reset/time.Second)+1))
		return tooMany("Rate limit reached for requests.")
	}
	if limit := o.limits[call.Method+" "+call.Endpoint]; limit != nil {
		if no := limit.refuse(time.Now(), header); no != nil {
			return no
		}
	}
	methods, known := endpoints[call.Endpoint]
	switch {
	case !known || !strings.HasPrefix(r.URL.Path, "/v1/"):
		return &refusal{http.StatusNotFound, "invalid_request_error", "unknown_url", "", fmt.Sprintf("Invalid URL (%s %s)", r.Method, r.URL.Path)}
	case !contains(methods, r.Method):
		return &refusal{http.StatusMethodNotAllowed, "invalid_request_error", "method_not_supported", "", fmt.Sprintf("Not allowed to %s on %s", r.Method, r.URL.Path)}
	}
	if r.Method == http.MethodPost {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			return badRequest("", "Unsupported content type: expected application/json.")
		}
	}
	return nil
}

// hangUp drops the connection. It sends the first bytes of an answer: when a kept-alive connection ends before
// any byte, Go's client takes it for an idle one that timed out and silently sends a GET again.
func hangUp(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not over HTTP/1.1; net/http's own way
	}
	_, _ = connection.Write([]byte("HTTP/1.1 ")) // the client may have gone
	_ = connection.Close()
}

func contains(methods []string, method string) bool {
	return slices.Contains(methods, method)
}

// masked shows as much of a key as the API does.
func masked(key string) string {
	if len(key) < 16 {
		return strings.Repeat("*", len(key))
	}
	return key[:9] + strings.Repeat("*", len(key)-13) + key[len(key)-4:]
}

func (o *Organization) carryOut(r *http.Request, call *Call, body []byte) (any, *refusal) {
	query := r.URL.Query()
	if call.Endpoint != "/organization/users" && !(r.Method == http.MethodGet && strings.HasSuffix(call.Endpoint, "roles")) {
		if no := onlyParameters(query); no != nil {
			return nil, no
		}
	}
	switch call.Method + " " + call.Endpoint {
	case "GET /organization/users":
		return o.listUsers(query)
	case "GET /organization/users/{id}":
		return o.getUser(call.UserID)
	case "POST /organization/users/{id}":
		return o.updateUser(call.UserID, body)
	case "DELETE /organization/users/{id}":
		return o.deleteUser(call.UserID)
	case "GET /organization/users/{id}/roles":
		return o.listUserRoles(call.UserID, query)
	case "POST /organization/users/{id}/roles":
		return o.assignRole(call.UserID, body)
	case "GET /organization/users/{id}/roles/{role_id}":
		return o.getUserRole(call.UserID, call.RoleID)
	case "DELETE /organization/users/{id}/roles/{role_id}":
		return o.unassignRole(call.UserID, call.RoleID)
	default:
		return o.listRoles(query)
	}
}

// snapshot is what a call on the user can change, as a comparable value.
func (o *Organization) snapshot(userID string) string {
	user := o.users[userID]
	if user == nil {
		return ""
	}
	return fmt.Sprintf("%+v %v", user.User, user.direct)
}

func (o *Organization) interrupt(call Call) {
	o.mu.Lock()
	during := o.during
	o.mu.Unlock()
	if during != nil {
		during(call)
	}
}

func send(w http.ResponseWriter, status int, answer any, fault Fault) {
	if fault.HTML {
		w.Header().Set("Content-Type", "text/html")
		if fault.Status != 0 {
			status = fault.Status
		}
		w.WriteHeader(status)
		io.WriteString(w, "<html><body>This is not the API.</body></html>") //nolint:errcheck // the client went away
		return
	}
	content, err := json.Marshal(answer)
	if err != nil {
		panic(err) // the answers are this package's own types
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if fault.Truncate {
		content = content[:len(content)/2]
	}
	w.Write(content) //nolint:errcheck // the client went away
}
