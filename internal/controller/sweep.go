package controller

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// AssignmentSweep keeps the role assignments fresh of the users whom a binding, or an OrgUser with a roleID,
// names: one list call a user and interval, however many objects name the user.
type AssignmentSweep struct {
	client.Reader
	Connections *Connections

	// retryAt is when the users are tried again whose list failed.
	retryAt map[string]time.Time
	backoff workqueue.TypedRateLimiter[string]
}

// NeedLeaderElection says that only the manager that acts looks.
func (s *AssignmentSweep) NeedLeaderElection() bool { return true }

// sweepPeriod is how often the sweep looks for users that are due.
const sweepPeriod = time.Second

// Start sweeps until the context ends.
func (s *AssignmentSweep) Start(ctx context.Context) error {
	s.retryAt = map[string]time.Time{}
	s.backoff = workqueue.NewTypedItemExponentialFailureRateLimiter[string](sweepPeriod, 5*time.Minute)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		for _, conn := range s.Connections.ready() {
			s.sweep(openai.InBackground(ctx), conn)
		}
	}, sweepPeriod)
	return nil
}

// sweep lists the roles of the users that are due, until a call fails: what is left is due at the next sweep, but for
// the user whose list failed, who is tried again later and later and does not hold up those behind.
func (s *AssignmentSweep) sweep(ctx context.Context, conn *connection) {
	for _, userID := range conn.roster.DueAssignments(conn.interval) {
		if s.Connections.now().Before(s.retryAt[userID]) {
			continue
		}
		wanted, err := s.wanted(ctx, conn, userID)
		switch {
		case err != nil:
		case !wanted:
			conn.roster.ForgetAssignments(userID)
		default:
			err = refusing(s.Connections, conn, conn.roster.RefreshAssignments(ctx, conn.api, userID))
		}
		if err == nil {
			delete(s.retryAt, userID)
			s.backoff.Forget(userID)
			continue
		}
		if ctx.Err() != nil || openai.IsRateLimited(err) || refusesKey(err) {
			return
		}
		after := s.backoff.When(userID)
		s.retryAt[userID] = s.Connections.now().Add(after)
		log.FromContext(ctx).Info("role assignments could not be listed; tried again", "userID", userID, "after", after.String(), "error", err.Error())
		return
	}
}

// wanted says whether any object still cares which roles the user has.
func (s *AssignmentSweep) wanted(ctx context.Context, conn *connection, userID string) (bool, error) {
	keys := conn.roster.KeysOf(userID)
	find := finder{s.Reader}
	siblings, err := find.siblings(ctx, s.Connections, conn)
	if err != nil {
		return false, err
	}
	bindings, err := find.bindingsOf(ctx, siblings, keys)
	if err != nil || len(bindings) > 0 {
		return len(bindings) > 0, err
	}
	users, err := find.orgUsersOf(ctx, siblings, keys)
	if err != nil {
		return false, err
	}
	for _, user := range users {
		org := &v1alpha1.Organization{}
		if err := client.IgnoreNotFound(s.Get(ctx, organizationOf(user), org)); err != nil {
			return false, err
		}
		if user.Spec.RoleID != "" || org.Spec.Undeclared.RoleAssignments != v1alpha1.UndeclaredRolesIgnore && org.Name != "" {
			return true, nil
		}
	}
	return false, nil
}
