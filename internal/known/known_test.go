package known

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
)

func expect(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestARoleIsKnownByTheIDThatWasSent(t *testing.T) {
	kept := roster.New(time.Now)
	kept.Saw(time.Now(), openai.User{ID: "a"})
	kept.ListedRoles(time.Now(), "a", []openai.RoleAssignment{{RoleID: "role-long"}, {RoleID: "other"}})
	p := New(Sources{Roster: kept})
	p.Alias("role-long", "role")
	roles, known := p.roles("a")
	expect(t, "known", true, known)
	expect(t, "roles", []plan.Assignment{{Role: plan.Role{ID: "role"}}, {Role: plan.Role{ID: "other"}}}, roles)
	expect(t, "aliases", []string{"role-long"}, p.Aliases("role"))
	expect(t, "aliases of another", []string(nil), p.Aliases("other"))
}

func TestReadingsInARowCountUntilTheUserIsDeclared(t *testing.T) {
	p := New(Sources{})
	d := plan.Decision{Undeclared: true, UndeclaredRoles: []plan.Role{{ID: "role"}}}
	for range 2 {
		person := &plan.Person{User: plan.User{ID: "a"}}
		p.sightings.tell(person)
		p.sightings.undeclared = map[string]sighting{"a": sight(person, d, plan.Take, plan.Take, 1)}
	}
	person := &plan.Person{User: plan.User{ID: "a"}}
	p.sightings.tell(person)
	expect(t, "in a row", 2, person.SeenUndeclared)
	expect(t, "their role", map[string]int{"role": 2}, person.SeenUndeclaredRoles)
	found, ids := p.sightings.count()
	expect(t, "found", Undeclared{Users: 1, Roles: 1, NoOrgUsers: true}, found)
	expect(t, "whom", []string{"a"}, ids)
	expect(t, "still undeclared", false, p.Declared("a", d))
	expect(t, "declared by now", true, p.Declared("a", plan.Decision{}))
	expect(t, "told once", false, p.Declared("a", plan.Decision{}))
	found, _ = p.sightings.count()
	expect(t, "users then", 0, found.Users)
}

func TestAReadingThatDoesNotCountBeginsAnew(t *testing.T) {
	seen := sight(&plan.Person{SeenUndeclared: 2}, plan.Decision{Undeclared: true}, plan.Take, plan.Ignore, 0)
	expect(t, "found, and not counted", []any{true, 0}, []any{seen.found, seen.user})
}
