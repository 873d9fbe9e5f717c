package verdict

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

func acme() *v1alpha1.Organization {
	org := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "acme"}}
	org.Spec.Guard = v1alpha1.Guard{MinOwners: 2, MaxRemovals: new(intstr.FromString("5%")), Window: metav1.Duration{Duration: time.Hour}}
	return org
}

func TestTheWordsForEachFact(t *testing.T) {
	update := []plan.Step{{Verb: plan.Update, Who: "ada@example.com", Changes: []plan.Change{{Field: plan.FieldRole, From: "owner", To: "reader"}}}}
	remove := []plan.Step{{Verb: plan.Remove, Who: "ada@example.com"}}
	ref := plan.Ref{Namespace: "team", Name: "other"}
	users := []plan.User{{ID: "user-1", Email: "new@example.com"}, {ID: "user-2", Email: "ada@example.com"}}
	for name, c := range map[string]struct {
		fact   plan.Fact
		steps  []plan.Step
		state  State
		reason string
		words  string // a part of the message
	}{
		"in sync":                       {plan.Fact{}, nil, Ready, v1alpha1.ReasonInSync, "has this user as declared"},
		"not looked at yet":             {plan.Fact{Kind: plan.Unknown}, nil, Keep, "", ""},
		"about to be made":              {plan.Fact{Kind: plan.Pending}, update, Keep, "", ""},
		"not written down yet":          {plan.Fact{Kind: plan.NotWritten}, update, Keep, "", ""},
		"observed, nothing to do":       {plan.Fact{Kind: plan.Observed}, nil, Ready, v1alpha1.ReasonObserved, "there is nothing to do"},
		"observed, with a plan":         {plan.Fact{Kind: plan.Observed}, update, Ready, v1alpha1.ReasonObserved, "status.plan says what would be done"},
		"never a member":                {plan.Fact{Kind: plan.NotAMember}, nil, Waiting, v1alpha1.ReasonNotAMember, "ada@example.com is not a member of the organization; invite them"},
		"a member who left":             {plan.Fact{Kind: plan.Left}, nil, Waiting, v1alpha1.ReasonNotAMember, "was a member of the organization, and left it"},
		"several have the address":      {plan.Fact{Kind: plan.Ambiguous, Users: users}, nil, Stalled, v1alpha1.ReasonConflict, "2 users of the organization have the email ada@example.com: user-1, user-2; declare the right one by userID"},
		"another address":               {plan.Fact{Kind: plan.AddressChanged, Users: users}, nil, Stalled, v1alpha1.ReasonConflict, "user user-1, who has new@example.com in the organization now, and not ada@example.com; ada@example.com is user user-2 now. Nothing is changed on a guess"},
		"another address, no longer":    {plan.Fact{Kind: plan.AddressChanged, Users: []plan.User{{ID: "user-1"}}}, nil, Stalled, v1alpha1.ReasonConflict, "who has no address in the organization now"},
		"declared by an older one yet":  {plan.Fact{Kind: plan.DeclaredElsewhere, Object: ref, Until: 1}, nil, Waiting, v1alpha1.ReasonConflict, "OrgUser team/other declares ada@example.com too and is older"},
		"declared by an older one":      {plan.Fact{Kind: plan.DeclaredElsewhere, Object: ref}, nil, Stalled, v1alpha1.ReasonConflict, "OrgUser team/other declares ada@example.com too and is older"},
		"paused":                        {plan.Fact{Kind: plan.Paused}, update, Stalled, v1alpha1.ReasonPaused, "take the annotation away to go on"},
		"its Organization is paused":    {plan.Fact{Kind: plan.OrganizationPaused}, update, Waiting, v1alpha1.ReasonOrganizationNotReady, `waits while Organization "acme" has the annotation`},
		"its Organization has no key":   {plan.Fact{Kind: plan.OrganizationNotReady}, update, Waiting, v1alpha1.ReasonOrganizationNotReady, "kubectl describe oaiorg acme -n team"},
		"refused":                       {plan.Fact{Kind: plan.Refused, Words: "the API's words"}, update, Stalled, v1alpha1.ReasonRejected, "ever more rarely, from a minute to an hour apart: the API's words"},
		"to be tried again":             {plan.Fact{Kind: plan.Retrying, Words: "503"}, update, Waiting, v1alpha1.ReasonRetrying, "tried again until it succeeds: 503"},
		"accepted and not done":         {plan.Fact{Kind: plan.NotTakenOver}, update, Stalled, v1alpha1.ReasonRejected, `but did not: still to do is to update ada@example.com: role from "owner" to "reader"`},
		"too few owners for another":    {plan.Fact{Kind: plan.Guarded, Rule: plan.RuleMinOwners, Numbers: plan.Numbers{Would: 2, Most: 3}}, update, Stalled, v1alpha1.ReasonHeld, "is held by spec.guard.minOwners of another Organization object of the same organization: it would leave fewer than 3 owners"},
		"too few owners":                {plan.Fact{Kind: plan.Guarded, Rule: plan.RuleMinOwners, Numbers: plan.Numbers{Would: 1, Most: 2}}, update, Stalled, v1alpha1.ReasonHeld, "the role change of ada@example.com is held by spec.guard.minOwners of Organization acme: it would leave fewer than 2 owners"},
		"too many removals":             {plan.Fact{Kind: plan.Guarded, Rule: plan.RuleMaxRemovals, Numbers: plan.Numbers{Would: 6, Most: 5}}, remove, Waiting, v1alpha1.ReasonHeld, "the removal of ada@example.com is held by spec.guard.maxRemovals of Organization acme: at most 5% of the users are removed in 1h; goes on by itself in the next window"},
		"no removals at all":            {plan.Fact{Kind: plan.Guarded, Rule: plan.RuleMaxRemovals}, remove, Stalled, v1alpha1.ReasonHeld, "which is 0: nobody is removed"},
		"an OrgUser that is not there":  {plan.Fact{Kind: plan.NoSuchOrgUser, Object: ref}, nil, Stalled, v1alpha1.ReasonConflict, `no OrgUser "other" in namespace team`},
		"an OrgUser of another":         {plan.Fact{Kind: plan.OtherOrganizationsUser, Object: ref, Words: "umbrella"}, nil, Stalled, v1alpha1.ReasonConflict, `OrgUser "other" belongs to Organization "umbrella" and this binding to "acme"`},
		"a release that awaits":         {plan.Fact{Kind: plan.Awaits}, nil, Waiting, v1alpha1.ReasonProgressing, "keeps the role for a while"},
		"somebody who is being removed": {plan.Fact{Kind: plan.Leaving}, nil, Waiting, v1alpha1.ReasonProgressing, "is being removed from the organization, so that nothing is given"},
	} {
		t.Run(name, func(t *testing.T) {
			got := OrgUser(c.fact, "ada@example.com", acme(), c.steps)
			if got.State != c.state || got.Reason != c.reason || !strings.Contains(got.Message, c.words) || c.words == "" && got.Message != "" {
				t.Errorf("got %+v\nwant %v %s %q", got, c.state, c.reason, c.words)
			}
		})
	}
}

