package declared

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// Look reads live what manifests say, each object once for all who ask within a moment, and knows how old what it gave is.
type Look struct {
	live    client.Reader
	cache   *Cache
	answers *answers

	mu sync.Mutex
	// oldest is when the first was asked for of all that this look gave.
	oldest time.Time
}

// answers are those that several looks share.
type answers struct {
	mu   sync.Mutex
	memo map[string]*answer
}

type answer struct {
	asked time.Time
	once  sync.Once
	value any
	err   error
}

// shared is how long an answer serves others who ask the same.
const shared = 500 * time.Millisecond

// NewLook returns a look at what is true now.
func (c *Cache) NewLook(live client.Reader) *Look {
	return &Look{live: live, cache: c, answers: &answers{memo: map[string]*answer{}}}
}

// Another returns a look of its own age that shares the answers.
func (l *Look) Another() *Look { return &Look{live: l.live, cache: l.cache, answers: l.answers} }

// Oldest is when the first was asked for of all that the look gave; zero if nothing was.
func (l *Look) Oldest() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest
}

// once has a question asked once, however many ask it within a moment.
func once[T any](l *Look, question string, ask func() (T, error)) (T, error) {
	a := l.answers.to(question, l.cache.now())
	l.mu.Lock()
	if l.oldest.IsZero() || a.asked.Before(l.oldest) {
		l.oldest = a.asked
	}
	l.mu.Unlock()
	a.once.Do(func() { a.value, a.err = ask() })
	value, _ := a.value.(T)
	return value, a.err
}

// to is the answer to a question: one that there is, if it is young.
func (s *answers) to(question string, now time.Time) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.memo[question]
	if a == nil || now.Sub(a.asked) > shared {
		a = &answer{asked: now}
		s.memo[question] = a
	}
	return a
}

func get[T client.Object](ctx context.Context, l *Look, kind string, name types.NamespacedName, into T) (T, error) {
	return once(l, kind+" "+name.String(), func() (T, error) {
		var none T
		err := l.live.Get(ctx, name, into)
		if apierrors.IsNotFound(err) {
			return none, nil
		}
		return into, err
	})
}

// Organization reads an Organization live; nil where there is none.
func (l *Look) Organization(ctx context.Context, name types.NamespacedName) (*v1alpha1.Organization, error) {
	return get(ctx, l, "organization", name, &v1alpha1.Organization{})
}

// Changed has an Organization read anew by whoever asks next, since it was written.
func (l *Look) Changed(name types.NamespacedName) {
	l.answers.mu.Lock()
	defer l.answers.mu.Unlock()
	delete(l.answers.memo, "organization "+name.String())
}

func (l *Look) orgUser(ctx context.Context, name types.NamespacedName) (*v1alpha1.OrgUser, error) {
	return get(ctx, l, "orguser", name, &v1alpha1.OrgUser{})
}

func (l *Look) binding(ctx context.Context, name types.NamespacedName) (*v1alpha1.OrgUserRoleBinding, error) {
	return get(ctx, l, "binding", name, &v1alpha1.OrgUserRoleBinding{})
}

// Again reads the objects that were found in the cache live, all at once. Those that are gone, or are others of the
// name, are left out.
func (l *Look) Again(ctx context.Context, found Gathered) (Gathered, error) {
	l.readAll(ctx, found)
	var now Gathered
	for _, known := range found.Organizations {
		org, err := l.Organization(ctx, client.ObjectKeyFromObject(known))
		if err != nil {
			return now, fmt.Errorf("read Organization %s: %w", known.Name, err)
		}
		if org != nil && org.UID == known.UID {
			now.Organizations = append(now.Organizations, org)
		}
	}
	for _, known := range found.Users {
		user, err := l.orgUser(ctx, client.ObjectKeyFromObject(known))
		if err != nil {
			return now, fmt.Errorf("read OrgUser %s: %w", known.Name, err)
		}
		if user != nil && user.UID == known.UID {
			now.Users = append(now.Users, user)
		}
	}
	for _, known := range found.Bindings {
		binding, err := l.binding(ctx, client.ObjectKeyFromObject(known))
		if err != nil {
			return now, fmt.Errorf("read OrgUserRoleBinding %s: %w", known.Name, err)
		}
		if binding != nil && binding.UID == known.UID {
			now.Bindings = append(now.Bindings, binding)
		}
	}
	return now, nil
}

