// Package statemetrics says at each scrape how many objects there are in which state, and what is known of each
// organization. The metrics of the calls to the API are in package openai, those of the looks in package organization.
package statemetrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/registry"
)

// No label has an email or a user's ID, and none is named like one that Prometheus Operator gives to a target (namespace,
// endpoint, pod, service, container, job, instance), which would win.
var (
	rosterAge = describeOrganizations("rollcall_roster_age_seconds",
		"Seconds since the organization was last read whole; since the Organization was created, if it never was.")
	resyncInterval = describeOrganizations("rollcall_resync_interval_seconds",
		"How often the organization is to be read whole: spec.resyncInterval.")
	rosterUsers = describeOrganizations("rollcall_roster_users",
		"Users of the live organization as rollcall knows it, by role: owner, reader or other.", "role")
	serviceAccounts = describeOrganizations("rollcall_roster_service_accounts",
		"Those of the users that are service accounts.")
	scimManaged = describeOrganizations("rollcall_roster_scim_managed_users",
		"Those of the users that an identity provider manages through SCIM.")
	declaredUsers = describeOrganizations("rollcall_declared_users",
		"OrgUsers that name the Organization.")
	undeclaredUsers = describeOrganizations("rollcall_undeclared_users",
		"Users that no OrgUser declares; absent with spec.undeclared.users Ignore.")
	undeclaredRoles = describeOrganizations("rollcall_undeclared_role_assignments",
		"Role assignments that no OrgUserRoleBinding declares; absent with spec.undeclared.roleAssignments Ignore.")
	undeclaredBlocked = describeOrganizations("rollcall_undeclared_blocked",
		"1 while nothing undeclared is taken, although spec.undeclared asks for it, since an OrgUser is not matched with a member, or there is none; else 0.")
	heldRemovals = describeOrganizations("rollcall_held_removals",
		"Removals of users, and changes that take the role owner away, that wait though they are due, as those that spec.guard holds.")
	leavingUsers = describeOrganizations("rollcall_leaving_users",
		"Users whose OrgUser was deleted and who are to be removed: status.leaving.")
	learntRate = describeOrganizations("rollcall_api_learnt_requests_per_minute",
		"Requests a minute that rollcall keeps to for a call, since the API took no more of them; absent where that is spec.requestsPerMinute.", "call")
	changesMade = describeOrganizations("rollcall_changes_total",
		"Changes made in the organization by verb: Update, Remove, Assign or Unassign.", "verb")
	objects = prometheus.NewDesc("rollcall_objects",
		"Objects by kind, by the condition that says who moves next (Ready, Reconciling, Stalled, or Unknown before the first look) and by its reason; organization is empty where the Organization that they name does not exist.",
		[]string{"organization", "kind", "condition", "reason"}, nil)
)

// describeOrganizations describes a metric that each Organization object has.
func describeOrganizations(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"organization"}, labels...), nil)
}

// scrapeTimeout bounds the reads of a scrape. They come from memory, so it says that something is broken.
const scrapeTimeout = 10 * time.Second

// Metrics makes the metrics of the state at the moment of a scrape, from the caches and rosters. What is
// not there any more has no series, and nothing needs to be set when something changes. Only the manager that
// acts gives them, so that sums over replicas count once.
type Metrics struct {
	// Cache has all objects.
	Cache         client.Reader
	Organizations *registry.Organizations
	// Undeclared says what was found last of what no object of an Organization declares.
	Undeclared func(types.NamespacedName) Undeclared
	// Elected is closed once this manager acts.
	Elected <-chan struct{}
}

// Undeclared is what stands against taking what no object declares.
type Undeclared struct {
	// Held are the removals of users that the guard holds.
	Held int
	// Blocked: nothing is taken at all.
	Blocked bool
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		rosterAge, resyncInterval, rosterUsers, serviceAccounts, scimManaged, declaredUsers, undeclaredUsers,
		undeclaredRoles, undeclaredBlocked, heldRemovals, leavingUsers, learntRate, changesMade, objects,
	} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	select {
	case <-m.Elected:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	seen, organizations, err := m.look(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(objects, err)
		return
	}
	for i := range organizations {
		org := &organizations[i]
		m.organization(metrics, org, seen.of[client.ObjectKeyFromObject(org)])
	}
	for series, count := range seen.objects {
		metrics <- prometheus.MustNewConstMetric(objects, prometheus.GaugeValue, float64(count),
			series.organization, series.kind, series.condition, series.reason)
	}
}

// organization gives the metrics of one Organization object.
func (m *Metrics) organization(metrics chan<- prometheus.Metric, org *v1alpha1.Organization, users orgUserCounts) {
	name := client.ObjectKeyFromObject(org)
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{name.String()}, labels...)...)
	}
	view := m.Organizations.View(name)
	// The API server's clock, which dates objects, may be ahead.
	gauge(rosterAge, max(0, time.Since(lastRead(org, view.ReadAt)).Seconds()))
	gauge(resyncInterval, org.Spec.ResyncInterval.Seconds())
	gauge(declaredUsers, float64(users.declared))
	found := m.Undeclared(name)
	held := users.held + found.Held
	for _, line := range org.Status.Leaving {
		if line.Held != "" {
			held++
		}
	}
	gauge(heldRemovals, float64(held))
	gauge(leavingUsers, float64(len(org.Status.Leaving)))
	for endpoint, perMinute := range view.Learnt {
		gauge(learntRate, perMinute, string(endpoint))
	}
	blocked := 0.0
	if found.Blocked {
		blocked = 1
	}
	gauge(undeclaredBlocked, blocked)
	if n := org.Status.UndeclaredUsers; n != nil {
		gauge(undeclaredUsers, float64(*n))
	}
	if n := org.Status.UndeclaredRoleAssignments; n != nil {
		gauge(undeclaredRoles, float64(*n))
	}
	if !view.ReadAt.IsZero() {
		gauge(rosterUsers, float64(view.Counts.Owners), "owner")
		gauge(rosterUsers, float64(view.Counts.Readers), "reader")
		gauge(rosterUsers, float64(view.Counts.Total-view.Counts.Owners-view.Counts.Readers), "other")
		gauge(serviceAccounts, float64(view.Counts.ServiceAccounts))
		gauge(scimManaged, float64(view.Counts.SCIMManaged))
	}
	for verb, count := range view.Made {
		metrics <- prometheus.MustNewConstMetric(changesMade, prometheus.CounterValue, float64(count), name.String(), string(verb))
	}
}

// lastRead is when the organization was last read whole: by this manager, or by one before it, which left the
// time in the status.
func lastRead(org *v1alpha1.Organization, here time.Time) time.Time {
	last := org.CreationTimestamp.Time
	if noted := org.Status.LastSyncTime; noted != nil && noted.After(last) {
		last = noted.Time
	}
	if here.After(last) {
		last = here
	}
	return last
}

// objectSeries are the labels of one series of rollcall_objects.
type objectSeries struct{ organization, kind, condition, reason string }

// orgUserCounts counts the OrgUsers of one Organization object.
type orgUserCounts struct{ declared, held int }

// counted is what one look at all objects counts.
type counted struct {
	objects map[objectSeries]int
	of      map[types.NamespacedName]orgUserCounts
}
