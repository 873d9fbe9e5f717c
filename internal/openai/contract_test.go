package openai_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// These tests hold the client against the simulated organization, which is
// strict about the reference and was written apart from the client.

func newOrganization(t *testing.T) (*openaitest.Server, *openai.Client) {
	t.Helper()
	server := openaitest.NewServer(openaitest.WithOrganizationID("org-acme"))
	t.Cleanup(server.Close)
	client, err := openai.NewClient(openai.Config{
		BaseURL: server.URL(), AdminKey: openaitest.DefaultAdminKey + "\n",
		Limiter: budget.NewLimiter(600_000), Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return server, client
}

var added = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func addOwner(server *openaitest.Server) string {
	return server.AddUser(openaitest.User{Email: "Ada@Example.com", Name: "Ada", Role: "owner", AddedAt: added, IsDefault: true})
}

func addReader(server *openaitest.Server) string {
	return server.AddUser(openaitest.User{Email: "bob@example.com", Name: "Bob", Role: "reader", DeveloperPersona: "builder", AddedAt: added})
}

func TestTheOrganizationIsReadWholeAndAsItIs(t *testing.T) {
	server, client := newOrganization(t)
	ada := openai.User{ID: addOwner(server), Email: "Ada@Example.com", Name: "Ada", Role: "owner", AddedAt: added, IsDefault: true}
	bot := openai.User{ID: server.AddUser(openaitest.User{Name: "bot", AddedAt: added, IsServiceAccount: true}), Name: "bot", AddedAt: added, IsServiceAccount: true}
	want := []openai.User{ada, bot}
	for i := range 248 {
		user := openai.User{Email: fmt.Sprintf("u%d@example.com", i), Role: "reader", AddedAt: added, IsSCIMManaged: i%2 == 0}
		user.ID = server.AddUser(openaitest.User{Email: user.Email, Role: user.Role, AddedAt: added, IsSCIMManaged: user.IsSCIMManaged})
		want = append(want, user)
	}

	got, err := client.ListUsers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if n := len(server.Journal()); n != 3 {
		t.Errorf("250 users took %d calls, want 3", n)
	}
	if got := client.OrganizationID(); got != "org-acme" {
		t.Errorf("the organization is %q", got)
	}
	if got, err := client.GetUser(t.Context(), ada.ID); err != nil || got != ada {
		t.Errorf("got %+v, %v", got, err)
	}

	server.ResetJournal()
	var emails []string
	for i := range 150 {
		emails = append(emails, fmt.Sprintf("U%d@EXAMPLE.com", i))
	}
	got, err = client.ListUsersByEmail(t.Context(), append(emails, "nobody@example.com", "ada@example.com"))
	if err != nil || len(got) != 151 {
		t.Errorf("got %d users, %v, want 151", len(got), err)
	}
	if n := len(server.Journal()); n != 2 {
		t.Errorf("152 addresses took %d calls, want 2", n)
	}
}

func TestAUserIsChangedFieldByFieldAndRemoved(t *testing.T) {
	server, client := newOrganization(t)
	changer := openai.NewChanger(client)
	addOwner(server)
	id := addReader(server)
	ctx := t.Context()

	got, err := changer.UpdateUser(ctx, id, openai.UserUpdate{Role: new("owner"), TechnicalLevel: new("expert"), DeveloperPersona: new("")})
	want := openai.User{ID: id, Email: "bob@example.com", Name: "Bob", Role: "owner", TechnicalLevel: "expert", AddedAt: added}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = changer.UpdateUser(ctx, id, openai.UserUpdate{Role: new("reader")})
	want.Role = "reader"
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	auditor := server.AddRole(openaitest.Role{Name: "Auditor"})
	if _, err = changer.UpdateUser(ctx, id, openai.UserUpdate{RoleID: &auditor}); err != nil {
		t.Error(err)
	}
	if _, err := client.GetUserRole(ctx, id, auditor); err != nil {
		t.Errorf("the role by ID was not assigned: %v", err)
	}
	if _, err := changer.UpdateUser(ctx, id, openai.UserUpdate{Role: new("emperor")}); !openai.IsRejected(err) || openai.IsNotFound(err) {
		t.Errorf("an unknown role: %v", err)
	}

	if err := changer.DeleteUser(ctx, id); err != nil {
		t.Error(err)
	}
	if err := changer.DeleteUser(ctx, id); !openai.IsNotFound(err) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := client.GetUser(ctx, id); !openai.IsNotFound(err) {
		t.Errorf("afterwards: %v", err)
	}
	if _, err := changer.UpdateUser(ctx, id, openai.UserUpdate{Role: new("owner")}); !openai.IsNotFound(err) {
		t.Errorf("a change afterwards: %v", err)
	}
}

func TestRolesAreListedAssignedSeenAndUnassigned(t *testing.T) {
	server, client := newOrganization(t)
	changer := openai.NewChanger(client)
	id := addOwner(server)
	auditor := server.AddRole(openaitest.Role{Name: "Auditor", ResourceType: "api.organization"})
	billing := server.AddRole(openaitest.Role{Name: "Billing"})
	server.AddInheritedRole(id, billing, "group-1")
	ctx := t.Context()

	roles, err := client.ListRoles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]openai.Role{}
	for _, role := range roles {
		byName[role.Name] = role
	}
	if got, want := byName["Auditor"], (openai.Role{ID: auditor, Name: "Auditor", ResourceType: "api.organization"}); got != want || len(roles) != 4 {
		t.Errorf("got %+v of %d roles", got, len(roles))
	}
	if owner := byName["owner"]; !owner.Predefined {
		t.Errorf("got %+v", owner)
	}

	if _, err := client.GetUserRole(ctx, id, auditor); !openai.IsNotFound(err) {
		t.Errorf("before: %v", err)
	}
	for range 2 {
		if _, err := changer.AssignRole(ctx, id, auditor); err != nil {
			t.Error(err)
		}
	}
	direct := openai.RoleAssignment{RoleID: auditor, RoleName: "Auditor"}
	inherited := openai.RoleAssignment{RoleID: billing, RoleName: "Billing", Inherited: true}
	base := openai.RoleAssignment{RoleID: byName["owner"].ID, RoleName: "owner", Predefined: true}
	held, err := client.ListUserRoles(ctx, id)
	if diff := cmp.Diff([]openai.RoleAssignment{base, direct, inherited}, held); diff != "" || err != nil {
		t.Errorf("%v, assignments (-want +got):\n%s", err, diff)
	}
	for _, want := range held {
		if got, err := client.GetUserRole(ctx, id, want.RoleID); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if err := changer.UnassignRole(ctx, id, auditor); err != nil {
		t.Error(err)
	}
	if err := changer.UnassignRole(ctx, id, auditor); !openai.IsNotFound(err) {
		t.Errorf("a second time: %v", err)
	}
	for _, role := range []string{billing, base.RoleID} {
		if err := changer.UnassignRole(ctx, id, role); !openai.IsRejected(err) {
			t.Errorf("%s: %v", role, err)
		}
	}
	if _, err := client.ListUserRoles(ctx, "user-unknown"); !openai.IsNotFound(err) {
		t.Errorf("the roles of nobody: %v", err)
	}
}

func TestARoleIsWhateverTheAPICallsIt(t *testing.T) {
	server, client := newOrganization(t)
	changer := openai.NewChanger(client)
	id := addOwner(server)
	auditor := server.AddRole(openaitest.Role{Name: "Auditor"})
	ctx := t.Context()
	if got, err := changer.AssignRole(ctx, id, auditor); err != nil || got != auditor {
		t.Errorf("assigned %q, %v", got, err)
	}
	server.LongRoleIDs(true)
	long := auditor + "__api-organization__org-acme"
	if got, err := changer.AssignRole(ctx, id, auditor); err != nil || got != long {
		t.Errorf("assigned %q, %v", got, err)
	}
	want := openai.RoleAssignment{RoleID: long, RoleName: "Auditor"}
	for _, asked := range []string{auditor, long} {
		if got, err := client.GetUserRole(ctx, id, asked); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", asked, got, err)
		}
	}
	if held, err := client.ListUserRoles(ctx, id); err != nil || len(held) != 2 || held[1] != want {
		t.Errorf("listed %+v, %v", held, err)
	}
	if err := changer.UnassignRole(ctx, id, long); err != nil {
		t.Error(err)
	}
	if _, err := client.GetUserRole(ctx, id, auditor); !openai.IsNotFound(err) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAnOrganizationThatChangesUnderTheReadingIsReadAgain(t *testing.T) {
	server, client := newOrganization(t)
	var ids []string
	for i := range 150 {
		ids = append(ids, server.AddUser(openaitest.User{Email: fmt.Sprintf("u%d@example.com", i), AddedAt: added}))
	}
	gone := false
	server.During(func(openaitest.Call) {
		// The last user of the first page leaves before the second is asked for.
		if !gone {
			gone = true
			server.RemoveUser(ids[99])
		}
	})
	users, err := client.ListUsers(t.Context())
	if err != nil || len(users) != 149 {
		t.Fatalf("got %d users, %v, want 149", len(users), err)
	}
	for _, user := range users {
		if user.ID == ids[99] {
			t.Error("the user who left is among them")
		}
	}
}

func TestEachFaultOnPageTwoIsAnErrorAndNeverHalfAnOrganization(t *testing.T) {
	for name, test := range map[string]struct {
		fault openaitest.Fault
		class func(error) bool
	}{
		"500":                            {openaitest.Fault{Status: http.StatusInternalServerError}, openai.IsTransient},
		"401":                            {openaitest.Fault{Status: http.StatusUnauthorized}, openai.IsUnauthorized},
		"HTML":                           {openaitest.Fault{HTML: true}, openai.IsTransient},
		"HTML with 404":                  {openaitest.Fault{HTML: true, Status: http.StatusNotFound}, openai.IsTransient},
		"half an answer":                 {openaitest.Fault{Truncate: true}, openai.IsTransient},
		"a connection dropped":           {openaitest.Fault{Drop: openaitest.DropBefore}, openai.IsTransient},
		"a connection dropped after all": {openaitest.Fault{Drop: openaitest.DropAfter}, openai.IsTransient},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newOrganization(t)
			for i := range 101 {
				server.AddUser(openaitest.User{Email: fmt.Sprintf("u%d@example.com", i)})
			}
			test.fault.Method, test.fault.Path, test.fault.Skip = "GET", "/organization/users", 1
			server.Fail(test.fault)
			users, err := client.ListUsers(t.Context())
			if !test.class(err) || users != nil {
				t.Errorf("got %d users, %v", len(users), err)
			}
			server.ClearFaults()
			if users, err := client.ListUsers(t.Context()); err != nil || len(users) != 101 {
				t.Errorf("afterwards: got %d users, %v", len(users), err)
			}
		})
	}
}

