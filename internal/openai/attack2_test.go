package openai

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-dev/rollcall/internal/openai/budget"
)

type hostile func(n int, r *http.Request) (status int, header http.Header, body io.Reader)

type hostileTransport struct {
	n   int
	say hostile
}

func (h *hostileTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	h.n++
	status, header, body := h.say(h.n, r)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

func hostileClient(t *testing.T, say hostile) *Client {
	t.Helper()
	c, err := NewClient(Config{BaseURL: "https://api.example/v1", AdminKey: testKey, Limiter: budget.NewLimiter(6_000_000), Transport: &hostileTransport{say: say}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func heapMiB() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 20)
}

// Attack 1: each page of a list has one small user, a short cursor and 8 MiB of a field nobody reads. maxListSize counts 256 bytes a page.
func TestAttackShortCursorsPinWholePages(t *testing.T) {
	padding := strings.Repeat("x", 8<<20)
	grown := 0
	before := heapMiB()
	c := hostileClient(t, func(n int, _ *http.Request) (int, http.Header, io.Reader) {
		if n == 21 {
			grown = heapMiB() - before
			return 500, nil, strings.NewReader("{}")
		}
		return 200, nil, io.MultiReader(
			strings.NewReader(fmt.Sprintf(`{"object":"list","data":[{"id":"u%d","object":"organization.user","added_at":1}],"has_more":true,"last_id":"c%d","pad":"`, n, n)),
			strings.NewReader(padding), strings.NewReader(`"}`))
	})
	_, err := c.ListUsers(t.Context())
	t.Logf("after 20 pages with 20 users: %d MiB more; %v", grown, err)
	if grown > 40 {
		t.Errorf("20 users of 20 pages keep %d MiB alive, which no bound counts", grown)
	}
}

// Attack 2: one answer within MaxResponseBytes (16 MiB).
func TestAttackOneAnswerOfManyEmptyItems(t *testing.T) {
	for name, item := range map[string]string{"empty": "{}", "null": "null", "number": "1"} {
		t.Run(name, func(t *testing.T) {
			const size = 2 << 20 // of the 16 MiB that are taken
			body := `{"object":"list","data":[` + strings.TrimSuffix(strings.Repeat(item+",", size/(len(item)+1)), ",") + `],"has_more":false}`
			var peak atomic.Int64
			done := make(chan struct{})
			go func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(20 * time.Millisecond):
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						if p := int64(m.HeapAlloc >> 20); p > peak.Load() {
							peak.Store(p)
						}
					}
				}
			}()
			c := hostileClient(t, func(int, *http.Request) (int, http.Header, io.Reader) { return 200, nil, strings.NewReader(body) })
			_, err := c.ListUsers(t.Context())
			close(done)
			t.Logf("peak %d MiB; %.200v", peak.Load(), err)
			if peak.Load() > 100 {
				t.Errorf("one answer of 2 MiB takes %d MiB, so one of 16 MiB eight times that; the manager's limit is 512 MiB", peak.Load())
			}
		})
	}
}