// readAll asks for all of the objects at once: a call that rests on a look has a second, however many they are.
func (l *Look) readAll(ctx context.Context, found Gathered) {
	var group sync.WaitGroup
	for _, known := range found.Organizations {
		group.Go(func() { _, _ = l.Organization(ctx, client.ObjectKeyFromObject(known)) }) // the answer is kept, with its error
	}
	for _, known := range found.Users {
		group.Go(func() { _, _ = l.orgUser(ctx, client.ObjectKeyFromObject(known)) })
	}
	for _, known := range found.Bindings {
		group.Go(func() { _, _ = l.binding(ctx, client.ObjectKeyFromObject(known)) })
	}
	group.Wait()
}

// Unseen adds what no cache can know yet of the user, and of the role if one is given: objects that came or changed a
// moment ago. The lists are consistent; where one fails, nothing may be taken from anybody.
func (l *Look) Unseen(ctx context.Context, g Gathered, user plan.User, roleID string) (Gathered, error) {
	namespaces := map[string]bool{}
	for _, org := range g.Organizations {
		namespaces[org.Namespace] = true
	}
	for namespace := range namespaces {
		if err := l.unseenUsers(ctx, namespace, &g, user); err != nil {
			return g, err
		}
		if roleID == "" {
			continue
		}
		if err := l.unseenBindings(ctx, namespace, &g, roleID); err != nil {
			return g, err
		}
	}
	return g, nil
}

// unseenUsers adds the OrgUsers that name or remember the user. Those that remember nobody yet are listed first: one that is
// matched between two lists is in one of them.
func (l *Look) unseenUsers(ctx context.Context, namespace string, g *Gathered, user plan.User) error {
	unmatched, err := once(l, "unmatched orgusers "+namespace, func() ([]v1alpha1.OrgUser, error) { return l.unmatchedUsers(ctx, namespace) })
	if err != nil {
		return err
	}
	for i := range unmatched {
		if unmatched[i].Spec.UserID == user.ID || user.Email != "" && plan.Fold(unmatched[i].Spec.Email) == plan.Fold(user.Email) {
			g.addMissing(&unmatched[i])
		}
	}
	for _, field := range []string{"status.userID", "spec.userID"} {
		list, err := l.usersWith(ctx, namespace, field, user.ID)
		if err != nil {
			return err
		}
		for i := range list {
			g.addUser(&list[i])
		}
	}
	return nil
}

func (l *Look) usersWith(ctx context.Context, namespace, field, value string) ([]v1alpha1.OrgUser, error) {
	return once(l, "orgusers "+namespace+" "+field+"="+value, func() ([]v1alpha1.OrgUser, error) {
		list := &v1alpha1.OrgUserList{}
		err := l.live.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{field: value})
		return list.Items, listed(err)
	})
}

// unmatchedUsers are the OrgUsers without a user in their status: as the cache has them, where it has them as they are, since
// whom an OrgUser names changes with its generation only, and else read live. What was gathered before may lack also those
// that the cache has by now.
func (l *Look) unmatchedUsers(ctx context.Context, namespace string) ([]v1alpha1.OrgUser, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("OrgUserList"))
	if err := l.live.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{"status.userID": ""}); err != nil {
		return nil, listed(err)
	}
	var unmatched []v1alpha1.OrgUser
	for i := range list.Items {
		user, err := l.cache.orgUser(ctx, namespace, list.Items[i].Name)
		if err != nil {
			return nil, err
		}
		if user == nil || user.UID != list.Items[i].UID || user.Generation != list.Items[i].Generation {
			if user, err = l.orgUser(ctx, client.ObjectKeyFromObject(&list.Items[i])); err != nil {
				return nil, err
			}
		}
		if user != nil {
			unmatched = append(unmatched, *user)
		}
	}
	return unmatched, nil
}

