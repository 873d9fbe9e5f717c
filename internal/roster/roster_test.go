package roster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

var (
	ada   = openai.User{ID: "user-ada", Email: "Ada@example.com", Role: "owner"}
	grace = openai.User{ID: "user-grace", Email: "grace@example.com", Role: "reader"}
	alan  = openai.User{ID: "user-alan", Email: "alan@example.com", Role: "reader"}
	robot = openai.User{ID: "user-robot", Role: "reader", IsServiceAccount: true}
)

// fixture is a roster with a clock that goes on when it is told to.
type fixture struct {
	*Roster
	t     *testing.T
	clock time.Time
}

func newFixture(t *testing.T, users ...openai.User) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	f.Roster = New(func() time.Time { return f.clock })
	f.read(users...)
	return f
}

// later lets time pass, and returns when it is then.
func (f *fixture) later(d time.Duration) time.Time {
	f.clock = f.clock.Add(d)
	return f.clock
}

// read reads the organization whole, which takes a second.
func (f *fixture) read(users ...openai.User) []plan.Key {
	f.later(time.Second)
	reading := f.Begin()
	f.later(time.Second)
	return f.End(reading, users)
}

func (f *fixture) expect(what string, want, got any) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (f *fixture) expectKeys(what string, keys []plan.Key, want ...string) {
	f.t.Helper()
	var got []string
	for _, key := range keys {
		got = append(got, key.ID+key.Email)
	}
	slices.Sort(got)
	f.expect(what, want, slices.Compact(got))
}

func withRole(user openai.User, role string) openai.User {
	user.Role = role
	return user
}

func withEmail(user openai.User, email string) openai.User {
	user.Email = email
	return user
}

func (f *fixture) emailOf(id string) string {
	user, _ := f.Get(id)
	return user.Email
}

func roles(ids ...string) []openai.RoleAssignment {
	var all []openai.RoleAssignment
	for _, id := range ids {
		all = append(all, openai.RoleAssignment{RoleID: id, RoleName: "name of " + id})
	}
	return all
}

func TestAUserIsFoundByIDAndByEmailInAnyCase(t *testing.T) {
	f := newFixture(t, ada, grace, robot)
	f.expect("by email", []string{"user-ada"}, f.IDs(plan.EmailKey("ADA@EXAMPLE.COM")))
	f.expect("by ID", []string{"user-robot"}, f.IDs(plan.IDKey("user-robot")))
	f.expect("nobody", []string(nil), f.IDs(plan.IDKey("user-nobody")))
	f.expect("as plans have them", []plan.User{{ID: "user-ada", Email: "Ada@example.com", Role: "owner"}}, f.WithEmail("ada@example.com"))
	f.expect("no address finds nobody", []plan.User(nil), f.WithEmail(""))
	f.expect("keys", []plan.Key{{ID: "user-ada"}, {Email: "ada@example.com"}}, f.KeysOf("user-ada"))
	f.expect("keys of one who is not known", []plan.Key{{ID: "user-nobody"}}, f.KeysOf("user-nobody"))
	f.expect("counts", Counts{Total: 3, Owners: 1, Readers: 2, ServiceAccounts: 1}, f.Counts())
	if user, _ := f.User("user-robot"); !user.Exempt {
		t.Error("a service account is not exempt")
	}
}

func TestTheKeysOfUsersThatDifferAreReturnedOldAndNew(t *testing.T) {
	f := newFixture(t)
	f.expectKeys("who appear", f.read(ada, grace, alan),
		"ada@example.com", "alan@example.com", "grace@example.com", "user-ada", "user-alan", "user-grace")
	f.expectKeys("after a reading that is the same", f.read(ada, grace, alan))
	f.expectKeys("one with another address, one gone, one new", f.read(ada, withEmail(grace, "hopper@example.com"), robot),
		"alan@example.com", "grace@example.com", "hopper@example.com", "user-alan", "user-grace", "user-robot")
	f.expect("the old address is nobody's", []string(nil), f.IDs(plan.EmailKey(grace.Email)))
	f.expectKeys("a look at what is known", f.Saw(f.later(time.Second), ada))
	f.expectKeys("a look at one who changed", f.Saw(f.later(time.Second), withRole(ada, "reader")), "ada@example.com", "user-ada")
	f.expectKeys("a list of addresses: one differs, one is nobody's",
		f.SawByEmail(f.later(time.Second), []string{"Ada@example.com", "Nobody@example.com"}, []openai.User{ada}),
		"ada@example.com", "nobody@example.com", "user-ada")
	f.expectKeys("the same list again", f.SawByEmail(f.later(time.Second), []string{"Ada@example.com", "Nobody@example.com"}, []openai.User{ada}))
	f.expectKeys("a look that finds nobody", f.SawNobody(f.later(time.Second), "user-ada"), "ada@example.com", "user-ada")
	f.expectKeys("the same again", f.SawNobody(f.later(time.Second), "user-ada"))
}

