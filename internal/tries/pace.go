package tries

import "time"

// Pace spaces tries: the time after the first, which doubles with each further one, and as rarely as it is tried at last.
type Pace struct{ First, Last time.Duration }

var (
	// Retry is for what passes by itself.
	Retry = Pace{time.Second, 2 * time.Minute}
	// Refusal is for what the API refuses.
	Refusal = Pace{time.Minute, time.Hour}
	// Late is for a change for which looks were too old: a busy moment passes.
	Late = Pace{time.Second, 10 * time.Second}
	// Looks is for a look that failed.
	Looks = Pace{time.Second, 5 * time.Minute}
	// Reading is for reading an organization whole, and for proving a key.
	Reading = Pace{500 * time.Millisecond, 2 * time.Minute}
)

// After is how long is waited after so many tries before the one that failed now.
func (p Pace) After(attempts int) time.Duration { return min(p.First<<min(attempts, 20), p.Last) }

// Seconds rounds up, so that nothing is tried before its time.
func Seconds(at time.Time) int64 { return at.Add(time.Second - time.Nanosecond).Unix() }