// unseenBindings adds the bindings of the role, and those that have no role in their status yet, as they are now.
func (l *Look) unseenBindings(ctx context.Context, namespace string, g *Gathered, roleID string) error {
	for _, value := range []string{"", roleID} { // in this order, as the OrgUsers
		bindings, err := once(l, "bindings "+namespace+" "+value, func() ([]v1alpha1.OrgUserRoleBinding, error) {
			list := &v1alpha1.OrgUserRoleBindingList{}
			err := l.live.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{"status.roleID": value})
			return list.Items, listed(err)
		})
		if err != nil {
			return err
		}
		for i := range bindings {
			g.addBinding(&bindings[i])
		}
	}
	return nil
}

// listed words the error of a consistent list.
func listed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("what was declared a moment ago cannot be listed, so nothing is taken from anybody; are the CustomResourceDefinitions those of this version? %w", err)
}

func (g *Gathered) addUser(user *v1alpha1.OrgUser) {
	for i, known := range g.Users {
		if known.UID == user.UID {
			g.Users[i] = user
			return
		}
	}
	g.Users = append(g.Users, user)
}

// addMissing adds an OrgUser, unless one was read live already.
func (g *Gathered) addMissing(user *v1alpha1.OrgUser) {
	if !slices.ContainsFunc(g.Users, func(known *v1alpha1.OrgUser) bool { return known.UID == user.UID }) {
		g.Users = append(g.Users, user)
	}
}

func (g *Gathered) addBinding(binding *v1alpha1.OrgUserRoleBinding) {
	for i, known := range g.Bindings {
		if known.UID == binding.UID {
			g.Bindings[i] = binding
			return
		}
	}
	g.Bindings = append(g.Bindings, binding)
}

// The CustomResourceDefinitions whose deletion is a teardown.
const (
	OrgUserCRD      = "orgusers.openai.rollcall.dev"
	BindingCRD      = "orguserrolebindings.openai.rollcall.dev"
	OrganizationCRD = "organizations.openai.rollcall.dev"
)

var (
	namespaceKind = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	crdKind       = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
)

// Teardown says why what happens in a namespace is part of taking something down, or "". In one nobody loses anything.
// Where it cannot be told, the error keeps the caller from taking anything.
type Teardown struct {
	// Why is "" where nothing is being taken down.
	Why string
	// Namespace says that the namespace is going, in which no event can be made any more.
	Namespace bool
}

// Teardown looks at the namespace and the CustomResourceDefinitions.
func (l *Look) Teardown(ctx context.Context, namespace string, crds ...string) (Teardown, error) {
	going, err := l.goneOrGoing(ctx, namespaceKind, namespace)
	if err != nil {
		return Teardown{}, fmt.Errorf("whether namespace %s is being deleted cannot be told: %w", namespace, err)
	}
	if going {
		return Teardown{Why: "namespace " + namespace + " is gone or being deleted", Namespace: true}, nil
	}
	for _, crd := range crds {
		going, err := l.goneOrGoing(ctx, crdKind, crd)
		if err != nil {
			return Teardown{}, fmt.Errorf("whether CustomResourceDefinition %s is being deleted cannot be told: %w", crd, err)
		}
		if going {
			return Teardown{Why: "CustomResourceDefinition " + crd + " is gone or being deleted"}, nil
		}
	}
	return Teardown{}, nil
}

func (l *Look) goneOrGoing(ctx context.Context, kind schema.GroupVersionKind, name string) (bool, error) {
	return once(l, kind.Kind+" "+name, func() (bool, error) {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(kind)
		err := l.live.Get(ctx, types.NamespacedName{Name: name}, object)
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return err == nil && !object.DeletionTimestamp.IsZero(), err
	})
}
