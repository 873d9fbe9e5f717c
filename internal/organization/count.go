package organization

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/window"
)

// organizations are the Organization objects that stand for the organization, as the cache or a look has them.
func (t *turn) organizations(ctx context.Context, from interface {
	Organization(ctx context.Context, name types.NamespacedName) (*v1alpha1.Organization, error)
}) ([]*v1alpha1.Organization, error) {
	var orgs []*v1alpha1.Organization
	for _, name := range t.objects() {
		org, err := from.Organization(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("read Organization %s: %w", name, err)
		}
		if org != nil {
			orgs = append(orgs, org)
		}
	}
	return orgs, nil
}

// countRemovals counts removals before they are made, all of a turn in one write, so that a manager that is killed cannot
// make them twice on one count. It fails if what they rest on changed since it was read.
func (t *turn) countRemovals(ctx context.Context, seen *v1alpha1.Organization, leavers []string) error {
	name := client.ObjectKeyFromObject(seen)
	defer t.look.Changed(name)
	return t.world.Edge.Write(ctx, name, func(org *v1alpha1.Organization) error {
		if err := unchanged(seen, org, leavers); err != nil {
			return err
		}
		window.Count(org, len(leavers), t.world.Now())
		return nil
	})
}

// unchanged says whether all that removals rest on is as it was seen.
func unchanged(seen, now *v1alpha1.Organization, leavers []string) error {
	removals := func(org *v1alpha1.Organization) v1alpha1.Removals {
		if org.Status.Removals == nil {
			return v1alpha1.Removals{}
		}
		return *org.Status.Removals
	}
	before, after := removals(seen), removals(now)
	switch {
	case seen.UID != now.UID, seen.Generation != now.Generation, !now.DeletionTimestamp.IsZero(), declared.Paused(now),
		before.Count != after.Count, !before.WindowStart.Equal(&after.WindowStart):
		return fmt.Errorf("Organization %s changed a moment ago", seen.Name)
	}
	for _, line := range seen.Status.Leaving {
		if slices.Contains(leavers, line.UserID) && !slices.ContainsFunc(now.Status.Leaving, func(l v1alpha1.Leaver) bool { return l.UserID == line.UserID && l.Since.Equal(&line.Since) }) {
			return fmt.Errorf("the leavers of Organization %s changed a moment ago", seen.Name)
		}
	}
	return nil
}

// refund takes a count back after the API refused the removal, or it was not sent. Should that fail, the count is too high,
// which is the safe side.
func (t *turn) refund(ctx context.Context, asker plan.Ref) {
	err := t.world.Edge.Write(context.WithoutCancel(ctx), namespacedName(asker), func(org *v1alpha1.Organization) error {
		window.GiveBack(org)
		return nil
	})
	if err != nil {
		t.log.Error(err, "a removal that was not made stays counted in this window")
	}
	t.FreeGuarded()
}
