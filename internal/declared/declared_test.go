package declared

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// directory is an organization: users by ID, of whom all others are known not to be there.
type directory map[string]string

func (d directory) User(id string) (plan.User, bool) {
	email, ok := d[id]
	return plan.User{ID: id, Email: email}, ok
}

func (d directory) WithEmail(email string) (users []plan.User) {
	for id, has := range d {
		if plan.Fold(has) == email && email != "" {
			users = append(users, plan.User{ID: id, Email: has})
		}
	}
	slices.SortFunc(users, func(a, b plan.User) int { return len(a.ID) - len(b.ID) })
	return users
}

func (d directory) NoUser(id string) bool { _, ok := d[id]; return !ok }

func (d directory) NoEmail(email string) bool { return len(d.WithEmail(email)) == 0 }

// indexes hands the package's indexes to the fake client.
type indexes struct{ *fake.ClientBuilder }

func (i indexes) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	i.WithIndex(object, field, values)
	return nil
}

func clusterOf(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
	if err := AddIndexes(t.Context(), indexes{b}); err != nil {
		t.Fatal(err)
	}
	b.WithIndex(&v1alpha1.OrgUser{}, "status.userID", func(o client.Object) []string { return []string{o.(*v1alpha1.OrgUser).Status.UserID} })
	b.WithIndex(&v1alpha1.OrgUser{}, "spec.userID", func(o client.Object) []string { return []string{o.(*v1alpha1.OrgUser).Spec.UserID} })
	b.WithIndex(&v1alpha1.OrgUserRoleBinding{}, "status.roleID", func(o client.Object) []string {
		return []string{o.(*v1alpha1.OrgUserRoleBinding).Status.RoleID}
	})
	return b.Build()
}

func metaOf(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID("uid-" + name), Generation: 1, Finalizers: []string{v1alpha1.Finalizer}}
}

func going(object client.Object) client.Object {
	now := metav1.Now()
	object.SetDeletionTimestamp(&now)
	return object
}

func acme(edits ...func(*v1alpha1.Organization)) *v1alpha1.Organization {
	org := &v1alpha1.Organization{ObjectMeta: metaOf("acme"), Spec: v1alpha1.OrganizationSpec{Mode: v1alpha1.ModeEnforce}}
	org.Spec.Guard.RemovalDelay = &metav1.Duration{Duration: time.Minute}
	for _, edit := range edits {
		edit(org)
	}
	return org
}

func orgUser(name, email, userID, remembered string) *v1alpha1.OrgUser {
	user := &v1alpha1.OrgUser{ObjectMeta: metaOf(name)}
	user.Spec.OrganizationRef.Name, user.Spec.Email, user.Spec.UserID, user.Status.UserID = "acme", email, userID, remembered
	return user
}

func email(address string) v1alpha1.Subject { return v1alpha1.Subject{Email: address} }
func named(orgUser string) v1alpha1.Subject { return v1alpha1.Subject{OrgUser: orgUser} }
func byID(id string) v1alpha1.Subject       { return v1alpha1.Subject{UserID: id} }

func line(subject v1alpha1.Subject, id string) v1alpha1.SubjectStatus {
	return v1alpha1.SubjectStatus{Subject: subject, UserID: id}
}

func binding(subjects []v1alpha1.Subject, lines ...v1alpha1.SubjectStatus) *v1alpha1.OrgUserRoleBinding {
	b := &v1alpha1.OrgUserRoleBinding{ObjectMeta: metaOf("viewers")}
	b.Spec.OrganizationRef.Name, b.Spec.RoleRef.ID, b.Spec.Subjects = "acme", "role-1", subjects
	b.Status.RoleID, b.Status.Subjects = "role-1", lines
	return b
}

