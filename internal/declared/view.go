package declared

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// bindingView is a binding as it is looked up in for one person after another.
type bindingView struct {
	version string
	// subjects by what they name, and the user whom the status has for each subject; lines by user ID.
	byEmail, byID, byOrgUser map[string]bool
	noted                    map[v1alpha1.Subject]string
	lines                    map[string]bool
}

func viewOf(binding *v1alpha1.OrgUserRoleBinding) *bindingView {
	v := &bindingView{
		version: binding.ResourceVersion,
		byEmail: map[string]bool{}, byID: map[string]bool{}, byOrgUser: map[string]bool{},
		noted: map[v1alpha1.Subject]string{}, lines: map[string]bool{},
	}
	for _, subject := range binding.Spec.Subjects {
		switch {
		case subject.Email != "":
			v.byEmail[plan.Fold(subject.Email)] = true
		case subject.UserID != "":
			v.byID[subject.UserID] = true
		default:
			v.byOrgUser[subject.OrgUser] = true
		}
	}
	for _, line := range binding.Status.Subjects {
		if line.UserID != "" {
			v.noted[folded(line.Subject)] = line.UserID
			v.lines[line.UserID] = true
		}
	}
	return v
}

func folded(subject v1alpha1.Subject) v1alpha1.Subject {
	subject.Email = plan.Fold(subject.Email)
	return subject
}

// views keeps the view of each binding until its resource version changes.
type views struct {
	mu    sync.Mutex
	byUID map[types.UID]*bindingView
	// missing is since when an OrgUser that a binding names is not there.
	missing map[types.UID]map[string]time.Time
}

func newViews() *views {
	return &views{byUID: map[types.UID]*bindingView{}, missing: map[types.UID]map[string]time.Time{}}
}

func (v *views) of(binding *v1alpha1.OrgUserRoleBinding) *bindingView {
	v.mu.Lock()
	known := v.byUID[binding.UID]
	v.mu.Unlock()
	if known != nil && known.version == binding.ResourceVersion {
		return known
	}
	view := viewOf(binding)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.byUID[binding.UID] = view
	return view
}

// awaits notes which OrgUsers of a binding are not there, and returns since when the youngest of these is missing; zero
// if none is.
func (v *views) awaits(binding types.UID, missing []string, now time.Time) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(missing) == 0 {
		delete(v.missing, binding)
		return time.Time{}
	}
	before := v.missing[binding]
	after := make(map[string]time.Time, len(missing))
	var youngest time.Time
	for _, name := range missing {
		since, ok := before[name]
		if !ok {
			since = now
		}
		after[name] = since
		if since.After(youngest) {
			youngest = since
		}
	}
	v.missing[binding] = after
	return youngest
}

func (v *views) forget(binding types.UID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.byUID, binding)
	delete(v.missing, binding)
}
