package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// setStatus writes down the organization as it is known now.
func (r *OrganizationReconciler) setStatus(ctx context.Context, org *v1alpha1.Organization, reading reading, o outcome) error {
	if o.state == keep {
		return nil
	}
	status := &org.Status
	status.ObservedGeneration = org.Generation
	setConditions(&status.Conditions, org.Generation, o)
	declared, err := finder{r.Client}.orgUsers(ctx, org.Namespace, byOrganization, org.Name)
	if err != nil {
		return err
	}
	status.DeclaredUsers = new(int32(len(declared))) //nolint:gosec // etcd holds fewer
	if reading.conn == nil {
		return nil
	}
	status.LastHandledSyncRequest = reading.handled
	if id := reading.conn.organizationID; id != "" {
		status.OrganizationID = id
	}
	setUndeclared(org, reading.undeclared)
	counts := reading.conn.roster.Counts()
	status.Users = &v1alpha1.UserCounts{
		Total: int32(counts.Total), Owners: int32(counts.Owners), Readers: int32(counts.Readers), //nolint:gosec // people
		ServiceAccounts: int32(counts.ServiceAccounts), ScimManaged: int32(counts.SCIMManaged), //nolint:gosec // people
	}
	// The API server keeps whole seconds; more would differ from what it gives back, and be written again.
	status.LastSyncTime = new((&metav1.Time{Time: reading.conn.roster.ReadAt()}).Rfc3339Copy())
	return nil
}

func setUndeclared(org *v1alpha1.Organization, found *undeclared) {
	if found == nil {
		return
	}
	status := &org.Status
	status.UndeclaredUsers, status.UndeclaredRoleAssignments = nil, nil
	if org.Spec.Undeclared.Users != v1alpha1.UndeclaredUsersIgnore {
		status.UndeclaredUsers = new(int32(len(found.users))) //nolint:gosec // people
	}
	if org.Spec.Undeclared.RoleAssignments != v1alpha1.UndeclaredRolesIgnore {
		status.UndeclaredRoleAssignments = new(int32(len(found.roles))) //nolint:gosec // people
	}
	status.Plan = planLines(found.left)
}

func (r *OrganizationReconciler) patchStatus(ctx context.Context, before, after *v1alpha1.Organization) error {
	return patchStatus(ctx, r.Status(), before, after, func(o client.Object) any {
		return o.(*v1alpha1.Organization).Status //nolint:forcetypeassert // called with the two Organizations above only
	})
}

// announce tells also of the first reading, so that a healthy organization's events are not empty.
func (r *OrganizationReconciler) announce(org, before *v1alpha1.Organization, o outcome) {
	if users := org.Status.Users; o.state == ready && users != nil {
		o.message = fmt.Sprintf("%s: %d users, %d of them owners", o.message, users.Total, users.Owners)
	}
	if o.state == ready && len(before.Status.Conditions) == 0 {
		r.Events.Eventf(org, nil, "Normal", o.reason, "Reconcile", "%s", o.message)
		return
	}
	announceTurn(r.Events, org, before.Status.Conditions, o)
}
