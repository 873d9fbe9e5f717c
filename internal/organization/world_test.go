package organization

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// cluster is a Kubernetes API in memory that is its own cache: what is written is seen at once.
type cluster struct {
	mu      sync.Mutex
	indexes map[string]map[string]client.IndexerFunc // by kind and index
	objects map[string]map[types.NamespacedName]client.Object
	found   map[string]map[types.NamespacedName]bool // by kind, index, namespace and value
	down    map[string]bool                          // namespaces and CustomResourceDefinitions that are being deleted
	// before is called before each live answer.
	before func(what string) error
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{
		indexes: map[string]map[string]client.IndexerFunc{}, objects: map[string]map[types.NamespacedName]client.Object{},
		found: map[string]map[types.NamespacedName]bool{}, down: map[string]bool{},
	}
	if err := declared.AddIndexes(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for field, of := range map[string]func(*v1alpha1.OrgUser) string{
		"status.userID": func(u *v1alpha1.OrgUser) string { return u.Status.UserID },
		"spec.userID":   func(u *v1alpha1.OrgUser) string { return u.Spec.UserID },
	} {
		_ = c.IndexField(t.Context(), &v1alpha1.OrgUser{}, field, func(o client.Object) []string {
			user, _ := o.(*v1alpha1.OrgUser)
			return []string{of(user)}
		})
	}
	_ = c.IndexField(t.Context(), &v1alpha1.OrgUserRoleBinding{}, "status.roleID", func(o client.Object) []string {
		binding, _ := o.(*v1alpha1.OrgUserRoleBinding)
		return []string{binding.Status.RoleID}
	})
	return c
}

func kindOf(object any) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1alpha1."), "List")
}

// IndexField implements client.FieldIndexer.
func (c *cluster) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	kind := kindOf(object)
	if c.indexes[kind] == nil {
		c.indexes[kind], c.objects[kind] = map[string]client.IndexerFunc{}, map[types.NamespacedName]client.Object{}
	}
	c.indexes[kind][field] = values
	return nil
}

func (c *cluster) entries(object client.Object) (entries []string) {
	kind := kindOf(object)
	for field, values := range c.indexes[kind] {
		for _, value := range values(object) {
			entries = append(entries, strings.Join([]string{kind, field, object.GetNamespace(), value}, "\x00"))
		}
	}
	return entries
}

// put writes objects.
func (c *cluster) put(objects ...client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, object := range objects {
		c.write(object)
	}
}

var versions int

// write stores a copy. c.mu is held.
func (c *cluster) write(object client.Object) {
	kind, name := kindOf(object), client.ObjectKeyFromObject(object)
	object, _ = object.DeepCopyObject().(client.Object)
	if before := c.objects[kind][name]; before != nil {
		for _, entry := range c.entries(before) {
			delete(c.found[entry], name)
		}
	}
	versions++
	object.SetResourceVersion(fmt.Sprint(versions))
	if c.objects[kind] == nil {
		c.objects[kind] = map[types.NamespacedName]client.Object{}
	}
	c.objects[kind][name] = object
	for _, entry := range c.entries(object) {
		if c.found[entry] == nil {
			c.found[entry] = map[types.NamespacedName]bool{}
		}
		c.found[entry][name] = true
	}
}

// Get implements client.Reader.
func (c *cluster) Get(_ context.Context, name client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if partial, ok := into.(*metav1.PartialObjectMetadata); ok {
		if c.down[name.Name] {
			return apierrors.NewNotFound(schema.GroupResource{Resource: partial.Kind}, name.Name)
		}
		return nil
	}
	object := c.objects[kindOf(into)][name]
	switch from := object.(type) {
	case *v1alpha1.OrgUser:
		from.DeepCopyInto(into.(*v1alpha1.OrgUser))
	case *v1alpha1.OrgUserRoleBinding:
		from.DeepCopyInto(into.(*v1alpha1.OrgUserRoleBinding))
	case *v1alpha1.Organization:
		from.DeepCopyInto(into.(*v1alpha1.Organization))
	default:
		return apierrors.NewNotFound(schema.GroupResource{Resource: kindOf(into)}, name.Name)
	}
	return nil
}

// List implements client.Reader.
func (c *cluster) List(_ context.Context, into client.ObjectList, opts ...client.ListOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	options := &client.ListOptions{}
	options.ApplyOptions(opts)
	kind := kindOf(into)
	if _, partial := into.(*metav1.PartialObjectMetadataList); partial {
		kind = "OrgUser"
	}
	requirement := options.FieldSelector.Requirements()[0]
	if c.indexes[kind][requirement.Field] == nil {
		return fmt.Errorf("no index %s of %s", requirement.Field, kind)
	}
	entry := strings.Join([]string{kind, requirement.Field, options.Namespace, requirement.Value}, "\x00")
	for _, name := range slices.SortedFunc(keysOf(c.found[entry]), compareNames) {
		switch list := into.(type) {
		case *v1alpha1.OrgUserList:
			list.Items = append(list.Items, *c.objects[kind][name].(*v1alpha1.OrgUser).DeepCopy())
		case *v1alpha1.OrgUserRoleBindingList:
			list.Items = append(list.Items, *c.objects[kind][name].(*v1alpha1.OrgUserRoleBinding).DeepCopy())
		case *metav1.PartialObjectMetadataList:
			list.Items = append(list.Items, metav1.PartialObjectMetadata{ObjectMeta: *c.objects[kind][name].(*v1alpha1.OrgUser).ObjectMeta.DeepCopy()})
		}
	}
	return nil
}

