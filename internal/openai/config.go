package openai

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

// DefaultBaseURL is where the API is when Config.BaseURL is "".
const DefaultBaseURL = "https://api.openai.com/v1"

const (
	defaultTimeout           = 30 * time.Second
	defaultMaxResponseBytes  = 4 << 20
	defaultRequestsPerMinute = 300
	defaultUserAgent         = "rollcall"
)

// Config says how to reach one organization. Format it as you like, it shows
// no key; but do not keep it in an unexported field of another type, where fmt
// goes past its methods.
type Config struct {
	// BaseURL replaces DefaultBaseURL. https, or http for loopback hosts;
	// without user info, query and fragment. White space around it is dropped.
	BaseURL string
	// AdminKey starts with "sk-admin-". White space around it is dropped,
	// since Secrets made with echo end with a newline.
	AdminKey string
	// Limiter is shared by all clients of one organization. nil: one of its
	// own, at 300 requests a minute.
	Limiter *budget.Limiter
	// Timeout bounds one request with its answer, not counting the wait for
	// its turn. 0: 30 s.
	Timeout time.Duration
	// MaxResponseBytes bounds the body of an answer. 0: 4 MiB.
	MaxResponseBytes int64
	// Metrics may be nil.
	Metrics *Metrics
	// MetricsLabel is the value of the label "organization".
	MetricsLabel string
	// UserAgent is sent with every request. "": "rollcall".
	UserAgent string
	// AllowInsecure permits http to hosts other than loopback, for a simulator
	// in a cluster. The key then crosses the network in the clear.
	AllowInsecure bool
	// Transport carries the requests. nil: connections of the client's own.
	Transport http.RoundTripper
}

// String shows no key.
func (c Config) String() string {
	return fmt.Sprintf("openai.Config{BaseURL: %q, MetricsLabel: %q}", redactor(c.AdminKey)(printableURL(c.BaseURL)), c.MetricsLabel)
}

// Format shows no key, whatever the verb; %#v comes here too.
func (c Config) Format(state fmt.State, _ rune) { _, _ = fmt.Fprint(state, c.String()) }

// MarshalText shows no key; encoding/json and log/slog use it.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c Config) withDefaults() Config {
	if strings.TrimSpace(c.BaseURL) == "" {
		c.BaseURL = DefaultBaseURL
	}
	if c.Limiter == nil {
		c.Limiter = budget.NewLimiter(defaultRequestsPerMinute)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxResponseBytes <= 0 {
		c.MaxResponseBytes = defaultMaxResponseBytes
	}
	if c.UserAgent == "" {
		c.UserAgent = defaultUserAgent
	}
	return c
}
