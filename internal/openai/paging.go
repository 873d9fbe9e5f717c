package openai

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openai/openai-go/v3/option"
)

const (
	// listPatience is the longest pause that a page of a list waits out, since
	// the pages read so far would be lost. No longer, since a worker of somebody
	// else's organization may be waiting behind.
	listPatience = 2 * time.Minute
	// maxReadings is how often a list is begun that changes while it is read.
	maxReadings = 3
	// maxThrottles is how many 429s in a row one page waits out.
	maxThrottles = 10
	// maxListSize bounds what is kept of one list, in bytes: some 450,000 users. A
	// server may have pages without end.
	maxListSize = 128 << 20
	// itemSize is what an item takes beside its texts.
	itemSize = 256
)

// page is one page of a list.
type page[T any] struct {
	items   []T
	hasMore bool
	// next is the cursor of the next page.
	next string
}

// list is a list that comes in pages.
type list[T any] struct {
	call call
	// id is what makes an item appear only once.
	id func(T) string
	// texts is the length of its texts.
	texts func(T) int
	// fetch asks for the page after a cursor, "" for the first.
	fetch func(ctx context.Context, after string, with option.RequestOption) (page[T], error)
}

// changedError says that a list was not read as it stood at any one time.
type changedError struct {
	what  string
	cause error
}

func (e *changedError) Error() string { return e.what }

// readAll gives the whole list, or an error and nothing. A list that changes
// while it is read is read again from its start, maxReadings times in all.
func readAll[T any](ctx context.Context, c *Client, l list[T]) ([]T, error) {
	// A pause in the middle of a list must not throw away the pages read.
	l.call.patience = listPatience
	var changed *changedError
	for range maxReadings {
		items, err := readOnce(ctx, c, l)
		l.call.further = true
		if err == nil {
			return items, nil
		}
		if !errors.As(err, &changed) {
			return nil, err
		}
	}
	return nil, &Error{
		Op: l.call.op, cause: changed.cause,
		Message: fmt.Sprintf("the list was not whole in %d readings: %s", maxReadings, changed.what),
	}
}

func readOnce[T any](ctx context.Context, c *Client, l list[T]) ([]T, error) {
	var items []T
	seen := map[string]bool{}
	cursors := map[string]bool{}
	size := 0
	for after := ""; ; {
		got, err := readPage(ctx, c, l, after)
		if err != nil {
			return nil, err
		}
		for _, item := range got.items {
			if seen[l.id(item)] {
				return nil, &changedError{what: "it has an item twice"}
			}
			seen[l.id(item)] = true
			size += itemSize + l.texts(item)
		}
		size += len(got.next)
		if size > maxListSize {
			return nil, &Error{Op: l.call.op, Message: fmt.Sprintf("the list has no end: more than %d items", len(items))}
		}
		items = append(items, got.items...)
		l.call.further = true
		switch {
		case !got.hasMore:
			return items, nil
		case len(got.items) == 0:
			return nil, &changedError{what: "a page is empty though more are said to follow"}
		case got.next == "":
			return nil, &changedError{what: "a page has no cursor though more are said to follow"}
		case cursors[got.next]:
			return nil, &changedError{what: "a page leads back to an earlier one"}
		}
		cursors[got.next] = true
		after = got.next
	}
}

// readPage reads one page, however often it has to wait for it.
func readPage[T any](ctx context.Context, c *Client, l list[T], after string) (page[T], error) {
	for throttles := 0; ; throttles++ {
		got, err := perform(ctx, c, l.call, func(ctx context.Context, with option.RequestOption) (page[T], error) {
			return l.fetch(ctx, after, with)
		})
		switch {
		case IsRateLimited(err) && throttles < maxThrottles && !isPrepaid(ctx):
			// The limiter is paused by now: the next turn comes after the pause,
			// or is refused if the pause is too long to wait.
			continue
		case after != "" && IsRejected(err):
			// The cursor is an item that has gone since.
			return page[T]{}, &changedError{what: "a cursor is no longer accepted", cause: err}
		}
		return got, err
	}
}