func TestTheWordsForEachFactAboutALeaver(t *testing.T) {
	ref := plan.Ref{Namespace: "team", Name: "other"}
	for name, c := range map[string]struct {
		fact   plan.Fact
		state  State
		reason string
		held   string
	}{
		"not due":                  {plan.Fact{Kind: plan.NotDue}, Ready, "", ""},
		"due":                      {plan.Fact{Kind: plan.Pending}, Ready, "", ""},
		"gone":                     {plan.Fact{Kind: plan.Gone}, Ready, "", ""},
		"declared again":           {plan.Fact{Kind: plan.DeclaredAgain}, Ready, "", ""},
		"named and not adopted":    {plan.Fact{Kind: plan.Protected, Object: ref}, Ready, "", "OrgUser team/other names them, and has not adopted them yet"},
		"under Observe":            {plan.Fact{Kind: plan.Observed}, Ready, "", "the Organization's mode is Observe"},
		"paused":                   {plan.Fact{Kind: plan.OrganizationPaused}, Ready, "", "the Organization is paused"},
		"without a key":            {plan.Fact{Kind: plan.OrganizationNotReady}, Ready, "", "the Organization's admin key cannot be used"},
		"with another address now": {plan.Fact{Kind: plan.AddressChanged, Users: []plan.User{{ID: "user-1", Email: "new@example.com"}}}, Stalled, v1alpha1.ReasonConflict, "nobody is removed: user user-1 has new@example.com"},
		"held by the guard":        {plan.Fact{Kind: plan.Guarded, Rule: plan.RuleMaxRemovals, Numbers: plan.Numbers{Would: 6, Most: 5}}, Waiting, v1alpha1.ReasonHeld, "the removal of ada@example.com is held by spec.guard.maxRemovals"},
		"refused":                  {plan.Fact{Kind: plan.Refused, Words: "no"}, Stalled, v1alpha1.ReasonRejected, "the removal of ada@example.com waits: the API refused the change"},
	} {
		t.Run(name, func(t *testing.T) {
			got, held := Leaver(c.fact, "ada@example.com", acme(), plan.Step{Verb: plan.Remove, Who: "ada@example.com"})
			if got.State != c.state || got.Reason != c.reason || !strings.Contains(held, c.held) || c.held == "" && held != "" {
				t.Errorf("got %+v, %q\nwant %v %s %q", got, held, c.state, c.reason, c.held)
			}
		})
	}
}

