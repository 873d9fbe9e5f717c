package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// echo is a proxy before a team's organization that can put the key which it is sent into its own answers.
type echo struct {
	*httptest.Server
	// own is what it answers instead of the organization; nil: nothing.
	own atomic.Pointer[echoAnswer]
	// answered counts what it answered itself.
	answered atomic.Int32
}

// echoAnswer answers calls of a method, or all with "".
type echoAnswer struct {
	method string
	write  func(w http.ResponseWriter, key string)
}

func newEcho(t *team) *echo {
	GinkgoHelper()
	behind, err := url.Parse(strings.TrimSuffix(t.sim.URL(), "/v1"))
	Expect(err).NotTo(HaveOccurred())
	proxy := httputil.NewSingleHostReverseProxy(behind)
	e := &echo{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if own := e.own.Load(); own != nil && (own.method == "" || own.method == r.Method) {
			own.write(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			e.answered.Add(1)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	DeferCleanup(e.Close)
	return e
}

// answer has it answer so, and the manager ask.
func (e *echo) answer(ctx context.Context, t *team, round int, own echoAnswer) {
	GinkgoHelper()
	e.own.Store(&own)
	e.answered.Store(0)
	t.resync(ctx, fmt.Sprintf("round-%d", round))
	t.declare(ctx, "grace", "role: "+[]string{"owner", "reader"}[round%2])
	Eventually(e.answered.Load).Should(BeNumerically(">", 0), "round %d", round)
}

// echoStories have everything go wrong that could show a key, for secrecyStories to look for it.
func echoStories() {
	It("is told its key by an API that repeats it, logs all there is to log, and is dumped", func(ctx SpecContext) {
		metrics := freeAddress()
		running := startManager(ctx, "--log-level=debug", "--metrics-insecure", "--metrics-bind-address="+metrics)
		t := newOrganization("echoes")
		e := newEcho(t)
		kubectl(ctx, "create", "namespace", t.name)
		t.apply(ctx, strings.Replace(t.secret(), t.sim.URL(), e.URL+"/v1", 1)+"---"+organizationManifest)
		t.declare(ctx, "grace", "role: reader")
		t.bind(ctx, "alan")
		t.ready(ctx, "oaiorg/default", "orguser/grace", "orgurb/viewers")

		apiError := func(status int) func(http.ResponseWriter, string) {
			return func(w http.ResponseWriter, key string) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Request-Id", key)
				w.Header().Set("Openai-Organization", key)
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"error":{"message":"Bearer %[1]s","type":%[1]q,"code":%[1]q}}`, key)
			}
		}
		raw := func(format string) func(http.ResponseWriter, string) {
			return func(w http.ResponseWriter, key string) {
				connection, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_, _ = fmt.Fprintf(connection, format, key)
					_ = connection.Close()
				}
			}
		}
		var elsewhere atomic.Bool
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Store(true) }))
		DeferCleanup(other.Close)
		redirect := func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", other.URL+"/"+key)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
		for round, own := range []echoAnswer{
			{http.MethodPost, apiError(400)}, {http.MethodPost, apiError(500)}, {"", apiError(500)}, {"", redirect}, {"", raw("HTTP/1.1 200 OK\r\nBearer %s\r\n\r\n")},
			{"", raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n")}, {"", apiError(401)},
		} {
			e.answer(ctx, t, round, own)
			if round == 0 {
				Eventually(func() string { return t.in(ctx, "get", "orguser", "grace", "-o", "yaml") }).Should(
					ContainSubstring("Bearer …"), "what the API said is not in the status")
			}
		}
		Eventually(t.reason(ctx, "oaiorg/default")).Should(Equal("Unauthorized"))
		Expect(elsewhere.Load()).To(BeFalse(), "a redirect was followed")

		By("scraping its metrics")
		response, err := http.Get("http://" + metrics + "/metrics")
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(page)).To(ContainSubstring(`organization="echoes/default"`))
		expectNoKey(string(page))

		By("having it write all its goroutines, while it asks")
		e.own.Store(nil)
		t.resync(ctx, "again")
		running.Signal(syscall.SIGQUIT).Wait("30s")
		dump := string(running.Err.Contents())
		Expect(dump).To(ContainSubstring("SIGQUIT: quit"))
		Expect(dump).To(ContainSubstring("goroutine "))
		Expect(dump).To(ContainSubstring(`"level":"debug"`))
		Expect(dump).To(ContainSubstring("Bearer sk-…"), "what the API said is not in the log")
		expectNoKey(dump)
		forgetLease(ctx)
	})
}
