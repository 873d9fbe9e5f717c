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
	// Method and Path say which calls: "" is any; Path is that of the request without /v1, with * for any
	// one segment, such as /organization/users/*.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Skip lets so many of these calls through first: 1 fails the second page of a list.
	Skip int `json:"skip,omitempty"`
	// Times is how many calls fail. 0: all, until the faults are cleared.
	Times int `json:"times,omitempty"`

	// Latency delays the call, in nanoseconds in JSON.
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
