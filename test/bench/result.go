package main

import "slices"

// result has the figures for one number of users.
type result struct {
	Users int `json:"users"`
	// Changes is how many of them differ from what is declared at the start.
	Changes int `json:"changes"`
	// FloorSeconds are the times of the bare loop, before and after the manager.
	FloorSeconds []float64   `json:"floorSeconds,omitempty"`
	Convergence  convergence `json:"convergence"`
	Reaction     reaction    `json:"reaction"`
	Idle         idle        `json:"idle"`
	Restart      restart     `json:"restart"`
	// PeakMemoryBytes is the manager's resident memory at its most, over all phases.
	PeakMemoryBytes int64    `json:"peakMemoryBytes"`
	Figures         []figure `json:"figures"`
}

// convergence is the time from the manager's start until the last OrgUser is Ready, and what was done.
type convergence struct {
	Seconds float64 `json:"seconds"`
	// Ratio to the mean of the two floors; RatioWorst to the shorter one.
	Ratio      float64 `json:"ratio"`
	RatioWorst float64 `json:"ratioWorst"`
	// The way there, from the manager's start.
	FirstCallSeconds   float64        `json:"firstCallSeconds"`
	FirstChangeSeconds float64        `json:"firstChangeSeconds"`
	FirstReadySeconds  float64        `json:"firstReadySeconds"`
	Writes             map[string]int `json:"writes"`
	Calls              map[string]int `json:"calls"`
	WritesAnObject     float64        `json:"writesAnObject"`
	CallsAnObject      float64        `json:"callsAnObject"`
	// EventsAnObject are among the writes.
	EventsAnObject  float64 `json:"eventsAnObject"`
	CPUSeconds      float64 `json:"cpuSeconds"`
	PeakMemoryBytes int64   `json:"peakMemoryBytes"`
}

// reaction is the time from a change of a spec to the arrival of its call.
type reaction struct {
	Changes int `json:"changes"`
	// From the moment at which the patch is sent.
	P50Ms float64 `json:"p50Ms"`
	P99Ms float64 `json:"p99Ms"`
	MaxMs float64 `json:"maxMs"`
	// From the API server's answer to the patch. Negative: the call was there before.
	FromAnswerP50Ms float64 `json:"fromAnswerP50Ms"`
	FromAnswerP99Ms float64 `json:"fromAnswerP99Ms"`
}

// idle is what readings cost that find nothing changed, and what that makes in an hour.
type idle struct {
	Readings                 int            `json:"readings"`
	Writes                   map[string]int `json:"writes"`
	Calls                    map[string]int `json:"calls"`
	CallsAnHour              float64        `json:"callsAnHour"`
	OrganizationWritesAnHour float64        `json:"organizationWritesAnHour"`
	OtherWritesAnHour        float64        `json:"otherWritesAnHour"`
	CPUSecondsAReading       float64        `json:"cpuSecondsAReading"`
	QuietCPUSecondsAnHour    float64        `json:"quietCPUSecondsAnHour"`
	CPUSecondsAnHour         float64        `json:"cpuSecondsAnHour"`
	// CoreShareAtTwoMinutes is the share of one core that is used at a resyncInterval of 2 minutes.
	CoreShareAtTwoMinutes float64 `json:"coreShareAtTwoMinutes"`
}

// useAtExit takes the memory from the ended manager where it could not be had before.
func (r *result) useAtExit(u usage) {
	if r.PeakMemoryBytes == 0 {
		r.PeakMemoryBytes = u.peakMemory
	}
}

// finish reckons what follows from the measured.
func (r *result) finish() {
	c := &r.Convergence
	sum := 0.0
	for _, floor := range r.FloorSeconds {
		sum += floor
	}
	if len(r.FloorSeconds) > 0 {
		c.Ratio = c.Seconds / (sum / float64(len(r.FloorSeconds)))
		c.RatioWorst = c.Seconds / slices.Min(r.FloorSeconds)
	}
	c.WritesAnObject = float64(writes(c.Writes).total()) / float64(r.Users)
	c.EventsAnObject = float64(c.Writes["post events"]) / float64(r.Users)
	calls := 0
	for _, count := range c.Calls {
		calls += count
	}
	c.CallsAnObject = float64(calls) / float64(r.Users)
	r.Figures = r.figures()
}
