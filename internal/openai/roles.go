package openai

import (
	"context"
	"strings"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/pagination"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/respjson"
)

// rolesPerPage is what the SDK names as the default of the organization's
// roles, and the most that a user's role list takes (observed).
const rolesPerPage = 1000

// ListRoles reads all roles that the organization offers, predefined ones
// included. It is whole or an error. (Not in the reference; from the SDK.)
func (c *Client) ListRoles(ctx context.Context) ([]Role, error) {
	return readAll(ctx, c, list[Role]{
		call:  call{op: "list roles", endpoint: EndpointListRoles},
		id:    func(r Role) string { return r.ID },
		texts: func(r Role) int { return len(r.ID) + len(r.Name) + len(r.ResourceType) },
		fetch: func(ctx context.Context, after string, with option.RequestOption) (page[Role], error) {
			query := sdk.AdminOrganizationRoleListParams{
				Limit: param.NewOpt[int64](rolesPerPage),
				Order: sdk.AdminOrganizationRoleListParamsOrderAsc,
			}
			if after != "" {
				query.After = param.NewOpt(after)
			}
			got, err := c.roles.List(ctx, query, with)
			if err != nil {
				return page[Role]{}, err
			}
			return rolePage(got, c.roleFrom)
		},
	})
}

// ListUserRoles reads all roles that the user holds, predefined and inherited
// ones included. It is whole or an error. [IsNotFound] holds for the error when
// there is no such user.
func (c *Client) ListUserRoles(ctx context.Context, userID string) ([]RoleAssignment, error) {
	const op = "list roles of user"
	if err := c.checkID(op, "user", userID); err != nil {
		return nil, err
	}
	return readAll(ctx, c, list[RoleAssignment]{
		call:  call{op: op, endpoint: EndpointListUserRoles},
		id:    func(a RoleAssignment) string { return a.RoleID },
		texts: func(a RoleAssignment) int { return len(a.RoleID) + len(a.RoleName) },
		fetch: func(ctx context.Context, after string, with option.RequestOption) (page[RoleAssignment], error) {
			query := sdk.AdminOrganizationUserRoleListParams{
				Limit: param.NewOpt[int64](rolesPerPage),
				// Ascending: a role assigned during the reading comes last,
				// where it moves no page.
				Order: sdk.AdminOrganizationUserRoleListParamsOrderAsc,
			}
			if after != "" {
				query.After = param.NewOpt(after)
			}
			got, err := c.users.Roles.List(ctx, userID, query, with)
			if err != nil {
				return page[RoleAssignment]{}, err
			}
			return rolePage(got, c.listedAssignment)
		},
	})
}

// GetUserRole reads one role of a user, under the ID that the API gives it: for
// some roles that is a longer one than was asked for (observed). [IsNotFound]
// holds for the error when the user does not hold it.
func (c *Client) GetUserRole(ctx context.Context, userID, roleID string) (RoleAssignment, error) {
	const op = "get role of user"
	if err := c.checkUserAndRole(op, userID, roleID); err != nil {
		return RoleAssignment{}, err
	}
	return perform(ctx, c, call{op: op, endpoint: EndpointGetUserRole},
		func(ctx context.Context, with option.RequestOption) (RoleAssignment, error) {
			got, err := c.users.Roles.Get(ctx, userID, roleID, with)
			if err != nil {
				return RoleAssignment{}, err
			}
			s := c.assignmentShape(got.ID, got.JSON.ID, got.JSON.Name, got.JSON.PredefinedRole, got.JSON.AssignmentSources)
			return RoleAssignment{
				RoleID: strings.Clone(got.ID), RoleName: c.kept(got.Name), Predefined: got.PredefinedRole,
				Inherited: len(got.AssignmentSources) > 0,
			}, s.err()
		})
}

func (c *Client) checkUserAndRole(op, userID, roleID string) error {
	if err := c.checkID(op, "user", userID); err != nil {
		return err
	}
	return c.checkID(op, "role", roleID)
}

func rolePage[W, T any](got *pagination.NextCursorPage[W], from func(*W) (T, error)) (page[T], error) {
	s := shape{of: "a page of roles"}
	s.list("data", got.JSON.Data)
	s.flag("has_more", got.JSON.HasMore)
	s.cursor("next", got.JSON.Next, got.Next)
	if err := s.err(); err != nil {
		return page[T]{}, err
	}
	items, err := convert(got.Data, from)
	return page[T]{items: items, hasMore: got.HasMore, next: strings.Clone(got.Next)}, err
}

func (c *Client) roleFrom(got *sdk.Role) (Role, error) {
	s := shape{of: "a role"}
	s.object(got.JSON.Object, "role")
	s.id(c, "id", got.JSON.ID, got.ID, maxIDLength)
	s.text("name", got.JSON.Name)
	s.flag("predefined_role", got.JSON.PredefinedRole)
	s.optionalText("resource_type", got.JSON.ResourceType)
	return Role{ID: strings.Clone(got.ID), Name: c.kept(got.Name), ResourceType: c.kept(got.ResourceType), Predefined: got.PredefinedRole}, s.err()
}

func (c *Client) listedAssignment(got *sdk.AdminOrganizationUserRoleListResponse) (RoleAssignment, error) {
	s := c.assignmentShape(got.ID, got.JSON.ID, got.JSON.Name, got.JSON.PredefinedRole, got.JSON.AssignmentSources)
	return RoleAssignment{
		RoleID: strings.Clone(got.ID), RoleName: c.kept(got.Name), Predefined: got.PredefinedRole,
		Inherited: len(got.AssignmentSources) > 0,
	}, s.err()
}

// assignmentShape checks what both the list and the single answer have. A
// wrong predefined_role or assignment_sources would let a role be unassigned
// that must not be.
func (c *Client) assignmentShape(roleID string, id, name, predefined, sources respjson.Field) *shape {
	s := &shape{of: "a role of a user"}
	s.id(c, "id", id, roleID, maxIDLength)
	s.text("name", name)
	s.flag("predefined_role", predefined)
	s.optionalList("assignment_sources", sources)
	return s
}
