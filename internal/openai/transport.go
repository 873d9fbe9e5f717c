package openai

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// maxConnections bounds idle connections kept for reuse. Reconcile workers and
// a roster refresh seldom have more requests under way at once.
const maxConnections = 32

// newHTTPClient gives each Client its own connections, so that closing those
// of a rotated key leaves the rest alone.
func newHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConns:           maxConnections,
			MaxIdleConnsPerHost:    maxConnections,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 256 << 10,
		},
		// A redirect is handed back as the answer, never followed: another
		// host must not see the admin key, and a POST that becomes a GET on
		// the way would look like a success.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
