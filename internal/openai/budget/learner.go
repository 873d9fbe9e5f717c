package budget

import (
	"cmp"
	"time"
)

const (
	// cruise is how far below the limit that an endpoint is believed to have the
	// requests stay.
	cruise = 0.95
	// believable bounds the time from one 429 to the next over which the accepted
	// requests tell the limit: in less, a window of a minute has no end; in more,
	// the limit may have changed.
	believableFrom, believableTo = 50 * time.Second, 15 * time.Minute
	// firstRest and longestRest bound how long a rate is kept before a higher one
	// is tried: doubled each time that the higher one was refused.
	firstRest   = 30 * time.Second
	longestRest = 3 * time.Minute
)

// climb is by how much the rate grows, relative to the limit that is believed,
// and for how long it is kept so. Slowly at first, where the limit is to be
// expected; what goes beyond has a new limit to find.
var climb = []struct {
	factor float64
	length time.Duration
}{
	{1.05, time.Minute},
	{1.05, time.Minute},
	{1.15, 30 * time.Second},
	{1.25, 30 * time.Second},
	{1.5, 30 * time.Second},
	{2, 30 * time.Second},
}

// learner finds the rate that an endpoint accepts. While nothing was refused it
// only counts.
//
// A 429 says that the API's own bucket is empty or its window full. From one to
// the next, what was accepted is what the API allows in that time: this is taken
// for the limit, and the requests stay a little below. After a while they go
// above, by small steps and then larger ones, until the next 429.
type learner struct {
	bucket bucket
	share  share
	// rate is how many requests a minute are sent. 0: nothing was learnt.
	rate float64
	// limit is what the API is believed to accept.
	limit float64

	// recent counts what was accepted in the last minute.
	recent tally
	// since is when the API's bucket was empty, if it ever was; passed is what
	// was accepted since then.
	since  time.Time
	passed int
	// refusedAt is when the last 429 came. Answers to requests that were under
	// way then say nothing new. accept says that one was accepted since.
	refusedAt time.Time
	fresh     bool

	// step is the step of the climb, or 0; stepAt is when it began, and stepPassed
	// what was accepted in it.
	step       int
	stepAt     time.Time
	stepPassed int
	rest       time.Duration
}

// learnt says whether the endpoint has a rate of its own.
func (e *learner) learnt() bool { return e != nil && e.rate > 0 }

// refused notes a 429.
func (e *learner) refused(now, sentAt time.Time, ceiling float64) {
	if !sentAt.After(e.refusedAt) {
		return
	}
	if !e.learnt() {
		e.rate, e.limit, e.rest, e.fresh = ceiling, ceiling, firstRest, true
		e.bucket = newBucket(ceiling)
	}
	limit := e.estimate(now)
	e.refusedAt, e.fresh = now, false
	if e.step > 0 {
		e.rest = min(2*e.rest, longestRest)
	}
	e.step, e.stepAt, e.stepPassed = 0, now, 0
	e.believe(now, max(1, limit))
	e.bucket.drain(now)
}

// estimate is what the 429 says about the limit.
func (e *learner) estimate(now time.Time) float64 {
	found := float64(e.recent.sum(now))
	elapsed := now.Sub(e.since)
	known := !e.since.IsZero() && elapsed >= believableFrom
	if known && elapsed <= believableTo {
		mean := float64(e.passed) / elapsed.Minutes()
		if e.step > 1 {
			// What the step before accepted was accepted for a while.
			mean = 0.3*mean + 0.7*e.limit
		}
		// A mean far below the rate is that of a time in which few were sent.
		if mean >= 0.7*e.limit || mean > found {
			found = mean
		}
	}
	if known || e.since.IsZero() {
		e.since, e.passed = now, 0
	}
	// A second refusal with nothing accepted between says only that the window is
	// still full, unless the rate is far off.
	most := e.rate
	if e.fresh {
		most *= cruise
	}
	return min(max(found, e.rate/2), most)
}

// believe keeps the requests below the limit.
func (e *learner) believe(now time.Time, limit float64) {
	e.limit = limit
	e.send(now, limit*cruise)
}

func (e *learner) send(now time.Time, rate float64) {
	e.rate = rate
	e.bucket.setPerMinute(now, rate)
}

// accepted notes an answer other than 429. It says whether the rate grew.
func (e *learner) accepted(now, sentAt time.Time, ceiling float64) bool {
	e.recent.add(now)
	e.passed++
	if !e.learnt() {
		return false
	}
	if !sentAt.After(e.refusedAt) {
		return false
	}
	e.fresh = true
	e.stepPassed++
	elapsed := now.Sub(e.stepAt)
	if elapsed < e.length() {
		return false
	}
	// Too few to say that the rate is accepted: nobody wanted more.
	enough := float64(e.stepPassed) >= 0.7*e.rate*elapsed.Minutes()
	e.stepAt, e.stepPassed = now, 0
	if !enough {
		return false
	}
	e.grow(now, ceiling)
	return true
}

// length is how long the rate is kept as it is.
func (e *learner) length() time.Duration {
	if e.step == 0 {
		return e.rest
	}
	four := time.Duration(4 / cmp.Or(e.rate, 1) * float64(time.Minute))
	return max(climb[min(e.step, len(climb))-1].length, four)
}

// grow takes the next step of the climb.
func (e *learner) grow(now time.Time, ceiling float64) {
	if e.step > 0 {
		e.limit = e.rate // accepted
	}
	e.step++
	rate := e.limit * climb[min(e.step, len(climb))-1].factor
	if e.step > 2 {
		e.rest = firstRest
	}
	if rate >= ceiling {
		e.rate, e.limit, e.step = 0, 0, 0
		return
	}
	e.send(now, rate)
}
