package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhomAClaimStandsFor(t *testing.T) {
	ada := User{ID: "user-1", Email: "Ada@example.com"}
	world := &directory{
		users:  []User{ada, bob, {ID: "user-3", Email: "two@example.com"}, {ID: "user-4", Email: "Two@example.com"}},
		unsure: []string{"user-9", "new@example.com"},
	}
	for name, tc := range map[string]struct {
		claim Claim
		want  Standing
	}{
		"whoever has the address":                      {Claim{Email: "ada@example.com"}, Standing{User: ada}},
		"whoever has the ID":                           {Claim{UserID: "user-1"}, Standing{User: ada}},
		"whoever has the ID and the address beside it": {Claim{UserID: "user-1", Email: "ada@example.com"}, Standing{User: ada}},
		"whom it remembers":                            {Claim{Email: "ada@example.com", Remembered: "user-1"}, Standing{User: ada}},
		"nobody, if the address is nobody's":           {Claim{Email: "no@example.com"}, Standing{Fact: Fact{Kind: NotAMember}}},
		"nobody, if the ID is nobody's":                {Claim{UserID: "user-8"}, Standing{Fact: Fact{Kind: NotAMember}}},
		"nobody yet, if nobody looked for the address": {Claim{Email: "new@example.com"}, Standing{Fact: Fact{Kind: Unknown}}},
		"nobody yet, if nobody looked for the ID":      {Claim{UserID: "user-9"}, Standing{Fact: Fact{Kind: Unknown}}},
		"nobody yet, if nobody looked for whom it remembers": {
			Claim{Email: "ada@example.com", Remembered: "user-9"}, Standing{Fact: Fact{Kind: Unknown}},
		},
		"nobody, if whom it remembers left": {
			Claim{Email: "no@example.com", Remembered: "user-8"}, Standing{Fact: Fact{Kind: Left}},
		},
		"whoever has the address now, if whom it remembers left": {
			Claim{Email: "ada@example.com", Remembered: "user-8"}, Standing{User: ada, TakesOver: true},
		},
		"nobody whose address is looked for, though whom it remembers left": {
			Claim{Email: "new@example.com", Remembered: "user-8"}, Standing{Fact: Fact{Kind: Unknown}},
		},
		"nobody else, if the one with the ID left": {
			Claim{UserID: "user-8", Email: "ada@example.com", Remembered: "user-8"}, Standing{Fact: Fact{Kind: Left}},
		},
		"nobody, if two have the address": {
			Claim{Email: "two@example.com"}, Standing{Fact: Fact{Kind: Ambiguous, Users: world.users[2:4]}},
		},
		"whom it remembers under another address, with who has it now": {
			Claim{Email: "bob@example.com", Remembered: "user-1"}, Standing{User: ada, Fact: Fact{Kind: AddressChanged, Users: []User{ada, bob}}},
		},
		"the one with the ID under another address": {
			Claim{UserID: "user-1", Email: "no@example.com"}, Standing{User: ada, Fact: Fact{Kind: AddressChanged, Users: []User{ada}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.claim.Standing(world)
			// Who is not known is somebody, and only then.
			if (got.Unknown != Key{}) != (got.Fact.Kind == Unknown) {
				t.Errorf("to be looked at: %v, with the fact %d", got.Unknown, got.Fact.Kind)
			}
			got.Unknown = Key{}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("standing (-want +got):\n%s", diff)
			}
			if got.Resolved() != (tc.want.User.ID != "") {
				t.Errorf("resolved: %t", got.Resolved())
			}
		})
	}
}
