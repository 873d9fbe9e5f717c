package controller

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// reading is what a reconcile of an Organization knows of the live one.
type reading struct {
	conn *connection
	// wait is the time until the next reading.
	wait time.Duration
	// handled is the request for a whole reading that was answered.
	handled string
	// undeclared is nil until it was looked for.
	undeclared *undeclared
}

// observe connects with what the Secret holds now and, when that is due, reads the organization whole.
func (r *OrganizationReconciler) observe(ctx context.Context, org *v1alpha1.Organization) (reading, error) {
	if paused(org) {
		return reading{}, isPaused()
	}
	object := client.ObjectKeyFromObject(org)
	cred, err := r.credential(ctx, org)
	if err != nil {
		return reading{}, err
	}
	interval := org.Spec.ResyncInterval.Duration
	conn, err := r.Connections.Connect(object, cred, terms{interval, int(org.Spec.RequestsPerMinute), org.Generation})
	if err != nil {
		return reading{}, credentialInvalid(org, err)
	}
	requested := cut(org.Annotations[v1alpha1.SyncRequestedAtAnnotation], maxSyncRequest)
	asked := requested != org.Status.LastHandledSyncRequest
	if due, wait := r.Connections.Due(object); !due && !asked {
		return reading{conn: conn, wait: wait, handled: requested}, nil
	}
	// Another Organization object of the same organization may just have read it.
	maxAge := interval / 2
	if asked || !conn.ready {
		maxAge = 0
	}
	read, err := conn.roster.Refresh(priority(ctx, conn), conn.api, maxAge)
	if err != nil {
		return reading{}, err
	}
	if asked {
		conn.roster.ExpireAssignments()
	}
	if err := r.Connections.Unite(object); err != nil {
		return reading{}, err
	}
	if known, found := org.Status.OrganizationID, conn.api.OrganizationID(); known != "" && found != "" && known != found {
		return reading{}, otherOrganization(org, found)
	}
	wait := jittered(interval)
	if !read {
		wait -= r.Connections.now().Sub(conn.roster.ReadAt())
	}
	r.Connections.Read(object, wait)
	log.FromContext(ctx).V(1).Info("read the organization whole", "users", conn.roster.Counts().Total, "next", wait.String())
	conn, ok := r.Connections.For(object)
	if !ok {
		return reading{}, errAsItWas // refused at this moment, and looked at again
	}
	return reading{conn: conn, wait: wait, handled: requested}, nil
}

// maxSyncRequest is as much of a request's value as the status repeats.
const maxSyncRequest = 250

// priority lets the first reading go before, and later ones come after, what people wait for.
func priority(ctx context.Context, conn *connection) context.Context {
	if conn.ready {
		return openai.InBackground(ctx)
	}
	return ctx
}

// suspend keeps the objects of the Organization waiting where its key or Secret is the trouble. What was
// read before an outage stays in use.
func (r *OrganizationReconciler) suspend(org *v1alpha1.Organization, err error) error {
	switch {
	case openai.IsUnauthorized(err):
		err = keyRefused(org, err)
	case openai.IsRejected(err):
		err = readingRejected(org, err)
	}
	if outcomeOf(err, "").state == stalled || isFact(err) {
		r.Connections.Suspend(client.ObjectKeyFromObject(org))
	}
	return err
}
