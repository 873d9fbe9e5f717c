package registry

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/organization"
)

// objectsOf returns the Organization objects that stand for an organization, sorted: those with a key of it, those of
// which the status says so, and those with the very key of one of these.
func (a *Organizations) objectsOf(o *organization.Organization) []types.NamespacedName {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.standingFor(o)
}

func (a *Organizations) standingFor(o *organization.Organization) []types.NamespacedName {
	if changes := a.changes.Load(); a.objects == nil || a.objectsAt != changes {
		a.objects, a.objectsAt = a.allStanding(), changes
	}
	return slices.Clone(a.objects[o])
}

// allStanding finds out for which organization each object stands. a.mu is held.
func (a *Organizations) allStanding() map[*organization.Organization][]types.NamespacedName {
	standing := map[*organization.Organization][]types.NamespacedName{}
	keys := map[link.Credential][]*organization.Organization{}
	for name, l := range a.links {
		o := a.of(name)
		if o == nil {
			continue
		}
		standing[o] = append(standing[o], name)
		if l.Usable() && !slices.Contains(keys[l.Credential()], o) {
			keys[l.Credential()] = append(keys[l.Credential()], o)
		}
	}
	for name, pair := range a.noted {
		if o := a.byPair[pair]; o != nil && a.links[name] == nil {
			standing[o] = append(standing[o], name)
		}
	}
	for name, l := range a.links {
		if a.of(name) == nil {
			for _, o := range keys[l.Credential()] {
				standing[o] = append(standing[o], name)
			}
		}
	}
	for _, names := range standing {
		slices.SortFunc(names, compareNames)
	}
	return standing
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// join adds an object with a key to an organization. a.mu is held.
func (a *Organizations) join(o *organization.Organization, k *key) {
	o.Links().Join(k.Link)
	delete(a.emptySince, o)
}

// emptyFrom notes since when no object stands for an organization, if it is not noted yet. a.mu is held.
func (a *Organizations) emptyFrom(o *organization.Organization) {
	if _, known := a.emptySince[o]; !known {
		a.emptySince[o] = a.world.Now()
	}
}

// sweep drops organizations for which no object stands any more, once no call of theirs can be under way. a.mu is held.
func (a *Organizations) sweep() {
	stands := map[*organization.Organization]bool{}
	for name := range a.links {
		stands[a.of(name)] = true
	}
	for name := range a.noted {
		stands[a.of(name)] = true
	}
	maps.DeleteFunc(a.byPair, func(_ link.Pair, o *organization.Organization) bool {
		if stands[o] {
			return false
		}
		a.emptyFrom(o)
		if a.world.Now().Sub(a.emptySince[o]) <= forgetAfter {
			return false
		}
		a.stop[o]()
		delete(a.stop, o)
		delete(a.emptySince, o)
		a.changes.Add(1)
		return true
	})
}

// forgetAfter is how long an organization without any object is remembered: its turns, budget and doubts outlive keys.
const forgetAfter = 10 * time.Minute
