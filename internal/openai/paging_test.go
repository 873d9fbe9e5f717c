package openai

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pageOf is a page of users with these IDs. next "" is the last page.
func pageOf(next string, ids ...string) answer {
	var users []string
	for _, id := range ids {
		users = append(users, fmt.Sprintf(`{"id":%q,"object":"organization.user","added_at":1}`, id))
	}
	return ok(fmt.Sprintf(`{"object":"list","data":[%s],"has_more":%t,"last_id":%q}`, strings.Join(users, ","), next != "", next))
}

func userIDs(users []User) []string {
	var ids []string
	for _, user := range users {
		ids = append(ids, user.ID)
	}
	return ids
}

func cursors(api *memoryAPI) []string {
	var all []string
	for _, r := range api.requests() {
		_, after, _ := strings.Cut(r.query, "after=")
		after, _, _ = strings.Cut(after, "&")
		all = append(all, after)
	}
	return all
}

func TestAListOfUsersFollowsLastID(t *testing.T) {
	client, api := newMemoryClient(t, answers(pageOf("b", "a", "b"), pageOf("d", "c", "d"), pageOf("", "e")))
	users, err := client.ListUsers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, userIDs(users)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "b", "d"}, cursors(api)); diff != "" {
		t.Error(diff)
	}
}

func TestAnEmptyListIsNoUsersAndNoError(t *testing.T) {
	client, _ := newMemoryClient(t, answers(ok(`{"object":"list","data":[],"has_more":false,"first_id":null,"last_id":null}`)))
	if users, err := client.ListUsers(t.Context()); err != nil || len(users) != 0 {
		t.Errorf("got %v, %v", users, err)
	}
}

