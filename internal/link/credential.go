package link

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"unique"

	"golang.org/x/net/idna"

	"github.com/rollcall-dev/rollcall/internal/openai"
)

// Credential is what a Secret holds. It is comparable, and no way of formatting it, or what it is a field of, shows the
// Secret's values: fmt goes past the methods of a field that is not exported, but follows no handle.
type Credential struct {
	adminKey, baseURL unique.Handle[string]
	allowInsecure     bool
}

// NewCredential returns the Credential of a key and the address of its API, "" for the public one.
func NewCredential(adminKey, baseURL string, allowInsecure bool) Credential {
	return Credential{
		adminKey: unique.Make(strings.TrimSpace(adminKey)), baseURL: unique.Make(strings.TrimSpace(baseURL)), allowInsecure: allowInsecure,
	}
}

// Client returns a client that calls the credential's address with its key; the rest of what it is like is in the config.
func (c Credential) Client(config openai.Config) (*openai.Client, error) {
	if n := len(c.Address()); n > maxAddress {
		return nil, fmt.Errorf("base-url in the Secret has %d characters, and a status takes %d; write it like %s", n, maxAddress, openai.DefaultBaseURL)
	}
	config.BaseURL, config.AdminKey, config.AllowInsecure = c.baseURL.Value(), c.adminKey.Value(), c.allowInsecure
	return openai.NewClient(config)
}

// maxAddress is as long as status.baseURL may be.
const maxAddress = 2048

// Empty says that there is no key.
func (c Credential) Empty() bool { return c.adminKey.Value() == "" }

// Address is the canonical address of the API: two spellings of one address are one.
func (c Credential) Address() string { return canonical(c.baseURL.Value()) }

func canonical(raw string) string {
	if raw == "" {
		raw = openai.DefaultBaseURL
	}
	u, err := url.Parse(raw)
	if err != nil {
		return raw // no client is made of it
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), strings.TrimLeft(u.Port(), "0")
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	scheme := strings.ToLower(u.Scheme)
	if port != "" && !(scheme == "https" && port == "443") && !(scheme == "http" && port == "80") {
		host += ":" + port
	}
	return scheme + "://" + host + strings.TrimSuffix((&url.URL{Path: path.Clean("/" + u.Path)}).EscapedPath(), "/")
}
