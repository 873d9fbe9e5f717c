package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	ada := ObservedUser{ID: "user-1", Email: "ada@example.com", Role: "owner", DeveloperPersona: "backend", TechnicalLevel: "expert"}
	for name, tc := range map[string]struct {
		desired  DesiredUser
		observed ObservedUser
		want     []Step
	}{
		"a field that is not set is not managed": {DesiredUser{}, ada, nil},
		"what holds already needs no step": {
			DesiredUser{Role: "owner", DeveloperPersona: new("backend"), TechnicalLevel: new("expert")}, ada, nil,
		},
		"an empty persona clears it": {
			DesiredUser{DeveloperPersona: new("")}, ada,
			[]Step{{Verb: Update, UserID: "user-1", Who: "ada@example.com", Changes: []Change{{FieldDeveloperPersona, "backend", ""}}}},
		},
		"clearing what is empty already needs no step": {
			DesiredUser{DeveloperPersona: new(""), TechnicalLevel: new("")}, ObservedUser{ID: "user-1"}, nil,
		},
		"all that differs goes into one step, and an owner who becomes a reader is demoted": {
			DesiredUser{Role: "reader", DeveloperPersona: new("data"), TechnicalLevel: new("novice")}, ada,
			[]Step{{
				Verb: Update, UserID: "user-1", Who: "ada@example.com", DemotesOwner: true,
				Changes: []Change{
					{FieldRole, "owner", "reader"},
					{FieldDeveloperPersona, "backend", "data"},
					{FieldTechnicalLevel, "expert", "novice"},
				},
			}},
		},
		"a reader who becomes an owner is not demoted": {
			DesiredUser{Role: "owner"}, ObservedUser{ID: "user-2", Role: "reader"},
			[]Step{{Verb: Update, UserID: "user-2", Who: "user-2", Changes: []Change{{FieldRole, "reader", "owner"}}}},
		},
		"a role by ID that is held needs no step": {
			DesiredUser{RoleID: "role-1"}, ObservedUser{ID: "user-2", HoldsRoleID: true}, nil,
		},
		"a role by ID that is not held is set, and on an owner counts as a demotion": {
			DesiredUser{RoleID: "role-1"}, ada,
			[]Step{{
				Verb: Update, UserID: "user-1", Who: "ada@example.com", DemotesOwner: true,
				Changes: []Change{{FieldRoleID, "", "role-1"}},
			}},
		},
		"a persona of an owner can change without a demotion": {
			DesiredUser{Role: "owner", DeveloperPersona: new("data")}, ada,
			[]Step{{Verb: Update, UserID: "user-1", Who: "ada@example.com", Changes: []Change{{FieldDeveloperPersona, "backend", "data"}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Fields(tc.desired, tc.observed)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemoval(t *testing.T) {
	got := Removal(ObservedUser{ID: "user-1", Email: "ada@example.com", Role: "owner"})
	want := []Step{{Verb: Remove, UserID: "user-1", Who: "ada@example.com", DemotesOwner: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestStepsReadAsSentences(t *testing.T) {
	role := Role{ID: "role-1", Name: "viewer"}
	for _, tc := range []struct {
		want, done string
		step       Step
	}{
		{
			`update ada@example.com: role from "reader" to "owner", technicalLevel from "expert" to none`,
			`updated ada@example.com: role from "reader" to "owner", technicalLevel from "expert" to none`,
			Step{
				Verb: Update, Who: "ada@example.com",
				Changes: []Change{{FieldRole, "reader", "owner"}, {FieldTechnicalLevel, "expert", ""}},
			},
		},
		{
			"update ada@example.com: roleID to role-1", "updated ada@example.com: roleID to role-1",
			Step{Verb: Update, Who: "ada@example.com", Changes: []Change{{FieldRoleID, "", "role-1"}}},
		},
		{
			"remove ada@example.com from the organization", "removed ada@example.com from the organization",
			Step{Verb: Remove, Who: "ada@example.com"},
		},
		{
			"assign role viewer to ada@example.com", "assigned role viewer to ada@example.com",
			Step{Verb: Assign, Who: "ada@example.com", Role: role},
		},
		{
			"unassign role viewer from ada@example.com", "unassigned role viewer from ada@example.com",
			Step{Verb: Unassign, Who: "ada@example.com", Role: role},
		},
	} {
		if got := tc.step.String(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
		if got := tc.step.Done(); got != tc.done {
			t.Errorf("got  %s\nwant %s", got, tc.done)
		}
	}
}

// applyUser is the organization's side of an Update, as the reference has it.
func applyUser(user ObservedUser, steps []Step) ObservedUser {
	for _, step := range steps {
		for _, change := range step.Changes {
			switch change.Field {
			case FieldRole:
				user.Role = change.To
			case FieldRoleID:
				user.HoldsRoleID = true
			case FieldDeveloperPersona:
				user.DeveloperPersona = change.To
			case FieldTechnicalLevel:
				user.TechnicalLevel = change.To
			}
		}
	}
	return user
}

func FuzzApplyingAPlanLeavesNothingToDo(f *testing.F) {
	f.Add("owner", "", "a", true, "b", true, "reader", "x", "", false)
	f.Add("", "role-1", "", true, "", false, "owner", "", "y", false)
	f.Fuzz(func(t *testing.T, role, roleID, persona string, personaSet bool, level string, levelSet bool,
		hasRole, hasPersona, hasLevel string, holds bool,
	) {
		desired := DesiredUser{Role: role, RoleID: roleID}
		if personaSet {
			desired.DeveloperPersona = &persona
		}
		if levelSet {
			desired.TechnicalLevel = &level
		}
		observed := ObservedUser{ID: "user-1", Role: hasRole, DeveloperPersona: hasPersona, TechnicalLevel: hasLevel, HoldsRoleID: holds}
		after := applyUser(observed, Fields(desired, observed))
		if again := Fields(desired, after); len(again) != 0 {
			t.Errorf("planned %v, and after it %v", Fields(desired, observed), again)
		}
		if !personaSet && after.DeveloperPersona != hasPersona || !levelSet && after.TechnicalLevel != hasLevel ||
			role == "" && after.Role != hasRole {
			t.Errorf("a field that is not set was changed: %+v to %+v", observed, after)
		}
	})
}
