package main

import (
	"encoding/json"
	"errors"
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
	Budget    *budgeted `json:"budget,omitempty"`
	Fair      *fairness `json:"fair,omitempty"`
}

func newReport(s *settings) *report {
	return &report{
		Time: time.Now().UTC().Truncate(time.Second), Machine: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		LatencyMs: milliseconds(s.latency), Workers: s.workers,
	}
}

// What rollcall wants to reach. Figures without a target are for comparing.
const (
	targetRatio           = 1.5
	targetMemory          = 150_000_000 // bytes, at any number of users up to 10,000
	targetMemoryMany      = 500_000_000 // the same up to 100,000
	targetP99Ms           = 1000
	targetP50Ms           = 200
	targetIdleWrites      = 0
	targetIdleShare       = 0.05 // of a core, at a resyncInterval of 2 minutes
	targetRestartSeconds  = 30
	targetRestartWrites   = 0
	targetWritesAPerson   = 2 // of whom nothing is to be changed
	targetCallsAChange    = 1.25
	targetIntervals       = 1.1
	targetBesideWithAlone = 1.2
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
	figures := r.convergenceFigures()
	written := figure{Name: "Kubernetes writes an OrgUser", Value: fmt.Sprintf("%.3f (events: %.3f)", c.WritesAnObject, c.EventsAnObject)}
	if r.Changes == 0 {
		written = adoptionFigure(writes(c.Writes).aPerson(r.Users))
	}
	return append(append(figures, written, r.memoryFigure(),
		figure{Name: "API calls an OrgUser", Value: fmt.Sprintf("%.3f", c.CallsAnObject)},
		figure{Name: "spec change to call, p50", Value: fmt.Sprintf("%.0f ms", re.P50Ms), Target: fmt.Sprintf("under %d ms", targetP50Ms), Met: new(re.P50Ms < targetP50Ms)},
		figure{Name: "spec change to call, p99", Value: fmt.Sprintf("%.0f ms", re.P99Ms), Target: fmt.Sprintf("under %d ms", targetP99Ms), Met: new(re.P99Ms < targetP99Ms)},
		i.shareFigure(),
		figure{Name: "idle hour: writes but for the Organization", Value: fmt.Sprintf("%.0f", i.OtherWritesAnHour), Target: fmt.Sprint(targetIdleWrites), Met: new(i.OtherWritesAnHour <= targetIdleWrites)},
		figure{Name: "idle hour: writes of the Organization's status", Value: fmt.Sprintf("%.0f", i.OrganizationWritesAnHour)},
		figure{Name: "idle hour: API calls", Value: fmt.Sprintf("%.0f", i.CallsAnHour)},
		figure{Name: "idle hour: CPU (a reading; quiet time)", Value: known(fmt.Sprintf("%.1f s (%.2f s; %.1f s)", i.CPUSecondsAnHour, i.CPUSecondsAReading, i.QuietCPUSecondsAnHour), i.CPUSecondsAnHour)},
	), r.Restart.figures()...)
}

func (r *result) convergenceFigures() []figure {
	c := r.Convergence
	from := figure{Name: "  convergence, from the manager's start", Value: seconds(c.Seconds)}
	first := figure{Name: "  first call, first change, first Ready", Value: seconds(c.FirstCallSeconds, c.FirstChangeSeconds, c.FirstReadySeconds)}
	cpu := figure{Name: "  CPU of the manager", Value: known(seconds(c.CPUSeconds), c.CPUSeconds)}
	if len(r.FloorSeconds) == 0 {
		first = figure{Name: "  first call, first Ready", Value: seconds(c.FirstCallSeconds, c.FirstReadySeconds)}
		return []figure{from, first, cpu}
	}
	return []figure{
		{Name: "convergence / floor", Value: fmt.Sprintf("%.2f", c.Ratio), Target: fmt.Sprintf("under %.1f", targetRatio), Met: new(c.Ratio < targetRatio)},
		from, {Name: "  floor, before and after", Value: seconds(r.FloorSeconds...)}, first, cpu,
	}
}

func (r *result) memoryFigure() figure {
	target := int64(targetMemory)
	if r.Users > 10_000 {
		target = targetMemoryMany
	}
	memory := figure{Name: "peak memory of the manager", Value: megabytes(r.PeakMemoryBytes), Target: "under " + megabytes(target)}
	if r.PeakMemoryBytes > 0 {
		memory.Met = new(r.PeakMemoryBytes < target)
	}
	return memory
}

func (i *idle) shareFigure() figure {
	share := figure{
		Name: "idle: share of a core, at a resync of 2 min", Value: known(fmt.Sprintf("%.1f%%", 100*i.CoreShareAtTwoMinutes), i.CoreShareAtTwoMinutes),
		Target: fmt.Sprintf("under %.0f%%", 100*targetIdleShare),
	}
	if i.CoreShareAtTwoMinutes > 0 {
		share.Met = new(i.CoreShareAtTwoMinutes < targetIdleShare)
	}
	return share
}

func (r *restart) figures() []figure {
	return []figure{
		{Name: "restart to the first call", Value: seconds(r.FirstCallSeconds), Target: fmt.Sprintf("under %d s", targetRestartSeconds), Met: new(r.FirstCallSeconds < targetRestartSeconds)},
		{Name: "restart to the call of an edit made before", Value: seconds(r.FirstChangeSeconds)},
		{Name: "restart: writes but for the Organization", Value: fmt.Sprint(r.OtherWrites), Target: fmt.Sprint(targetRestartWrites), Met: new(r.OtherWrites <= targetRestartWrites)},
	}
}

