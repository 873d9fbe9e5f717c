package verdict

import (
	"testing"
	"time"
)

func TestATimeOfAnotherDayHasItsDate(t *testing.T) {
	now := time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)
	for want, at := range map[string]time.Time{
		"23:30Z":            now.Add(30 * time.Minute),
		"2027-01-01 00:30Z": now.Add(90 * time.Minute),
		"2027-12-31 23:00Z": now.AddDate(1, 0, 0),
		"23:15Z":            now.Add(15 * time.Minute).In(time.FixedZone("east", 3*60*60)),
	} {
		if got := Clock(at, now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
