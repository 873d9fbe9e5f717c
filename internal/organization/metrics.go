package organization

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Metrics times how old the look is on which a change rests.
type Metrics struct {
	look *prometheus.HistogramVec
}

// NewMetrics makes the metrics and registers them, if registerer is not nil.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{look: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "rollcall_look_to_call_seconds",
		Help:    "Time from the answer to the look on which a change rests to the request of the change; at most 1.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1},
	}, []string{"organization"})}
	if registerer != nil {
		registerer.MustRegister(m.look)
	}
	return m
}

// DeleteOrganization removes the series of an Organization object that is gone.
func (m *Metrics) DeleteOrganization(organization string) {
	if m != nil {
		m.look.DeletePartialMatch(prometheus.Labels{"organization": organization})
	}
}

func (m *Metrics) observeLook(object types.NamespacedName, age time.Duration) {
	if m != nil {
		m.look.WithLabelValues(object.String()).Observe(age.Seconds())
	}
}
