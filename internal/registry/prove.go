package registry

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/organization"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// key is what an Organization object has, and how far it is tried. The mutex of Organizations guards what is beside the Link.
type key struct {
	*link.Link
	cancel context.CancelFunc
	// proofs counts how often it was begun to prove the key: what an earlier one finds counts for nothing.
	proofs int
	// provedAt is when the key was tried last; asked is what a person asked for that with.
	provedAt time.Time
	asked    string
}

// useless says whether the key is to be proven again. asked: a person asks for it.
func (k *key) useless(asked bool) bool {
	switch k.Status().State {
	case link.KeyRefused, link.OtherOrganization:
		return true
	case link.Failed:
		return asked
	}
	return false
}

// prove begins to find out which organization a key is of. a.mu is held.
func (a *Organizations) prove(l *key, noted link.Pair) {
	l.Set(link.Proving, nil)
	l.provedAt = a.world.Now()
	l.proofs++
	proof := l.proofs
	l.Found(link.Pair{}) // what it was found to be of last may not be what the object stands for
	if l.cancel != nil {
		l.cancel()
	}
	stop := make(chan struct{})
	var once sync.Once
	l.cancel = func() { once.Do(func() { close(stop) }) }
	a.start(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		a.proveUntilKnown(ctx, l, proof, noted)
	})
}

// proveUntilKnown reads with the key until that shows which organization it is of, or that it is refused.
func (a *Organizations) proveUntilKnown(ctx context.Context, l *key, proof int, noted link.Pair) {
	for attempt := 0; ; attempt++ {
		err := a.proveOnce(ctx, l, proof, noted)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			return
		case link.IsUnauthorized(err):
			l.Set(link.KeyRefused, err)
		default:
			l.Set(link.Failed, err)
		}
		a.world.Edge.WakeOrganization(l.Object(), 0)
		if link.IsUnauthorized(err) || openai.IsRejected(err) || openai.IsUnauthorized(err) {
			if link.IsUnauthorized(err) {
				return // the Organization controller looks at the Secret again, and has it proven again
			}
			attempt = max(attempt, longWait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tries.Reading.After(attempt)):
		}
	}
}

// provesAgain is how long after a key was tried it is tried again, though it was refused.
const provesAgain = 30 * time.Second

// longWait is the attempt from which on an organization that cannot be read is asked each half minute and rarer.
const longWait = 6

// proveOnce reads the organization whole, unless it is known which it is and it was read already: then one page is enough.
func (a *Organizations) proveOnce(ctx context.Context, l *key, proof int, noted link.Pair) error {
	a.mu.Lock()
	pair := link.Pair{Address: l.Credential().Address(), ID: noted.ID}
	expected := a.byPair[pair]
	a.mu.Unlock()
	begun := a.world.Now()
	if noted.ID != "" && expected != nil && !expected.Roster().ReadAt().IsZero() {
		// Where the key may not list roles, the list of the users tells as much.
		if _, err := l.Client().ListRoles(ctx); err == nil && l.Client().OrganizationID() == noted.ID {
			a.attach(l, proof, noted, pair, nil, begun)
			return nil
		}
	}
	users, err := l.Client().ListUsers(ctx)
	if err != nil {
		return err
	}
	if pair.ID = l.Client().OrganizationID(); pair.ID == "" {
		pair.ID = link.Unnamed(l.Object())
	}
	a.attach(l, proof, noted, pair, users, begun)
	return nil
}

// attach makes the object one of its organization's, whose key is proven.
func (a *Organizations) attach(l *key, proof int, noted, pair link.Pair, users []openai.User, begun time.Time) {
	a.mu.Lock()
	if a.links[l.Object()] != l || l.proofs != proof {
		a.mu.Unlock()
		return // another key came meanwhile, or the object stands for something else
	}
	l.Found(pair)
	if other := noted.ID != "" && (noted.ID != pair.ID || noted.Address != "" && noted.Address != pair.Address); other {
		l.Set(link.OtherOrganization, nil)
		a.mu.Unlock()
		a.world.Edge.WakeOrganization(l.Object(), 0)
		return
	}
	o := a.byPair[pair]
	if o == nil {
		o = a.begin(pair, l.Client().Limiter())
	} else if l.Client().Limiter() != o.Links().Limiter() {
		if client, err := a.client(l.Object(), l.Credential(), o.Links().Limiter()); err == nil {
			l.SetClient(client)
		}
	}
	a.leaveOthers(l.Object(), o)
	a.noted[l.Object()] = pair
	a.changes.Add(1)
	l.Set(link.Proven, nil)
	a.join(o, l)
	a.sweep()
	a.mu.Unlock()
	if users != nil {
		o.Readings().TakeOver(o.Roster().BeginAt(begun), users)
	}
	o.Links().SetCeiling()
	o.Begin(l.Terms().Interval)
	a.world.Edge.WakeOrganization(l.Object(), 0)
	a.world.Edge.WakeObjects(l.Object())
}

// leaveOthers takes an object out of all organizations but one: before its key was proven it may have stood for another, as
// an object of its name did that is gone. a.mu is held.
func (a *Organizations) leaveOthers(object types.NamespacedName, stays *organization.Organization) {
	for _, o := range a.byPair {
		if o != stays && o.Links().Of(object) != nil {
			o.Links().Leave(object)
			o.Readings().Leave(object)
		}
	}
}

// begin has an organization act that was not known. a.mu is held.
func (a *Organizations) begin(pair link.Pair, limiter *budget.Limiter) *organization.Organization {
	var o *organization.Organization
	o = organization.New(a.world, pair, limiter, func() []types.NamespacedName { return a.objectsOf(o) })
	a.byPair[pair] = o
	alive, stop := context.WithCancel(context.Background())
	a.stop[o] = stop
	a.start(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(alive, cancel)()
		o.Run(ctx)
	})
	return o
}
