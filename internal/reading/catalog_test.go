package reading

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func bindingOf(uid types.UID, generation int64) *v1alpha1.OrgUserRoleBinding {
	return &v1alpha1.OrgUserRoleBinding{ObjectMeta: metav1.ObjectMeta{UID: uid, Generation: generation}}
}

// listed takes the binding for which roles are to be listed, and ends that; "" if there is none.
func (c *catalog) listed(err error) types.UID {
	select {
	case binding := <-c.wanted:
		c.ended(binding, noon, err)
		return binding.UID
	default:
		return ""
	}
}

func expect(t *testing.T, what string, want, got any) {
	t.Helper()
	if want != got {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestRolesAreListedOnceForAGenerationOfABinding(t *testing.T) {
	c := newCatalog()
	expect(t, "under way", true, c.want(bindingOf("a", 1)))
	expect(t, "asked while they are listed", true, c.want(bindingOf("a", 1)))
	expect(t, "listed for", types.UID("a"), c.listed(nil))
	expect(t, "asked again", false, c.want(bindingOf("a", 1)))
	expect(t, "listed again for", types.UID(""), c.listed(nil))
	expect(t, "asked after an edit", true, c.want(bindingOf("a", 2)))
	expect(t, "listed then for", types.UID("a"), c.listed(errors.New("no")))
	expect(t, "asked after a failure", false, c.want(bindingOf("a", 2)))
	expect(t, "again before its time", 0, len(c.again(noon.Add(time.Second-1))))
	expect(t, "again", 1, len(c.again(noon.Add(time.Second))))
	expect(t, "asked then", true, c.want(bindingOf("a", 2)))
	expect(t, "listed for once more", types.UID("a"), c.listed(errors.New("no")))
	expect(t, "again as early", 0, len(c.again(noon.Add(2*time.Second-1))))
	expect(t, "again more rarely", 1, len(c.again(noon.Add(2*time.Second))))
}

func TestWhoAsksWhileTheRolesAreListedIsLookedAtAgainAndHasThemListedAnew(t *testing.T) {
	c := newCatalog()
	c.want(bindingOf("a", 1))
	first := <-c.wanted
	expect(t, "asked meanwhile", true, c.want(bindingOf("b", 1)))
	expect(t, "asked meanwhile again", true, c.want(bindingOf("b", 1)))
	expect(t, "looked at", 2, len(c.ended(first, noon, nil)))
	expect(t, "asked then", true, c.want(bindingOf("b", 1)))
	expect(t, "listed for", types.UID("b"), c.listed(nil))
}

func TestBindingsThatAreGoneOrWereEditedAreForgotten(t *testing.T) {
	c := newCatalog()
	for _, uid := range []types.UID{"same", "edited", "gone"} {
		c.want(bindingOf(uid, 1))
		c.listed(nil)
	}
	c.keep([]v1alpha1.OrgUserRoleBinding{*bindingOf("same", 1), *bindingOf("edited", 2)})
	expect(t, "kept", 1, len(c.listedFor))
	expect(t, "asked again", false, c.want(bindingOf("same", 1)))
}

func TestAReadingForgetsBindingsThatAreGone(t *testing.T) {
	r := New(Sources{Objects: func() []types.NamespacedName { return nil }})
	r.WantCatalog(bindingOf("gone", 1))
	if err := r.readRoles(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	expect(t, "kept", 0, len(r.catalog.listedFor))
}
