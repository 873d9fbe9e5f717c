package link

import "testing"

func TestTwoSpellingsOfAnAddressAreOne(t *testing.T) {
	for want, spellings := range map[string][]string{
		"https://api.openai.com/v1": {"", "https://api.openai.com/v1", "https://API.openai.com/v1/", "https://api.openai.com:443/v1", "HTTPS://api.openai.com./v1//", "https://api.openai.com/x/../v1",
			"https://api.openai.com:0443/v1", "https://api.openai.com/%76%31", "https://ａｐｉ.openai.com/v1"},
		"http://127.0.0.1:8080/v1":  {"http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/"},
		"http://127.0.0.1/v1":       {"http://127.0.0.1:80/v1"},
		"https://[::1]:8443/v1":     {"https://[::1]:8443/v1"},
		"https://api.openai.com":    {"https://api.openai.com/"},
		"https://api.openai.com/V1": {"https://api.openai.com/V1"},
	} {
		for _, spelling := range spellings {
			if got := canonical(spelling); got != want {
				t.Errorf("%q is %q, want %q", spelling, got, want)
			}
		}
	}
}
