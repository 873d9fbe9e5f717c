package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

var (
	ada   = openai.User{ID: "user-ada", Email: "Ada@example.com", Role: "owner"}
	grace = openai.User{ID: "user-grace", Email: "grace@example.com", Role: "reader"}
	alan  = openai.User{ID: "user-alan", Email: "alan@example.com", Role: "reader"}
	robot = openai.User{ID: "user-robot", Role: "reader", IsServiceAccount: true}
)

// world is the organization that the roster reads, and the calls that reached it.
type world struct {
	mu    sync.Mutex
	users []openai.User
	roles map[string][]openai.RoleAssignment
	calls []string
	fail  error
	// during runs in the middle of a call, with the answer already made up.
	during func(call string)
}

func (w *world) call(name string) error {
	w.mu.Lock()
	w.calls = append(w.calls, name)
	fail := w.fail
	w.mu.Unlock()
	return fail
}

func (w *world) interrupt(name string) {
	w.mu.Lock()
	during := w.during
	w.mu.Unlock()
	if during != nil {
		during(name)
	}
}

func (w *world) snapshot() []openai.User {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.users)
}

func (w *world) set(users ...openai.User) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users = users
}

func (w *world) made() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	made := w.calls
	w.calls = nil
	return made
}

func (w *world) ListUsers(context.Context) ([]openai.User, error) {
	err, users := w.call("list"), w.snapshot()
	w.interrupt("list")
	if err != nil {
		return nil, err
	}
	return users, nil
}

func (w *world) ListUsersByEmail(_ context.Context, emails []string) ([]openai.User, error) {
	slices.Sort(emails)
	err := w.call(fmt.Sprintf("emails %d", len(emails)))
	var users []openai.User
	for _, user := range w.snapshot() {
		if slices.Contains(emails, EmailKey(user.Email).Email) {
			users = append(users, user)
		}
	}
	w.interrupt("emails")
	return users, err
}

func (w *world) GetUser(_ context.Context, id string) (openai.User, error) {
	if err := w.call("get " + id); err != nil {
		return openai.User{}, err
	}
	for _, user := range w.snapshot() {
		if user.ID == id {
			return user, nil
		}
	}
	return openai.User{}, &openai.Error{Op: "get user", Status: 404}
}

func (w *world) ListUserRoles(_ context.Context, id string) ([]openai.RoleAssignment, error) {
	err := w.call("roles " + id)
	w.mu.Lock()
	roles := slices.Clone(w.roles[id])
	w.mu.Unlock()
	w.interrupt("roles")
	return roles, err
}

func (w *world) ListRoles(context.Context) ([]openai.Role, error) {
	return []openai.Role{{ID: "role-1", Name: "viewer"}}, w.call("organization roles")
}

// clock is a time that moves only when told.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type fixture struct {
	*Roster
	t       *testing.T
	world   *world
	clock   *clock
	mu      sync.Mutex
	changed []Key
}

func newFixture(t *testing.T, users ...openai.User) *fixture {
	t.Helper()
	f := &fixture{
		t: t, world: &world{users: users, roles: map[string][]openai.RoleAssignment{}},
		clock: &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	f.Roster = New(f.clock.now, func(keys []Key) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changed = append(f.changed, keys...)
	})
	return f
}

func (f *fixture) read() {
	f.t.Helper()
	f.clock.advance(time.Minute)
	if _, err := f.Refresh(f.t.Context(), f.world, 0); err != nil {
		f.t.Fatal(err)
	}
}

// told returns the users that were said to have changed, each once.
func (f *fixture) told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var told []string
	for _, key := range f.changed {
		told = append(told, key.ID+key.Email)
	}
	f.changed = nil
	slices.Sort(told)
	return slices.Compact(told)
}

func (f *fixture) find(key Key) []openai.User {
	f.t.Helper()
	users, err := f.Find(f.t.Context(), f.world, key)
	if err != nil {
		f.t.Fatal(err)
	}
	return users
}

