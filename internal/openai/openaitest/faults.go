package openaitest

import (
	"path"
	"time"
)

// Drop says when a connection is dropped without an answer.
type Drop string

const (
	// DropBefore drops it before the call is carried out.
	DropBefore Drop = "before"
	// DropAfter drops it after the call was carried out: the answer is lost.
	DropAfter Drop = "after"
)

// Fault is something that goes wrong with calls. Exactly one of Status, Drop, HTML and Truncate says what;
// Latency alone only delays.
type Fault struct {
	// Method and Path say which calls: "" is any; Path is that of the request without /v1, a pattern of path.Match:
	// /organization/users/* is every user, /organization/users/user-00* some.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Skip lets so many of these calls through first: 1 fails the second page of a list.
	Skip int `json:"skip,omitempty"`
	// Times is how many calls fail. 0: all, until the faults are cleared.
	Times int `json:"times,omitempty"`

	// Latency delays the call, in nanoseconds in JSON. An hour is a server that hangs: the call ends when the client
	// goes away or the server closes, and is not carried out then.
	Latency time.Duration `json:"latency,omitempty"`
	// Status is answered, and the call is not carried out.
	Status int `json:"status,omitempty"`
	// RetryAfter goes with Status 429, in seconds.
	RetryAfter int `json:"retry_after,omitempty"`
	// Drop drops the connection.
	Drop Drop `json:"drop,omitempty"`
	// HTML answers with a page that is not JSON, with Status or 200.
	HTML bool `json:"html,omitempty"`
	// Truncate carries the call out and cuts the answer's body in half.
	Truncate bool `json:"truncate,omitempty"`
}

type fault struct {
	Fault
	seen int
}

// Fail adds a fault. Where several match a call, the one that was added first applies.
func (o *Organization) Fail(f Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, &fault{Fault: f})
}

// ClearFaults ends all faults.
func (o *Organization) ClearFaults() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = nil
}

// faultFor returns the fault that applies to a call, or none. o.mu is held.
func (o *Organization) faultFor(call Call) Fault {
	for _, f := range o.faults {
		if f.Method != "" && f.Method != call.Method {
			continue
		}
		if matched, err := path.Match(f.Path, call.Path); f.Path != "" && (err != nil || !matched) {
			continue
		}
		f.seen++
		if f.seen > f.Skip && (f.Times == 0 || f.seen <= f.Skip+f.Times) {
			return f.Fault
		}
	}
	return Fault{}
}

// SetLatency delays every call.
func (o *Organization) SetLatency(latency time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.latency = latency
}

// During has the function called in the middle of every call, with the answer made up and not sent yet. It
// may change the organization, so that a list changes between its pages.
func (o *Organization) During(function func(Call)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.during = function
}
