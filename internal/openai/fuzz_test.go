package openai

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// FuzzDecodePage feeds two pages of users and two of roles. Whatever they are,
// nothing panics, an error comes with nothing, and a list without an error has
// every item of every page.
func FuzzDecodePage(f *testing.F) {
	user := func(id string) string { return `{"id":"` + id + `","object":"organization.user","added_at":1}` }
	page := func(items, rest string) string { return `{"object":"list","data":[` + items + `],` + rest + `}` }
	whole := page(user("b"), `"has_more":false`)
	for _, seed := range [][2]string{
		{page(user("a"), `"has_more":true,"last_id":"a"`), whole},
		{page(assignmentJSON, `"has_more":true,"next":"c"`), page(``, `"has_more":false,"next":null`)},
		{page(user("b"), `"has_more":true,"last_id":"a"`), whole},
		{page(user("a"), `"has_more":true,"last_id":null`), whole},
		{page(user("a"), `"has_more":"true"`), whole},
		{page(user("a")+`,7`, `"has_more":false`), whole},
		{page(user("a")+`,null`, `"has_more":false`), whole},
		{page(userJSON, `"has_more":false,"has_more":true`), whole},
		{`{"data":[` + user("a") + `],"data":[],"has_more":false}`, whole},
		{`null`, whole}, {`[]`, whole}, {`{`, whole}, {``, whole}, {`{"error":{}}`, whole},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		client, api := newMemoryClient(t, answers(ok(string(first)), ok(string(second))))
		users, err := client.ListUsers(t.Context())
		checkWhole(t, len(users), err, api.requests(), first, second)
		for _, user := range users {
			if user.ID == "" {
				t.Error("a user has no ID")
			}
		}

		client, api = newMemoryClient(t, answers(ok(string(first)), ok(string(second))))
		assignments, err := client.ListUserRoles(t.Context(), "user-1")
		checkWhole(t, len(assignments), err, api.requests(), first, second)
		for _, assignment := range assignments {
			if assignment.RoleID == "" || assignment.RoleName == "" {
				t.Error("a role has no ID or no name")
			}
		}
	})
}

// checkWhole counts with encoding/json what the pages of the last reading hold,
// independently of the SDK's decoder.
func checkWhole(t *testing.T, got int, err error, requests []seen, first, second []byte) {
	t.Helper()
	if err != nil {
		if _, isOurs := AsError(err); !isOurs || got != 0 {
			t.Fatalf("%d items and %#v", got, err)
		}
		return
	}
	want := 0
	for i, request := range slices.Backward(requests) {
		raw := second
		if i == 0 {
			raw = first
		}
		n, once := itemsOf(raw)
		if !once {
			t.Skip("two fields of the name data: nobody can say which counts")
		}
		want += n
		if !strings.Contains(request.query, "after=") {
			break
		}
	}
	if got != want {
		t.Fatalf("%d items of %d in %v", got, want, requests)
	}
}

// itemsOf is the length of "data" in a document, and whether there is just one.
func itemsOf(raw []byte) (n int, once bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	_, _ = decoder.Token()
	fields := 0
	for decoder.More() {
		name, _ := decoder.Token()
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return 0, false
		}
		var items []json.RawMessage
		if name == "data" {
			fields++
			_ = json.Unmarshal(value, &items)
			n = len(items)
		}
	}
	return n, fields == 1
}