func TestTwoUsersWithOneAddressAreBothFoundAndOneWhoChangesItLeavesTheOther(t *testing.T) {
	twin := withEmail(alan, "GRACE@example.com")
	f := newFixture(t, grace, twin)
	f.expect("both", []string{"user-alan", "user-grace"}, f.IDs(plan.EmailKey(grace.Email)))
	f.read(grace, alan)
	f.expect("one", []string{"user-grace"}, f.IDs(plan.EmailKey(grace.Email)))
}

func TestAReadingThatFailedLeavesTheRosterAsItWas(t *testing.T) {
	f := newFixture(t, ada, grace)
	at := f.ReadAt()
	f.later(time.Minute)
	f.Begin()
	f.later(time.Second)
	f.Abandon()
	f.expect("read at", at, f.ReadAt())
	f.expect("users", []openai.User{ada, grace}, f.Users())
	f.read(ada)
	f.expect("read at, after the next", f.clock.Add(-time.Second), f.ReadAt())
	f.expect("users after the next", []openai.User{ada}, f.Users())
}

func TestAReadingThatBeganBeforeTheLastOneTeachesNothing(t *testing.T) {
	f := newFixture(t, ada, grace)
	begun := f.later(time.Second)
	f.read(ada, withRole(grace, "owner"))
	at := f.ReadAt()
	f.expectKeys("the older reading", f.End(f.BeginAt(begun), []openai.User{grace}))
	f.expect("read at", at, f.ReadAt())
	f.expect("users", []openai.User{ada, withRole(grace, "owner")}, f.Users())
}

func TestWhoIsMissingInAReadingIsAbsentOnlyWhenALookConfirmsIt(t *testing.T) {
	f := newFixture(t, ada, grace)
	f.read(ada)
	if f.NoUser(grace.ID) || f.NoEmail("grace@example.com") {
		t.Error("a reading that misses somebody is said to confirm that they are gone")
	}
	f.SawNobody(f.later(time.Second), grace.ID)
	f.SawByEmail(f.later(time.Second), []string{"Grace@example.com"}, nil)
	if !f.NoUser(grace.ID) || !f.NoEmail("grace@example.com") {
		t.Error("a look that found nobody is not kept")
	}
	f.read(ada)
	if !f.NoUser(grace.ID) || !f.NoEmail("grace@example.com") {
		t.Error("what a look confirmed is gone after a reading that says the same")
	}
	f.read(ada, grace)
	if f.NoUser(grace.ID) || f.NoEmail("grace@example.com") {
		t.Error("somebody who is back is said to be absent")
	}
}

func TestAnAddressThatSomebodyElseHasNowIsNotAbsent(t *testing.T) {
	f := newFixture(t, grace)
	f.SawByEmail(f.later(time.Second), []string{"hopper@example.com"}, nil)
	f.Saw(f.later(time.Second), withEmail(grace, "Hopper@example.com"))
	if f.NoEmail("hopper@example.com") {
		t.Error("the address is said to be nobody's")
	}
}

func TestAnAbsenceThatNobodyAsksForIsForgottenAndOneThatIsAskedForIsKept(t *testing.T) {
	f := newFixture(t, ada)
	f.SawByEmail(f.later(time.Second), []string{"asked@example.com", "forgotten@example.com"}, nil)
	f.SawNobody(f.later(time.Second), "user-asked")
	f.SawNobody(f.later(time.Second), "user-forgotten")
	for range 5 {
		f.read(ada)
		if !f.NoEmail("asked@example.com") || !f.NoUser("user-asked") {
			t.Fatal("an absence that is asked for in each reading is gone")
		}
	}
	f.expect("kept", map[plan.Key]int{{Email: "asked@example.com"}: f.readings, {ID: "user-asked"}: f.readings}, f.absent)
}

