package openai

import (
	"context"
	"strings"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
)

// Changer makes the calls that change an organization. It is apart from [Client]
// so that one room of the code has it and all others can only read; the linter
// sees to it.
type Changer struct{ client *Client }

// NewChanger makes the changes with the client's key and budget.
func NewChanger(client *Client) *Changer { return &Changer{client: client} }

// UpdateUser changes the fields that are set in update, in one call, and gives
// the user as the API then has it. An update that sets nothing, or two roles,
// is refused without a call.
func (c *Changer) UpdateUser(ctx context.Context, userID string, update UserUpdate) (User, error) {
	const op = "update user"
	if err := c.client.checkID(op, "user", userID); err != nil {
		return User{}, err
	}
	switch {
	case update == (UserUpdate{}):
		return User{}, refuse(op, "the update changes nothing")
	case update.Role != nil && update.RoleID != nil:
		return User{}, refuse(op, "the update sets both role and role_id")
	case update.Role != nil && *update.Role == "":
		return User{}, refuse(op, "the update sets role to nothing")
	case update.RoleID != nil && *update.RoleID == "":
		return User{}, refuse(op, "the update sets role_id to nothing")
	}
	body := sdk.AdminOrganizationUserUpdateParams{
		Role:             nullable(update.Role),
		RoleID:           nullable(update.RoleID),
		DeveloperPersona: nullable(update.DeveloperPersona),
		TechnicalLevel:   nullable(update.TechnicalLevel),
	}
	return perform(ctx, c.client, call{op: op, endpoint: EndpointUpdateUser},
		func(ctx context.Context, with option.RequestOption) (User, error) {
			got, err := c.client.users.Update(ctx, userID, body, with)
			if err != nil {
				return User{}, err
			}
			return c.client.userWithID(got, userID)
		})
}

// nullable: nil is not sent, "" is sent as null.
func nullable(value *string) param.Opt[string] {
	switch {
	case value == nil:
		return param.Opt[string]{}
	case *value == "":
		return param.Null[string]()
	default:
		return param.NewOpt(*value)
	}
}

// DeleteUser removes the user from the organization. [IsNotFound] holds for the
// error when there is none.
func (c *Changer) DeleteUser(ctx context.Context, userID string) error {
	const op = "delete user"
	if err := c.client.checkID(op, "user", userID); err != nil {
		return err
	}
	_, err := perform(ctx, c.client, call{op: op, endpoint: EndpointDeleteUser},
		func(ctx context.Context, with option.RequestOption) (struct{}, error) {
			got, err := c.client.users.Delete(ctx, userID, with)
			if err != nil {
				return struct{}{}, err
			}
			s := shape{of: "the answer"}
			s.object(got.JSON.Object, "organization.user.deleted")
			s.mustf(got.ID == userID, "id is not the one asked for")
			s.mustf(got.JSON.Deleted.Raw() == "true", "deleted is not true")
			return struct{}{}, s.err()
		})
	return err
}

// AssignRole gives the user the role, and says under which ID the API has it: of
// some roles that is not the ID that was sent, but a longer one that is bound to
// the organization (observed).
func (c *Changer) AssignRole(ctx context.Context, userID, roleID string) (answeredRoleID string, err error) {
	const op = "assign role"
	if err := c.client.checkUserAndRole(op, userID, roleID); err != nil {
		return "", err
	}
	return perform(ctx, c.client, call{op: op, endpoint: EndpointAssignRole},
		func(ctx context.Context, with option.RequestOption) (string, error) {
			got, err := c.client.users.Roles.New(ctx, userID, sdk.AdminOrganizationUserRoleNewParams{RoleID: roleID}, with)
			if err != nil {
				return "", err
			}
			s := shape{of: "the answer"}
			s.object(got.JSON.Object, "user.role")
			s.id(c.client, "role.id", got.Role.JSON.ID, got.Role.ID, maxIDLength)
			s.mustf(got.User.ID == userID, "user.id is not the one asked for")
			return strings.Clone(got.Role.ID), s.err()
		})
}

// UnassignRole takes the role from the user. [IsNotFound] holds for the error
// when the user does not hold it.
func (c *Changer) UnassignRole(ctx context.Context, userID, roleID string) error {
	const op = "unassign role"
	if err := c.client.checkUserAndRole(op, userID, roleID); err != nil {
		return err
	}
	_, err := perform(ctx, c.client, call{op: op, endpoint: EndpointUnassignRole},
		func(ctx context.Context, with option.RequestOption) (struct{}, error) {
			got, err := c.client.users.Roles.Delete(ctx, userID, roleID, with)
			if err != nil {
				return struct{}{}, err
			}
			// The reference leaves the object's name open.
			s := shape{of: "the answer"}
			s.mustf(got.JSON.Deleted.Raw() == "true", "deleted is not true")
			return struct{}{}, s.err()
		})
	return err
}
