package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// profileAddress is where a manager built with --profile serves its profiles.
const profileAddress = "127.0.0.1:16060"

// profilingSource is compiled into the manager beside its own files. The product serves no profiles.
const profilingSource = `package main

import (
	"net/http"
	_ "net/http/pprof"
)

func init() { go http.ListenAndServe("` + profileAddress + `", nil) }
`

// profilingOverlay has go build see one file more in cmd/manager than there is.
func profilingOverlay(folder string) (string, error) {
	source := filepath.Join(folder, "profiling.go")
	if err := os.WriteFile(source, []byte(profilingSource), 0o600); err != nil {
		return "", err
	}
	target, err := filepath.Abs("cmd/manager/zz_profiling.go")
	if err != nil {
		return "", err
	}
	content, err := json.Marshal(map[string]map[string]string{"Replace": {target: source}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	return overlay, os.WriteFile(overlay, content, 0o600)
}

// profileCPU takes a CPU profile of the phase that begins. It does nothing without --profile. The server
// answers with the profile when the time is over, so the file may come after the phase.
func (m *measurement) profileCPU(ctx context.Context, phase string, span time.Duration) {
	if m.settings.profile == "" {
		return
	}
	m.profiles.Go(func() {
		// The manager may just have been started. Where it never listens, the fetch says so.
		_ = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", profileAddress)
			if err != nil {
				return false, nil //nolint:nilerr // not yet
			}
			return true, connection.Close()
		})
		m.fetchProfile(ctx, phase+".cpu", fmt.Sprintf("profile?seconds=%d", int(span.Seconds())))
	})
}

// profileHeap saves what is on the heap, and what was ever allocated. It does nothing without --profile.
func (m *measurement) profileHeap(ctx context.Context, phase string) {
	if m.settings.profile != "" {
		m.fetchProfile(ctx, phase+".heap", "heap")
	}
}

func (m *measurement) fetchProfile(ctx context.Context, name, query string) {
	file := filepath.Join(m.settings.profile, fmt.Sprintf("%d-%s.pprof", m.users, name))
	err := fetch(ctx, "http://"+profileAddress+"/debug/pprof/"+query, file)
	if err != nil && ctx.Err() == nil {
		m.say.linef("no profile %s: %v", file, err)
	}
}

func fetch(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, response.Body)
	return err
}
