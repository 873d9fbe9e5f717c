package budget

import "time"

// tally counts what happened in the last minute, to the second.
type tally struct {
	seconds [60]int
	last    int64
}

func (t *tally) add(now time.Time) {
	t.forget(now)
	t.seconds[now.Unix()%60]++
}

func (t *tally) sum(now time.Time) int {
	t.forget(now)
	sum := 0
	for _, n := range t.seconds {
		sum += n
	}
	return sum
}

func (t *tally) forget(now time.Time) {
	second := now.Unix()
	for s := max(t.last+1, second-59); s <= second; s++ {
		t.seconds[s%60] = 0
	}
	t.last = max(t.last, second)
}
