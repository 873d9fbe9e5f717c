// Command manager runs rollcall's controllers.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	// Most of what a resync allocates is dead when it ends. Collecting earlier costs little and keeps the
	// manager small; GOGC still has the last word.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(30)
	}
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}
