package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every architecture that Go supports.
const tick = 10 * time.Millisecond

// usage reads what the process has used so far.
func (p *process) usage() (usage, error) {
	folder := "/proc/" + strconv.Itoa(p.pid())
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return usage{}, err
	}
	stat, err := os.ReadFile(folder + "/stat")
	if err != nil {
		return usage{}, err
	}
	u := usage{known: true}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kibibytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return usage{}, fmt.Errorf("%s/status has an odd VmHWM: %w", folder, err)
			}
			u.peakMemory = kibibytes << 10
		}
	}
	// The second field is the program's name in brackets, which may hold spaces. utime and stime are the 14th
	// and 15th field, so the 12th and 13th after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return usage{}, fmt.Errorf("%s/stat has too few fields", folder)
	}
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("%s/stat has an odd time: %w", folder, err)
		}
		u.cpu += time.Duration(ticks) * tick
	}
	return u, nil
}
