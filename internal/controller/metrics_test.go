package controller_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var _ = Describe("The metrics", func() {
	It("say who is in the organization, who is declared, what was done and what waits for whom", func(ctx context.Context) {
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Guard.MinOwners = 2 },
			person("ada", "owner"), person("bob", "reader"), person("carol", "reader"),
			openaitest.User{Name: "robot", Role: "reader", IsServiceAccount: true})
		w.sim.AddRole(openaitest.Role{ID: "role-usage", Name: "usage-viewer"})
		elsewhere := w.orgUser("lost")
		elsewhere.Spec.OrganizationRef.Name = "misspelt"
		ada := w.orgUser("ada")
		w.create(ada, w.orgUser("bob", role(v1alpha1.UserRoleOwner)), w.orgUser("nobody"), elsewhere, w.binding("viewers", "usage-viewer", "bob"))
		w.expectReady(ada, w.orgUser("bob"), w.binding("viewers", ""))
		w.delete(ada)
		w.expectGone(ada)
		w.expectStalled(w.organization(), v1alpha1.ReasonHeld, "minOwners")

		w.expectMetrics(`
			rollcall_changes_total{verb="Assign"} 1
			rollcall_changes_total{verb="Remove"} 0
			rollcall_changes_total{verb="Unassign"} 0
			rollcall_changes_total{verb="Update"} 1
			rollcall_declared_users 2
			rollcall_held_removals 1
			rollcall_leaving_users 1
			rollcall_objects{condition="Ready",kind="OrgUser",reason="InSync"} 1
			rollcall_objects{condition="Ready",kind="OrgUserRoleBinding",reason="InSync"} 1
			rollcall_objects{condition="Reconciling",kind="OrgUser",reason="NotAMember"} 1
			rollcall_objects{condition="Stalled",kind="Organization",reason="Held"} 1
			rollcall_resync_interval_seconds 600
			rollcall_roster_scim_managed_users 0
			rollcall_roster_service_accounts 1
			rollcall_roster_users{role="other"} 0
			rollcall_roster_users{role="owner"} 2
			rollcall_roster_users{role="reader"} 2
			rollcall_undeclared_blocked 0
			rollcall_undeclared_users 1`)
		Expect(w.series("")).To(ContainElement(`rollcall_objects{condition="Reconciling",kind="OrgUser",organization="",reason="OrganizationNotReady"} 1`))
		Expect(w.value("rollcall_roster_age_seconds")).To(BeNumerically("<", 600))
	})

	It("count what is held of what nobody declares", func(ctx context.Context) {
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			spec.Guard.MaxRemovals = new(intstr.FromInt32(1))
			spec.Undeclared = v1alpha1.Undeclared{Users: v1alpha1.UndeclaredUsersRemove, RoleAssignments: v1alpha1.UndeclaredRolesReport}
		}, person("ada", "owner"), person("bob", "reader"), person("carol", "reader"), person("dave", "reader"))
		w.create(w.orgUser("ada"))
		w.expectReady(w.orgUser("ada"))
		for range 3 { // two readings in a row must find them
			w.resync()
		}
		Eventually(func() float64 { return w.value("rollcall_held_removals") }).Should(BeEquivalentTo(2))
		Expect(w.series("rollcall_changes_total")).To(ContainElement(HavePrefix(`rollcall_changes_total{verb="Remove"} 1`)))
		Expect(w.value("rollcall_undeclared_role_assignments")).To(BeZero())

		edit(w, w.organization(), func(org *v1alpha1.Organization) { org.Spec.Guard.MaxRemovals = new(intstr.FromString("100%")) })
		Eventually(func() float64 { return w.value("rollcall_held_removals") }).Should(BeZero())
	})

	It("go with the Organization, and keep what was done while its key is exchanged", func(ctx context.Context) {
		w := newWorld(ctx, person("ada", "owner"), person("bob", "reader"))
		w.create(w.orgUser("bob", role(v1alpha1.UserRoleOwner)))
		w.expectReady(w.orgUser("bob"))
		updates := `rollcall_changes_total{verb="Update"} 1`
		Eventually(func() []string { return w.series("rollcall_changes_total") }).Should(ContainElement(updates))
		calls := w.series("rollcall_api_requests_total")
		Expect(calls).To(ContainElement(HavePrefix(`rollcall_api_requests_total{call="POST /organization/users/{id}",code="200"}`)))

		w.sim.AddKey("sk-admin-another-of-the-same")
		edit(w, w.secret(), func(secret *corev1.Secret) { secret.Data["api-key"] = []byte("sk-admin-another-of-the-same") })
		w.resync()
		Expect(w.series("rollcall_changes_total")).To(ContainElement(updates))

		w.delete(w.organization())
		w.expectGone(w.organization())
		Eventually(func() []string { return w.series("rollcall_") }).Should(BeEmpty())
		Expect(w.series("")).To(ContainElement(And(HavePrefix("rollcall_objects"), ContainSubstring(`organization=""`))))
	})

	It("are well formed, documented, and name no person", func(ctx context.Context) {
		w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
			spec.Undeclared.RoleAssignments = v1alpha1.UndeclaredRolesReport
		}, person("ada", "owner"), person("bob", "reader"))
		w.create(w.orgUser("bob", role(v1alpha1.UserRoleOwner)))
		w.expectReady(w.orgUser("bob"))
		w.resync()
		Expect(testutil.GatherAndLint(w.metrics)).To(BeEmpty())

		var rows []string
		for _, family := range w.gather() {
			rows = append(rows, documented(family))
			for _, metric := range family.GetMetric() {
				for _, label := range metric.GetLabel() {
					Expect(label.GetValue()).NotTo(Or(ContainSubstring("@"), MatchRegexp(`user-[0-9a-zA-Z]`)), family.GetName())
				}
			}
		}
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "observability.md"))
		Expect(err).NotTo(HaveOccurred())
		var table []string
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "| `rollcall_") {
				table = append(table, strings.TrimSpace(line))
			}
		}
		Expect(table).To(Equal(rows), "the table of docs/observability.md is to be:\n%s", strings.Join(rows, "\n"))
	})
})

