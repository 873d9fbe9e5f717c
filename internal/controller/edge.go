package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/verdict"
)

// edge is what organizations ask of Kubernetes: it wakes objects, writes what is counted, and tells of what was made.
type edge struct {
	client client.Client
	live   client.Reader
	cache  *declared.Cache
	events events.EventRecorder

	orgUsers, bindings, orgs *fair

	mu sync.Mutex
	// made are the steps that a binding made and has not told yet, by its UID.
	made map[types.UID][]madeStep
	// removed are the leavers whom rollcall removed, until their lines go.
	removed map[string]bool
	writers map[types.NamespacedName]*writer
}

// madeStep is a step that a binding made.
type madeStep struct {
	step  plan.Step
	drift bool
}

var _ organization.Edge = (*edge)(nil)

func newEdge(c client.Client, live client.Reader, cache *declared.Cache, recorder events.EventRecorder) *edge {
	return &edge{
		client: c, live: live, cache: cache, events: recorder,
		orgUsers: newFair(), bindings: newFair(), orgs: newFair(),
		made: map[types.UID][]madeStep{}, removed: map[string]bool{}, writers: map[types.NamespacedName]*writer{},
	}
}

// Wake implements organization.Edge.
func (e *edge) Wake(object client.Object) {
	name := client.ObjectKeyFromObject(object)
	switch object.(type) {
	case *v1alpha1.OrgUser:
		e.orgUsers.add(name, true, 0)
	case *v1alpha1.OrgUserRoleBinding:
		e.bindings.add(name, true, gathering)
	case *v1alpha1.Organization:
		e.orgs.add(name, true, gathering)
	}
}

// gathering has what comes together looked at together.
const gathering = 50 * time.Millisecond

// WakeOrganization implements organization.Edge.
func (e *edge) WakeOrganization(name types.NamespacedName, after time.Duration) {
	e.orgs.add(name, false, after)
}

// WakeObjects implements organization.Edge.
func (e *edge) WakeObjects(name types.NamespacedName) {
	ctx := context.Background()
	users, err := e.cache.OrgUsers(ctx, name)
	if err != nil {
		log.Log.Error(err, "cannot tell which objects an Organization has; the next reading will", "organization", name.String())
	}
	for i := range users {
		e.orgUsers.add(client.ObjectKeyFromObject(&users[i]), true, 0)
	}
	bindings, err := e.cache.Bindings(ctx, name)
	if err != nil {
		log.Log.Error(err, "cannot tell which objects an Organization has; the next reading will", "organization", name.String())
	}
	for i := range bindings {
		e.bindings.add(client.ObjectKeyFromObject(&bindings[i]), true, 0)
	}
}

// Made implements organization.Edge.
func (e *edge) Made(_ context.Context, made organization.Made) {
	step := made.Step
	if step.Verb == plan.Update || step.Verb == plan.Remove {
		for _, org := range made.Objects.Organizations {
			e.WakeOrganization(client.ObjectKeyFromObject(org), countDelay)
		}
	}
	switch {
	case step.Verb == plan.Update:
		for _, user := range made.Objects.Users {
			if slices.Contains(made.For, string(user.UID)) {
				reason := v1alpha1.EventUpdated
				if wasInSync(user) {
					reason = v1alpha1.EventDriftCorrected
				}
				e.events.Eventf(user, nil, "Normal", reason, string(step.Verb), "%s", step.Done())
			}
		}
	case made.Undeclared:
		if org := e.asker(made); org != nil {
			e.events.Eventf(org, nil, "Normal", v1alpha1.EventUndeclaredRemoved, aboutStep(step), "%s: no object declares it", step.Done())
		}
	case step.Verb == plan.Remove:
		e.mu.Lock()
		e.removed[leaverOf(made.Asker, step.UserID)] = true
		e.mu.Unlock()
		if org := e.asker(made); org != nil {
			e.events.Eventf(org, nil, "Normal", v1alpha1.EventRemoved, aboutStep(step), "removed %s (%s) from the organization", step.Who, step.UserID)
		}
	default:
		e.mu.Lock()
		for _, binding := range made.Objects.Bindings {
			if slices.Contains(made.For, string(binding.UID)) {
				e.made[binding.UID] = append(e.made[binding.UID], madeStep{step, wasInSync(binding)})
			}
		}
		e.mu.Unlock()
	}
}

