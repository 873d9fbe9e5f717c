package declared

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Setting is what must be known of the organization to say whom objects mean.
type Setting struct {
	Directory plan.Directory
	// Acts says whether the key of an Organization object is good, and is one of this organization.
	Acts func(types.NamespacedName) bool
	// Offered are the organization's roles, if RolesKnown.
	Offered    []plan.OfferedRole
	RolesKnown bool
}

// Paused says whether a person stopped everything for the object.
func Paused(object client.Object) bool {
	return object.GetAnnotations()[v1alpha1.PausedAnnotation] == "true"
}

// RefOf names an object as plans do.
func RefOf(object client.Object) plan.Ref {
	return plan.Ref{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// NameOf is the inverse of RefOf.
func NameOf(ref plan.Ref) types.NamespacedName {
	return types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
}

// Declare makes of the objects what they say of one user. The caller adds what is observed.
func (c *Cache) Declare(ctx context.Context, g Gathered, user plan.User, setting Setting) (*plan.Person, error) {
	p := &plan.Person{User: user, Directory: setting.Directory, Now: c.now().Unix()}
	organizations := map[types.NamespacedName]*plan.Organization{}
	delays := map[types.NamespacedName]time.Duration{}
	for _, org := range g.Organizations {
		if !org.DeletionTimestamp.IsZero() {
			continue
		}
		name := client.ObjectKeyFromObject(org)
		o := organizationOf(org, setting.Acts(name))
		organizations[name], delays[name] = o, RemovalDelay(org)
		p.Organizations = append(p.Organizations, o)
		for i := range org.Status.Leaving {
			if line := &org.Status.Leaving[i]; line.UserID == user.ID {
				p.Leaving = append(p.Leaving, plan.Leaver{Organization: o, Email: plan.Fold(line.Email), OrgUser: line.OrgUser, Due: DueAt(org, line).Unix()})
			}
		}
	}
	for _, object := range g.Users {
		name := OrganizationOf(object)
		if organizations[name] == nil {
			continue
		}
		p.Claims = append(p.Claims, ClaimOf(object, organizations[name]))
	}
	for _, object := range g.Bindings {
		name := OrganizationOf(object)
		if organizations[name] == nil {
			continue
		}
		grant, err := c.grant(ctx, object, p, organizations[name], delays[name], setting)
		if err != nil {
			return nil, err
		}
		if grant.Names || grant.Line {
			p.Grants = append(p.Grants, grant)
		}
	}
	return p, nil
}

func organizationOf(org *v1alpha1.Organization, acts bool) *plan.Organization {
	o := &plan.Organization{
		Ref: RefOf(org), Acts: acts, Paused: Paused(org), Observe: org.Spec.Mode == v1alpha1.ModeObserve,
	}
	o.UndeclaredUsers, o.UndeclaredRoles = Policies(org)
	return o
}

// Policies say what becomes of what no object declares.
func Policies(org *v1alpha1.Organization) (users, roles plan.Policy) {
	switch org.Spec.Undeclared.Users {
	case v1alpha1.UndeclaredUsersReport:
		users = plan.Report
	case v1alpha1.UndeclaredUsersRemove:
		users = plan.Take
	}
	switch org.Spec.Undeclared.RoleAssignments {
	case v1alpha1.UndeclaredRolesReport:
		roles = plan.Report
	case v1alpha1.UndeclaredRolesUnassign:
		roles = plan.Take
	}
	return users, roles
}

// RemovalDelay is how long after the deletion of their OrgUser a leaver is removed at the earliest.
func RemovalDelay(org *v1alpha1.Organization) time.Duration {
	if delay := org.Spec.Guard.RemovalDelay; delay != nil {
		return delay.Duration
	}
	return defaultRemovalDelay
}

// defaultRemovalDelay holds for an Organization that was stored before the field had a default.
const defaultRemovalDelay = 5 * time.Minute

// DueAt is when a leaver is removed at the earliest.
func DueAt(org *v1alpha1.Organization, line *v1alpha1.Leaver) time.Time {
	return line.Since.Add(RemovalDelay(org))
}

// MaxLeavers is how many people an Organization remembers as leavers: what its CustomResourceDefinition takes.
const MaxLeavers = 1000

// WhoLeft names a leaver for people.
func WhoLeft(line v1alpha1.Leaver) string {
	if line.Email != "" {
		return line.Email
	}
	return line.UserID
}

// ClaimOf is an OrgUser as plans have it.
func ClaimOf(user *v1alpha1.OrgUser, organization *plan.Organization) *plan.Claim {
	return &plan.Claim{
		Ref: RefOf(user), UID: string(user.UID), Organization: organization,
		Created: user.CreationTimestamp.Unix(),
		Going:   !user.DeletionTimestamp.IsZero(), Paused: Paused(user),
		Written: controllerutil.ContainsFinalizer(user, v1alpha1.Finalizer),
		Email:   plan.Fold(user.Spec.Email), UserID: user.Spec.UserID, Remembered: user.Status.UserID,
		Want: plan.DesiredUser{
			Role: string(user.Spec.Role), RoleID: user.Spec.RoleID,
			DeveloperPersona: user.Spec.DeveloperPersona, TechnicalLevel: user.Spec.TechnicalLevel,
		},
	}
}

// grant is a binding as far as the person is concerned, whose claims are known.
func (c *Cache) grant(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, p *plan.Person, organization *plan.Organization, delay time.Duration, setting Setting) (*plan.Grant, error) {
	view := c.views.of(binding)
	grant := GrantOf(binding, organization, setting)
	grant.Line = view.lines[p.User.ID]
	var err error
	if grant.Names, grant.Moved, err = c.names(ctx, binding, view, p); err != nil {
		return nil, err
	}
	if grant.Line && !grant.Names && !grant.Going {
		missing, err := c.missing(ctx, binding)
		if err != nil {
			return nil, err
		}
		if since := c.views.awaits(binding.UID, missing, c.now()); !since.IsZero() {
			grant.AwaitsUntil = since.Add(delay).Unix()
		}
	}
	return grant, nil
}

// GrantOf is a binding as plans have it, but for the person.
func GrantOf(binding *v1alpha1.OrgUserRoleBinding, organization *plan.Organization, setting Setting) *plan.Grant {
	grant := &plan.Grant{
		Ref: RefOf(binding), UID: string(binding.UID), Organization: organization,
		Going: !binding.DeletionTimestamp.IsZero(), Paused: Paused(binding),
		Written: controllerutil.ContainsFinalizer(binding, v1alpha1.Finalizer),
		Refers:  plan.Role{ID: binding.Spec.RoleRef.ID, Name: binding.Spec.RoleRef.Name},
		Noted:   plan.Role{ID: binding.Status.RoleID, Name: binding.Status.RoleName},
	}
	grant.RoleFact.Kind = plan.RolesUnknown
	if setting.RolesKnown {
		grant.Role, grant.RoleFact = plan.ResolveRole(grant.Refers, grant.Noted, setting.Offered)
	}
	return grant
}

// names says whether a subject of the binding is the user; moved, that this rests on what the status remembers, and
// that the subject's address is not the user's any more.
func (c *Cache) names(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, view *bindingView, p *plan.Person) (names, moved bool, err error) {
	user := p.User
	email := plan.Fold(user.Email)
	if view.byID[user.ID] {
		return true, false, nil
	}
	if email != "" && view.byEmail[email] && c.isSubject(view.noted[v1alpha1.Subject{Email: email}], email, p) {
		return true, false, nil
	}
	for _, claim := range p.Claims {
		if claim.Namespace != binding.Namespace || !view.byOrgUser[claim.Name] || claim.Organization.Name != binding.Spec.OrganizationRef.Name {
			continue
		}
		standing := claim.Standing(p.Directory)
		switch {
		case standing.User.ID == user.ID && standing.Fact.Kind == plan.None:
			return true, false, nil
		case standing.User.ID == user.ID, !standing.Resolved() && view.noted[v1alpha1.Subject{OrgUser: claim.Name}] == user.ID:
			names, moved = true, true
		}
	}
	if names {
		return names, moved, nil
	}
	return c.remembers(ctx, binding, view, user, p.Directory)
}

// isSubject says whether a subject with the user's address is the user: it is, unless the status has somebody else for
// it who is still there, or several have the address.
func (c *Cache) isSubject(noted, email string, p *plan.Person) bool {
	if noted == p.User.ID {
		return true
	}
	if noted != "" {
		if _, there := p.Directory.User(noted); there {
			return false
		}
	}
	return len(p.Directory.WithEmail(email)) == 1
}

// remembers says whether the status has the user for a subject that is still in the spec and is nobody else now.
func (c *Cache) remembers(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, view *bindingView, user plan.User, d plan.Directory) (names, moved bool, err error) {
	if !view.lines[user.ID] {
		return false, false, nil
	}
	if _, there := d.User(user.ID); !there {
		return false, false, nil
	}
	for subject, id := range view.noted {
		switch {
		case id != user.ID:
		case subject.Email != "" && view.byEmail[subject.Email]:
			return true, true, nil
		case subject.OrgUser != "" && view.byOrgUser[subject.OrgUser]:
			object, err := c.orgUser(ctx, binding.Namespace, subject.OrgUser)
			if err != nil {
				return false, false, err
			}
			if object != nil && object.Spec.OrganizationRef.Name == binding.Spec.OrganizationRef.Name && !ClaimOf(object, nil).Standing(d).Resolved() {
				return true, true, nil
			}
		}
	}
	return false, false, nil
}
