package openai

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// series are the counts of a registry, a line each.
func series(t *testing.T, registry *prometheus.Registry) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			n := float64(metric.GetHistogram().GetSampleCount()) + metric.GetCounter().GetValue()
			all = append(all, fmt.Sprintf("%s{%s} %g", family.GetName(), strings.Join(labels, ","), n))
		}
	}
	sort.Strings(all)
	return all
}

func TestRequestsAreCountedByTemplateAndStatusAndForgottenWithTheOrganization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		metrics := NewMetrics(registry)
		labelled := func(label string) func(*Config) {
			return func(c *Config) { c.Metrics, c.MetricsLabel = metrics, label }
		}
		acme, _ := newMemoryClient(t, answers(ok(userJSON), apiError(404, "", "no"), throttle("Retry-After", "60")), labelled("team-a/acme"))
		for range 4 { // the fourth is held by the pause and not sent
			_, _ = acme.GetUser(t.Context(), "user-1")
		}
		other, _ := newMemoryClient(t, answers(ok(`{"object":"list","data":[],"has_more":false}`)), labelled("team-b/other"))
		_, _ = other.ListUserRoles(t.Context(), "user-1")

		endpoint := "call=GET /organization/users/{id}"
		remaining := []string{
			"rollcall_api_limiter_wait_seconds{organization=team-b/other} 1",
			"rollcall_api_request_duration_seconds{" + endpoint + "/roles,organization=team-b/other} 1",
			"rollcall_api_requests_total{" + endpoint + "/roles,code=200,organization=team-b/other} 1",
		}
		want := append([]string{
			"rollcall_api_limiter_wait_seconds{organization=team-a/acme} 4",
			"rollcall_api_request_duration_seconds{" + endpoint + ",organization=team-a/acme} 3",
			"rollcall_api_requests_total{" + endpoint + ",code=200,organization=team-a/acme} 1",
			"rollcall_api_requests_total{" + endpoint + ",code=404,organization=team-a/acme} 1",
			"rollcall_api_requests_total{" + endpoint + ",code=429,organization=team-a/acme} 1",
		}, remaining...)
		sort.Strings(want)
		if diff := cmp.Diff(want, series(t, registry)); diff != "" {
			t.Error(diff)
		}
		metrics.DeleteOrganization("team-a/acme")
		if diff := cmp.Diff(remaining, series(t, registry)); diff != "" {
			t.Error(diff)
		}
		// These were under way, as it were: one that waited, and one that was sent.
		_, _ = acme.GetUser(t.Context(), "user-1")
		metrics.request("team-a/acme", "GET /organization/users/{id}", http.StatusOK, time.Second)
		if diff := cmp.Diff(remaining, series(t, registry)); diff != "" {
			t.Errorf("a late request brought back what was gone: %s", diff)
		}
	})
}

func TestARequestWithoutAnAnswerIsCountedToo(t *testing.T) {
	registry := prometheus.NewRegistry()
	client := newNetworkClient(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(c *Config) { c.Metrics = NewMetrics(registry) })
	_ = NewChanger(client).DeleteUser(t.Context(), "user-1")
	want := "rollcall_api_requests_total{call=DELETE /organization/users/{id},code=none,organization=} 1"
	if got := series(t, registry); !strings.Contains(strings.Join(got, "\n"), want) {
		t.Errorf("got %q", got)
	}
}

func TestWithoutMetricsNothingIsCountedAndNothingBreaks(t *testing.T) {
	var none *Metrics
	none.DeleteOrganization("x")
	client, _ := newMemoryClient(t, answers(ok(userJSON)))
	if _, err := client.GetUser(t.Context(), "user-1"); err != nil {
		t.Error(err)
	}
	NewMetrics(nil).request("x", "y", 200, 0)
}

func TestStatusesThatAreNoneShareASeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	client, _ := newMemoryClient(t, func(n int, _ *http.Request) answer { return apiError(600+n, "", "x") },
		func(c *Config) { c.Metrics = NewMetrics(registry) })
	for range 20 {
		_, _ = client.GetUser(t.Context(), "user-1")
	}
	want := "rollcall_api_requests_total{call=GET /organization/users/{id},code=other,organization=} 20"
	if got := series(t, registry); !slices.Contains(got, want) {
		t.Errorf("got %q", got)
	}
}