func TestTheWordsForARoleThatDoesNotResolve(t *testing.T) {
	viewer := plan.OfferedRole{Role: plan.Role{ID: "role-1", Name: "viewer"}}
	twin := plan.OfferedRole{Role: plan.Role{ID: "role-2", Name: "viewer"}}
	owner := plan.OfferedRole{Role: plan.Role{ID: "role-0", Name: "owner"}, Predefined: true}
	for name, c := range map[string]struct {
		fact   plan.RoleFact
		refers plan.Role
		words  string
	}{
		"none by name": {plan.RoleFact{Kind: plan.NoSuchRole, Roles: []plan.OfferedRole{owner, viewer}}, plan.Role{Name: "x"}, `no role with the name "x", which spec.roleRef.name names; it has "viewer" (role-1)`},
		"none by ID":   {plan.RoleFact{Kind: plan.NoSuchRole, Roles: []plan.OfferedRole{owner}}, plan.Role{ID: "x"}, `no role with the ID "x", which spec.roleRef.id names; it has no roles that can be bound`},
		"several":      {plan.RoleFact{Kind: plan.SeveralRoles, Roles: []plan.OfferedRole{viewer, twin}}, plan.Role{Name: "viewer"}, "role-1, role-2; name one by spec.roleRef.id"},
		"predefined":   {plan.RoleFact{Kind: plan.PredefinedRole, Roles: []plan.OfferedRole{owner}}, plan.Role{Name: "owner"}, `role "owner" is predefined and cannot be bound`},
		"another now":  {plan.RoleFact{Kind: plan.OtherRole, Roles: []plan.OfferedRole{{Role: plan.Role{ID: "role-9", Name: "old"}}, viewer}}, plan.Role{Name: "viewer"}, `"viewer" meant role role-9, which is called "old" now, and means role role-1 now`},
	} {
		got := InvalidRole(c.fact, c.refers, plan.Role{ID: "role-9"})
		if got.State != Stalled || got.Reason != v1alpha1.ReasonInvalidRole || !strings.Contains(got.Message, c.words) {
			t.Errorf("%s: got %+v, want %q", name, got, c.words)
		}
	}
	if got := InvalidRole(plan.RoleFact{Kind: plan.RolesUnknown}, plan.Role{}, plan.Role{}); got.State != Keep {
		t.Errorf("roles that are not known yet: %+v", got)
	}
}

