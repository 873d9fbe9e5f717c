package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// bareLoop makes the calls and writes that convergence cannot do without, and decides nothing: it knows
// beforehand what is to be done.
type bareLoop struct {
	cluster   *cluster
	namespace string
	users     int
	workers   int
	sim       *openaitest.Server
	http      *http.Client
	limiter   *rate.Limiter
}

// floorWorkers is how many objects the bare loop works on at once.
const floorWorkers = 20

// floor returns how long the bare loop takes until the last OrgUser of a new namespace is seen to be Ready.
func (m *measurement) floor(ctx context.Context, namespace string) (time.Duration, error) {
	if err := m.cluster.populate(ctx, m.say, namespace, m.users, everyOther); err != nil {
		return 0, err
	}
	sim := newOrganization(m.users, m.settings.latency)
	defer sim.Close()
	l := &bareLoop{
		cluster: m.cluster, namespace: namespace, users: m.users, workers: floorWorkers, sim: sim,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floorWorkers}},
		// The manager's limiter has a burst of two seconds' worth.
		limiter: rate.NewLimiter(requestsPerMinute/60, 2*requestsPerMinute/60),
	}
	defer l.http.CloseIdleConnections()
	seen, err := m.cluster.watchReadiness(ctx, namespace, m.users)
	if err != nil {
		return 0, err
	}
	defer seen.stop()
	defer m.say.stepf("the floor: a bare loop in namespace %s", namespace)()
	defer m.say.counting("OrgUsers are Ready", m.users, seen.count)()
	begun := time.Now()
	if err := l.run(ctx); err != nil {
		return 0, err
	}
	if err := seen.wait(ctx, nil); err != nil {
		return 0, err
	}
	return seen.last.Sub(begun), nil
}

func (l *bareLoop) run(ctx context.Context) error {
	if err := l.list(ctx); err != nil {
		return err
	}
	// Each event is sent aside, as client-go's recorder does.
	events, eventsContext := errgroup.WithContext(ctx)
	err := forEach(ctx, l.users, l.workers, func(ctx context.Context, i int) error {
		path := orgUserPath(l.namespace, i)
		if err := l.cluster.patch(ctx, path, finalizerPatch()); err != nil {
			return err
		}
		if everyOther(i) {
			body := encode(object{"developer_persona": persona})
			if _, err := l.call(ctx, http.MethodPost, "/organization/users/"+nameOf(i), body); err != nil {
				return err
			}
		}
		if err := l.cluster.patch(ctx, path+"/status", statusPatch(i, everyOther(i))); err != nil {
			return err
		}
		if everyOther(i) {
			events.Go(func() error {
				return l.cluster.create(eventsContext, "/apis/events.k8s.io/v1/namespaces/"+l.namespace+"/events", eventManifest(l.namespace, i))
			})
		}
		return nil
	})
	if eventErr := events.Wait(); err == nil {
		err = eventErr
	}
	return err
}

// list reads the organization whole. Each page's cursor is the last ID of the one before, so pages cannot
// be read at once.
func (l *bareLoop) list(ctx context.Context) error {
	after := ""
	for {
		path := "/organization/users?limit=100"
		if after != "" {
			path += "&after=" + after
		}
		answer, err := l.call(ctx, http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		var page struct {
			HasMore bool   `json:"has_more"` //nolint:tagliatelle // the API's own name
			LastID  string `json:"last_id"`  //nolint:tagliatelle // the API's own name
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return err
		}
		if !page.HasMore {
			return nil
		}
		after = page.LastID
	}
}

func (l *bareLoop) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	if err := l.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, l.sim.URL()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+l.sim.AdminKey())
	request.Header.Set("Content-Type", "application/json")
	response, err := l.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the simulated organization answered %s %s with %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}
