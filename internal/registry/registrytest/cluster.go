package registrytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
)

// Cluster is a Kubernetes API in memory that is its own cache: what is written is seen at once.
type Cluster struct {
	mu      sync.Mutex
	indexes map[string]map[string]client.IndexerFunc // by kind and index
	objects map[string]map[types.NamespacedName]client.Object
	found   map[string]map[types.NamespacedName]bool // by kind, index, namespace and value
	Down    map[string]bool                          // namespaces and CustomResourceDefinitions that are being deleted
	// before is called before each live answer, ahead is what live answers know of Organizations that the cache does not.
	before func(what string) error
	ahead  func(*v1alpha1.Organization)
}

func newCluster(t *testing.T) *Cluster {
	t.Helper()
	c := &Cluster{
		indexes: map[string]map[string]client.IndexerFunc{}, objects: map[string]map[types.NamespacedName]client.Object{},
		found: map[string]map[types.NamespacedName]bool{}, Down: map[string]bool{},
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
func (c *Cluster) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	kind := kindOf(object)
	if c.indexes[kind] == nil {
		c.indexes[kind], c.objects[kind] = map[string]client.IndexerFunc{}, map[types.NamespacedName]client.Object{}
	}
	c.indexes[kind][field] = values
	return nil
}

func (c *Cluster) entries(object client.Object) (entries []string) {
	kind := kindOf(object)
	for field, values := range c.indexes[kind] {
		for _, value := range values(object) {
			entries = append(entries, strings.Join([]string{kind, field, object.GetNamespace(), value}, "\x00"))
		}
	}
	return entries
}

// Put writes objects.
func (c *Cluster) Put(objects ...client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, object := range objects {
		c.write(object)
	}
}

var versions int

// write stores a copy. c.mu is held.
func (c *Cluster) write(object client.Object) {
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
func (c *Cluster) Get(_ context.Context, name client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if partial, ok := into.(*metav1.PartialObjectMetadata); ok {
		if c.Down[name.Name] {
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
func (c *Cluster) List(_ context.Context, into client.ObjectList, opts ...client.ListOption) error {
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
	for _, name := range slices.SortedFunc(maps.Keys(c.found[entry]), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
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

// live is the cluster read past the cache.
type live struct{ *Cluster }

// Get implements client.Reader.
func (l live) Get(ctx context.Context, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	if err := l.answer("get " + kindOf(into) + " " + name.Name); err != nil {
		return err
	}
	err := l.Cluster.Get(ctx, name, into, opts...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if org, ok := into.(*v1alpha1.Organization); ok && err == nil && l.ahead != nil {
		l.ahead(org)
	}
	return err
}

// List implements client.Reader.
func (l live) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if err := l.answer("list " + kindOf(into)); err != nil {
		return err
	}
	return l.Cluster.List(ctx, into, opts...)
}

// answer calls what was set to be called before an answer.
func (c *Cluster) answer(what string) error {
	c.mu.Lock()
	before := c.before
	c.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(what)
}

// BeforeAnswers has the function called before each live answer; nil ends that.
func (c *Cluster) BeforeAnswers(before func(what string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = before
}

// Ahead has live answers know an edit of Organizations that the cache does not have yet; nil ends that.
func (c *Cluster) Ahead(edit func(*v1alpha1.Organization)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = edit
}
