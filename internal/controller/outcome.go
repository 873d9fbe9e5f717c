package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// state says who moves next.
type state int

const (
	ready   state = iota // nobody: what is declared holds
	waiting              // rollcall: it goes on by itself
	stalled              // a person
	keep                 // rollcall, and so soon or so surely that the status stays as it is
)

// outcome is what a reconcile came to: what the status says and when to come again.
type outcome struct {
	state           state
	reason, message string
	result          ctrl.Result
	// err is returned to the workqueue, which tries again with backoff.
	err error
}

// errAsItWas: nothing can be said of the object now, and nothing that was said of it is known to be wrong.
var errAsItWas = errors.New("the organization has not been read yet")

// errMoreToDo: the pass ended before the work did.
var errMoreToDo = errors.New("more to do")

// atWork is the message of an object whose next pass follows at once.
const atWork = "at work"

// outcomeOf is the one table from error to condition and requeue. A stalled object is tried again when its
// spec changes and at each resync.
func outcomeOf(err error, whenReady string) outcome {
	var fact *fact
	switch {
	case err == nil:
		return outcome{state: ready, reason: v1alpha1.ReasonInSync, message: whenReady}
	case errors.As(err, &fact):
		return fact.outcome()
	case errors.Is(err, errAsItWas), errors.Is(err, context.Canceled):
		return outcome{state: keep}
	case errors.Is(err, errMoreToDo):
		return outcome{state: waiting, reason: v1alpha1.ReasonProgressing, message: atWork, result: ctrl.Result{RequeueAfter: time.Millisecond}}
	case apierrors.IsConflict(err):
		return outcome{state: keep, err: err}
	case openai.IsRateLimited(err):
		return outcome{state: keep, result: ctrl.Result{RequeueAfter: retryAfter(err)}}
	case refusesKey(err):
		return outcome{state: waiting, reason: v1alpha1.ReasonOrganizationNotReady, message: "waits until the API accepts the Organization's admin key: " + describe(err)}
	case openai.IsRejected(err), openai.IsUnauthorized(err):
		return outcome{state: stalled, reason: v1alpha1.ReasonRejected, message: "the API refused the change, and is asked again at each resync: " + describe(err)}
	}
	return outcome{state: waiting, reason: v1alpha1.ReasonRetrying, message: "tried again until it succeeds: " + describe(err), err: err}
}

// refusesKey says whether the API refused the key itself. A 403 is about what the key may do, and may hold
// for one call only, so it does not keep the whole organization from being managed.
func refusesKey(err error) bool {
	apiError, ok := openai.AsError(err)
	return ok && apiError.Status == http.StatusUnauthorized
}

// minimumWait keeps a wait that the API gives as nothing from becoming a busy loop.
const minimumWait = time.Second

func retryAfter(err error) time.Duration {
	if apiError, ok := openai.AsError(err); ok {
		return max(apiError.RetryAfter, minimumWait)
	}
	return minimumWait
}

// describe words an error for a condition: the same words for the same error, without request IDs or times.
func describe(err error) string {
	if apiError, ok := openai.AsError(err); ok {
		return apiError.StableMessage()
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return fmt.Sprintf("the Kubernetes API answered %s", status.Status().Reason)
	}
	return err.Error()
}