// Attack 3: a status code of its own in each answer makes a series of its own.
func TestAttackStatusCodesMakeSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := NewMetrics(registry)
	c, err := NewClient(Config{BaseURL: "https://api.example/v1", AdminKey: testKey, Limiter: budget.NewLimiter(6_000_000), Metrics: metrics, MetricsLabel: "ns/evil",
		Transport: &hostileTransport{say: func(n int, _ *http.Request) (int, http.Header, io.Reader) {
			return 200 + n, nil, strings.NewReader(`{"error":{"message":"x"}}`)
		}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 700 {
		_, _ = c.GetUser(t.Context(), "user-1")
	}
	families, _ := registry.Gather()
	for _, f := range families {
		if f.GetName() == "rollcall_api_requests_total" && len(f.GetMetric()) > 100 {
			t.Errorf("%d series of one call of one organization", len(f.GetMetric()))
		}
	}
}

// Attack 4: the key in what is kept and shown.
func TestAttackKeyInNames(t *testing.T) {
	c := hostileClient(t, func(int, *http.Request) (int, http.Header, io.Reader) {
		return 200, nil, strings.NewReader(fmt.Sprintf(`{"id":"user-1","object":"organization.user","added_at":1,"email":"%[1]s@example.com","name":%[1]q,"role":%[1]q,"developer_persona":%[1]q}`, testKey))
	})
	user, err := c.GetUser(t.Context(), "user-1")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprint(user), testKey) {
		t.Errorf("the key is in the user: %+v", user)
	}
	c = hostileClient(t, func(int, *http.Request) (int, http.Header, io.Reader) {
		return 200, nil, strings.NewReader(fmt.Sprintf(`{"object":"list","data":[{"id":"role-%[1]s","name":%[1]q,"object":"role","predefined_role":false}],"has_more":false,"next":null}`, testKey))
	})
	roles, err := c.ListRoles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprint(roles), testKey) {
		t.Errorf("the key is in a role: %+v", roles)
	}
	_, err = c.GetUser(t.Context(), testKey+"/x")
	if strings.Contains(err.Error(), testKey) || strings.Contains(StableMessage(err), testKey) {
		t.Errorf("the key is in an error: %v", err)
	}
}

// Attack 5: text that is no UTF-8 comes back from Kubernetes as another one.
func TestAttackTextThatIsNoUTF8(t *testing.T) {
	c := hostileClient(t, func(int, *http.Request) (int, http.Header, io.Reader) {
		return 200, nil, strings.NewReader(`{"object":"list","data":[{"id":"user-` + "\xff" + `","object":"organization.user","added_at":1,"email":"a@example.com","name":"n` + "\xff" + `"}],"has_more":false}`)
	})
	users, err := c.ListUsers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !utf8.ValidString(users[0].ID) || !utf8.ValidString(users[0].Name) {
		t.Errorf("an ID that no status can hold: %q %q", users[0].ID, users[0].Name)
	}
}

func TestAttackSurrogates(t *testing.T) {
	c := hostileClient(t, func(int, *http.Request) (int, http.Header, io.Reader) {
		return 200, nil, strings.NewReader(`{"object":"list","data":[{"id":"user-\u0000\n/../x","object":"organization.user","added_at":1,"email":"a@example.com","name":"\ud800"}],"has_more":false}`)
	})
	users, err := c.ListUsers(t.Context())
	t.Logf("%+q %v", fmt.Sprint(users), err)
}

func TestAttackANameOfContinuationBytes(t *testing.T) {
	c := hostileClient(t, func(int, *http.Request) (int, http.Header, io.Reader) {
		return 200, nil, strings.NewReader(`{"id":"user-1","object":"organization.user","added_at":1,"email":"a@example.com","name":"` + strings.Repeat("\x80", 1010) + `"}`)
	})
	user, err := c.GetUser(t.Context(), "user-1")
	if err == nil && !utf8.ValidString(user.Name) {
		t.Errorf("a name of %d bytes that are no text is kept", len(user.Name))
	}
}

// The next cursor may itself be as long as an answer; it is sent in the URL and kept.
func TestAttackLongCursors(t *testing.T) {
	long := strings.Repeat("c", 4<<20)
	asked := 0
	c := hostileClient(t, func(n int, r *http.Request) (int, http.Header, io.Reader) {
		asked = max(asked, len(r.URL.RawQuery))
		if n == 4 {
			return 500, nil, strings.NewReader("{}")
		}
		return 200, nil, strings.NewReader(fmt.Sprintf(`{"object":"list","data":[{"id":"u%d","object":"organization.user","added_at":1}],"has_more":true,"last_id":"%d%s"}`, n, n, long))
	})
	_, _ = c.ListUsers(t.Context())
	if asked > 1<<20 {
		t.Errorf("a cursor of %d MiB is sent and kept", asked>>20)
	}
}
