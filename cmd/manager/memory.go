package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Most of what a resync allocates is dead when it ends, so a large heap is collected early, which keeps the manager
// small. A small one has room all the same: collecting it as often would cost a third of the manager's CPU.
const (
	// room is how much more than what is live the heap may have, in bytes.
	room = 16 << 20
	// leastGrowth and mostGrowth bound that, in percent of what is live.
	leastGrowth, mostGrowth = 30, 200
	// roomEvery is how often it is looked how much is live.
	roomEvery = 2 * time.Second
)

// growth is by how much the heap may grow before it is collected, in percent of what is live.
func growth(live uint64) int {
	return max(leastGrowth, min(mostGrowth, int(room*100/max(live, 1)))) //nolint:gosec // at most room*100
}

// keepRoom sets how much the heap may grow until the context ends. The environment's GOGC has the last word.
func keepRoom(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	ticker := time.NewTicker(roomEvery)
	defer ticker.Stop()
	set := leastGrowth
	debug.SetGCPercent(set)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(live)
		if now := growth(live[0].Value.Uint64()); now != set {
			set = now
			debug.SetGCPercent(set)
		}
	}
}