func TestListsOfRolesFollowNext(t *testing.T) {
	page := func(item, id, next string) answer {
		return ok(fmt.Sprintf(`{"object":"list","data":[%s],"has_more":%t,"next":%s}`, strings.Replace(item, "role-1", id, 1), next != "null", next))
	}
	for name, test := range map[string]struct {
		item string
		list func(*Client) (int, error)
	}{
		"of the organization": {roleJSON, func(c *Client) (int, error) { all, err := c.ListRoles(t.Context()); return len(all), err }},
		"of a user":           {assignmentJSON, func(c *Client) (int, error) { all, err := c.ListUserRoles(t.Context(), "u"); return len(all), err }},
	} {
		t.Run(name, func(t *testing.T) {
			client, api := newMemoryClient(t, answers(page(test.item, "r1", `"cursor 1"`), page(test.item, "r2", `"cursor 2"`), page(test.item, "r3", `null`)))
			n, err := test.list(client)
			if n != 3 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			if diff := cmp.Diff([]string{"", "cursor+1", "cursor+2"}, cursors(api)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAListIsWholeOrAnError(t *testing.T) {
	first := pageOf("b", "a", "b")
	last := pageOf("", "c")
	for name, test := range map[string]struct {
		answers []answer
		// want is the users, or wantErr holds for the error.
		want     []string
		wantErr  func(error) bool
		requests int
	}{
		"page 2 fails with 500":                      {[]answer{first, apiError(500, "", "oops")}, nil, IsTransient, 2},
		"page 2 fails with 401":                      {[]answer{first, apiError(401, "", "revoked")}, nil, IsUnauthorized, 2},
		"page 2 is HTML":                             {[]answer{first, {200, map[string]string{"Content-Type": "text/html"}, "<p>"}}, nil, IsTransient, 2},
		"page 2 is half a document":                  {[]answer{first, ok(last.body[:20])}, nil, IsTransient, 2},
		"page 2 is of another shape":                 {[]answer{first, ok(`{"object":"list","data":{},"has_more":false}`)}, nil, IsTransient, 2},
		"page 1 is rejected":                         {[]answer{apiError(400, "", "no")}, nil, IsRejected, 1},
		"a cursor whose user went, once":             {[]answer{first, apiError(400, "", "no such cursor"), pageOf("c", "a", "c"), pageOf("", "d")}, []string{"a", "c", "d"}, nil, 4},
		"a cursor whose user went, with 404":         {[]answer{first, apiError(404, "", "no such cursor"), last}, []string{"c"}, nil, 3},
		"cursors that always go":                     {[]answer{first, apiError(400, "", "gone"), first, apiError(400, "", "gone"), first, apiError(400, "", "gone")}, nil, IsTransient, 6},
		"a user seen twice across pages, once":       {[]answer{first, pageOf("", "b", "c"), pageOf("b", "a", "b"), last}, []string{"a", "b", "c"}, nil, 4},
		"a user seen twice on a page, always":        {[]answer{pageOf("", "a", "a")}, nil, IsTransient, 3},
		"more to come after an empty page, always":   {[]answer{pageOf("b")}, nil, IsTransient, 3},
		"more to come after an empty page, once":     {[]answer{pageOf("b"), last}, []string{"c"}, nil, 2},
		"more to come and no cursor, always":         {[]answer{ok(strings.Replace(first.body, `"last_id":"b"`, `"last_id":null`, 1))}, nil, IsTransient, 3},
		"more to come and an empty cursor, always":   {[]answer{ok(strings.Replace(first.body, `"last_id":"b"`, `"last_id":""`, 1))}, nil, IsTransient, 3},
		"a cursor that leads back, always":           {[]answer{pageOf("x", "a"), pageOf("x", "b"), pageOf("x", "a"), pageOf("x", "b"), pageOf("x", "a"), pageOf("x", "b")}, nil, IsTransient, 6},
		"the server fails after a list that changed": {[]answer{first, apiError(400, "", "gone"), apiError(503, "", "down")}, nil, IsTransient, 3},
	} {
		t.Run(name, func(t *testing.T) {
			client, api := newMemoryClient(t, answers(test.answers...))
			users, err := client.ListUsers(t.Context())
			switch {
			case test.wantErr == nil && err != nil:
				t.Error(err)
			case test.wantErr != nil && (!test.wantErr(err) || users != nil):
				t.Errorf("got %v, %v", users, err)
			}
			if diff := cmp.Diff(test.want, userIDs(users)); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if n := len(api.requests()); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

func TestAUserWithoutRolesToListIsNotFound(t *testing.T) {
	client, api := newMemoryClient(t, answers(apiError(404, "user_not_found", "no such user")))
	if _, err := client.ListUserRoles(t.Context(), "user-1"); !IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	if n := len(api.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func throttle(header, value string) answer {
	a := apiError(http.StatusTooManyRequests, "rate_limit_exceeded", "slow down")
	if header != "" {
		a.header = map[string]string{header: value}
	}
	return a
}

func TestAListGoesOnAtItsPageAfterA429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, api := newMemoryClient(t, answers(pageOf("b", "a", "b"), throttle("Retry-After", "90"), throttle("", ""), pageOf("", "c")))
		began := time.Now()
		users, err := client.ListUsers(InBackground(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, userIDs(users)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"", "b", "b", "b"}, cursors(api)); diff != "" {
			t.Error(diff)
		}
		if took := time.Since(began); took != 91*time.Second {
			t.Errorf("it took %s, want the 90 s asked for and 1 s more", took)
		}
	})
}

func TestAListGivesUpAfterMany429sInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, api := newMemoryClient(t, answers(throttle("Retry-After", "2")))
		users, err := client.ListUsers(t.Context())
		if !IsRateLimited(err) || users != nil {
			t.Errorf("got %v, %v", users, err)
		}
		if n := len(api.requests()); n != maxThrottles+1 {
			t.Errorf("%d requests, want %d", n, maxThrottles+1)
		}
	})
}

func TestAListInAPauseEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newMemoryClient(t, answers(throttle("Retry-After", "60")))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := client.ListUsers(ctx)
		if _, isOurs := AsError(err); isOurs || err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

func TestAListDoesNotWaitOutAPauseOfMoreThanTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, api := newMemoryClient(t, answers(pageOf("b", "a", "b"), throttle("Retry-After", "600"), pageOf("", "c")))
		began := time.Now()
		users, err := client.ListUsers(t.Context())
		e, _ := AsError(err)
		if !IsRateLimited(err) || e.RetryAfter != 10*time.Minute || users != nil || time.Since(began) != 0 {
			t.Errorf("got %v, %v after %s", users, err, time.Since(began))
		}
		if n := len(api.requests()); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}
