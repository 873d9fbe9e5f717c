package openaitest

import (
	"slices"
	"strings"
)

func (o *Organization) note(call Call) {
	o.mu.Lock()
	for key := range o.keys {
		// A key belongs into a header, which the journal does not keep; it may have been sent elsewhere.
		for _, field := range []*string{&call.Path, &call.Endpoint, &call.Query, &call.Body, &call.UserID, &call.RoleID} {
			*field = strings.ReplaceAll(*field, key, "[key]")
		}
	}
	o.journal = append(o.journal, call)
	watch := o.watch
	o.mu.Unlock()
	if watch != nil {
		watch(call)
	}
}

// Arrived has the function told of every call when it comes in, before any delay.
func (o *Organization) Arrived(function func(Call)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrived = function
}

// Watch has the function told of every call when it ends.
func (o *Organization) Watch(function func(Call)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watch = function
}

// Journal returns every call since the last ResetJournal, in the order in which they ended.
func (o *Organization) Journal() []Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.journal)
}

// Mutations returns the calls of the journal that changed the organization.
func (o *Organization) Mutations() []Call {
	return slices.DeleteFunc(o.Journal(), func(call Call) bool { return !call.Changed })
}

// ResetJournal begins a new journal.
func (o *Organization) ResetJournal() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.journal = nil
}
