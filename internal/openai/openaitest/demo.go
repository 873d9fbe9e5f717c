package openaitest

import (
	"fmt"
	"strings"
	"time"
)

// SeedDemo fills the organization with some thirty people and a few roles, always the same.
func (o *Organization) SeedDemo() {
	joined := time.Date(2025, 3, 3, 9, 0, 0, 0, time.UTC)
	add := func(name string, edit func(*User)) {
		joined = joined.Add(26 * time.Hour)
		first, last, _ := strings.Cut(strings.ToLower(name), " ")
		user := User{
			ID: "user-" + first + last, Name: name, Email: fmt.Sprintf("%s.%s@example.com", first, last),
			Role: "reader", AddedAt: joined,
		}
		if edit != nil {
			edit(&user)
		}
		o.AddUser(user)
	}
	owner := func(user *User) { user.Role = "owner" }
	add("Ada Lovelace", owner)
	add("Margaret Hamilton", owner)
	add("Katherine Johnson", owner)
	add("Grace Hopper", func(user *User) { user.DeveloperPersona, user.TechnicalLevel = "backend", "intermediate" })
	for name := range strings.SplitSeq("Alan Turing,Edsger Dijkstra,Barbara Liskov,Donald Knuth,Frances Allen,"+
		"Tony Hoare,Radia Perlman,John McCarthy,Adele Goldberg,Dennis Ritchie,Shafi Goldwasser,Ken Thompson,"+
		"Lynn Conway,Niklaus Wirth,Mary Shaw,Leslie Lamport,Jean Sammet,Robin Milner,Anita Borg,Stephen Kleene,"+
		"Karen Jones,Alonzo Church,Kathleen Booth,Konrad Zuse", ",") {
		add(name, nil)
	}
	add("Hedy Lamarr", func(user *User) { user.IsSCIMManaged = true })
	add("Default User", func(user *User) { user.IsDefault = true })
	add("CI Robot", func(user *User) { user.Email, user.IsServiceAccount = "", true })

	o.AddRole(Role{ID: "role_billing", Name: "billing-admin", Description: "Sees and changes billing.", Permissions: []string{"api.organization.billing.write"}})
	viewer := o.AddRole(Role{ID: "role_usage", Name: "usage-viewer", Description: "Sees the usage of the organization.", Permissions: []string{"api.organization.usage.read"}})
	evaluator := o.AddRole(Role{ID: "role_evals", Name: "model-evaluator", Description: "Runs evaluations.", Permissions: []string{"api.evals.write"}})
	o.AssignRole("user-barbaraliskov", evaluator)
	o.AddInheritedRole("user-radiaperlman", viewer, "group-finance")
}

// SeedMany adds so many readers: user-000001@example.com and on.
func (o *Organization) SeedMany(people int) {
	for i := 1; i <= people; i++ {
		o.AddUser(User{
			ID: fmt.Sprintf("user-%06d", i), Email: fmt.Sprintf("user-%06d@example.com", i),
			Name: fmt.Sprintf("User %06d", i), Role: "reader",
		})
	}
}
