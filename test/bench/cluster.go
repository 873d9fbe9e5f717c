package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// cluster is the API server, spoken to with as little around HTTP as can be: the floor is to be low, and what
// bench itself does is not to take the CPU from what it measures.
type cluster struct {
	http *http.Client
	host string
}

func newCluster(config *rest.Config) (*cluster, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	// The host of a configuration may come without https.
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	return &cluster{http: client, host: strings.TrimSuffix(host.String(), "/")}, nil
}

const mergePatch = "application/merge-patch+json"

// do makes a request and returns the answer's body, which the caller closes.
func (c *cluster) do(ctx context.Context, method, path, contentType string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusBadRequest {
		defer response.Body.Close()
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 2048)) // the status says enough
		return nil, fmt.Errorf("the API server answered %s %s with %s: %s", method, path, response.Status, answer)
	}
	return response.Body, nil
}

// write makes a request whose answer is of no interest, but is read: the connection is to be used again.
func (c *cluster) write(ctx context.Context, method, path, contentType string, body []byte) error {
	answer, err := c.do(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return err
}

func (c *cluster) create(ctx context.Context, path string, manifest object) error {
	return c.write(ctx, http.MethodPost, path, "application/json", encode(manifest))
}

func (c *cluster) patch(ctx context.Context, path string, patch object) error {
	return c.write(ctx, http.MethodPatch, path, mergePatch, encode(patch))
}

// rollcallPath is the path of a collection of rollcall's kinds.
func rollcallPath(namespace, resource string) string {
	return fmt.Sprintf("/apis/%s/namespaces/%s/%s", v1alpha1.GroupVersion, namespace, resource)
}

func orgUserPath(namespace string, i int) string {
	return rollcallPath(namespace, orgUsers) + "/" + nameOf(i)
}

// organizationPath is the path of the one Organization of a namespace.
func organizationPath(namespace string) string {
	return rollcallPath(namespace, organizations) + "/default"
}

// populate creates a namespace with so many OrgUsers.
func (c *cluster) populate(ctx context.Context, say progress, namespace string, users int, differ differs) error {
	defer say.stepf("creating %d OrgUsers in namespace %s", users, namespace)()
	if err := c.create(ctx, "/api/v1/namespaces", namespaceManifest(namespace)); err != nil {
		return err
	}
	path := rollcallPath(namespace, orgUsers)
	return forEach(ctx, users, 20, func(ctx context.Context, i int) error {
		return c.create(ctx, path, orgUserManifest(i, differ(i)))
	})
}

// connect creates the Organization of a namespace, with the key of a simulated one.
func (c *cluster) connect(ctx context.Context, namespace string, sim *openaitest.Server, spec object) error {
	if err := c.create(ctx, "/api/v1/namespaces/"+namespace+"/secrets", secretManifest(sim)); err != nil {
		return err
	}
	return c.create(ctx, rollcallPath(namespace, organizations), organizationManifest(spec))
}

// observed waits until the manager has taken note of an Organization's manifest as it is now.
func (c *cluster) observed(ctx context.Context, namespace string) error {
	deadline := time.Now().Add(patience)
	for {
		answer, err := c.do(ctx, http.MethodGet, organizationPath(namespace), "", nil)
		if err != nil {
			return err
		}
		var org v1alpha1.Organization
		err = json.NewDecoder(answer).Decode(&org)
		answer.Close()
		switch {
		case err != nil:
			return err
		case org.Status.ObservedGeneration == org.Generation:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the status of the Organization in namespace %s does not speak of its manifest within %s", namespace, patience)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// forEach runs the function for 0 to total-1, so many at once, and ends at the first error.
func forEach(ctx context.Context, total, concurrency int, run func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan int)
	group.Go(func() error {
		defer close(next)
		for i := range total {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range concurrency {
		group.Go(func() error {
			for i := range next {
				if err := run(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