func adoptionFigure(writesAPerson float64) figure {
	return figure{
		Name: "Kubernetes writes a person, adopted in sync", Value: fmt.Sprintf("%.3f", writesAPerson),
		Target: fmt.Sprintf("at most %d", targetWritesAPerson), Met: new(writesAPerson <= targetWritesAPerson),
	}
}

func (b *budgeted) figures() []figure {
	c := b.MassChange
	return append(append([]figure{adoptionFigure(b.AdoptionWritesAPerson)}, b.Restart.figures()...),
		figure{
			Name: "mass change: API calls a change", Value: fmt.Sprintf("%.3f", c.CallsAChange),
			Target: fmt.Sprintf("at most %.2f", targetCallsAChange), Met: new(c.CallsAChange <= targetCallsAChange),
		},
		figure{Name: "  all changes made within", Value: seconds(c.Seconds)},
		figure{Name: "  share of the budget that was used", Value: fmt.Sprintf("%.0f%%", 100*c.Used)},
	)
}

// figures holds the healthy ones' times against the targets. What the API itself takes is left out of those of a
// change: a look before its call, and the call before Ready.
func (f *fairness) figures() []figure {
	latency := milliseconds(f.Latency)
	figures := append(f.changeFigures(editToCall, latency), f.changeFigures(creationToCall, latency)...)
	figures = append(figures, f.changeFigures(creationToReady, 2*latency)...)
	figures = append(append(figures, f.driftFigures(roleUndone)...), f.driftFigures(assignmentUndone)...)
	answer := func(s *span) float64 { return s.Times[editAnswered].P99Ms }
	return append(figures,
		figure{Name: "the API server's answer to an edit, p99: alone, beside", Value: fmt.Sprintf("%.0f ms, %.0f ms", answer(f.Alone), answer(f.Beside))},
		figure{Name: "cores used by the manager: alone, beside", Value: known(fmt.Sprintf("%.2f, %.2f", f.Alone.Load, f.Beside.Load), f.Alone.Load)},
		figure{Name: "the others, when that was over", Value: f.Others.summary()},
	)
}

func (f *fairness) changeFigures(what timed, apiTakes float64) []figure {
	alone, beside := f.Alone.Times[what], f.Beside.Times[what]
	return []figure{
		{Name: string(what) + ", p50: alone, beside", Value: fmt.Sprintf("%.0f ms, %.0f ms", alone.P50Ms, beside.P50Ms)},
		{
			Name: string(what) + ", p99: alone, beside", Value: fmt.Sprintf("%.0f ms, %.0f ms%s", alone.P99Ms, beside.P99Ms, beside.lacking()),
			Target: fmt.Sprintf("beside under %.0f ms", targetP99Ms+apiTakes), Met: new(beside.P99Ms < targetP99Ms+apiTakes && beside.Missing == 0),
		},
	}
}

// driftFigures has the longest time hold what a reading takes on top: as much as a change may.
func (f *fairness) driftFigures(what timed) []figure {
	alone, beside := f.Alone.Times[what], f.Beside.Times[what]
	interval := milliseconds(idleInterval)
	most := targetIntervals + targetP99Ms/interval
	ratio := beside.MeanMs / alone.MeanMs
	return []figure{
		{
			Name: string(what) + ", in resyncs, at most: alone, beside", Value: fmt.Sprintf("%.2f, %.2f%s", alone.MaxMs/interval, beside.MaxMs/interval, beside.lacking()),
			Target: fmt.Sprintf("beside under %.2f (%.1f and a second)", most, targetIntervals), Met: new(beside.MaxMs/interval < most && beside.Missing == 0),
		},
		{
			Name: "  mean: alone, beside, and their ratio", Value: fmt.Sprintf("%.2f, %.2f: %.2f", alone.MeanMs/interval, beside.MeanMs/interval, ratio),
			Target: fmt.Sprintf("under %.1f", targetBesideWithAlone), Met: new(ratio < targetBesideWithAlone),
		},
	}
}

func (t times) lacking() string {
	if t.Missing == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of %d did not come", t.Missing, t.Count)
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
	var failed error
	table := func(figures []figure, title string, arguments ...any) {
		fmt.Fprintf(out, "\n"+title+"\n", arguments...)
		missed += missedAmong(figures)
		failed = errors.Join(failed, printTable(out, figures))
	}
	for _, result := range r.Results {
		table(result.Figures, "%d OrgUsers, %d of them in need of a change", result.Users, result.Changes)
	}
	if b := r.Budget; b != nil {
		table(b.Figures, "budget: %d OrgUsers in sync, then %d edits at %d calls a minute", b.Users, b.MassChange.Changes, b.MassChange.PerMinute)
	}
	if f := r.Fair; f != nil {
		table(f.Figures, "fair: %d healthy organizations of %d OrgUsers and a binding each, beside %d that suffer", f.Organizations, f.Users, len(suffering))
	}
	fmt.Fprintf(out, "\nTargets missed: %d. All figures are in %s.\n", missed, file)
	return failed
}

func missedAmong(figures []figure) int {
	missed := 0
	for _, f := range figures {
		if f.Met != nil && !*f.Met {
			missed++
		}
	}
	return missed
}

func printTable(out io.Writer, figures []figure) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "  figure\tvalue\ttarget\t")
	for _, f := range figures {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", f.Name, f.Value, f.Target, f.verdict())
	}
	return table.Flush()
}