func TestWhatIsLearntDuringAReadingIsNewerThanTheReading(t *testing.T) {
	f := newFixture(t, ada, grace, alan)
	f.later(time.Second)
	reading := f.Begin()
	f.Changed(f.later(time.Second), withRole(grace, "owner"))
	f.SawNobody(f.later(time.Second), alan.ID)
	f.Saw(f.later(time.Second), robot)
	f.later(time.Second)
	f.expectKeys("the reading", f.End(reading, []openai.User{ada, grace, alan}))
	f.expect("users", []openai.User{ada, withRole(grace, "owner"), robot}, f.Users())
	f.read(ada, grace, alan)
	f.expect("the next reading is newer again", []openai.User{ada, alan, grace}, f.Users())
}

func TestWhatWasLearntBeforeAReadingIsOlder(t *testing.T) {
	f := newFixture(t, ada, grace)
	f.Changed(f.later(time.Second), withRole(grace, "owner"))
	f.read(ada, grace)
	f.expect("users", []openai.User{ada, grace}, f.Users())
}

func TestALookThatAChangeOvertookTeachesNothing(t *testing.T) {
	f := newFixture(t, ada, grace)
	begun := f.later(time.Second)
	f.later(time.Second)
	f.Changed(f.clock, withRole(grace, "owner"))
	f.expectKeys("a look", f.Saw(begun, grace))
	f.expectKeys("a list", f.SawByEmail(begun, []string{grace.Email}, []openai.User{grace}))
	f.expect("grace", []openai.User{ada, withRole(grace, "owner")}, f.Users())

	begun = f.later(time.Second)
	f.later(time.Second)
	f.SawNobody(f.clock, grace.ID)
	f.expectKeys("a look at one who is gone meanwhile", f.Saw(begun, grace))
	f.expect("users", []openai.User{ada}, f.Users())
}

func TestOfTwoLooksTheOneCountsThatBeganLater(t *testing.T) {
	f := newFixture(t, ada)
	first := f.later(time.Second)
	second := f.later(time.Second)
	f.later(time.Second)
	f.Saw(second, withRole(ada, "reader"))
	f.Saw(first, ada)
	f.expect("users", []openai.User{withRole(ada, "reader")}, f.Users())
}

func TestOwnersAreCountedThroughPromotionDemotionAndRemoval(t *testing.T) {
	f := newFixture(t, ada, grace, alan)
	owners := func(what string, want ...openai.User) {
		t.Helper()
		f.expect(what, append([]openai.User{}, want...), f.Owners())
		users, count := f.Size()
		f.expect(what+": count", len(want), count)
		f.expect(what+": users", len(f.Users()), users)
	}
	owners("at first", ada)
	f.Changed(f.later(time.Second), withRole(grace, "owner"))
	owners("promoted", ada, withRole(grace, "owner"))
	f.Saw(f.later(time.Second), withRole(ada, "reader"))
	owners("demoted outside", withRole(grace, "owner"))
	renamed := withEmail(withRole(grace, "owner"), "hopper@example.com")
	f.Saw(f.later(time.Second), renamed)
	owners("with another address", renamed)
	f.SawNobody(f.later(time.Second), grace.ID)
	owners("removed")
	f.read(ada, grace, withRole(alan, "owner"))
	owners("read", ada, withRole(alan, "owner"))
	f.read(ada, grace)
	owners("gone in a reading", ada)
}

func TestAfterALostAnswerAboutFieldsTheUserIsDoubtedUntilALookThatBeganLater(t *testing.T) {
	f := newFixture(t, ada, grace)
	early := f.later(time.Second)
	f.later(time.Second)
	deadline := f.clock.Add(time.Minute)
	f.Doubt(grace.ID, false, deadline)
	if !f.Doubted(grace.ID) || f.Doubted(ada.ID) {
		t.Error("the wrong user is doubted")
	}
	f.Saw(early, grace)
	if !f.Doubted(grace.ID) {
		t.Error("a look that began before the answer was lost settles the doubt")
	}
	f.Saw(f.later(time.Second), withRole(grace, "owner"))
	if f.Doubted(grace.ID) {
		t.Error("a look that began after the answer was lost settles nothing")
	}
	f.expect("what the look saw", "owner", f.Users()[1].Role)

	since, unsettled := f.Unsettled(grace.ID)
	f.expect("still unsettled: the request may land until its deadline", true, unsettled)
	f.expect("until the deadline", deadline, since)
	f.Saw(deadline, grace)
	if _, unsettled := f.Unsettled(grace.ID); !unsettled {
		t.Error("a look at the deadline settles")
	}
	f.Saw(deadline.Add(time.Second), grace)
	if _, unsettled := f.Unsettled(grace.ID); unsettled {
		t.Error("a look after the deadline settles nothing")
	}
}

