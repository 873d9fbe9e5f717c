//go:build !linux

package main

// usage of a running process is known on Linux only. Elsewhere the peak is read when the manager has ended.
func (p *process) usage() (usage, error) { return usage{}, nil }
