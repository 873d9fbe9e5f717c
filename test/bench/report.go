package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what bench.json holds.
type report struct {
	Time      time.Time `json:"time"`
	Machine   string    `json:"machine"`
	CPUs      int       `json:"cpus"`
	LatencyMs float64   `json:"latencyMs"`
	Workers   int       `json:"workers"`
	Results   []*result `json:"results"`
}

func newReport(s *settings) *report {
	return &report{
		Time: time.Now().UTC().Truncate(time.Second), Machine: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		LatencyMs: milliseconds(s.latency), Workers: s.workers,
	}
}

// What rollcall wants to reach. Figures without a target are for comparing.
const (
	targetRatio      = 1.5
	targetMemory     = 150_000_000 // bytes, at any number of users up to 10,000
	targetP99Ms      = 1000
	targetIdleWrites = 0
)

// figure is one line of the table.
type figure struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Target string `json:"target,omitempty"`
	// Met is nil where there is no target, or nothing to hold against it.
	Met *bool `json:"met,omitempty"`
}

func (f figure) verdict() string {
	switch {
	case f.Met == nil:
		return ""
	case *f.Met:
		return "met"
	}
	return "MISSED"
}

func (r *result) figures() []figure {
	c, re, i := r.Convergence, r.Reaction, r.Idle
	memory := figure{Name: "peak memory of the manager", Value: megabytes(r.PeakMemoryBytes), Target: "under " + megabytes(targetMemory)}
	if r.Users <= 10_000 && r.PeakMemoryBytes > 0 {
		memory.Met = new(r.PeakMemoryBytes < targetMemory)
	}
	figures := []figure{
		{Name: "convergence / floor", Value: fmt.Sprintf("%.2f", c.Ratio), Target: fmt.Sprintf("under %.1f", targetRatio), Met: new(c.Ratio < targetRatio)},
		{Name: "  convergence, from the manager's start", Value: seconds(c.Seconds)},
		{Name: "  floor, before and after", Value: seconds(r.FloorSeconds...)},
		{Name: "  first call, first change, first Ready", Value: seconds(c.FirstCallSeconds, c.FirstChangeSeconds, c.FirstReadySeconds)},
		{Name: "  CPU of the manager", Value: known(seconds(c.CPUSeconds), c.CPUSeconds)},
		{Name: "Kubernetes writes an OrgUser", Value: fmt.Sprintf("%.3f (events: %.3f)", c.WritesAnObject, c.EventsAnObject)},
		{Name: "API calls an OrgUser", Value: fmt.Sprintf("%.3f", c.CallsAnObject)},
		memory,
		{Name: "spec change to call, p50", Value: fmt.Sprintf("%.0f ms", re.P50Ms)},
		{Name: "spec change to call, p99", Value: fmt.Sprintf("%.0f ms", re.P99Ms), Target: fmt.Sprintf("under %d ms", targetP99Ms), Met: new(re.P99Ms < targetP99Ms)},
		{Name: "idle hour: writes but for the Organization", Value: fmt.Sprintf("%.0f", i.OtherWritesAnHour), Target: fmt.Sprint(targetIdleWrites), Met: new(i.OtherWritesAnHour <= targetIdleWrites)},
		{Name: "idle hour: writes of the Organization's status", Value: fmt.Sprintf("%.0f", i.OrganizationWritesAnHour)},
		{Name: "idle hour: API calls", Value: fmt.Sprintf("%.0f", i.CallsAnHour)},
		{Name: "idle hour: CPU (a reading; quiet time)", Value: known(fmt.Sprintf("%.1f s (%.2f s; %.1f s)", i.CPUSecondsAnHour, i.CPUSecondsAReading, i.QuietCPUSecondsAnHour), i.CPUSecondsAnHour)},
	}
	return figures
}

func known(text string, value float64) string {
	if value == 0 {
		return "known on Linux only"
	}
	return text
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }

func seconds(values ...float64) string {
	texts := make([]string, len(values))
	for at, value := range values {
		texts[at] = fmt.Sprintf("%.1f s", value)
	}
	return strings.Join(texts, ", ")
}

func (r *report) save(file string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("the figures cannot be saved: %w; name another file with --out", err)
	}
	return nil
}

func (r *report) print(out io.Writer, file string) error {
	fmt.Fprintf(out, "rollcall on %s with %d CPUs; the API takes %.0f ms a call; %d workers\n", r.Machine, r.CPUs, r.LatencyMs, r.Workers)
	missed := 0
	for _, result := range r.Results {
		fmt.Fprintf(out, "\n%d OrgUsers, %d of them in need of a change\n", result.Users, changesAmong(result.Users))
		table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		fmt.Fprintln(table, "  figure\tvalue\ttarget\t")
		for _, f := range result.Figures {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", f.Name, f.Value, f.Target, f.verdict())
			if f.Met != nil && !*f.Met {
				missed++
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nTargets missed: %d. All figures are in %s.\n", missed, file)
	return nil
}
