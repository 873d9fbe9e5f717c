package openai

import (
	"context"
	"net/url"
	"strings"
)

const (
	// emailsPerCall is as many as fit on one page of users.
	emailsPerCall = usersPerPage
	// maxEmailQuery bounds the encoded addresses of one call, in bytes:
	// servers and proxies refuse long URLs, some from 8 KiB on.
	maxEmailQuery = 6 << 10
)

// ListUsersByEmail looks up the users with these addresses, in as few calls as
// the API allows. Addresses are compared without regard to case; those that
// nobody has are simply not in the result. It is whole or an error.
func (c *Client) ListUsersByEmail(ctx context.Context, emails []string) ([]User, error) {
	asked := map[string]bool{}
	var distinct []string
	for _, email := range emails {
		if folded := strings.ToLower(email); folded != "" && !asked[folded] {
			asked[folded] = true
			distinct = append(distinct, email)
		}
	}
	var found []User
	for _, batch := range batches(distinct) {
		users, err := c.listUsers(ctx, "list users by email", batch)
		if err != nil {
			return nil, err
		}
		for _, user := range users {
			// A server that ignores the filter sends everybody.
			if asked[strings.ToLower(user.Email)] {
				found = append(found, user)
			}
		}
	}
	return found, nil
}

// batches splits addresses into calls of at most emailsPerCall addresses and
// maxEmailQuery bytes.
func batches(emails []string) [][]string {
	var all [][]string
	var batch []string
	size := 0
	for _, email := range emails {
		n := len("&emails%5B%5D=") + len(url.QueryEscape(email))
		if len(batch) > 0 && (len(batch) == emailsPerCall || size+n > maxEmailQuery) {
			all = append(all, batch)
			batch, size = nil, 0
		}
		batch = append(batch, email)
		size += n
	}
	if len(batch) > 0 {
		all = append(all, batch)
	}
	return all
}
