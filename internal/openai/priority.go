package openai

import "context"

type priority int

const (
	foreground priority = iota
	background
	priorities
)

type priorityKey struct{}

// Background marks the calls made with the context as ones that nobody waits
// for, such as a periodic refresh: at the Limiter they go after all others.
// Calls are in the foreground otherwise.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, priorityKey{}, background)
}

func priorityOf(ctx context.Context) priority {
	if p, ok := ctx.Value(priorityKey{}).(priority); ok {
		return p
	}
	return foreground
}
