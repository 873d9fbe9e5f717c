// Package openai is the only place in rollcall that talks HTTP to an OpenAI
// organization. It puts ten typed calls over the official SDK and gives out
// small types of its own, so that nothing else depends on the wire.
//
// What it promises to its callers:
//
//   - A list is whole or an error. A page that fails, a cursor that leads
//     nowhere, or a list that changes while it is read never yields a part of
//     the organization that looks like all of it.
//   - An answer is checked before it is believed. One that lacks a field that
//     decisions rest on is an error, not a zero value.
//   - One place decides about retries. A 429 inside a list waits, for up to two
//     minutes, and goes on at its page; everything else is tried once and left
//     to the caller, which tells the cases apart with [IsNotFound], [IsRateLimited],
//     [IsUnauthorized], [IsRejected] and [IsTransient].
//   - All callers of one organization share one [budget.Limiter]: one budget of
//     requests, which finds by itself what each endpoint accepts, and one pause
//     when the API asks for it. A call waits for its own turn, or whoever makes
//     several together takes all their tokens first ([budget.Limiter.Take], [Prepaid]).
//   - [Client] only reads. What changes an organization is in [Changer], and the
//     linter says who may have one.
//   - The admin key is in no error, log line, metric or formatted value.
package openai