func TestALostAnswerAboutRolesNeedsAListOfThem(t *testing.T) {
	f := newFixture(t, ada)
	f.ListedRoles(f.later(time.Second), ada.ID, roles("role-1"))
	f.later(time.Second)
	deadline := f.clock.Add(time.Minute)
	f.Doubt(ada.ID, true, deadline)
	f.expect("the fields are not doubted", false, f.Doubted(ada.ID))
	_, known := f.Assignments(ada.ID)
	f.expect("the roles are not known any more", false, known)
	f.Saw(deadline.Add(time.Second), ada)
	_, unsettled := f.Unsettled(ada.ID)
	f.expect("a look at the fields settles no roles", true, unsettled)
	f.ListedRoles(f.later(time.Second), ada.ID, roles("role-1", "role-2"))
	_, unsettled = f.Unsettled(ada.ID)
	f.expect("a list before the deadline is not the last word", true, unsettled)
	f.later(time.Hour)
	f.ListedRoles(f.clock, ada.ID, roles("role-1", "role-2"))
	_, unsettled = f.Unsettled(ada.ID)
	f.expect("one after it is", false, unsettled)
}

func TestOfTwoLostAnswersTheLaterDeadlineAndBothSidesCount(t *testing.T) {
	f := newFixture(t, ada)
	f.later(time.Second)
	late, early := f.clock.Add(time.Minute), f.clock.Add(time.Second)
	f.Doubt(ada.ID, false, late)
	f.Doubt(ada.ID, true, early)
	since, _ := f.Unsettled(ada.ID)
	f.expect("deadline", late, since)
	f.later(time.Hour)
	f.ListedRoles(f.clock, ada.ID, nil)
	_, unsettled := f.Unsettled(ada.ID)
	f.expect("after the roles alone were looked at", true, unsettled)
	f.expect("the fields are doubted", true, f.Doubted(ada.ID))
	f.Saw(f.clock, ada)
	_, unsettled = f.Unsettled(ada.ID)
	f.expect("after both", false, unsettled)
}

func TestALostAnswerDuringAReadingIsNotSettledByIt(t *testing.T) {
	f := newFixture(t, ada, grace)
	f.later(time.Second)
	reading := f.Begin()
	f.later(time.Second)
	f.Doubt(grace.ID, false, f.clock.Add(time.Minute))
	f.later(time.Second)
	f.End(reading, []openai.User{ada})
	f.expect("doubted", true, f.Doubted(grace.ID))
	f.expect("still known", "grace@example.com", f.emailOf(grace.ID))
	f.read(ada, grace)
	f.expect("doubted after the next reading", false, f.Doubted(grace.ID))
	_, unsettled := f.Unsettled(grace.ID)
	f.expect("unsettled after the next reading", true, unsettled)
	f.later(time.Hour)
	f.read(ada, grace)
	_, unsettled = f.Unsettled(grace.ID)
	f.expect("unsettled after one past the deadline", false, unsettled)
}

func TestWhoIsGoneAfterTheDeadlineIsSettledByAReading(t *testing.T) {
	f := newFixture(t, ada, grace)
	f.Doubt(grace.ID, true, f.clock.Add(time.Minute))
	f.read(ada)
	_, unsettled := f.Unsettled(grace.ID)
	f.expect("before the deadline", true, unsettled)
	f.later(time.Hour)
	f.read(ada)
	_, unsettled = f.Unsettled(grace.ID)
	f.expect("after it", false, unsettled)
}

func TestARoleListThatAChangeOvertookIsNotTaken(t *testing.T) {
	f := newFixture(t, ada)
	for name, change := range map[string]func(){
		"assigned":   func() { f.SetAssigned(ada.ID, roles("role-2")[0]) },
		"unassigned": func() { f.SetUnassigned(ada.ID, "role-1") },
		"forgotten":  func() { f.ForgetAssignments(ada.ID) },
		"doubted":    func() { f.Doubt(ada.ID, true, f.clock) },
	} {
		f.ListedRoles(f.later(time.Second), ada.ID, roles("role-1"))
		begun := f.later(time.Second)
		f.later(time.Second)
		change()
		before, knownBefore := f.Assignments(ada.ID)
		if _, taken := f.ListedRoles(begun, ada.ID, roles("role-9")); taken {
			t.Errorf("%s: a list that began before is taken", name)
		}
		after, known := f.Assignments(ada.ID)
		f.expect(name+": what is known", before, after)
		f.expect(name+": whether it is known", knownBefore, known)
		_, taken := f.ListedRoles(f.later(time.Second), ada.ID, roles("role-9"))
		f.expect(name+": a list that began after is taken", true, taken)
	}
}

