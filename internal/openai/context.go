package openai

import (
	"context"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

type (
	classKey   struct{}
	prepaidKey struct{}
)

// InBackground puts the calls made with the context into the class
// [budget.Background]. Without it they are in the class [budget.Foreground].
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, classKey{}, budget.Background)
}

func classOf(ctx context.Context) budget.Class {
	if class, ok := ctx.Value(classKey{}).(budget.Class); ok {
		return class
	}
	return budget.Foreground
}

// Prepaid says that the tokens of the calls made with the context are taken
// already ([budget.Limiter.Take]): the calls do not wait at the Limiter. If a
// pause began meanwhile they are not sent, and their error is one for which
// [IsRateLimited] holds. A list has one token; its further pages are sent at
// once too, and the calls after them wait the longer for it.
func Prepaid(ctx context.Context) context.Context {
	return context.WithValue(ctx, prepaidKey{}, true)
}

func isPrepaid(ctx context.Context) bool {
	prepaid, _ := ctx.Value(prepaidKey{}).(bool)
	return prepaid
}
