package budget

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// burstSeconds is how many seconds' worth of requests may go at once after
// a quiet spell. Enough that a small organization is read without waiting,
// little enough that a minute never sees much more than its budget.
const burstSeconds = 2

// bucket is a token bucket that may go into debt: more tokens than it holds at
// most can be taken from it when it is full, and those who come after wait.
type bucket struct{ *rate.Limiter }

func newBucket(perMinute float64) bucket {
	return bucket{rate.NewLimiter(rate.Limit(perMinute/60), burstOf(perMinute))}
}

func burstOf(perMinute float64) int { return max(1, int(perMinute*burstSeconds/60)) }

func (b bucket) setPerMinute(now time.Time, perMinute float64) {
	b.SetLimitAt(now, rate.Limit(perMinute/60))
	b.SetBurstAt(now, burstOf(perMinute))
}

// until says how long until n tokens can be taken; 0: now.
func (b bucket) until(now time.Time, n int) time.Duration {
	missing := float64(min(n, b.Burst())) - b.TokensAt(now)
	if n <= 0 || missing <= 0 {
		return 0
	}
	wait := missing / float64(b.Limit()) * float64(time.Second)
	// A millisecond more than nothing, so that rounding does not make a busy loop.
	return max(time.Duration(math.Ceil(wait)), time.Millisecond)
}

// take takes the tokens whether they are there or not. A negative n gives back.
func (b bucket) take(now time.Time, n int) {
	for n > b.Burst() { // rate.Limiter reserves no more at once
		b.ReserveN(now, b.Burst())
		n -= b.Burst()
	}
	b.ReserveN(now, n)
}

// drain leaves nothing in it.
func (b bucket) drain(now time.Time) {
	if tokens := b.TokensAt(now); tokens > 0 {
		b.take(now, int(math.Ceil(tokens)))
	}
}