func (f *fixture) expect(what string, want, got any) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAUserIsFoundByIDAndByEmailInAnyCaseWithoutACall(t *testing.T) {
	f := newFixture(t, ada, grace, robot)
	f.read()
	f.world.made()
	f.expect("by email", []openai.User{ada}, f.find(EmailKey("ADA@EXAMPLE.COM")))
	f.expect("by ID", []openai.User{robot}, f.find(IDKey("user-robot")))
	f.expect("calls", []string(nil), f.world.made())
	f.expect("counts", Counts{Total: 3, Owners: 1, Readers: 2, ServiceAccounts: 1}, f.Counts())
}

func TestOnlyUsersThatDifferAreTold(t *testing.T) {
	f := newFixture(t, ada, grace, alan)
	f.read()
	f.told()
	f.read()
	f.expect("after an unchanged reading", []string(nil), f.told())

	renamed := grace
	renamed.Email = "hopper@example.com"
	f.world.set(ada, renamed, robot)
	f.read()
	f.expect("changed, vanished and appeared", []string{
		"alan@example.com", "grace@example.com", "hopper@example.com", "user-alan", "user-grace", "user-robot",
	}, f.told())
}

func TestAFailedReadingLeavesTheRosterAsItWas(t *testing.T) {
	f := newFixture(t, ada, grace)
	f.read()
	f.told()
	at := f.ReadAt()
	f.world.set()
	f.world.fail = errors.New("page 2 did not come")
	f.clock.advance(time.Minute)
	if _, err := f.Refresh(t.Context(), f.world, 0); err == nil {
		t.Fatal("the reading failed and nothing was said")
	}
	f.world.fail = nil
	f.world.set(ada, grace)
	f.world.made()
	f.expect("told", []string(nil), f.told())
	f.expect("read at", at, f.ReadAt())
	f.expect("grace", []openai.User{grace}, f.find(EmailKey(grace.Email)))
	f.expect("calls", []string(nil), f.world.made())
}

func TestAbsenceIsConfirmedOnceAndReportedUntilTheUserAppears(t *testing.T) {
	f := newFixture(t, ada)
	f.read()
	f.world.made()
	f.expect("first", []openai.User(nil), f.find(EmailKey("Grace@example.com")))
	f.expect("calls", []string{"emails 1"}, f.world.made())
	f.read()
	f.world.made()
	f.expect("again, after a resync", []openai.User(nil), f.find(EmailKey(grace.Email)))
	f.expect("calls", []string(nil), f.world.made())

	f.world.set(ada, grace)
	f.read()
	f.world.made()
	f.expect("joined", []openai.User{grace}, f.find(EmailKey(grace.Email)))
	f.world.set(ada)
	f.read()
	f.world.made()
	f.expect("left", []openai.User(nil), f.find(EmailKey(grace.Email)))
	f.expect("an absence that is new is confirmed again", []string{"emails 1"}, f.world.made())
}

func TestAUserWhomTheListMissedIsFoundWhenTheAbsenceIsConfirmed(t *testing.T) {
	f := newFixture(t, ada)
	f.read()
	f.told()
	f.world.set(ada, grace, robot)
	f.expect("by email", []openai.User{grace}, f.find(EmailKey(grace.Email)))
	f.expect("by ID", []openai.User{robot}, f.find(IDKey(robot.ID)))
	f.expect("others are told", []string{"grace@example.com", "user-grace", "user-robot"}, f.told())
}

func TestAnAbsenceThatCannotBeConfirmedIsAnError(t *testing.T) {
	f := newFixture(t, ada)
	f.read()
	f.world.fail = errors.New("down")
	for _, key := range []Key{EmailKey(grace.Email), IDKey(grace.ID)} {
		if users, err := f.Find(t.Context(), f.world, key); err == nil {
			t.Errorf("%v: got %v and no error", key, users)
		}
	}
	f.world.fail = nil
	f.world.set(ada, grace)
	f.expect("afterwards", []openai.User{grace}, f.find(EmailKey(grace.Email)))
}

