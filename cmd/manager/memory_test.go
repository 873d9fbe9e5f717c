package main

import "testing"

func TestALargeHeapGrowsLessThanASmallOne(t *testing.T) {
	for live, want := range map[uint64]int{0: 200, 4 << 20: 200, 16 << 20: 100, 32 << 20: 50, 200 << 20: 30, 4 << 30: 30} {
		if got := growth(live); got != want {
			t.Errorf("with %d MiB live the heap may grow by %d%%, wanted %d%%", live>>20, got, want)
		}
	}
}