func person(name, role string) openaitest.User {
	return openaitest.User{Name: name, Email: name + "@example.com", Role: role}
}

// documented is the row that docs/observability.md has for the metric.
func documented(family *dto.MetricFamily) string {
	var labels []string
	for _, label := range family.GetMetric()[0].GetLabel() {
		labels = append(labels, "`"+label.GetName()+"`")
	}
	return "| `" + family.GetName() + "` | " + strings.ToLower(family.GetType().String()) + " | " + strings.Join(labels, ", ") + " | " + family.GetHelp() + " |"
}

// gather scrapes the manager's own metrics.
func (w *world) gather() []*dto.MetricFamily {
	GinkgoHelper()
	families, err := w.metrics.Gather()
	Expect(err).NotTo(HaveOccurred())
	return families
}

// series are the values of a scrape whose name begins so, a line each. Those of this Organization are
// written without that label; with an empty prefix they are left out, and all others are there.
func (w *world) series(prefix string) []string {
	GinkgoHelper()
	own := w.namespace + "/default"
	var all []string
	for _, family := range w.gather() {
		for _, metric := range family.GetMetric() {
			var labels []string
			mine := false
			for _, label := range metric.GetLabel() {
				if label.GetName() == "organization" && label.GetValue() == own {
					mine = true
					continue
				}
				labels = append(labels, label.GetName()+`="`+label.GetValue()+`"`)
			}
			name := family.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			if mine == (prefix != "") && strings.HasPrefix(name, prefix) {
				all = append(all, name+" "+strconv.FormatFloat(valueOf(metric), 'g', -1, 64))
			}
		}
	}
	return all
}

func valueOf(metric *dto.Metric) float64 {
	return metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
}

// value is that of this Organization's only series with the name.
func (w *world) value(name string) float64 {
	GinkgoHelper()
	lines := w.series(name)
	Expect(lines).To(HaveLen(1))
	value, err := strconv.ParseFloat(strings.TrimPrefix(lines[0], name+" "), 64)
	Expect(err).NotTo(HaveOccurred())
	return value
}

// expectMetrics waits until a scrape gives these series of the Organization's state, and no others.
func (w *world) expectMetrics(want string) {
	GinkgoHelper()
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(want)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	Eventually(func() []string {
		return slices.DeleteFunc(w.series("rollcall_"), func(line string) bool {
			return strings.HasPrefix(line, "rollcall_api_") || strings.HasPrefix(line, "rollcall_roster_age_") ||
				strings.HasPrefix(line, "rollcall_look_")
		})
	}).Should(Equal(lines))
}
