package main

import (
	"bufio"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// writes counts the requests that write, as "patch orgusers/status".
type writes map[string]int

// writesSoFar reads from the API server's own metrics what was written since it started: rollcall's kinds and
// events, by anybody. What the API server writes for itself, such as its Leases, is left out.
func (c *cluster) writesSoFar(ctx context.Context) (writes, error) {
	answer, err := c.do(ctx, http.MethodGet, "/metrics", "", nil)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	counted := writes{}
	lines := bufio.NewScanner(answer)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		labels, value, ok := sample(lines.Text(), "apiserver_request_total{")
		if !ok || labels["group"] != v1alpha1.GroupVersion.Group && labels["resource"] != "events" {
			continue
		}
		switch labels["verb"] {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE":
			what := labels["resource"]
			if labels["subresource"] != "" {
				what += "/" + labels["subresource"]
			}
			counted[strings.ToLower(labels["verb"])+" "+what] += value
		}
	}
	return counted, lines.Err()
}

// sample splits a line of the text format: name{key="value",...} number. No label here has a comma or a quote
// in its value.
func sample(line, prefix string) (map[string]string, int, bool) {
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return nil, 0, false
	}
	pairs, number, ok := strings.Cut(rest, "} ")
	if !ok {
		return nil, 0, false
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return nil, 0, false
	}
	labels := map[string]string{}
	for pair := range strings.SplitSeq(pairs, ",") {
		key, quoted, _ := strings.Cut(pair, "=")
		labels[key] = strings.Trim(quoted, `"`)
	}
	return labels, int(value), true
}

// since is what was written after the earlier count.
func (w writes) since(earlier writes) writes {
	more := writes{}
	for what, count := range w {
		if count > earlier[what] {
			more[what] = count - earlier[what]
		}
	}
	return more
}

// total counts the writes but for those left out.
func (w writes) total(leftOut ...string) int {
	total := 0
	for what, count := range w {
		if !slices.Contains(leftOut, what) {
			total += count
		}
	}
	return total
}

// aPerson is what was written for each of so many: all but the Organization's status, and one event of its own.
func (w writes) aPerson(users int) float64 {
	return float64(w.total("patch organizations/status")-min(w["post events"], 1)) / float64(users)
}

func (w writes) equal(other writes) bool { return maps.Equal(w, other) }