func TestAnEditOfRolesThatAreNotKnownMakesThemNotKnown(t *testing.T) {
	f := newFixture(t, ada)
	f.SetAssigned(ada.ID, roles("role-1")[0])
	_, known := f.Assignments(ada.ID)
	f.expect("known", false, known)
	f.ListedRoles(f.later(time.Second), ada.ID, roles("role-1"))
	f.SetAssigned(ada.ID, roles("role-2")[0])
	f.SetAssigned(ada.ID, roles("role-2")[0])
	f.SetUnassigned(ada.ID, "role-1")
	got, _ := f.Assignments(ada.ID)
	f.expect("edited", roles("role-2"), got)
}

func TestAListOfRolesSaysWhetherItDiffersInAnyOrder(t *testing.T) {
	f := newFixture(t, ada)
	for _, step := range []struct {
		name  string
		roles []openai.RoleAssignment
		want  bool
	}{
		{"the first", roles("role-1", "role-2"), true},
		{"in another order", roles("role-2", "role-1"), false},
		{"with one less", roles("role-2"), true},
		{"inherited now", []openai.RoleAssignment{{RoleID: "role-2", RoleName: "name of role-2", Inherited: true}}, true},
	} {
		changed, taken := f.ListedRoles(f.later(time.Second), ada.ID, step.roles)
		f.expect(step.name, []bool{step.want, true}, []bool{changed, taken})
	}
}

func TestRolesAreDueOnceAnIntervalAndSpreadAfterAStart(t *testing.T) {
	f := newFixture(t)
	const users, interval, pace = 200, 10 * time.Minute, 10 * time.Second
	for i := range users {
		f.ListedRoles(f.clock, fmt.Sprintf("user-%d", i), nil)
	}
	list := func(intervals int) (listed map[string]int, busiest int) {
		listed = map[string]int{}
		for elapsed := time.Duration(0); elapsed < time.Duration(intervals)*interval; elapsed += pace {
			f.later(pace)
			due := f.DueAssignments(interval)
			busiest = max(busiest, len(due))
			for _, id := range due {
				listed[id]++
				f.ListedRoles(f.clock, id, nil)
			}
		}
		return listed, busiest
	}
	if listed, busiest := list(1); len(listed) != users || busiest > users/5 {
		t.Errorf("%d of %d users were listed in the first interval, at most %d at once", len(listed), users, busiest)
	}
	listed, busiest := list(3)
	for id, times := range listed {
		if times != 3 {
			t.Errorf("%s was listed %d times in three intervals", id, times)
		}
	}
	if len(listed) != users || busiest > users/5 {
		t.Errorf("%d users were listed, at most %d at once", len(listed), busiest)
	}
}

func TestWhoWaitsLongestForAListIsDueFirst(t *testing.T) {
	f := newFixture(t)
	var want []string
	for i := range 20 {
		id := fmt.Sprintf("user-%d", (i*7)%20)
		want = append(want, id)
		f.ListedRoles(f.later(time.Second), id, nil)
	}
	f.later(time.Hour)
	f.expect("due", want, f.DueAssignments(time.Minute))
	f.ListedRoles(f.clock, want[0], nil)
	f.expect("due, but for who was listed", want[1:], f.DueAssignments(time.Minute))
	f.ExpireAssignments()
	f.expect("due after a request for all", append(want[1:], want[0]), f.DueAssignments(10*time.Hour))
	for _, id := range want {
		f.ListedRoles(f.later(time.Second), id, nil)
	}
	f.expect("due after they were listed", []string(nil), f.DueAssignments(10*time.Hour))
}

