package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// readiness watches the OrgUsers of a namespace become Ready. The same watch observes the manager and the
// floor, so what it costs is in both.
type readiness struct {
	total int
	done  chan struct{} // closed when all are Ready, or the watch has failed
	stop  context.CancelFunc

	mu          sync.Mutex
	ready       map[string]time.Time
	first, last time.Time
	err         error
}

// mostStreams is how often the watch may begin: the API server ends the watch of a client that it finds slow,
// which is any on a machine with too much to do.
const mostStreams = 5

// watchReadiness begins to watch. stop ends it.
func (c *cluster) watchReadiness(ctx context.Context, namespace string, total int) (*readiness, error) {
	ctx, stop := context.WithCancel(ctx)
	// Without a resourceVersion the objects as they are come first, so nothing is missed from one to the next.
	open := func() (io.ReadCloser, error) {
		return c.do(ctx, http.MethodGet, rollcallPath(namespace, orgUsers)+"?watch=1", "", nil)
	}
	stream, err := open()
	if err != nil {
		stop()
		return nil, err
	}
	r := &readiness{total: total, done: make(chan struct{}), stop: stop, ready: make(map[string]time.Time, total)}
	go func() {
		defer close(r.done)
		for again := 1; ; again++ {
			all, err := r.follow(bufio.NewReaderSize(stream, 64<<10))
			stream.Close()
			if all {
				return
			}
			if again == mostStreams || ctx.Err() != nil {
				r.fail(fmt.Errorf("the watch on the OrgUsers ended %d times: %w", again, err))
				return
			}
			if stream, err = open(); err != nil {
				r.fail(err)
				return
			}
		}
	}()
	return r, nil
}

// seen is what is read of a watch event.
type seen struct {
	Object struct {
		Metadata struct {
			Name       string `json:"name"`
			Generation int64  `json:"generation"`
		} `json:"metadata"`
		Status struct {
			ObservedGeneration int64              `json:"observedGeneration"`
			Conditions         []metav1.Condition `json:"conditions"`
		} `json:"status"`
	} `json:"object"`
}

func (s *seen) isReady() bool {
	for _, condition := range s.Object.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady {
			return condition.Status == metav1.ConditionTrue && s.Object.Status.ObservedGeneration == s.Object.Metadata.Generation
		}
	}
	return false
}

// follow reads one stream. It returns whether all are Ready, and otherwise why the stream ended.
func (r *readiness) follow(lines *bufio.Reader) (bool, error) {
	for {
		line, err := lines.ReadBytes('\n')
		now := time.Now()
		if err != nil {
			return false, err
		}
		if !bytes.Contains(line, []byte(v1alpha1.ReasonInSync)) {
			continue // decoding is the expensive part
		}
		var event seen
		if err := json.Unmarshal(line, &event); err != nil {
			return false, fmt.Errorf("it sent something that is no event: %w", err)
		}
		if event.isReady() && r.note(event.Object.Metadata.Name, now) {
			return true, nil
		}
	}
}

// note returns whether all are ready.
func (r *readiness) note(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.ready[name]; !known {
		r.ready[name], r.last = now, now
	}
	if len(r.ready) == 1 && r.first.IsZero() {
		r.first = now
	}
	return len(r.ready) == r.total
}

func (r *readiness) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *readiness) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// readyAt says when one was first seen to be Ready.
func (r *readiness) readyAt(name string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.ready[name]
	return at, ok
}

// took is from a moment until the last became Ready.
func (r *readiness) took(begun time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last.Sub(begun)
}

func (r *readiness) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ready)
}

func (r *readiness) sinceLast(begun time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.After(begun) {
		return time.Since(r.last)
	}
	return time.Since(begun)
}

// patience is how long nothing may become Ready before bench gives up.
const patience = 2 * time.Minute

// wait returns when all are Ready. broken is closed when that will not happen any more; it may be nil.
func (r *readiness) wait(ctx context.Context, broken <-chan struct{}) error {
	begun := time.Now()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-r.done:
			return r.failure()
		case <-ctx.Done():
			return ctx.Err()
		case <-broken:
			return errors.New("the manager ended")
		case <-ticker.C:
			if r.sinceLast(begun) > patience {
				return fmt.Errorf("%d of %d OrgUsers are Ready, and for %s no other has become so", r.count(), r.total, patience)
			}
		}
	}
}
