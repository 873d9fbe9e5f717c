package openai

import (
	"cmp"
	"context"
	"strings"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/pagination"
	"github.com/openai/openai-go/v3/packages/param"
)

const (
	usersEndpoint = "/organization/users"
	userEndpoint  = "/organization/users/{id}"
	// usersPerPage is the most that the reference allows.
	usersPerPage = 100
)

// ListUsers reads all users of the organization, service accounts included.
// It is whole or an error; see the package's words on lists.
func (c *Client) ListUsers(ctx context.Context) ([]User, error) {
	return c.listUsers(ctx, "list users", nil)
}

func (c *Client) listUsers(ctx context.Context, op string, emails []string) ([]User, error) {
	return readAll(ctx, c, list[User]{
		call: call{op: op, endpoint: "GET " + usersEndpoint},
		id:   func(u User) string { return u.ID },
		fetch: func(ctx context.Context, after string, with option.RequestOption) (page[User], error) {
			query := sdk.AdminOrganizationUserListParams{Limit: param.NewOpt[int64](usersPerPage), Emails: emails}
			if after != "" {
				query.After = param.NewOpt(after)
			}
			got, err := c.users.List(ctx, query, with)
			if err != nil {
				return page[User]{}, err
			}
			return userPage(got)
		},
	})
}

// GetUser reads one user. [IsNotFound] holds for the error when there is none.
func (c *Client) GetUser(ctx context.Context, userID string) (User, error) {
	const op = "get user"
	if err := checkID(op, "user", userID); err != nil {
		return User{}, err
	}
	return perform(ctx, c, call{op: op, endpoint: "GET " + userEndpoint},
		func(ctx context.Context, with option.RequestOption) (User, error) {
			got, err := c.users.Get(ctx, userID, with)
			if err != nil {
				return User{}, err
			}
			return userWithID(got, userID)
		})
}

// UpdateUser changes the fields that are set in update, in one call, and gives
// the user as the API then has it. An update that sets nothing, or two roles,
// is refused without a call.
func (c *Client) UpdateUser(ctx context.Context, userID string, update UserUpdate) (User, error) {
	const op = "update user"
	if err := checkID(op, "user", userID); err != nil {
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
	return perform(ctx, c, call{op: op, endpoint: "POST " + userEndpoint},
		func(ctx context.Context, with option.RequestOption) (User, error) {
			got, err := c.users.Update(ctx, userID, body, with)
			if err != nil {
				return User{}, err
			}
			return userWithID(got, userID)
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
func (c *Client) DeleteUser(ctx context.Context, userID string) error {
	const op = "delete user"
	if err := checkID(op, "user", userID); err != nil {
		return err
	}
	_, err := perform(ctx, c, call{op: op, endpoint: "DELETE " + userEndpoint},
		func(ctx context.Context, with option.RequestOption) (struct{}, error) {
			got, err := c.users.Delete(ctx, userID, with)
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

func userPage(got *pagination.ConversationCursorPage[sdk.OrganizationUser]) (page[User], error) {
	s := shape{of: "a page of users"}
	s.list("data", got.JSON.Data)
	s.flag("has_more", got.JSON.HasMore)
	s.optionalText("last_id", got.JSON.LastID)
	if err := s.err(); err != nil {
		return page[User]{}, err
	}
	users, err := convert(got.Data, userFrom)
	return page[User]{items: users, hasMore: got.HasMore, next: got.LastID}, err
}

// userWithID checks that the answer is about the user asked for.
func userWithID(got *sdk.OrganizationUser, userID string) (User, error) {
	user, err := userFrom(got)
	if err != nil {
		return User{}, err
	}
	s := shape{of: "the answer"}
	s.mustf(user.ID == userID, "id is not the one asked for")
	return user, s.err()
}

// userFrom checks the fields that decisions rest on. Others are ignored, so a
// field that the API adds or drops does no harm.
func userFrom(got *sdk.OrganizationUser) (User, error) {
	s := shape{of: "a user"}
	s.object(got.JSON.Object, "organization.user")
	s.text("id", got.JSON.ID)
	s.number("added_at", got.JSON.AddedAt)
	s.optionalText("email", got.JSON.Email)
	s.optionalText("name", got.JSON.Name)
	s.optionalText("role", got.JSON.Role)
	s.optionalText("developer_persona", got.JSON.DeveloperPersona)
	s.optionalText("technical_level", got.JSON.TechnicalLevel)
	s.optionalFlag("is_default", got.JSON.IsDefault)
	s.optionalFlag("is_service_account", got.JSON.IsServiceAccount)
	s.optionalFlag("is_scim_managed", got.JSON.IsScimManaged)
	if err := s.err(); err != nil {
		return User{}, err
	}
	// The strings are parts of the page that they came in: a copy lets the page go.
	return User{
		ID: strings.Clone(got.ID),
		// Both are also in the nested user, for when they are null outside.
		Email:            strings.Clone(cmp.Or(got.Email, got.User.Email)),
		Name:             strings.Clone(cmp.Or(got.Name, got.User.Name)),
		Role:             strings.Clone(got.Role),
		DeveloperPersona: strings.Clone(got.DeveloperPersona),
		TechnicalLevel:   strings.Clone(got.TechnicalLevel),
		AddedAt:          time.Unix(got.AddedAt, 0).UTC(),
		IsDefault:        got.IsDefault,
		IsServiceAccount: got.IsServiceAccount,
		IsSCIMManaged:    got.IsScimManaged,
	}, nil
}
