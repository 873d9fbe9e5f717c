package argocd_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// engines, as a repository's owner may have set them up. Argo CD prunes before it applies, but for PruneLast; what is
// pruned in one wave and applied in another is pruned first, but for PruneLast. Flux applies before it prunes; what is
// pruned by one Kustomization and applied by one that depends on it is pruned first.
var engines = []struct {
	name string
	new  func(t *testing.T, c *cluster, name string) engine
}{
	{"Argo CD", func(_ *testing.T, c *cluster, name string) engine {
		return &application{argocdCluster: c.argocd, name: name}
	}},
	{"Argo CD with PruneLast", func(_ *testing.T, c *cluster, name string) engine {
		return &application{argocdCluster: c.argocd, name: name, pruneLast: true}
	}},
	{"Flux", func(t *testing.T, c *cluster, name string) engine {
		t.Helper()
		return newKustomizations(t, c, name)
	}},
}

// delay is guard.removalDelay: longer than the way of a commit with all its waves.
const delay = time.Minute

// story is what happens to a repository.
type story struct {
	name  string
	delay time.Duration
	// stuck says which engine creates the heir, waits until it is well, and prunes only then. Both objects name the person,
	// so the heir is a Conflict and not well, and the engine never comes to prune: whoever renamed has to delete the old
	// object by hand. Nobody is removed.
	stuck func(e engine) bool
	// onlyPrunedFirst leaves out the engine that never prunes first.
	onlyPrunedFirst bool
	tell            func(w *world)
}

func nowhere(engine) bool { return false }

func everywhere(engine) bool { return true }

func pruneLast(e engine) bool {
	a, ok := e.(*application)
	return ok && a.pruneLast
}

var stories = []story{
	{"rename", delay, pruneLast, false, func(w *world) {
		w.begin(w.base().with(w.user("grace", "grace"), w.viewers("grace")))
		w.becomes(w.base().with(w.user("grace-hopper", "grace"), w.viewers("grace-hopper")))
	}},
	{"rename to a name that comes before all others", delay, pruneLast, true, func(w *world) {
		w.begin(w.base().with(w.user("grace", "grace"), w.viewers("grace")))
		w.becomes(w.base().with(w.user("admiral", "grace"), w.viewers("admiral")))
	}},
	{"rename into a later wave", delay, pruneLast, false, func(w *world) {
		w.begin(w.base().with(w.user("grace", "grace"), wave(1, w.viewers("grace"))))
		w.becomes(w.base().with(wave(1, w.user("grace-hopper", "grace")), wave(1, w.viewers("grace-hopper"))))
	}},
	{"rename into an earlier wave", delay, everywhere, false, func(w *world) {
		w.begin(w.base().with(wave(1, w.user("grace", "grace")), wave(1, w.viewers("grace"))))
		w.becomes(w.base().with(w.user("grace-hopper", "grace"), wave(1, w.viewers("grace-hopper"))))
	}},
	{"heir in the last of four waves, behind somebody who has yet to join", delay, pruneLast, true, func(w *world) {
		w.begin(w.base().with(w.user("grace", "grace"), wave(3, w.viewers("grace"))))
		newcomer := w.user("katherine", "katherine")
		w.meanwhile(func() { w.joinWhenMissed(newcomer, "katherine") })
		w.becomes(w.base().with(wave(1, w.user("dorothy", "dorothy")), wave(2, newcomer),
			wave(3, w.user("grace-hopper", "grace")), wave(3, w.viewers("grace-hopper", "katherine"))),
			"POST /organization/users/{id}/roles "+w.email("katherine"))
	}},
	{"move to another namespace", delay, pruneLast, false, func(w *world) {
		both := w.base().with(w.organization(w.second))
		w.begin(both.with(w.user("grace", "grace")))
		w.becomes(both.with(user(w.second, "grace", "email: "+w.email("grace"))))
	}},
	{"move to another namespace and into a later wave", delay, pruneLast, false, func(w *world) {
		both := w.base().with(w.organization(w.second))
		w.begin(both.with(w.user("grace", "grace")))
		w.becomes(both.with(wave(1, user(w.second, "grace", "email: "+w.email("grace")))))
	}},
	{"swap of two names", delay, nowhere, false, func(w *world) {
		w.begin(w.base().with(w.user("one", "grace"), w.user("two", "dorothy")))
		w.refuses(w.base().with(w.user("one", "dorothy"), w.user("two", "grace")), "email can change in nothing but its case")
		w.becomes(w.base().with(replaced(w.user("one", "dorothy")), replaced(w.user("two", "grace"))))
	}},
	{"email to userID by Replace", delay, nowhere, false, func(w *world) {
		w.begin(w.base().with(w.user("grace", "grace"), w.viewers("grace")))
		byID := user(w.name, "grace", "userID: "+w.id("grace"))
		w.refuses(w.base().with(byID, w.viewers("grace")), "email cannot be taken out")
		w.becomes(w.base().with(replaced(byID.DeepCopy()), w.viewers("grace")))
	}},
	{"revert of a commit that deletes somebody", delay, nowhere, false, func(w *world) {
		before := w.base().with(w.user("grace", "grace"), w.viewers("grace"))
		w.begin(before)
		w.syncUntil(w.base().with(w.viewers("grace")), func(g Gomega) { g.Expect(w.leavers()).To(HaveLen(1)) })
		w.becomes(before)
	}},
	{"revert of a commit that deletes everybody", delay, nowhere, false, func(w *world) {
		before := w.base().with(w.user("grace", "grace"), w.viewers("grace"))
		w.begin(before)
		w.syncUntil(commit{before[0], before[2], before[4]}, func(g Gomega) { g.Expect(w.leavers()).To(HaveLen(2)) })
		w.becomes(before)
	}},
	{"without a delay, an heir behind somebody who never joins", 0, nowhere, false, func(w *world) {
		w.begin(w.base().with(w.user("grace", "grace")))
		after := w.base().with(wave(1, w.user("katherine", "katherine")), wave(2, w.user("grace-hopper", "grace")))
		if pruneLast(w.engine) {
			w.syncUntil(after, func(g Gomega) { g.Expect(w.ready(after[3])).To(Equal("False NotAMember")) })
			return
		}
		// So the stories before can fail.
		w.changed = []string{"DELETE /organization/users/{id} " + w.email("grace")}
		w.syncUntil(after, func(g Gomega) { g.Expect(w.changes()).To(Equal(w.changed)) })
	}},
}

