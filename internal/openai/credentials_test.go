package openai

import (
	"strings"
	"testing"
)

func TestAKeyIsCheckedAndItsFaultNamedWithoutRepeatingIt(t *testing.T) {
	const secret = "Zq7SECRETzq7"
	for name, test := range map[string]struct{ key, want string }{
		"a key":                       {"sk-admin-" + secret, ""},
		"a key made with echo":        {"  sk-admin-" + secret + " \r\n", ""},
		"nothing":                     {"", "the admin key is empty; put a key made at https://platform.openai.com/settings/organization/admin-keys into the Secret"},
		"white space":                 {" \n", "the admin key is empty"},
		"two lines":                   {"sk-admin-" + secret + "\nsk-admin-" + secret, "contains white space inside"},
		"a space":                     {"sk-admin- " + secret, "contains white space inside"},
		"a byte order mark":           {"\ufeffsk-admin-" + secret, "not printable ASCII"},
		"a control character":         {"sk-admin-" + secret + "\x00\x01x", "not printable ASCII"},
		"bytes":                       {"sk-admin-\xff\xfe" + secret, "not printable ASCII"},
		"the key of a project":        {"sk-proj-" + secret, "an admin key starts with sk-admin-; an owner makes one at https://platform.openai.com/settings/organization/admin-keys"},
		"the key of a user":           {"sk-" + secret, "an admin key starts with sk-admin-"},
		"a key in base64, twice":      {"c2stYWRtaW4t" + secret, "does not start with sk-admin-; check that the Secret's data is base64 of the key itself"},
		"a prefix and nothing behind": {"sk-admin-", "only the prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewClient(Config{AdminKey: test.key})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "q7"):
				t.Errorf("%v repeats the key", err)
			}
		})
	}
}

func TestABaseURLIsCheckedAndItsFaultNamed(t *testing.T) {
	for _, test := range []struct {
		url      string
		insecure bool
		want     string
	}{
		{"", false, ""},
		{" \n", false, ""},
		{"https://api.openai.com/v1", false, ""},
		{"https://eu.api.openai.com/v1/\n", false, ""},
		{"HTTPS://proxy.example:8443", false, ""},
		{"http://127.0.0.1:8080/v1", false, ""},
		{"http://127.9.9.9", false, ""},
		{"http://[::1]:8080/v1", false, ""},
		{"http://LocalHost:8080/v1", false, ""},
		{"http://orgsim.rollcall.svc/v1", true, ""},
		{"http://orgsim.rollcall.svc/v1", false, "use https, or start the manager with --allow-insecure-base-url"},
		{"http://127.0.0.1.evil.example/v1", false, "--allow-insecure-base-url"},
		{"http://localhost.evil.example/v1", false, "--allow-insecure-base-url"},
		{"http://0.0.0.0/v1", false, "--allow-insecure-base-url"},
		{"api.openai.com/v1", false, "must start with https://"},
		{"ftp://api.openai.com/v1", true, "must start with https://"},
		{"https:api.openai.com", false, "names no host"},
		{"https:///v1", false, "names no host"},
		{"https://:443/v1", false, "names no host"},
		{"https://admin:hunter2@api.openai.com/v1", false, "contains a user name or password"},
		{"https://hunter2@api.openai.com/v1", false, "contains a user name or password"},
		{"https://api.openai.com/v1?key=hunter2", false, "contains a query or a fragment"},
		{"https://api.openai.com/v1?", false, "contains a query or a fragment"},
		{"https://api.openai.com/v1#hunter2", false, "contains a query or a fragment"},
		{"https://api.openai.com/v1#", false, "contains a query or a fragment"},
		{"https://user:hunter2@api.openai.com:port/", false, "is not a URL"},
		{"https://api.openai.com/sk-admin-hunter2/v1", false, "contains an admin key"},
		{"https://SK-ADMIN-hunter2/v1", false, "contains an admin key"},
		{"https://sk-admin-hunter2@api.openai.com/v1", false, "contains an admin key"},
		{"https://sk-proxy.example.com/v1", false, ""},
		{"https://api.openai.com/sk%2Dadmin-hunter2/v1", false, "contains an admin key"},
		{"https://api.openai.com/team(a)/%76%31", false, ""},
		{"https://gw.example/", false, ""},
		{"https://gw.example/mallory/..%2Fvictim/v1", false, "write it as https://host/v1"},
		{"https://gw.example/%2fvictim/v1", false, "write it as https://host/v1"},
		{"https://gw.example/mallory/..%5Cvictim/v1", false, "write it as https://host/v1"},
		{`https://gw.example/mallory/..\victim/v1`, false, "write it as https://host/v1"},
		{"https://gw.example//v1", false, "write it as https://host/v1"},
		{"https://gw.example/v1//", false, "write it as https://host/v1"},
		{"https://gw.example/x/../v1", false, "write it as https://host/v1"},
		{"https://gw.example/x/%2e%2E/v1", false, "write it as https://host/v1"},
		{"https://gw.example/./v1", false, "write it as https://host/v1"},
		{"https://gw.example/v1/%2e", false, "write it as https://host/v1"},
	} {
		_, err := NewClient(Config{BaseURL: test.url, AdminKey: testKey, AllowInsecure: test.insecure})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.url, err)
		case test.want == "":
		case err == nil || !strings.HasPrefix(err.Error(), "base-url in the Secret ") || !strings.Contains(err.Error(), test.want):
			t.Errorf("%q: got %v, want %q", test.url, err, test.want)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%q: %v repeats a secret", test.url, err)
		}
	}
}