func TestQuestionsThatComeTogetherShareCalls(t *testing.T) {
	f := newFixture(t, ada)
	f.read()
	f.world.made()
	first := make(chan struct{})
	release := make(chan struct{})
	var once sync.Once
	f.world.during = func(string) {
		once.Do(func() {
			close(first)
			<-release
		})
	}
	var group sync.WaitGroup
	ask := func(i int) {
		group.Go(func() {
			if _, err := f.Find(t.Context(), f.world, EmailKey(fmt.Sprintf("nobody-%d@example.com", i))); err != nil {
				t.Error(err)
			}
		})
	}
	ask(0)
	<-first
	for i := 1; i <= 50; i++ {
		ask(i)
	}
	for gathered := 0; gathered < 50; {
		f.absences.mu.Lock()
		if f.absences.next != nil {
			gathered = len(f.absences.next.emails)
		}
		f.absences.mu.Unlock()
	}
	close(release)
	group.Wait()
	f.expect("calls", []string{"emails 1", "emails 50"}, f.world.made())
}

func TestWhatWasLearntDuringAReadingIsNewerThanTheReading(t *testing.T) {
	f := newFixture(t, ada, grace, alan)
	f.read()
	promoted := grace
	promoted.Role = "owner"
	f.world.during = func(call string) {
		if call != "list" {
			return
		}
		f.Put(promoted)
		f.Drop(alan.ID)
	}
	f.read()
	f.world.during = nil
	f.world.made()
	f.expect("changed meanwhile", []openai.User{promoted}, f.Known(IDKey(grace.ID)))
	f.expect("removed meanwhile", []openai.User(nil), f.Known(IDKey(alan.ID)))
}

func TestAfterALostAnswerTheUserIsLookedAtOnce(t *testing.T) {
	f := newFixture(t, ada, grace)
	f.read()
	promoted := grace
	promoted.Role = "owner"
	f.world.set(ada, promoted)
	f.Doubt(grace.ID)
	f.world.made()
	f.expect("looked at", []openai.User{promoted}, f.find(EmailKey(grace.Email)))
	f.expect("and known then", []openai.User{promoted}, f.find(EmailKey(grace.Email)))
	f.expect("calls", []string{"get user-grace"}, f.world.made())

	f.world.set(ada)
	f.Doubt(grace.ID)
	f.expect("gone", []openai.User(nil), f.find(IDKey(grace.ID)))
}

func TestAnAnswerThatIsLostDuringAReadingLeavesItsDoubt(t *testing.T) {
	f := newFixture(t, ada, grace)
	f.read()
	f.world.during = func(call string) {
		if call == "list" {
			f.Doubt(grace.ID)
		}
	}
	f.read()
	f.world.during = nil
	f.world.made()
	f.expect("looked at", []openai.User{grace}, f.find(EmailKey(grace.Email)))
	f.expect("calls", []string{"get user-grace"}, f.world.made())
}

func TestAReadingThatIsYoungEnoughServesAll(t *testing.T) {
	f := newFixture(t, ada)
	f.read()
	f.world.made()
	f.clock.advance(time.Minute)
	if read, err := f.Refresh(t.Context(), f.world, 2*time.Minute); err != nil || read {
		t.Errorf("read %v, %v; a reading of a minute ago was young enough", read, err)
	}
	if read, err := f.Refresh(t.Context(), f.world, 30*time.Second); err != nil || !read {
		t.Errorf("read %v, %v; a reading of a minute ago was too old", read, err)
	}
	f.expect("calls", []string{"list"}, f.world.made())
}