func TestA429InTheMiddleOfAListIsWaitedOutAndTheListWhole(t *testing.T) {
	server, client := newOrganization(t)
	for i := range 101 {
		server.AddUser(openaitest.User{Email: fmt.Sprintf("u%d@example.com", i)})
	}
	server.Fail(openaitest.Fault{Path: "/organization/users", Skip: 1, Times: 1, Status: http.StatusTooManyRequests, RetryAfter: 1})
	users, err := client.ListUsers(t.Context())
	if err != nil || len(users) != 101 {
		t.Errorf("got %d users, %v", len(users), err)
	}
	if n := len(server.Journal()); n != 3 {
		t.Errorf("%d calls, want 3: two pages, one of them twice", n)
	}
}

func TestAWriteWhoseAnswerIsLostIsTransientAndMadeOnce(t *testing.T) {
	server, client := newOrganization(t)
	changer := openai.NewChanger(client)
	addOwner(server)
	id := addReader(server)
	server.Fail(openaitest.Fault{Method: "DELETE", Drop: openaitest.DropAfter, Times: 1})
	if err := changer.DeleteUser(t.Context(), id); !openai.IsTransient(err) {
		t.Errorf("got %v", err)
	}
	if calls := server.Journal(); len(calls) != 1 || !calls[0].Changed {
		t.Errorf("calls: %+v", calls)
	}
}

func TestARevokedKeyIsUnauthorizedAndStaysSecret(t *testing.T) {
	server, client := newOrganization(t)
	server.RotateKey("sk-admin-the-next")
	_, err := client.ListUsers(t.Context())
	if !openai.IsUnauthorized(err) || strings.Contains(err.Error(), openaitest.DefaultAdminKey) {
		t.Errorf("got %v", err)
	}
}
