package reading

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// catalog is for which bindings the organization's roles were listed, and are to be.
type catalog struct {
	wanted chan *v1alpha1.OrgUserRoleBinding

	mu sync.Mutex
	// listedFor has the bindings by generation.
	listedFor map[types.UID]int64
	listing   bool
	// failed has those for whom the roles could not be listed, and when that is tried again.
	failed map[types.UID]failed
	// late asked while the roles were being listed, which may have begun before theirs was there.
	late map[types.UID]*v1alpha1.OrgUserRoleBinding
}

// failed is a binding for which the roles could not be listed.
type failed struct {
	binding  *v1alpha1.OrgUserRoleBinding
	attempts int
	until    time.Time
}

func newCatalog() *catalog {
	return &catalog{wanted: make(chan *v1alpha1.OrgUserRoleBinding, 1), listedFor: map[types.UID]int64{}, late: map[types.UID]*v1alpha1.OrgUserRoleBinding{}, failed: map[types.UID]failed{}}
}

// want has the roles listed for a binding, once for each generation of it. It says whether that is under way.
func (c *catalog) want(binding *v1alpha1.OrgUserRoleBinding) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.listedFor[binding.UID] == binding.Generation:
		return c.listing
	case c.listing:
		c.late[binding.UID] = binding
		return true
	}
	c.listedFor[binding.UID] = binding.Generation
	c.listing = true
	c.wanted <- binding // it is empty while none is listed
	return true
}

// ended notes that the roles were listed for a binding, or with an error that they were not. It returns who is to be looked
// at now.
func (c *catalog) ended(binding *v1alpha1.OrgUserRoleBinding, now time.Time, err error) []*v1alpha1.OrgUserRoleBinding {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listing = false
	if before := c.failed[binding.UID]; err != nil {
		c.failed[binding.UID] = failed{binding, before.attempts + 1, now.Add(tries.Retry.After(before.attempts))}
	} else {
		delete(c.failed, binding.UID)
	}
	c.late[binding.UID] = binding
	wake := slices.Collect(maps.Values(c.late))
	clear(c.late)
	return wake
}

// again returns those for whom it is time to try again.
func (c *catalog) again(now time.Time) []*v1alpha1.OrgUserRoleBinding {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due []*v1alpha1.OrgUserRoleBinding
	for uid, f := range c.failed {
		if _, waits := c.listedFor[uid]; waits && !now.Before(f.until) {
			delete(c.listedFor, uid)
			due = append(due, f.binding)
		}
	}
	return due
}

// keep forgets all bindings that are gone, or of another generation by now.
func (c *catalog) keep(bindings []v1alpha1.OrgUserRoleBinding) {
	there := make(map[types.UID]int64, len(bindings))
	for i := range bindings {
		there[bindings[i].UID] = bindings[i].Generation
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.listedFor, func(uid types.UID, generation int64) bool { return there[uid] != generation })
	maps.DeleteFunc(c.failed, func(uid types.UID, f failed) bool { return there[uid] != f.binding.Generation })
}

// WantCatalog has the organization's roles listed soon, once for each generation of a binding that does not find its role
// among them. It says whether that is under way.
func (r *Reader) WantCatalog(binding *v1alpha1.OrgUserRoleBinding) bool {
	return r.catalog.want(binding)
}

// listWanted lists the organization's roles whenever a binding wants them.
func (r *Reader) listWanted(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case binding := <-r.catalog.wanted:
			err := r.listFor(ctx, binding)
			if err != nil {
				r.from.Log.Info("the organization's roles could not be listed; tried again with the next reading", "error", err.Error())
			}
			for _, waits := range r.catalog.ended(binding, r.from.Now(), err) {
				r.from.Edge.Wake(waits)
			}
		}
	}
}

func (r *Reader) listFor(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) error {
	ctx, cancel := context.WithTimeout(ctx, 2*r.from.Timeout)
	defer cancel()
	l := r.from.Links.Reader(declared.OrganizationOf(binding))
	if l == nil {
		return nil
	}
	return r.listCatalog(ctx, l)
}

// bindings are those of all objects of the organization.
func (r *Reader) bindings(ctx context.Context) ([]v1alpha1.OrgUserRoleBinding, error) {
	var all []v1alpha1.OrgUserRoleBinding
	for _, name := range r.from.Objects() {
		bindings, err := r.from.Cache.Bindings(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, bindings...)
	}
	return all, nil
}

// readRoles lists the organization's roles, if anybody binds one.
func (r *Reader) readRoles(ctx context.Context, l *link.Link) error {
	bindings, err := r.bindings(ctx)
	if err != nil {
		return err
	}
	r.catalog.keep(bindings)
	if len(bindings) == 0 {
		return nil
	}
	return r.listCatalog(ctx, l)
}

// listCatalog lists the organization's roles, and has all bindings and theirs looked at if they changed.
func (r *Reader) listCatalog(ctx context.Context, l *link.Link) error {
	begun := r.from.Now()
	roles, err := l.Client().ListRoles(ctx)
	if err := r.from.Links.Answered(l, err); err != nil {
		return err
	}
	if !r.from.Roster.SetRoles(begun, roles) {
		return nil
	}
	bindings, err := r.bindings(ctx)
	if err != nil {
		return err
	}
	for i := range bindings {
		r.from.Edge.Wake(&bindings[i])
		r.from.Pending.Wake(pending.Due, false, declared.KeysOf(&bindings[i])...)
	}
	return nil
}
