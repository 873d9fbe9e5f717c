package controller

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

// Indexes of the cache. Each value begins with the name of the Organization that the object refers to.
const (
	// byOrganization finds the objects of an Organization.
	byOrganization = "organization"
	// byPerson finds OrgUsers and OrgUserRoleBindings by the email or user ID that they name.
	byPerson = "person"
	// byOrgUser finds OrgUserRoleBindings by the OrgUsers that they name.
	byOrgUser = "orgUser"
	// byUnsettled finds the objects of an Organization that are not ready as their spec stands.
	byUnsettled = "unsettled"
)

func indexValue(organization, value string) string { return organization + "|" + value }

func personValue(organization string, key roster.Key) string {
	if key.ID != "" {
		return indexValue(organization, "id:"+key.ID)
	}
	return indexValue(organization, "email:"+key.Email)
}

// personOf is the key of the person that an OrgUser declares. With an ID and an address, the ID decides.
func personOf(user *v1alpha1.OrgUser) roster.Key {
	if user.Spec.UserID != "" {
		return roster.IDKey(user.Spec.UserID)
	}
	return roster.EmailKey(user.Spec.Email)
}

func organizationOf(object client.Object) types.NamespacedName {
	name := ""
	switch o := object.(type) {
	case *v1alpha1.Organization:
		name = o.Name
	case *v1alpha1.OrgUser:
		name = o.Spec.OrganizationRef.Name
	case *v1alpha1.OrgUserRoleBinding:
		name = o.Spec.OrganizationRef.Name
	}
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: name}
}

// AddIndexes adds what the controllers find objects by.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	type index struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}
	for _, i := range []index{
		{&v1alpha1.OrgUser{}, byOrganization, organizationValue},
		{&v1alpha1.OrgUserRoleBinding{}, byOrganization, organizationValue},
		{&v1alpha1.OrgUser{}, byUnsettled, unsettledValue},
		{&v1alpha1.OrgUserRoleBinding{}, byUnsettled, unsettledValue},
		{&v1alpha1.OrgUser{}, byPerson, orgUserPersons},
		{&v1alpha1.OrgUserRoleBinding{}, byPerson, bindingPersons},
		{&v1alpha1.OrgUserRoleBinding{}, byOrgUser, bindingOrgUsers},
	} {
		if err := indexer.IndexField(ctx, i.object, i.name, i.values); err != nil {
			return err
		}
	}
	return nil
}

func organizationValue(object client.Object) []string { return []string{organizationOf(object).Name} }

func unsettledValue(object client.Object) []string {
	if !object.GetDeletionTimestamp().IsZero() {
		return organizationValue(object)
	}
	ready := false
	switch o := object.(type) {
	case *v1alpha1.OrgUser:
		ready = settled(o.Status.Conditions, o.Status.ObservedGeneration, o.Generation)
	case *v1alpha1.OrgUserRoleBinding:
		ready = settled(o.Status.Conditions, o.Status.ObservedGeneration, o.Generation)
	}
	if ready {
		return nil
	}
	return organizationValue(object)
}

func orgUserPersons(object client.Object) []string {
	user, ok := object.(*v1alpha1.OrgUser)
	if !ok {
		return nil
	}
	return []string{personValue(user.Spec.OrganizationRef.Name, personOf(user))}
}

func bindingPersons(object client.Object) []string {
	binding, ok := object.(*v1alpha1.OrgUserRoleBinding)
	if !ok {
		return nil
	}
	var values []string
	add := func(key roster.Key) { values = append(values, personValue(binding.Spec.OrganizationRef.Name, key)) }
	for _, subject := range binding.Spec.Subjects {
		switch {
		case subject.Email != "":
			add(roster.EmailKey(subject.Email))
		case subject.UserID != "":
			add(roster.IDKey(subject.UserID))
		}
	}
	return values
}

func bindingOrgUsers(object client.Object) []string {
	binding, ok := object.(*v1alpha1.OrgUserRoleBinding)
	if !ok {
		return nil
	}
	var values []string
	for _, subject := range binding.Spec.Subjects {
		if subject.OrgUser != "" {
			values = append(values, indexValue(binding.Spec.OrganizationRef.Name, subject.OrgUser))
		}
	}
	return values
}

// finder lists objects by the indexes. What it returns belongs to the cache: it is not to be changed.
type finder struct {
	client.Reader
}

func (f finder) orgUsers(ctx context.Context, namespace, index, value string) ([]v1alpha1.OrgUser, error) {
	list := &v1alpha1.OrgUserList{}
	err := f.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{index: value},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return list.Items, err
}

func (f finder) bindings(ctx context.Context, namespace, index, value string) ([]v1alpha1.OrgUserRoleBinding, error) {
	list := &v1alpha1.OrgUserRoleBindingList{}
	err := f.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{index: value},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return list.Items, err
}

// siblings returns the Organization objects that stand for the organization of a connection, its own among them,
// sorted: those that are connected, and those of which their status says so. These may have no usable key, be paused
// or, after a start, not have been looked at yet; what their namespaces declare stays declared.
func (f finder) siblings(ctx context.Context, connections *Connections, conn *connection) ([]types.NamespacedName, error) {
	names := connections.Siblings(conn)
	if conn.organizationID == "" {
		return names, nil
	}
	// There is no index: a manager that comes back to what is left of deleted kinds must start without this one.
	list := &v1alpha1.OrganizationList{}
	err := f.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	for i := range list.Items {
		org := &list.Items[i]
		stands := org.Status.OrganizationID == conn.organizationID && org.DeletionTimestamp.IsZero()
		if name := client.ObjectKeyFromObject(org); stands && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, compareNames)
	return names, err
}

// orgUsersOf returns the OrgUsers, of all given Organizations, that declare the person known by the keys.
func (f finder) orgUsersOf(ctx context.Context, organizations []types.NamespacedName, keys []roster.Key) ([]*v1alpha1.OrgUser, error) {
	seen := map[types.UID]bool{}
	var found []*v1alpha1.OrgUser
	for _, organization := range organizations {
		for _, key := range keys {
			users, err := f.orgUsers(ctx, organization.Namespace, byPerson, personValue(organization.Name, key))
			if err != nil {
				return nil, err
			}
			for i := range users {
				if !seen[users[i].UID] {
					seen[users[i].UID] = true
					found = append(found, &users[i])
				}
			}
		}
	}
	return found, nil
}

// bindingsOf returns the OrgUserRoleBindings, of all given Organizations, that name the person known by the
// keys, directly or through an OrgUser.
func (f finder) bindingsOf(ctx context.Context, organizations []types.NamespacedName, keys []roster.Key) ([]*v1alpha1.OrgUserRoleBinding, error) {
	seen := map[types.UID]bool{}
	var found []*v1alpha1.OrgUserRoleBinding
	add := func(namespace, index, value string) error {
		bindings, err := f.bindings(ctx, namespace, index, value)
		for i := range bindings {
			if !seen[bindings[i].UID] {
				seen[bindings[i].UID] = true
				found = append(found, &bindings[i])
			}
		}
		return err
	}
	for _, organization := range organizations {
		for _, key := range keys {
			if err := add(organization.Namespace, byPerson, personValue(organization.Name, key)); err != nil {
				return nil, err
			}
		}
	}
	users, err := f.orgUsersOf(ctx, organizations, keys)
	if err != nil {
		return nil, err
	}
	for _, user := range users {
		if err := add(user.Namespace, byOrgUser, indexValue(user.Spec.OrganizationRef.Name, user.Name)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func compareNames(a, b types.NamespacedName) int {
	if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}