func TestAUsersRolesAreListedOnceForAllWhoAsk(t *testing.T) {
	f := newFixture(t, ada)
	f.world.roles[ada.ID] = []openai.RoleAssignment{{RoleID: "role-1", RoleName: "viewer"}}
	f.read()
	f.world.made()
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if roles, err := f.Assignments(t.Context(), f.world, ada.ID); err != nil || len(roles) != 1 {
				t.Errorf("got %v, %v", roles, err)
			}
		})
	}
	group.Wait()
	f.expect("calls", []string{"roles user-ada"}, f.world.made())
}

func TestARoleListThatAChangeOvertookIsListedAgain(t *testing.T) {
	f := newFixture(t, ada)
	f.read()
	f.world.made()
	role := openai.RoleAssignment{RoleID: "role-1", RoleName: "viewer"}
	var once sync.Once
	f.world.during = func(string) {
		once.Do(func() {
			f.world.mu.Lock()
			f.world.roles[ada.ID] = []openai.RoleAssignment{role}
			f.world.mu.Unlock()
			f.SetAssigned(ada.ID, role)
		})
	}
	roles, err := f.Assignments(t.Context(), f.world, ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	f.expect("roles", []openai.RoleAssignment{role}, roles)
	f.expect("calls", []string{"roles user-ada", "roles user-ada"}, f.world.made())
}

func TestRolesAreDueOnceAnIntervalAndSpreadAfterAStart(t *testing.T) {
	f := newFixture(t)
	const users, interval = 200, 10 * time.Minute
	for i := range users {
		if _, err := f.Assignments(t.Context(), f.world, fmt.Sprintf("user-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	f.world.made()
	busiest, listed := 0, map[string]int{}
	for elapsed := time.Duration(0); elapsed < interval; elapsed += 10 * time.Second {
		f.clock.advance(10 * time.Second)
		due := f.DueAssignments(interval)
		busiest = max(busiest, len(due))
		for _, id := range due {
			listed[id]++
			if err := f.RefreshAssignments(t.Context(), f.world, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(listed) != users || busiest > users/5 {
		t.Errorf("%d of %d users were listed in the first interval, at most %d at once", len(listed), users, busiest)
	}
	clear(listed)
	for elapsed := time.Duration(0); elapsed < 3*interval; elapsed += 10 * time.Second {
		f.clock.advance(10 * time.Second)
		for _, id := range f.DueAssignments(interval) {
			listed[id]++
			if err := f.RefreshAssignments(t.Context(), f.world, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	for id, times := range listed {
		if times != 3 {
			t.Errorf("%s was listed %d times in three intervals", id, times)
		}
	}
}

func TestRolesThatChangedOutsideAreTold(t *testing.T) {
	f := newFixture(t, ada)
	f.read()
	role := openai.RoleAssignment{RoleID: "role-1", RoleName: "viewer"}
	f.world.roles[ada.ID] = []openai.RoleAssignment{role}
	if _, err := f.Assignments(t.Context(), f.world, ada.ID); err != nil {
		t.Fatal(err)
	}
	f.told()
	if err := f.RefreshAssignments(t.Context(), f.world, ada.ID); err != nil {
		t.Fatal(err)
	}
	f.expect("unchanged", []string(nil), f.told())
	f.world.roles[ada.ID] = nil
	if err := f.RefreshAssignments(t.Context(), f.world, ada.ID); err != nil {
		t.Fatal(err)
	}
	f.expect("taken outside", []string{"ada@example.com", "user-ada"}, f.told())
}

func TestTheOrganizationsRolesAreListedOnceSinceAGivenTime(t *testing.T) {
	f := newFixture(t)
	begun := f.clock.now()
	for range 3 {
		if _, err := f.Roles(t.Context(), f.world, begun); err != nil {
			t.Fatal(err)
		}
	}
	f.expect("calls", []string{"organization roles"}, f.world.made())
	f.clock.advance(time.Minute)
	if _, err := f.Roles(t.Context(), f.world, f.clock.now()); err != nil {
		t.Fatal(err)
	}
	f.expect("calls", []string{"organization roles"}, f.world.made())
}
