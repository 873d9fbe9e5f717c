package declared

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Cache finds what the manifests say in the informers' cache. What it returns belongs to the cache: it is not to be
// changed.
type Cache struct {
	reader client.Reader
	views  *views
	now    func() time.Time
}

// NewCache returns a Cache over a reader that has the indexes of AddIndexes.
func NewCache(reader client.Reader, now func() time.Time) *Cache {
	return &Cache{reader: reader, views: newViews(), now: now}
}

// Forget drops what is kept of a binding that is gone.
func (c *Cache) Forget(binding types.UID) { c.views.forget(binding) }

// Gathered are the objects that speak of one person.
type Gathered struct {
	Users         []*v1alpha1.OrgUser
	Bindings      []*v1alpha1.OrgUserRoleBinding
	Organizations []*v1alpha1.Organization
}

// Gather finds the objects, of all given Organizations, that speak of the person known by the keys.
func (c *Cache) Gather(ctx context.Context, organizations []types.NamespacedName, keys []plan.Key) (Gathered, error) {
	var g Gathered
	for _, name := range organizations {
		org, err := c.Organization(ctx, name)
		if err != nil {
			return g, err
		}
		if org != nil {
			g.Organizations = append(g.Organizations, org)
		}
		if err := c.gatherIn(ctx, name, keys, &g); err != nil {
			return g, err
		}
	}
	return g, nil
}

// gatherIn adds what the objects of one Organization say.
func (c *Cache) gatherIn(ctx context.Context, name types.NamespacedName, keys []plan.Key, g *Gathered) error {
	for _, key := range keys {
		users, err := c.users(ctx, name.Namespace, byPerson, personValue(name.Name, key))
		if err != nil {
			return err
		}
		for i := range users {
			g.addUser(&users[i])
		}
		if err := c.gatherBindings(ctx, name.Namespace, byPerson, personValue(name.Name, key), g); err != nil {
			return err
		}
	}
	for _, user := range g.Users {
		if OrganizationOf(user) != name {
			continue
		}
		if err := c.gatherBindings(ctx, name.Namespace, byOrgUser, indexValue(name.Name, user.Name), g); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cache) gatherBindings(ctx context.Context, namespace, index, value string, g *Gathered) error {
	bindings, err := c.bindings(ctx, namespace, index, value)
	for i := range bindings {
		g.addBinding(&bindings[i])
	}
	return err
}

// Named says whether any OrgUser of the Organizations names or remembers the person known by the keys.
func (c *Cache) Named(ctx context.Context, organizations []types.NamespacedName, keys []plan.Key) (bool, error) {
	for _, name := range organizations {
		for _, key := range keys {
			users, err := c.users(ctx, name.Namespace, byPerson, personValue(name.Name, key))
			if err != nil || len(users) > 0 {
				return len(users) > 0, err
			}
		}
	}
	return false, nil
}

// Organization returns the object, or nil where there is none.
func (c *Cache) Organization(ctx context.Context, name types.NamespacedName) (*v1alpha1.Organization, error) {
	org := &v1alpha1.Organization{}
	err := c.reader.Get(ctx, name, org, &client.GetOptions{UnsafeDisableDeepCopy: new(true)})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nobody is there, and that is no error
	}
	return org, err
}

// OrgUsers returns the OrgUsers of an Organization.
func (c *Cache) OrgUsers(ctx context.Context, organization types.NamespacedName) ([]v1alpha1.OrgUser, error) {
	return c.users(ctx, organization.Namespace, byOrganization, organization.Name)
}

// Bindings returns the OrgUserRoleBindings of an Organization.
func (c *Cache) Bindings(ctx context.Context, organization types.NamespacedName) ([]v1alpha1.OrgUserRoleBinding, error) {
	return c.bindings(ctx, organization.Namespace, byOrganization, organization.Name)
}

// Unsettled returns the objects of an Organization that are not ready as their spec stands.
func (c *Cache) Unsettled(ctx context.Context, organization types.NamespacedName) ([]client.Object, error) {
	users, err := c.users(ctx, organization.Namespace, byUnsettled, organization.Name)
	if err != nil {
		return nil, err
	}
	bindings, err := c.bindings(ctx, organization.Namespace, byUnsettled, organization.Name)
	var objects []client.Object
	for i := range users {
		objects = append(objects, &users[i])
	}
	for i := range bindings {
		objects = append(objects, &bindings[i])
	}
	return objects, err
}

// BindingsNaming returns the bindings that name an OrgUser.
func (c *Cache) BindingsNaming(ctx context.Context, user *v1alpha1.OrgUser) ([]v1alpha1.OrgUserRoleBinding, error) {
	return c.bindings(ctx, user.Namespace, byOrgUser, indexValue(user.Spec.OrganizationRef.Name, user.Name))
}

func (c *Cache) users(ctx context.Context, namespace, index, value string) ([]v1alpha1.OrgUser, error) {
	list := &v1alpha1.OrgUserList{}
	err := c.reader.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{index: value},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return list.Items, err
}

func (c *Cache) bindings(ctx context.Context, namespace, index, value string) ([]v1alpha1.OrgUserRoleBinding, error) {
	list := &v1alpha1.OrgUserRoleBindingList{}
	err := c.reader.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{index: value},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return list.Items, err
}

// orgUser returns an OrgUser by its name, or nil where there is none.
func (c *Cache) orgUser(ctx context.Context, namespace, name string) (*v1alpha1.OrgUser, error) {
	user := &v1alpha1.OrgUser{}
	err := c.reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, user, &client.GetOptions{UnsafeDisableDeepCopy: new(true)})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nobody is there, and that is no error
	}
	return user, err
}

// missing returns the OrgUsers that the binding names and that are not there.
func (c *Cache) missing(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding) ([]string, error) {
	var names []string
	for name := range c.views.of(binding).byOrgUser {
		user, err := c.orgUser(ctx, binding.Namespace, name)
		if err != nil {
			return nil, err
		}
		if user == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
