package controller

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

// member is a user of the organization as an OrgUser's reconcile sees them.
type member struct {
	conn *connection
	user openai.User
	// holdsRoleID says whether the user holds spec.roleID.
	holdsRoleID bool
}

func (m member) observed() plan.ObservedUser {
	return plan.ObservedUser{
		ID: m.user.ID, Email: m.user.Email, Role: m.user.Role,
		DeveloperPersona: m.user.DeveloperPersona, TechnicalLevel: m.user.TechnicalLevel,
		HoldsRoleID: m.holdsRoleID,
	}
}

// observe finds the member that the OrgUser declares. The error is a fact where there is none, or where
// another object acts for them.
func (r *OrgUserReconciler) observe(ctx context.Context, user *v1alpha1.OrgUser) (member, error) {
	if paused(user) {
		return member{}, isPaused()
	}
	conn, err := connect(ctx, r.Client, r.Connections, user, user.Status.Conditions, user.Status.ObservedGeneration)
	if err != nil {
		return member{}, err
	}
	found, err := findOne(ctx, conn, personOf(user))
	if err != nil {
		return member{}, refusing(r.Connections, conn, err)
	}
	rivals, err := r.rivals(ctx, conn, user, found)
	if err != nil {
		return member{}, err
	}
	if len(rivals) > 0 && older(rivals[0], user) {
		if !inConflict(user) {
			// It may have acted until now, at the same time as the one that is to.
			r.Connections.tell(Event{Organization: organizationOf(rivals[0]), Keys: roster.Keys(found)})
		}
		return member{}, declaredElsewhere(who(user), client.ObjectKeyFromObject(rivals[0]))
	}
	return r.complete(ctx, user, member{conn: conn, user: found})
}

// complete adds what the OrgUser needs to know beyond the user itself.
func (r *OrgUserReconciler) complete(ctx context.Context, user *v1alpha1.OrgUser, m member) (member, error) {
	if user.Spec.RoleID == "" {
		return m, nil
	}
	assignments, err := m.conn.roster.Assignments(ctx, m.conn.api, m.user.ID)
	if err != nil {
		return member{}, refusing(r.Connections, m.conn, err)
	}
	m.holdsRoleID = slices.ContainsFunc(assignments, func(a openai.RoleAssignment) bool { return a.RoleID == user.Spec.RoleID })
	return m, nil
}

// connect returns the way to the organization of an object. While there is none, an object that was ready
// stays as it is: nothing is known against it, and a restart of the manager must not turn everything red.
func connect(ctx context.Context, reader client.Reader, connections *Connections, object client.Object, conditions []metav1.Condition, observed int64) (*connection, error) {
	name, org := organizationOf(object), &v1alpha1.Organization{}
	err := reader.Get(ctx, name, org)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if conn, ok := connections.For(name); ok && err == nil && !paused(org) {
		conn.observeOnly = org.Spec.Mode == v1alpha1.ModeObserve
		return conn, nil
	}
	switch {
	case object.GetDeletionTimestamp().IsZero() && settled(conditions, observed, object.GetGeneration()):
		return nil, errAsItWas
	case err == nil && len(org.Status.Conditions) == 0 && !paused(org):
		// The first reading is under way: whatever comes of it, the object is looked at again then.
		return nil, errAsItWas
	case err == nil && paused(org):
		return nil, organizationPaused(name)
	}
	return nil, organizationNotReady(name, err == nil)
}

// findOne finds the one user with the key, or says which fact stands against it.
func findOne(ctx context.Context, conn *connection, key roster.Key) (openai.User, error) {
	users, err := conn.roster.Find(ctx, conn.api, key)
	switch {
	case err != nil:
		return openai.User{}, err
	case len(users) == 0:
		return openai.User{}, notAMember(key.ID + key.Email)
	case len(users) > 1:
		return openai.User{}, ambiguousEmail(key.Email, users)
	}
	return users[0], nil
}

// rivals returns the other OrgUsers that declare the same user and are not being deleted, the oldest first;
// also those of other namespaces, under Organizations that stand for the same organization.
func (r *OrgUserReconciler) rivals(ctx context.Context, conn *connection, user *v1alpha1.OrgUser, found openai.User) ([]*v1alpha1.OrgUser, error) {
	find := finder{r.Client}
	siblings, err := find.siblings(ctx, r.Connections, conn)
	if err != nil {
		return nil, err
	}
	all, err := find.orgUsersOf(ctx, siblings, roster.Keys(found))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(other *v1alpha1.OrgUser) bool {
		return other.UID == user.UID || !other.DeletionTimestamp.IsZero()
	})
	slices.SortFunc(all, func(a, b *v1alpha1.OrgUser) int {
		if older(a, b) {
			return -1
		}
		return 1
	})
	return all, nil
}

func older(a, b *v1alpha1.OrgUser) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return compareNames(client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(b)) < 0
}

// inConflict says whether the object was found to declare what another does.
func inConflict(user *v1alpha1.OrgUser) bool {
	ready := meta.FindStatusCondition(user.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonConflict
}

// who names the person as the manifest does, by what decides who it is.
func who(user *v1alpha1.OrgUser) string { return cmp.Or(user.Spec.UserID, user.Spec.Email) }