// becomes brings the cluster to the commit. Everybody stays who they are, but for the changes that are named.
func (w *world) becomes(objects commit, changes ...string) {
	w.t.Helper()
	switch err := w.sync(w.ctx, objects); {
	case w.stuck(w.engine):
		w.Expect(err).To(MatchError(Or(ContainSubstring("tasks completed unsuccessfully"), ContainSubstring("stalled resources"))))
		w.Expect(w.leavers()).To(BeEmpty())
		w.deleteWhatIsNotIn(objects)
		w.Eventually(w.sync).WithArguments(w.ctx, objects).Should(Succeed())
	default:
		w.Expect(err).NotTo(HaveOccurred())
	}
	w.expectReady(objects)
	w.Eventually(w.leavers).Should(BeEmpty())
	w.changed = changes
	w.expectNoOtherChange()
}

// deleteWhatIsNotIn deletes the OrgUsers that the commit does not have, as a person does by hand.
func (w *world) deleteWhatIsNotIn(objects commit) {
	w.t.Helper()
	list := &v1alpha1.OrgUserList{}
	w.Expect(w.admin.List(w.ctx, list, client.InNamespace(w.name))).To(Succeed())
	for _, live := range list.Items {
		if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
			return o.GetKind() == "OrgUser" && o.GetName() == live.Name && o.GetNamespace() == live.Namespace
		}) {
			w.Expect(w.admin.Delete(w.ctx, &live)).To(Succeed())
		}
	}
}

func (w *world) expectNoOtherChange() {
	w.t.Helper()
	w.Expect(w.changes()).To(Equal(w.changed))
}

// refuses has the API server refuse the commit, so that nothing changes.
func (w *world) refuses(objects commit, why string) {
	w.t.Helper()
	w.Expect(w.sync(w.ctx, objects)).To(MatchError(ContainSubstring(why)))
	w.Expect(w.leavers()).To(BeEmpty())
	w.expectNoOtherChange()
}

// syncUntil begins to bring the cluster to the commit, and stops waiting for the rest when the condition holds.
func (w *world) syncUntil(objects commit, condition func(g Gomega)) {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.sync(ctx, objects) }()
	w.Eventually(condition).Should(Succeed())
	stop()
	if err := <-ended; err != nil {
		w.Expect(err).To(MatchError(context.Canceled))
	}
}

// meanwhile runs something beside the story, which does not end before it.
func (w *world) meanwhile(run func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run()
	}()
	w.t.Cleanup(func() { <-ended })
}

// joinWhenMissed has somebody join the organization as soon as the object says that they are not a member.
func (w *world) joinWhenMissed(object *unstructured.Unstructured, person string) {
	w.t.Helper()
	w.Eventually(w.ready).WithArguments(object).Should(Equal("False NotAMember"))
	w.join(person, "reader")
	w.resync()
}

// TestNobodyIsRemovedOnTheWayOfACommit tells every story with every engine, all at once.
func TestNobodyIsRemovedOnTheWayOfACommit(t *testing.T) {
	c := newCluster(t)
	var told sync.Map
	t.Run("stories", func(t *testing.T) {
		for i, s := range stories {
			for j, e := range engines {
				if s.onlyPrunedFirst && strings.Contains(e.name, "PruneLast") {
					continue // the shorter stories tell how that ends
				}
				name := e.name + ": " + s.name
				organization := newOrganization(t)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, c, organization, fmt.Sprintf("story-%d-%d", i, j), s.delay)
					w.engine, w.stuck = e.new(t, c, w.name), s.stuck
					s.tell(w)
					told.Store(name, w)
				})
			}
		}
	})

	var gaps []string
	for name, value := range told.Range {
		w, _ := value.(*world)
		gap, last := c.absence.of(w.email(""))
		line := fmt.Sprintf("%6.2f s  %s", gap.Seconds(), name)
		if w.stuck(w.engine) {
			line += " (got stuck)"
		}
		gaps = append(gaps, line)
		// Whatever is left of a leaver would be acted on by now.
		<-time.After(time.Until(last.Add(w.delay + 2*time.Second)))
		if changes := w.changes(); !slices.Equal(changes, w.changed) {
			t.Errorf("%s: in the end %v", name, changes)
		}
	}
	slices.Sort(gaps)
	t.Log("the longest time in which no OrgUser named somebody:\n" + strings.Join(gaps, "\n"))
}

func TestMain(m *testing.M) {
	// The stories wait more than they do.
	if err := flag.Set("test.parallel", "40"); err != nil {
		panic(err)
	}
	m.Run()
}