func TestTheOrganizationsRolesSayWhetherTheyDiffer(t *testing.T) {
	f := newFixture(t)
	viewer := openai.Role{ID: "role-1", Name: "viewer"}
	_, at := f.Roles()
	f.expect("never listed", true, at.IsZero())
	f.expect("the first list, of none", true, f.SetRoles(f.later(time.Second), nil))
	_, at = f.Roles()
	f.expect("listed", f.clock, at)
	f.expect("again none", false, f.SetRoles(f.later(time.Second), nil))
	f.expect("one", true, f.SetRoles(f.later(time.Second), []openai.Role{viewer}))
	f.expect("the same", false, f.SetRoles(f.later(time.Second), []openai.Role{viewer}))
	viewer.Name = "reader"
	f.expect("renamed", true, f.SetRoles(f.later(time.Second), []openai.Role{viewer}))
	got, at := f.Roles()
	f.expect("roles", []openai.Role{viewer}, got)
	f.expect("listed last", f.clock, at)
}

func TestSomebodyWasLookedAtSinceIfTheirRolesWereListedElseIfTheyWereSeen(t *testing.T) {
	f := newFixture(t, ada)
	start := f.clock
	looked := func(what string, want bool, since time.Time) {
		t.Helper()
		f.expect(what, want, f.LookedSince(ada.ID, since))
	}
	looked("by the reading at the start", true, start.Add(-time.Hour))
	looked("since then", false, start)
	f.Saw(f.later(time.Second), ada)
	looked("by a look", true, start)
	looked("a look at the time is none since", false, f.clock)
	f.ListedRoles(f.clock, ada.ID, nil)
	mid := f.clock
	f.read(ada)
	looked("a reading has not the roles, which are known", false, mid)
	f.ListedRoles(f.later(time.Second), ada.ID, nil)
	looked("a list has", true, mid)
}

func TestAnOwnerMoreIsToldOnce(t *testing.T) {
	f := newFixture(t, withRole(ada, "owner"))
	f.expect("since none was asked for", true, f.MoreOwners())
	f.expect("once", false, f.MoreOwners())
	f.Saw(f.later(time.Second), withRole(ada, "reader"))
	f.expect("one less", false, f.MoreOwners())
	f.Saw(f.later(time.Second), withRole(ada, "owner"))
	f.expect("one more again", true, f.MoreOwners())
	deadline := f.clock.Add(time.Minute)
	f.Doubt(ada.ID, false, deadline)
	f.expect("in doubt", false, f.MoreOwners())
	f.Saw(f.later(time.Second), withRole(ada, "owner"))
	f.expect("seen before the doubt is over", false, f.MoreOwners())
	f.clock = deadline
	f.Saw(f.later(time.Second), withRole(ada, "owner"))
	f.expect("no more in doubt", true, f.MoreOwners())
}

func TestNoMapGrowsWithThoseWhoCameAndWent(t *testing.T) {
	f := newFixture(t, ada)
	for i := range 50 {
		gone := openai.User{ID: fmt.Sprintf("user-%d", i), Email: fmt.Sprintf("user-%d@example.com", i), Role: "owner"}
		f.read(ada, gone)
		f.ListedRoles(f.later(time.Second), gone.ID, roles("role-1"))
		f.SetUnassigned(gone.ID, "role-1")
		f.Doubt(gone.ID, i%2 == 0, f.clock.Add(time.Second))
		f.Saw(f.later(time.Second), gone)
		f.SawByEmail(f.later(time.Second), []string{fmt.Sprintf("nobody-%d@example.com", i)}, nil)
		if i%2 == 0 {
			f.SawNobody(f.later(time.Second), gone.ID)
		}
		f.later(time.Minute)
		f.read(ada)
		// What was under way for one who is gone comes in late.
		f.ListedRoles(f.later(time.Second), gone.ID, roles("role-1"))
		f.SetUnassigned(gone.ID, "role-1")
		f.ForgetAssignments(fmt.Sprintf("user-never-%d", i))
		f.ForgetAssignments(ada.ID)
	}
	for range 5 {
		f.later(5 * time.Minute)
		f.read(ada)
	}
	f.expect("sizes", map[string]int{
		"users": 1, "byEmail": 1, "owners": 1, "absent": 0, "touched": 0, "doubts": 0, "assignments": 0, "editedAt": 0,
	}, map[string]int{
		"users": len(f.users), "byEmail": len(f.byEmail), "owners": len(f.owners),
		"absent": len(f.absent), "touched": len(f.touched), "doubts": len(f.doubts),
		"assignments": len(f.assignments), "editedAt": len(f.editedAt),
	})
	_, unsettled := f.Unsettled(ada.ID)
	f.expect("ada is settled", false, unsettled)
}