func (e *edge) asker(made organization.Made) *v1alpha1.Organization {
	for _, org := range made.Objects.Organizations {
		if client.ObjectKeyFromObject(org) == made.Asker {
			return org
		}
	}
	return nil
}

// wasInSync says whether an object says that what it declares held: what was changed now had been changed by somebody else.
func wasInSync(object client.Object) bool {
	return declared.Settled(object) && reasonOf(object) == v1alpha1.ReasonInSync
}

// aboutStep is the action of an event about a step: events that differ in their note only would be counted as one.
func aboutStep(step plan.Step) string {
	return verdict.Cut(strings.TrimSpace(fmt.Sprintf("%s %s %s", step.Verb, step.UserID, step.Role.ID)), 120)
}

// takeMade returns the steps that a binding made and has not told yet.
func (e *edge) takeMade(binding types.UID) []madeStep {
	e.mu.Lock()
	defer e.mu.Unlock()
	made := e.made[binding]
	delete(e.made, binding)
	return made
}

// leaverOf names a leaver of one Organization: the ID alone may be another person's in another organization.
func leaverOf(org types.NamespacedName, userID string) string { return org.String() + "/" + userID }

// wasRemoved says whether rollcall removed a leaver, and forgets it.
func (e *edge) wasRemoved(org types.NamespacedName, userID string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	leaver := leaverOf(org, userID)
	removed := e.removed[leaver]
	delete(e.removed, leaver)
	return removed
}

// writer gathers the changes of one Organization's status that come while a write is under way into the next.
type writer struct {
	running bool
	next    []*change
}

type change struct {
	apply func(*v1alpha1.Organization) error
	done  chan error
}

// Write implements organization.Edge. Changes that come together are one write; each sees those before it.
func (e *edge) Write(ctx context.Context, name types.NamespacedName, apply func(*v1alpha1.Organization) error) error {
	mine := &change{apply: apply, done: make(chan error, 1)}
	e.mu.Lock()
	w := e.writers[name]
	if w == nil {
		w = &writer{}
		e.writers[name] = w
	}
	w.next = append(w.next, mine)
	leads := !w.running
	w.running = true
	e.mu.Unlock()
	if leads {
		go e.write(context.WithoutCancel(ctx), name, w)
	}
	select {
	case err := <-mine.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write makes writes until nobody has gathered any more.
func (e *edge) write(ctx context.Context, name types.NamespacedName, w *writer) {
	for {
		e.mu.Lock()
		changes := w.next
		w.next = nil
		if len(changes) == 0 {
			delete(e.writers, name)
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		bounded, cancel := context.WithTimeout(ctx, writeTimeout)
		e.writeOnce(bounded, name, changes)
		cancel()
	}
}

// writeTimeout bounds one write with its reading.
const writeTimeout = 10 * time.Second

func (e *edge) writeOnce(ctx context.Context, name types.NamespacedName, changes []*change) {
	for try := 0; ; try++ {
		errs, err := e.tryWrite(ctx, name, changes)
		if apierrors.IsConflict(err) && try < maxConflicts {
			continue // somebody edited it meanwhile: each change looks again at what it rests on
		}
		for i, change := range changes {
			change.done <- firstError(errs[i], err)
		}
		return
	}
}

const maxConflicts = 5

func (e *edge) tryWrite(ctx context.Context, name types.NamespacedName, changes []*change) ([]error, error) {
	errs := make([]error, len(changes))
	org := &v1alpha1.Organization{}
	if err := e.live.Get(ctx, name, org); err != nil {
		return errs, err
	}
	before := org.DeepCopy()
	for i, change := range changes {
		tried := org.DeepCopy()
		if errs[i] = change.apply(tried); errs[i] == nil {
			org = tried
		}
	}
	_, err := patchOrganization(ctx, e.client.Status(), before, org)
	return errs, err
}
