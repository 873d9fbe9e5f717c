package argocd_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// absence measures for how long nobody is named by an OrgUser between the deletion of one and the creation of the next.
type absence struct {
	mu sync.Mutex
	// named are the OrgUsers, but for those that are being deleted, by whom they name.
	named map[string]map[types.UID]bool
	since map[string]time.Time
	// longest is the longest time that is over, by whom it was about.
	longest map[string]time.Duration
	// ids are the addresses by namespace and user ID.
	ids map[string]string
}

// watchAbsence measures until the context ends.
func watchAbsence(ctx context.Context, t *testing.T, running *sync.WaitGroup, admin client.WithWatch) *absence {
	t.Helper()
	watcher, err := admin.Watch(ctx, &v1alpha1.OrgUserList{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	a := &absence{named: map[string]map[types.UID]bool{}, since: map[string]time.Time{}, longest: map[string]time.Duration{}, ids: map[string]string{}}
	running.Go(func() {
		for event := range watcher.ResultChan() {
			if user, ok := event.Object.(*v1alpha1.OrgUser); ok {
				a.note(user, event.Type != watch.Deleted && user.DeletionTimestamp.IsZero(), time.Now())
			} else if ctx.Err() == nil {
				t.Errorf("nobody watches who is named: %v", event.Object)
			}
		}
	})
	return a
}

// knows tells whose ID it is for the OrgUsers of a namespace.
func (a *absence) knows(namespace, id, email string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids[namespace+"/"+id] = email
}

func (a *absence) note(user *v1alpha1.OrgUser, there bool, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	who := strings.ToLower(user.Spec.Email)
	if who == "" {
		who = a.ids[user.Namespace+"/"+user.Spec.UserID]
	}
	if a.named[who] == nil {
		a.named[who] = map[types.UID]bool{}
	}
	before := len(a.named[who])
	if there {
		a.named[who][user.UID] = true
	} else {
		delete(a.named[who], user.UID)
	}
	switch after := len(a.named[who]); {
	case before > 0 && after == 0:
		a.since[who] = now
	case before == 0 && after > 0 && !a.since[who].IsZero():
		a.longest[who] = max(a.longest[who], now.Sub(a.since[who]))
	}
}

// of returns, for the people whose addresses end so, the longest time in which nobody named one of them, and when the
// last such time began.
func (a *absence) of(domain string) (longest time.Duration, last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for who, since := range a.since {
		if strings.HasSuffix(who, domain) {
			longest = max(longest, a.longest[who])
			if since.After(last) {
				last = since
			}
		}
	}
	return longest, last
}