func keysOf[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// live is the cluster read past the cache.
type live struct{ *cluster }

func (l live) Get(ctx context.Context, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	if err := l.answer("get " + kindOf(into) + " " + name.Name); err != nil {
		return err
	}
	return l.cluster.Get(ctx, name, into, opts...)
}

func (l live) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if err := l.answer("list " + kindOf(into)); err != nil {
		return err
	}
	return l.cluster.List(ctx, into, opts...)
}

// answer calls what was set to be called before an answer.
func (c *cluster) answer(what string) error {
	c.mu.Lock()
	before := c.before
	c.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(what)
}

// beforeAnswers has the function called before each live answer; nil ends that.
func (c *cluster) beforeAnswers(before func(what string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = before
}

// fakeEdge writes into the cluster and keeps what it is told.
type fakeEdge struct {
	*cluster
	mu     sync.Mutex
	made   []Made
	woken  map[types.NamespacedName]int
	orgs   map[types.NamespacedName]int
	writes int
	// writing is called before a write.
	writing func() error
}

func (e *fakeEdge) Wake(object client.Object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.woken[client.ObjectKeyFromObject(object)]++
}

func (e *fakeEdge) WakeOrganization(name types.NamespacedName, _ time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.orgs[name]++
}

func (e *fakeEdge) WakeObjects(types.NamespacedName) {}

func (e *fakeEdge) Made(_ context.Context, made Made) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = append(e.made, made)
}

func (e *fakeEdge) Write(_ context.Context, name types.NamespacedName, change func(*v1alpha1.Organization) error) error {
	if e.writing != nil {
		if err := e.writing(); err != nil {
			return err
		}
	}
	org := &v1alpha1.Organization{}
	if err := e.Get(context.Background(), name, org); err != nil {
		return err
	}
	if err := change(org); err != nil {
		return err
	}
	e.put(org)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writes++
	return nil
}

// scene is a cluster, organizations by host, and what acts between them, in a bubble of time.
type scene struct {
	*testing.T
	*cluster
	edge *fakeEdge
	all  *Organizations
	apis map[string]http.Handler
	end  context.CancelFunc
	done chan struct{}
}

// RoundTrip implements http.RoundTripper: the request goes to the organization of the host.
func (s *scene) RoundTrip(r *http.Request) (response *http.Response, err error) {
	api := s.apis[r.URL.Host]
	if api == nil {
		return nil, fmt.Errorf("no host %s", r.URL.Host)
	}
	defer func() {
		if recover() != nil {
			response, err = nil, fmt.Errorf("the connection was dropped")
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response = recorder.Result()
	response.Request = r
	return response, nil
}

// inScene runs a story in a bubble of time of its own.
func inScene(t *testing.T, story func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, cluster: newCluster(t), apis: map[string]http.Handler{}, done: make(chan struct{})}
		s.edge = &fakeEdge{cluster: s.cluster, woken: map[types.NamespacedName]int{}, orgs: map[types.NamespacedName]int{}}
		s.all = New(Options{
			Cache: declared.NewCache(s.cluster, time.Now), Live: live{s.cluster}, Edge: s.edge, Now: time.Now, Linger: -1, Transport: s,
		})
		var ctx context.Context
		ctx, s.end = context.WithCancel(t.Context())
		go func() {
			defer close(s.done)
			_ = s.all.Start(ctx)
		}()
		story(s)
		s.end()
		<-s.done
		synctest.Wait()
	})
}

// host adds an organization at an address.
func (s *scene) host(name, id string, users ...openaitest.User) *openaitest.Organization {
	api := openaitest.New(id, openaitest.DefaultAdminKey)
	for _, user := range users {
		api.AddUser(user)
	}
	s.apis[name] = api
	return api
}

func objectName(namespace string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: "acme"}
}

// organization writes an Organization.
func (s *scene) organization(namespace string, edits ...func(*v1alpha1.Organization)) *v1alpha1.Organization {
	org := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "acme", UID: types.UID("org-" + namespace), Generation: 1},
		Spec: v1alpha1.OrganizationSpec{
			Mode: v1alpha1.ModeEnforce,
			Guard: v1alpha1.Guard{
				MinOwners: 1, MaxRemovals: new(intstr.FromInt32(100)), Window: metav1.Duration{Duration: time.Hour}, RemovalDelay: &metav1.Duration{},
			},
		},
	}
	for _, edit := range edits {
		edit(org)
	}
	s.put(org)
	return org
}

func (s *scene) orgNow(namespace string) *v1alpha1.Organization {
	org := &v1alpha1.Organization{}
	if err := s.Get(s.Context(), objectName(namespace), org); err != nil {
		s.Fatal(err)
	}
	return org
}

