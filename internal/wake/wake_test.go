package wake

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

func TestWhoBecameALeaverOrIsNoneAnyMoreIsTakenUp(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	leaver := func(id string, since time.Time) v1alpha1.Leaver {
		return v1alpha1.Leaver{UserID: id, Since: metav1.NewTime(since)}
	}
	held := leaver("user-ada", began)
	held.Held = "behind the guard"
	for name, c := range map[string]struct {
		before, after []v1alpha1.Leaver
		want          []plan.Key
	}{
		"nobody":              {nil, nil, nil},
		"one who comes":       {nil, []v1alpha1.Leaver{leaver("user-ada", began)}, []plan.Key{plan.IDKey("user-ada")}},
		"one who went":        {[]v1alpha1.Leaver{leaver("user-ada", began), leaver("user-alan", began)}, []v1alpha1.Leaver{leaver("user-alan", began)}, []plan.Key{plan.IDKey("user-ada")}},
		"what holds them":     {[]v1alpha1.Leaver{leaver("user-ada", began)}, []v1alpha1.Leaver{held}, nil},
		"the same, elsewhere": {[]v1alpha1.Leaver{leaver("user-ada", began)}, []v1alpha1.Leaver{leaver("user-ada", began.In(time.FixedZone("", 3600)))}, nil},
		"an ID with a space":  {nil, []v1alpha1.Leaver{leaver("user ada", began)}, []plan.Key{plan.IDKey("user ada")}},
		"who leaves again": {
			[]v1alpha1.Leaver{leaver("user-ada", began)}, []v1alpha1.Leaver{leaver("user-ada", began.Add(time.Hour))},
			[]plan.Key{plan.IDKey("user-ada"), plan.IDKey("user-ada")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := &v1alpha1.Organization{}, &v1alpha1.Organization{}
			before.Status.Leaving, after.Status.Leaving = c.before, c.after
			if diff := cmp.Diff(c.want, differingLeavers(before, after), cmpopts.SortSlices(func(a, b plan.Key) bool { return a.ID < b.ID })); diff != "" {
				t.Error(diff)
			}
		})
	}
}
