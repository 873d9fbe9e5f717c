package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells a person what is going on.
type progress struct{ out io.Writer }

func newProgress(out io.Writer) progress { return progress{out} }

func (p progress) linef(format string, arguments ...any) {
	fmt.Fprintf(p.out, "bench: "+format+"\n", arguments...)
}

// stepf says what begins. The function that it returns says how long that took.
func (p progress) stepf(format string, arguments ...any) func() {
	what := fmt.Sprintf(format, arguments...)
	p.linef("%s", what)
	begun := time.Now()
	return func() { p.linef("%s: %.1f s", what, time.Since(begun).Seconds()) }
}

// counting says every five seconds how far something has come, until the function that it returns is called.
func (p progress) counting(what string, total int, count func() int) func() {
	ended := make(chan struct{})
	go func() {
		ticker := time.NewTicker(5 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				p.linef("  %d of %d %s", count(), total, what)
			}
		}
	}()
	return func() { close(ended) }
}