func TestALineAndTheSumSayWhatASubjectLacks(t *testing.T) {
	subject := func(email string, said plan.Said) *Subject {
		return &Subject{SubjectStatus: v1alpha1.SubjectStatus{Subject: v1alpha1.Subject{Email: email}}, Who: email, Said: said}
	}
	released := subject("gone@example.com", plan.Said{Holding: plan.NotHeld, Forget: true})
	released.Released = true
	all := []*Subject{
		subject("direct@example.com", plan.Said{Holding: plan.Direct}),
		subject("group@example.com", plan.Said{Holding: plan.Inherited}),
		subject("nobody@example.com", plan.Said{Holding: plan.NotHeld, Fact: plan.Fact{Kind: plan.NotAMember}}),
		subject("refused@example.com", plan.Said{Holding: plan.NotHeld, Fact: plan.Fact{Kind: plan.Refused, Words: "no"}}),
		subject("later@example.com", plan.Said{Holding: plan.NotHeld, Fact: plan.Fact{Kind: plan.Retrying, Words: "503"}}),
		subject("soon@example.com", plan.Said{Holding: plan.NotHeld, Fact: plan.Fact{Kind: plan.Pending}}),
		released,
	}
	var states []string
	for _, line := range Lines(acme(), all, nil) {
		states = append(states, string(line.State))
		if (line.Message != "") != (line.Subject.Email == "refused@example.com" || line.Subject.Email == "later@example.com") {
			t.Errorf("%s: message %q", line.Subject.Email, line.Message)
		}
	}
	if got, want := strings.Join(states, ", "), "Assigned, Inherited, NotAMember, Failed, Pending, Pending"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := Binding(acme(), all, nil)
	if got.State != Waiting || got.Reason != v1alpha1.ReasonRetrying || !strings.Contains(got.Message, "2/6 of the subjects have the role; nobody@example.com: ") {
		t.Errorf("got %+v", got)
	}
	if got := Binding(acme(), all[:2], nil); got.State != Ready || got.Reason != v1alpha1.ReasonInSync {
		t.Errorf("with all assigned: %+v", got)
	}
	if got := Binding(acme(), all[:4], nil); got.Reason != v1alpha1.ReasonRejected {
		t.Errorf("a refusal goes before who is no member: %+v", got)
	}
	if got := Assigned(all); got != "2/6" {
		t.Errorf("assigned: %s", got)
	}
	before := []v1alpha1.SubjectStatus{{Subject: v1alpha1.Subject{Email: "direct@example.com"}, State: v1alpha1.SubjectAssigned}}
	all[0].Said = plan.Said{Fact: plan.Fact{Kind: plan.Unknown}}
	if got := Lines(acme(), all[:1], before)[0].State; got != v1alpha1.SubjectAssigned {
		t.Errorf("what cannot be said yet does not stay as it was: %s", got)
	}
}

func TestASecretWithoutTheKeyTellsNoOtherKeys(t *testing.T) {
	org := acme()
	org.Spec.AdminKeySecretRef = v1alpha1.SecretKeyReference{Name: "openai", Key: "api-key"}
	for name, c := range map[string]struct {
		data  map[string][]byte
		words string
	}{
		"empty":                  {nil, `no admin key under "api-key", which spec.adminKeySecretRef.key names: it is empty; put`},
		"an empty key":           {map[string][]byte{"api-key": nil, "other-name": []byte("x")}, "that key is empty; put"},
		"another key":            {map[string][]byte{"other-name": []byte("x")}, "it has no such key; put the organization's admin key (sk-admin-...) there; or name the key that has it"},
		"an admin key as a name": {map[string][]byte{"sk-admin-secret": []byte("x"), "other-name": nil}, "the name of one of its keys looks like an admin key, which belongs into the value; put"},
	} {
		t.Run(name, func(t *testing.T) {
			v := SecretWithoutKey(org, &corev1.Secret{Data: c.data})
			if v.State != Stalled || v.Reason != v1alpha1.ReasonSecretInvalid || !strings.Contains(v.Message, c.words) {
				t.Errorf("got %+v", v)
			}
			for key := range c.data {
				if key != "api-key" && strings.Contains(v.Message, key) {
					t.Errorf("%q tells the name of the key %s", v.Message, key)
				}
			}
		})
	}
}

func TestATextThatIsNoUTF8IsCutToo(t *testing.T) {
	if got := Cut(strings.Repeat("\x80", 30), 20); got != "..." {
		t.Errorf("got %q", got)
	}
}

func TestTheWordsForRoleListsThatDoNotFitTheInterval(t *testing.T) {
	for wait, want := range map[time.Duration]string{6 * time.Minute: "20m", 29 * time.Minute: "40m", 30 * time.Minute: "40m", 31 * time.Minute: "80m"} {
		got := RolesListedLate(WasRead(), 10*time.Minute, wait).Message
		if want := "the organization was read whole; the roles of users are looked at within " + want + " instead of spec.resyncInterval, 10m, " +
			"since there are too few requests a minute for so many: raise spec.requestsPerMinute or spec.resyncInterval"; got != want {
			t.Errorf("after %s:\n%s\nwanted\n%s", wait, got, want)
		}
	}
}
