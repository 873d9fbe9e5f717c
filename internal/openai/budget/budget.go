// Package budget holds the requests that an organization takes: a ceiling that
// is given, a rate for each endpoint that is learnt from its refusals, the
// pauses that the API asks for, and whose turn it is.
//
// It sends nothing and reads no answer. Whoever does asks a [Limiter] before
// each request ([Limiter.Wait], [Limiter.Prepaid]) and tells it after the answer
// ([Limiter.Succeeded], [Limiter.Throttled], [Limiter.Pause]).
package budget

// Endpoint names a call whose rate is limited on its own, as the API's reference
// does: the method and the template of the path. It is compared only.
type Endpoint string

// Calls says how many calls of which endpoint are meant. A number below 1 means
// none.
type Calls map[Endpoint]int

// Total is how many calls there are in all.
func (c Calls) Total() int {
	total := 0
	for _, n := range c {
		total += max(0, n)
	}
	return total
}

// Class is who waits for a turn: see [Limiter]. Whatever is not [Background] is
// [Foreground].
type Class int

const (
	// Foreground is for what somebody waits for.
	Foreground Class = iota
	// Background is for what nobody waits for, such as a periodic reading. While
	// both wait it has a quarter of the turns.
	Background
	classes
)