func subjects(all ...v1alpha1.Subject) []v1alpha1.Subject { return all }

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func declare(t *testing.T, c *Cache, d directory, id string) *plan.Person {
	t.Helper()
	user, ok := d.User(id)
	keys := []plan.Key{plan.IDKey(id)}
	if ok && user.Email != "" {
		keys = append(keys, plan.EmailKey(user.Email))
	}
	g, err := c.Gather(t.Context(), []types.NamespacedName{{Namespace: "team", Name: "acme"}}, keys)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Declare(t.Context(), g, user, Setting{
		Directory: d, Acts: func(types.NamespacedName) bool { return true }, RolesKnown: true,
		Offered: []plan.OfferedRole{{Role: plan.Role{ID: "role-1", Name: "viewer"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhomASubjectNames(t *testing.T) {
	type says struct{ Names, Line, Moved bool }
	ada := directory{"user-1": "Ada@example.com"}
	for name, c := range map[string]struct {
		who     directory
		objects []client.Object
		want    map[string]says // by user ID; none: the binding does not speak of them
	}{
		"an address in another case": {ada, []client.Object{binding(subjects(email("ADA@example.com")))}, map[string]says{"user-1": {Names: true}}},
		"an ID":                      {ada, []client.Object{binding(subjects(byID("user-1")))}, map[string]says{"user-1": {Names: true}}},
		"an OrgUser by address": {
			ada, []client.Object{binding(subjects(named("ada"))), orgUser("ada", "ada@example.com", "", "")}, map[string]says{"user-1": {Names: true}},
		},
		"an OrgUser by ID": {ada, []client.Object{binding(subjects(named("ada"))), orgUser("ada", "", "user-1", "")}, map[string]says{"user-1": {Names: true}}},
		"an OrgUser of another Organization is nobody here": {
			ada, []client.Object{binding(subjects(named("ada"))), func() client.Object {
				user := orgUser("ada", "ada@example.com", "", "user-1")
				user.Spec.OrganizationRef.Name = "other"
				return user
			}()}, map[string]says{},
		},
		"an address that two have names neither": {
			directory{"user-1": "ada@example.com", "user-22": "ada@example.com"}, []client.Object{binding(subjects(email("ada@example.com")))}, map[string]says{},
		},
		"an address that two have names whom it was written down for": {
			directory{"user-1": "ada@example.com", "user-22": "ada@example.com"},
			[]client.Object{binding(subjects(email("ada@example.com")), line(email("ada@example.com"), "user-22"))},
			map[string]says{"user-22": {Names: true, Line: true}},
		},
		"whose address changed is still protected and given nothing": {
			directory{"user-1": "new@example.com"},
			[]client.Object{binding(subjects(email("ada@example.com")), line(email("Ada@example.com"), "user-1"))},
			map[string]says{"user-1": {Names: true, Line: true, Moved: true}},
		},
		"whoever has the address now gets nothing while the other is there": {
			directory{"user-1": "new@example.com", "user-22": "ada@example.com"},
			[]client.Object{binding(subjects(email("ada@example.com")), line(email("ada@example.com"), "user-1"))},
			map[string]says{"user-1": {Names: true, Line: true, Moved: true}},
		},
		"whoever has the address takes over when the other is gone": {
			directory{"user-22": "ada@example.com"},
			[]client.Object{binding(subjects(email("ada@example.com")), line(email("ada@example.com"), "user-1"))},
			map[string]says{"user-22": {Names: true}, "user-1": {Line: true}},
		},
		"a subject that was taken out leaves the line": {
			ada, []client.Object{binding(subjects(email("other@example.com")), line(email("ada@example.com"), "user-1"))},
			map[string]says{"user-1": {Line: true}},
		},
		"of an OrgUser whose user has another address now nothing is given": {
			directory{"user-1": "new@example.com"},
			[]client.Object{binding(subjects(named("ada"))), orgUser("ada", "ada@example.com", "", "user-1")},
			map[string]says{"user-1": {Names: true, Moved: true}},
		},
		"an OrgUser that is not there names nobody": {
			ada, []client.Object{binding(subjects(named("ada")), line(named("ada"), "user-1"))}, map[string]says{"user-1": {Line: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cache := NewCache(clusterOf(t, append(c.objects, acme())...), func() time.Time { return start })
			got := map[string]says{}
			for _, id := range []string{"user-1", "user-22"} {
				for _, grant := range declare(t, cache, c.who, id).Grants {
					got[id] = says{grant.Names, grant.Line, grant.Moved}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAReleaseAwaitsAnOrgUserThatIsNotThereForTheDelaySinceItWasSeen(t *testing.T) {
	now := start
	kube := clusterOf(t, acme(), binding(subjects(named("ada")), line(email("ada@example.com"), "user-1")))
	cache := NewCache(kube, func() time.Time { return now })
	ada := directory{"user-1": "ada@example.com"}
	awaits := func() int64 { return declare(t, cache, ada, "user-1").Grants[0].AwaitsUntil }
	if got, want := awaits(), start.Add(time.Minute).Unix(); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	now = start.Add(30 * time.Second)
	if got, want := awaits(), start.Add(time.Minute).Unix(); got != want {
		t.Errorf("looked at again: got %d, want %d", got, want)
	}
	if err := kube.Create(t.Context(), orgUser("ada", "grace@example.com", "", "")); err != nil {
		t.Fatal(err)
	}
	if got := awaits(); got != 0 {
		t.Errorf("with the OrgUser: got %d, want none", got)
	}
	cache.Forget("uid-viewers")
	if len(cache.views.byUID)+len(cache.views.missing) != 0 {
		t.Error("a binding that is forgotten leaves something")
	}
}

func TestABindingThatGoesAwaitsNoOrgUser(t *testing.T) {
	b := binding(subjects(named("ada")), line(email("ada@example.com"), "user-1"))
	cache := NewCache(clusterOf(t, acme(), going(b)), func() time.Time { return start })
	grant := declare(t, cache, directory{"user-1": "ada@example.com"}, "user-1").Grants[0]
	if !grant.Going || grant.AwaitsUntil != 0 {
		t.Errorf("got %+v", grant)
	}
}

func TestWhatSubjectsMeanForTheirLine(t *testing.T) {
	d := directory{"user-1": "ada@example.com", "user-2": "moved@example.com"}
	other := orgUser("other", "x@example.com", "", "")
	other.Spec.OrganizationRef.Name = "other"
	b := binding(nil, line(email("Old@example.com"), "user-2"))
	cache := NewCache(clusterOf(t, acme(), b, orgUser("ada", "ada@example.com", "", ""), other), func() time.Time { return start })
	for _, c := range []struct {
		subject v1alpha1.Subject
		id      string
		kind    plan.Kind
		keys    []plan.Key
	}{
		{email("ADA@example.com"), "user-1", plan.None, []plan.Key{{Email: "ada@example.com"}}},
		{email("nobody@example.com"), "", plan.NotAMember, []plan.Key{{Email: "nobody@example.com"}}},
		{email("old@example.com"), "user-2", plan.AddressChanged, nil},
		{byID("user-1"), "user-1", plan.None, []plan.Key{{ID: "user-1"}}},
		{named("ada"), "user-1", plan.None, []plan.Key{{Email: "ada@example.com"}}},
		{named("missing"), "", plan.NoSuchOrgUser, nil},
		{named("other"), "", plan.OtherOrganizationsUser, nil},
	} {
		got, err := cache.Subject(t.Context(), b, c.subject, d)
		if err != nil {
			t.Fatal(err)
		}
		if got.User.ID != c.id || got.Fact.Kind != c.kind || c.keys != nil && !slices.Equal(got.Keys, c.keys) {
			t.Errorf("%+v: got %+v", c.subject, got)
		}
	}
}

func TestWhatIsDeclaredOfAPersonByClaimsLeaversAndOrganizations(t *testing.T) {
	ada := directory{"user-1": "ada@example.com"}
	leaving := func(org *v1alpha1.Organization) {
		org.Status.Leaving = []v1alpha1.Leaver{{UserID: "user-1", Email: "Ada@example.com", OrgUser: "ada", Since: metav1.NewTime(start)}, {UserID: "user-9"}}
	}
	cache := NewCache(clusterOf(t, acme(leaving), going(orgUser("gone", "ADA@example.com", "", "")), orgUser("old", "x@example.com", "", "user-1"), orgUser("nobody", "n@example.com", "", "")),
		func() time.Time { return start })
	p := declare(t, cache, ada, "user-1")
	var claims []string
	for _, claim := range p.Claims {
		claims = append(claims, fmt.Sprintf("%s going %t written %t %s %s", claim.Name, claim.Going, claim.Written, claim.Email, claim.Remembered))
	}
	slices.Sort(claims)
	if diff := cmp.Diff([]string{"gone going true written true ada@example.com ", "old going false written true x@example.com user-1"}, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if len(p.Leaving) != 1 || p.Leaving[0].Due != start.Add(time.Minute).Unix() || p.Leaving[0].Email != "ada@example.com" {
		t.Errorf("leaving: %+v", p.Leaving)
	}

	cache = NewCache(clusterOf(t, going(acme(leaving)), orgUser("old", "x@example.com", "", "user-1")), func() time.Time { return start })
	if p := declare(t, cache, ada, "user-1"); len(p.Organizations)+len(p.Leaving)+len(p.Claims) != 0 {
		t.Errorf("an Organization that goes declares something: %+v", p)
	}
}

func TestPoliciesAndDelays(t *testing.T) {
	for _, c := range []struct {
		users       v1alpha1.UndeclaredUsersPolicy
		roles       v1alpha1.UndeclaredRolesPolicy
		wantU, want plan.Policy
	}{
		{"", "", plan.Ignore, plan.Ignore},
		{v1alpha1.UndeclaredUsersReport, v1alpha1.UndeclaredRolesUnassign, plan.Report, plan.Take},
		{v1alpha1.UndeclaredUsersRemove, v1alpha1.UndeclaredRolesReport, plan.Take, plan.Report},
		{v1alpha1.UndeclaredUsersIgnore, v1alpha1.UndeclaredRolesIgnore, plan.Ignore, plan.Ignore},
	} {
		org := acme()
		org.Spec.Undeclared = v1alpha1.Undeclared{Users: c.users, RoleAssignments: c.roles}
		if users, roles := Policies(org); users != c.wantU || roles != c.want {
			t.Errorf("%+v: got %v, %v", c, users, roles)
		}
	}
	org := acme()
	since := &v1alpha1.Leaver{Since: metav1.NewTime(start)}
	for want, delay := range map[time.Duration]*metav1.Duration{0: {}, 5 * time.Minute: nil, 336 * time.Hour: {Duration: 336 * time.Hour}} {
		org.Spec.Guard.RemovalDelay = delay
		if got := DueAt(org, since).Sub(start); got != want {
			t.Errorf("%v: got %v", delay, got)
		}
	}
}

// broken is a live reader that fails where it is told to.
type broken struct {
	client.Client
	lists, gets error
}

func (b broken) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if b.lists != nil {
		return b.lists
	}
	partial, ok := list.(*metav1.PartialObjectMetadataList)
	if !ok {
		return b.Client.List(ctx, list, opts...)
	}
	// The fake client selects no fields where it has only metadata.
	users := &v1alpha1.OrgUserList{}
	err := b.Client.List(ctx, users, opts...)
	for i := range users.Items {
		partial.Items = append(partial.Items, metav1.PartialObjectMetadata{ObjectMeta: users.Items[i].ObjectMeta})
	}
	return err
}

func (b broken) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if b.gets != nil {
		return b.gets
	}
	return b.Client.Get(ctx, key, object, opts...)
}

func gatheredNames(g Gathered) (names []string) {
	for _, o := range g.Organizations {
		names = append(names, o.Name)
	}
	for _, o := range g.Users {
		names = append(names, o.Name)
	}
	for _, o := range g.Bindings {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

func TestALookReadsWhatIsTrueNowAndLeavesOutWhatIsGoneOrAnother(t *testing.T) {
	other := orgUser("other", "ada@example.com", "", "user-1")
	kube := clusterOf(t, acme(), orgUser("ada", "ada@example.com", "", "user-1"), other, binding(subjects(byID("user-1"))))
	cache := NewCache(kube, time.Now)
	found := Gathered{
		Users:         []*v1alpha1.OrgUser{orgUser("ada", "stale@example.com", "", ""), orgUser("gone", "", "user-1", ""), {ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "other", UID: "before"}}},
		Bindings:      []*v1alpha1.OrgUserRoleBinding{binding(nil)},
		Organizations: []*v1alpha1.Organization{acme()},
	}
	now, err := cache.NewLook(kube).Again(t.Context(), found)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"acme", "ada", "viewers"}, gatheredNames(now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if now.Users[0].Spec.Email != "ada@example.com" || len(now.Bindings[0].Spec.Subjects) != 1 {
		t.Error("what is found is as the cache has it")
	}
	if _, err := cache.NewLook(broken{Client: kube, gets: errors.New("down")}).Again(t.Context(), found); err == nil {
		t.Error("a look that fails says nothing")
	}
}

func TestALookFindsWhatNoCacheHasYet(t *testing.T) {
	ada := plan.User{ID: "user-1", Email: "Ada@example.com"}
	edited := orgUser("edited", "ada@example.com", "", "")
	edited.Generation = 2
	replaced := orgUser("replaced", "ada@example.com", "", "")
	replaced.UID = "anew"
	foreign := orgUser("foreign", "ada@example.com", "", "")
	foreign.Namespace = "elsewhere"
	unresolved := binding(subjects(byID("user-1")))
	unresolved.Name, unresolved.UID, unresolved.Status.RoleID = "unresolved", "uid-unresolved", ""
	otherRole := binding(subjects(byID("user-1")))
	otherRole.Name, otherRole.UID, otherRole.Status.RoleID = "otherrole", "uid-otherrole", "role-9"
	liveKube := clusterOf(t, acme(), edited, replaced, foreign, unresolved, otherRole, binding(nil),
		orgUser("new", "ADA@example.com", "", ""), orgUser("bystatus", "x@example.com", "", "user-1"), orgUser("byid", "", "user-1", ""),
		orgUser("grace", "grace@example.com", "", ""), orgUser("known", "ada@example.com", "", ""))
	cached := clusterOf(t, acme(), orgUser("edited", "x@example.com", "", ""), orgUser("replaced", "x@example.com", "", ""), orgUser("known", "ada@example.com", "", ""))
	cache := NewCache(cached, time.Now)
	g := Gathered{Organizations: []*v1alpha1.Organization{acme()}}
	for role, want := range map[string][]string{
		"":       {"acme", "byid", "bystatus", "edited", "known", "new", "replaced"},
		"role-1": {"acme", "byid", "bystatus", "edited", "known", "new", "replaced", "unresolved", "viewers"},
	} {
		got, err := cache.NewLook(broken{Client: liveKube}).Unseen(t.Context(), g, ada, role)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, gatheredNames(got)); diff != "" {
			t.Errorf("role %q (-want +got):\n%s", role, diff)
		}
		if _, err := cache.NewLook(broken{Client: liveKube, lists: errors.New("down")}).Unseen(t.Context(), g, ada, role); err == nil {
			t.Error("a list that fails is taken for an empty one")
		}
	}
}

func TestATeardownIsToldFromWhatGoesAndNotFromAnError(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}
	leaving := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "leaving", Finalizers: []string{"kubernetes"}}}
	kube := clusterOf(t, namespace, going(leaving))
	cache := NewCache(kube, time.Now)
	for _, c := range []struct {
		namespace string
		crds      []string
		down      bool
		ofSpace   bool
	}{
		{"team", nil, false, false},
		{"leaving", nil, true, true},
		{"gone", nil, true, true},
		{"team", []string{OrgUserCRD}, true, false},
	} {
		got, err := cache.NewLook(kube).Teardown(t.Context(), c.namespace, c.crds...)
		if err != nil || got.Why != "" != c.down || got.Namespace != c.ofSpace {
			t.Errorf("%+v: got %+v, %v", c, got, err)
		}
	}
	if _, err := cache.NewLook(broken{Client: kube, gets: errors.New("down")}).Teardown(t.Context(), "team"); err == nil {
		t.Error("an error is taken for no teardown")
	}
}