// orgUser writes an OrgUser that is matched with a user and written down.
func (s *scene) orgUser(namespace, userID, email string, edits ...func(*v1alpha1.OrgUser)) *v1alpha1.OrgUser {
	user := &v1alpha1.OrgUser{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "u-" + userID, UID: types.UID(namespace + "-" + userID), Generation: 1,
			Finalizers: []string{v1alpha1.Finalizer}, CreationTimestamp: metav1.NewTime(time.Now()),
		},
		Spec: v1alpha1.OrgUserSpec{
			OrganizationRef: v1alpha1.OrganizationReference{Name: "acme"}, Email: email,
		},
		Status: v1alpha1.OrgUserStatus{UserID: userID},
	}
	for _, edit := range edits {
		edit(user)
	}
	s.put(user)
	return user
}

func wants(role v1alpha1.UserRole) func(*v1alpha1.OrgUser) {
	return func(u *v1alpha1.OrgUser) { u.Spec.Role = role }
}

// binding writes a binding of which the lines are written down, of everybody by email.
func (s *scene) binding(namespace, roleID string, people map[string]string) *v1alpha1.OrgUserRoleBinding {
	binding := &v1alpha1.OrgUserRoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "b-" + roleID, UID: types.UID(namespace + "-b-" + roleID), Generation: 1, Finalizers: []string{v1alpha1.Finalizer},
		},
		Spec: v1alpha1.OrgUserRoleBindingSpec{
			OrganizationRef: v1alpha1.OrganizationReference{Name: "acme"}, RoleRef: v1alpha1.RoleReference{ID: roleID},
		},
		Status: v1alpha1.OrgUserRoleBindingStatus{RoleID: roleID},
	}
	for id, email := range people {
		subject := v1alpha1.Subject{Email: email}
		binding.Spec.Subjects = append(binding.Spec.Subjects, subject)
		binding.Status.Subjects = append(binding.Status.Subjects, v1alpha1.SubjectStatus{Subject: subject, UserID: id, State: v1alpha1.SubjectPending})
	}
	s.put(binding)
	return binding
}

var hourly = link.Terms{Interval: time.Hour, RequestsPerMinute: 3000}

// connect gives an Organization the key of a host, and waits until it is proven.
func (s *scene) connect(namespace, host string, terms link.Terms, noted link.Pair) {
	s.Helper()
	s.all.Noted(objectName(namespace), noted)
	address := &url.URL{Scheme: "https", Host: host, Path: "/v1"}
	if err := s.all.Connect(objectName(namespace), link.NewCredential(openaitest.DefaultAdminKey, address.String(), false), terms, noted, ""); err != nil {
		s.Fatal(err)
	}
	s.settle(0)
}

// settle lets time pass until nothing is under way that needs none.
func (s *scene) settle(d time.Duration) {
	synctest.Wait()
	if d > 0 {
		time.Sleep(d) //nolint:forbidigo // the bubble's clock, which stands while anybody works
		synctest.Wait()
	}
}

// edit writes an object and wakes whom it speaks of, as an informer does.
func (s *scene) edit(object client.Object) {
	s.Helper()
	object.SetGeneration(object.GetGeneration() + 1)
	s.put(object)
	s.wake(object)
}

func (s *scene) wake(object client.Object) {
	if o := s.all.Of(declared.OrganizationOf(object)); o != nil {
		o.Wake(pending.Edited, true, declared.KeysOf(object)...)
	}
}

// calls are the calls since the last time, counted by method and endpoint.
func calls(api *openaitest.Organization) map[string]int {
	counted := map[string]int{}
	for _, call := range api.Journal() {
		name := call.Method + " " + call.Endpoint
		if strings.Contains(call.Query, "emails") {
			name += "?emails"
		}
		counted[name]++
	}
	api.ResetJournal()
	return counted
}

const (
	users       = "GET /organization/users"
	emails      = "GET /organization/users?emails"
	getUser     = "GET /organization/users/{id}"
	postUser    = "POST /organization/users/{id}"
	deleteUser  = "DELETE /organization/users/{id}"
	listRoles   = "GET /organization/users/{id}/roles"
	assignRole  = "POST /organization/users/{id}/roles"
	getRole     = "GET /organization/users/{id}/roles/{role_id}"
	takeRole    = "DELETE /organization/users/{id}/roles/{role_id}"
	catalogList = "GET /organization/roles"
)

func (s *scene) expect(what string, want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func person(n int) openaitest.User {
	return openaitest.User{ID: fmt.Sprintf("user-%03d", n), Email: fmt.Sprintf("user-%03d@example.com", n), Role: "reader"}
}

func persons(n int) []openaitest.User {
	all := make([]openaitest.User, n)
	for i := range all {
		all[i] = person(i)
	}
	return all
}

func pairAt(host, id string) link.Pair { return link.Pair{Address: "https://" + host + "/v1", ID: id} }

// idsOf are the users that steps were made of, in order.
func (e *fakeEdge) idsOf(verb plan.Verb) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for _, made := range e.made {
		if made.Step.Verb == verb {
			ids = append(ids, made.Step.UserID)
		}
	}
	slices.Sort(ids)
	return ids
}
