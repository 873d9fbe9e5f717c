package openai

import "context"

// Class is who waits for a call: see [Limiter].
type Class int

const (
	// Foreground is for what somebody waits for.
	Foreground Class = iota
	// Background is for what nobody waits for, such as a periodic reading. While
	// both wait it has a quarter of the turns.
	Background
	classes
)

type (
	classKey   struct{}
	prepaidKey struct{}
)

// InBackground puts the calls made with the context into the class [Background].
// Without it they are in the class [Foreground].
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, classKey{}, Background)
}

func classOf(ctx context.Context) Class {
	if class, ok := ctx.Value(classKey{}).(Class); ok {
		return class
	}
	return Foreground
}

// Prepaid says that the tokens of the calls made with the context are taken
// already ([Limiter.Take]): the calls do not wait at the Limiter. If a pause
// began meanwhile they are not sent, and their error is one for which
// [IsRateLimited] holds. A list has one token; its further pages are sent at
// once too, and the calls after them wait the longer for it.
func Prepaid(ctx context.Context) context.Context {
	return context.WithValue(ctx, prepaidKey{}, true)
}

func isPrepaid(ctx context.Context) bool {
	prepaid, _ := ctx.Value(prepaidKey{}).(bool)
	return prepaid
}
