package declared

import (
	"context"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Subject is whom a subject of a binding means.
type Subject struct {
	// User is who that is; its ID is "" where there is nobody, and Fact says why.
	User plan.User
	Fact plan.Fact
	// Keys are those under which the person is looked for.
	Keys []plan.Key
}

// Subject finds whom a subject means. What the status remembers for it counts as long as the user is there.
func (c *Cache) Subject(ctx context.Context, binding *v1alpha1.OrgUserRoleBinding, named v1alpha1.Subject, d plan.Directory) (Subject, error) {
	claim := &plan.Claim{Email: plan.Fold(named.Email), UserID: named.UserID}
	if named.OrgUser != "" {
		user, err := c.orgUser(ctx, binding.Namespace, named.OrgUser)
		switch {
		case err != nil:
			return Subject{}, err
		case user == nil:
			return Subject{Fact: plan.Fact{Kind: plan.NoSuchOrgUser, Object: plan.Ref{Namespace: binding.Namespace, Name: named.OrgUser}}}, nil
		case user.Spec.OrganizationRef.Name != binding.Spec.OrganizationRef.Name:
			return Subject{Fact: plan.Fact{
				Kind: plan.OtherOrganizationsUser, Object: RefOf(user), Words: user.Spec.OrganizationRef.Name,
			}}, nil
		}
		claim = ClaimOf(user, nil)
	}
	noted := c.views.of(binding).noted[folded(named)]
	if named.Email != "" {
		claim.Remembered = noted
	}
	standing := claim.Standing(d)
	s := Subject{User: standing.User, Fact: standing.Fact}
	for _, id := range []string{claim.UserID, claim.Remembered, noted} {
		if id != "" {
			s.Keys = append(s.Keys, plan.IDKey(id))
		}
	}
	if claim.Email != "" {
		s.Keys = append(s.Keys, plan.Key{Email: claim.Email})
	}
	if !standing.Resolved() && noted != "" {
		if user, there := d.User(noted); there {
			s.User = user
		}
	}
	return s, nil
}

// Lines are the users whom the binding's status has in a line.
func (c *Cache) Lines(binding *v1alpha1.OrgUserRoleBinding) map[string]bool {
	return c.views.of(binding).lines
}
