package main

import (
	"runtime"
	"syscall"
	"time"
)

// usage is what a process has used since it started.
type usage struct {
	known      bool
	peakMemory int64 // bytes of resident memory
	cpu        time.Duration
}

// usageAtExit is what the manager had used when it ended, or nothing while it runs.
func (p *process) usageAtExit() usage {
	if p.command.ProcessState == nil {
		return usage{}
	}
	rusage, ok := p.command.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return usage{}
	}
	unit := int64(1024)
	if runtime.GOOS == "darwin" {
		unit = 1 // bytes there, kibibytes elsewhere
	}
	return usage{
		known: true, peakMemory: int64(rusage.Maxrss) * unit, //nolint:unconvert // int32 on some platforms
		cpu: p.command.ProcessState.UserTime() + p.command.ProcessState.SystemTime(),
	}
}
