package roster

import (
	"context"
	"sync"
)

// batch gathers the addresses that are asked for while a call is under way into the next call, so that a
// thousand questions that come together cost a few calls.
type batch struct {
	mu      sync.Mutex
	running bool
	next    *question
}

type question struct {
	emails map[string]bool
	done   chan struct{}
	err    error
}

// ask returns when a call that covered the address is over. Whoever finds no call under way starts one, for
// all who have gathered by then; it outlives them, since the others wait for it.
func (b *batch) ask(ctx context.Context, email string, call func(context.Context, []string) error) error {
	b.mu.Lock()
	if b.next == nil {
		b.next = &question{emails: map[string]bool{}, done: make(chan struct{})}
	}
	mine := b.next
	mine.emails[email] = true
	leads := !b.running
	b.running = true
	b.mu.Unlock()

	if leads {
		go b.run(context.WithoutCancel(ctx), call)
	}
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run makes calls until nobody has gathered any more.
func (b *batch) run(ctx context.Context, call func(context.Context, []string) error) {
	for {
		b.mu.Lock()
		current := b.next
		b.next = nil
		if current == nil {
			b.running = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		emails := make([]string, 0, len(current.emails))
		for email := range current.emails {
			emails = append(emails, email)
		}
		current.err = call(ctx, emails)
		close(current.done)
	}
}
