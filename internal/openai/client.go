package openai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

// callPatience is the longest pause that a call waits out which is not part of a
// list; a longer one gives its worker back at once.
const callPatience = time.Second

// Client reads one organization; a [Changer] of it changes it. It is safe for use by many
// goroutines. It shows no key however it is formatted: the key is held by
// closures only.
type Client struct {
	users sdk.AdminOrganizationUserService
	roles sdk.AdminOrganizationRoleService

	http         *http.Client
	limiter      *budget.Limiter
	timeout      time.Duration
	maxBody      int64
	metrics      *Metrics
	metricsLabel string
	redact       func(string) string
	// withoutKey only takes out the key.
	withoutKey func(string) string
	// organizationID is nil before the first answer that names one.
	organizationID atomic.Pointer[string]
}

// NewClient checks the key and the URL and makes no request. Its errors name
// the field and how to mend it, and do not contain the key.
func NewClient(config Config) (*Client, error) {
	config = config.withDefaults()
	key, err := checkKey(config.AdminKey)
	if err != nil {
		return nil, err
	}
	base, err := checkBaseURL(config.BaseURL, config.AllowInsecure)
	if err != nil {
		return nil, err
	}
	client := &Client{
		http:         newHTTPClient(),
		limiter:      config.Limiter,
		timeout:      config.Timeout,
		maxBody:      config.MaxResponseBytes,
		metrics:      config.Metrics,
		metricsLabel: config.MetricsLabel,
		redact:       redactor(key),
		withoutKey:   func(text string) string { return strings.ReplaceAll(text, key, "sk-…") },
	}
	if config.Transport != nil {
		client.http.Transport = config.Transport
	}
	// The services are made one by one because sdk.NewClient would read
	// OPENAI_BASE_URL, OPENAI_CUSTOM_HEADERS and others from the environment.
	options := []option.RequestOption{
		option.WithBaseURL(base.String()),
		option.WithAdminAPIKey(key),
		option.WithHTTPClient(client.http),
		option.WithHeader("User-Agent", config.UserAgent),
		// Retries belong to the callers and to the pager. The SDK's would
		// neither count against the Limiter nor pause the organization.
		option.WithMaxRetries(0),
	}
	client.users = sdk.NewAdminOrganizationUserService(options...)
	client.roles = sdk.NewAdminOrganizationRoleService(options...)
	client.metrics.admit(client.metricsLabel)
	return client, nil
}

// Unnamed begins what rollcall itself calls an organization to which the API gives
// no ID. An ID that the API gives never begins so: it is taken for none.
const Unnamed = "object:"

// OrganizationID is what the API calls the organization of the key (header
// openai-organization, observed), or "" before the first answer.
func (c *Client) OrganizationID() string {
	if id := c.organizationID.Load(); id != nil {
		return *id
	}
	return ""
}

// CloseIdleConnections lets go of the connections, for a client that is no
// longer used because its key was rotated.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// String shows no key.
func (c *Client) String() string { return fmt.Sprintf("openai.Client{%q}", c.metricsLabel) }

// Format shows no key, whatever the verb; %#v comes here too.
func (c *Client) Format(state fmt.State, _ rune) { _, _ = fmt.Fprint(state, c.String()) }

// MarshalText shows no key; encoding/json and log/slog use it.
func (c *Client) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// call describes one of the ten calls.
type call struct {
	// op is the call in words, for errors.
	op       string
	endpoint budget.Endpoint
	// further is a page of a list after its first.
	further bool
	// patience is the longest pause that the call waits out. 0: callPatience.
	patience time.Duration
}

// perform makes one request: its turn at the limiter, its timeout, its
// metrics, and one error type for all that can go wrong. send uses the SDK
// with the options given, and checks and converts the answer.
func perform[T any](ctx context.Context, c *Client, call call, send func(context.Context, option.RequestOption) (T, error)) (T, error) {
	var none T
	waited, err := c.turn(ctx, call)
	c.metrics.wait(c.metricsLabel, waited)
	if err != nil {
		return none, notSent(call, err)
	}

	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	exchange := &exchange{client: c, op: call.op, endpoint: call.endpoint, sentAt: time.Now()}
	result, err := send(attempt, option.WithMiddleware(exchange.do))
	c.metrics.request(c.metricsLabel, string(call.endpoint), exchange.status, time.Since(exchange.sentAt))
	if err == nil {
		return result, nil
	}
	return none, exchange.failure(ctx, attempt, err)
}

// turn is when the call may be sent, with the time it took.
func (c *Client) turn(ctx context.Context, call call) (time.Duration, error) {
	if !isPrepaid(ctx) {
		return c.limiter.Wait(ctx, classOf(ctx), budget.Calls{call.endpoint: 1}, cmp.Or(call.patience, callPatience))
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return 0, c.limiter.Prepaid(call.endpoint, !call.further)
}

// notSent is the error of a call that did not get its turn.
func notSent(call call, err error) error {
	if paused, ok := errors.AsType[*budget.PausedError](err); ok {
		return &Error{
			Op: call.op, Status: http.StatusTooManyRequests, RetryAfter: paused.Left,
			Message: "not sent: the organization is in a pause that the API asked for",
		}
	}
	return fmt.Errorf("openai: %s: %w", call.op, err)
}

// maxIDLength is far beyond the longest ID seen, which is that of a predefined
// role with its organization in it.
const maxIDLength = 256

// maxUserIDLength is as long as a status takes.
const maxUserIDLength = 128

// checkID refuses an ID that could mean another path than the one intended.
// The SDK escapes it, but a proxy on the way may unescape and clean the path.
func (c *Client) checkID(op, what, id string) error {
	switch {
	case id == "":
		return refuse(op, "the %s ID is empty", what)
	case len(id) > maxIDLength:
		return refuse(op, "the %s ID is longer than %d characters", what, maxIDLength)
	case strings.Contains(id, "..") || id == "." || strings.ContainsFunc(id, notInID):
		return refuse(op, "%q is not a %s ID: it has a character that no ID has", c.redact(id), what)
	}
	return nil
}

func notInID(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`/\?#%`, r)
}

// Limiter is the budget that the client's calls are made within.
func (c *Client) Limiter() *budget.Limiter { return c.limiter }
