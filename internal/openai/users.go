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

// usersPerPage is the most that the reference allows.
const usersPerPage = 100

// ListUsers reads all users of the organization, service accounts included.
// It is whole or an error; see the package's words on lists.
func (c *Client) ListUsers(ctx context.Context) ([]User, error) {
	return c.listUsers(ctx, "list users", nil)
}

func (c *Client) listUsers(ctx context.Context, op string, emails []string) ([]User, error) {
	return readAll(ctx, c, list[User]{
		call: call{op: op, endpoint: EndpointListUsers},
		id:   func(u User) string { return u.ID },
		texts: func(u User) int {
			return len(u.ID) + len(u.Email) + len(u.Name) + len(u.Role) + len(u.DeveloperPersona) + len(u.TechnicalLevel)
		},
		fetch: func(ctx context.Context, after string, with option.RequestOption) (page[User], error) {
			query := sdk.AdminOrganizationUserListParams{Limit: param.NewOpt[int64](usersPerPage), Emails: emails}
			if after != "" {
				query.After = param.NewOpt(after)
			}
			got, err := c.users.List(ctx, query, with)
			if err != nil {
				return page[User]{}, err
			}
			return c.userPage(got)
		},
	})
}

// GetUser reads one user. [IsNotFound] holds for the error when there is none.
func (c *Client) GetUser(ctx context.Context, userID string) (User, error) {
	const op = "get user"
	if err := c.checkID(op, "user", userID); err != nil {
		return User{}, err
	}
	return perform(ctx, c, call{op: op, endpoint: EndpointGetUser},
		func(ctx context.Context, with option.RequestOption) (User, error) {
			got, err := c.users.Get(ctx, userID, with)
			if err != nil {
				return User{}, err
			}
			return c.userWithID(got, userID)
		})
}

func (c *Client) userPage(got *pagination.ConversationCursorPage[sdk.OrganizationUser]) (page[User], error) {
	s := shape{of: "a page of users"}
	s.list("data", got.JSON.Data)
	s.flag("has_more", got.JSON.HasMore)
	s.cursor("last_id", got.JSON.LastID, got.LastID)
	if err := s.err(); err != nil {
		return page[User]{}, err
	}
	users, err := convert(got.Data, c.userFrom)
	return page[User]{items: users, hasMore: got.HasMore, next: strings.Clone(got.LastID)}, err
}

// userWithID checks that the answer is about the user asked for.
func (c *Client) userWithID(got *sdk.OrganizationUser, userID string) (User, error) {
	user, err := c.userFrom(got)
	if err != nil {
		return User{}, err
	}
	s := shape{of: "the answer"}
	s.mustf(user.ID == userID, "id is not the one asked for")
	return user, s.err()
}

// userFrom checks the fields that decisions rest on. Others are ignored, so a
// field that the API adds or drops does no harm.
func (c *Client) userFrom(got *sdk.OrganizationUser) (User, error) {
	s := shape{of: "a user"}
	s.object(got.JSON.Object, "organization.user")
	s.id(c, "id", got.JSON.ID, got.ID, maxUserIDLength)
	s.number("added_at", got.JSON.AddedAt)
	s.optionalText("email", got.JSON.Email)
	// Both are also in the nested user, for when they are null outside.
	email, name := cmp.Or(got.Email, got.User.Email), cmp.Or(got.Name, got.User.Name)
	s.noKey(c, "email", email)
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
		ID:               strings.Clone(got.ID),
		Email:            c.kept(email),
		Name:             c.kept(name),
		Role:             c.kept(got.Role),
		DeveloperPersona: c.kept(got.DeveloperPersona),
		TechnicalLevel:   c.kept(got.TechnicalLevel),
		AddedAt:          addedAt(got.AddedAt),
		IsDefault:        got.IsDefault,
		IsServiceAccount: got.IsServiceAccount,
		IsSCIMManaged:    got.IsScimManaged,
	}, nil
}

// maxSeconds is the last second of the year 9999: no later time can be written
// as RFC 3339, nor stored in Kubernetes.
const maxSeconds = 253402300799

// addedAt is in seconds by the reference. What is too large for that is taken
// for milliseconds, and what is too large for these, or negative, says nothing.
func addedAt(value int64) time.Time {
	switch {
	case value < 0 || value > maxSeconds*1000:
		return time.Time{}
	case value > maxSeconds:
		return time.UnixMilli(value).UTC().Truncate(time.Second)
	default:
		return time.Unix(value, 0).UTC()
	}
}
