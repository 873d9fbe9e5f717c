package openai

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

const (
	adminKeyPrefix = "sk-admin-"
	adminKeysPage  = "https://platform.openai.com/settings/organization/admin-keys"
)

// checkKey gives the key without surrounding white space, or says what is
// wrong with it and how to mend it. The error never contains any of the key.
func checkKey(raw string) (string, error) {
	key := strings.TrimSpace(raw)
	if key == "" {
		return "", errors.New("the admin key is empty; put a key made at " + adminKeysPage + " into the Secret")
	}
	for _, r := range key {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			return "", errors.New("the admin key contains white space inside; put one key, on one line, into the Secret")
		case r < 0x21 || r > 0x7e:
			return "", errors.New("the admin key contains a character that is not printable ASCII; copy it again, and check that the Secret's data is base64 of the key itself")
		}
	}
	if !strings.HasPrefix(key, "sk-") {
		return "", errors.New("the admin key does not start with " + adminKeyPrefix + "; check that the Secret's data is base64 of the key itself, or make a key at " + adminKeysPage)
	}
	if !strings.HasPrefix(key, adminKeyPrefix) {
		return "", errors.New("the admin key is an API key of another kind: an admin key starts with " + adminKeyPrefix + "; an owner makes one at " + adminKeysPage)
	}
	if len(key) == len(adminKeyPrefix) {
		return "", errors.New("the admin key is only the prefix " + adminKeyPrefix + "; put the whole key into the Secret")
	}
	return key, nil
}

// checkBaseURL gives the URL that requests are made under, or says what is
// wrong with it and how to mend it. A password in it is not repeated.
func checkBaseURL(raw string, allowInsecure bool) (*url.URL, error) {
	const field = "base-url in the Secret "
	base, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil:
		// url.Parse repeats its input, which might hold a password.
		return nil, errors.New(field + "is not a URL; write it like " + DefaultBaseURL)
	case strings.Contains(strings.ToLower(raw), adminKeyPrefix), strings.Contains(strings.ToLower(base.Path), adminKeyPrefix):
		// It would be in the path of each request, and in the logs of each proxy.
		return nil, errors.New(field + "contains an admin key; write it like " + DefaultBaseURL + ", and put the key into the Secret under its own name")
	case base.User != nil:
		return nil, errors.New(field + "contains a user name or password; remove it: the admin key alone authenticates")
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, errors.New(field + "must start with https://; write it like " + DefaultBaseURL)
	case base.Hostname() == "":
		return nil, errors.New(field + "names no host; write it like " + DefaultBaseURL)
	case base.RawQuery != "" || base.ForceQuery || strings.Contains(raw, "#"):
		return nil, errors.New(field + "contains a query or a fragment; end it with the path, as in " + DefaultBaseURL)
	case isAmbiguous(base):
		return nil, errors.New(field + "has a path with //, . or .., or with a slash or backslash that is encoded, which servers read in different ways; write it as https://host/v1")
	}
	// What is sent is spelled as what the status says.
	base.RawPath = ""
	switch {
	case len(base.String()) > maxBaseURL:
		return nil, fmt.Errorf("%sis longer than %d characters; write it like %s", field, maxBaseURL, DefaultBaseURL)
	case base.Scheme == "http" && !allowInsecure && !isLoopback(base.Hostname()):
		return nil, errors.New(field + "is http, which would send the admin key in the clear; use https, or start the manager with --allow-insecure-base-url if this is a simulator")
	}
	return base, nil
}

// isAmbiguous says whether a proxy or a server might take the path for another.
func isAmbiguous(base *url.URL) bool {
	return strings.Contains(base.Path, "//") || strings.Contains(base.Path, `\`) || strings.Contains(strings.ToLower(base.RawPath), "%2f") ||
		slices.ContainsFunc(strings.Split(base.Path, "/"), func(segment string) bool { return segment == "." || segment == ".." })
}

// maxBaseURL is as long as a status takes, with room for other spellings.
const maxBaseURL = 2000

// isLoopback does not resolve names: a name that resolves to loopback today
// may resolve elsewhere tomorrow.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// printableURL is a URL without the parts that may hold secrets.
func printableURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
