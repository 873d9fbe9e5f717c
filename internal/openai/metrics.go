package openai

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	organizationLabel = "organization"
	callLabel         = "call"
)

// Metrics counts and times the requests of all organizations. Labels have the
// organization's name in Kubernetes and the endpoint's template, never an
// e-mail address or a user's ID. A nil *Metrics does nothing.
//
// The label for the endpoint is "call": Prometheus Operator gives every target
// a label "endpoint", which would win.
type Metrics struct {
	mu sync.RWMutex
	// known are the organizations that have a client. A request that ends after
	// its organization went must not bring the series back.
	known map[string]bool

	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	waits     *prometheus.HistogramVec
}

// NewMetrics makes the metrics and registers them, if registerer is not nil.
// It panics when they are registered there already.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		known: map[string]bool{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_api_requests_total",
			Help: "Requests to the OpenAI API by call and HTTP status; code is none when no answer arrived, and other when HTTP has no such status.",
		}, []string{organizationLabel, callLabel, "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_api_request_duration_seconds",
			Help:    "Time from sending a request to the OpenAI API to the end of its answer.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{organizationLabel, callLabel}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_api_limiter_wait_seconds",
			Help:    "Time that requests waited for their turn under the organization's requestsPerMinute and pauses.",
			Buckets: []float64{.001, .01, .1, .5, 1, 5, 10, 30, 60, 300},
		}, []string{organizationLabel}),
	}
	if registerer != nil {
		registerer.MustRegister(m.requests, m.durations, m.waits)
	}
	return m
}

// DeleteOrganization removes the series of an organization that is gone.
// organization is the Config.MetricsLabel of its client.
func (m *Metrics) DeleteOrganization(organization string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, organization)
	labels := prometheus.Labels{organizationLabel: organization}
	m.requests.DeletePartialMatch(labels)
	m.durations.DeletePartialMatch(labels)
	m.waits.DeletePartialMatch(labels)
}

// admit has the organization's requests counted until it is deleted.
func (m *Metrics) admit(organization string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[organization] = true
}

func (m *Metrics) request(organization, endpoint string, status int, took time.Duration) {
	if m == nil {
		return
	}
	code := "none"
	switch {
	case http.StatusText(status) != "":
		code = strconv.Itoa(status)
	case status != 0:
		// A server of somebody's own might make a series with each answer.
		code = "other"
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.known[organization] {
		return
	}
	m.requests.WithLabelValues(organization, endpoint, code).Inc()
	m.durations.WithLabelValues(organization, endpoint).Observe(took.Seconds())
}

func (m *Metrics) wait(organization string, waited time.Duration) {
	if m == nil {
		return
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.known[organization] {
		m.waits.WithLabelValues(organization).Observe(waited.Seconds())
	}
}
