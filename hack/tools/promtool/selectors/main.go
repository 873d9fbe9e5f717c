// Command selectors reads a JSON list of PromQL expressions and writes a JSON list that says of each which
// metrics it selects, by which labels, and which labels it groups or joins by.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

type uses struct {
	// Metrics has the labels of the matchers by the metric's name.
	Metrics map[string][]string `json:"metrics"`
	// Labels are those of by, without, on, ignoring and group_left or group_right.
	Labels []string `json:"labels"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "selectors:", err)
		os.Exit(1)
	}
}

func run() error {
	var expressions []string
	if err := json.NewDecoder(os.Stdin).Decode(&expressions); err != nil {
		return err
	}
	all := make([]uses, len(expressions))
	for i, text := range expressions {
		expression, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		all[i] = usesOf(expression)
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func usesOf(expression parser.Expr) uses {
	found := uses{Metrics: map[string][]string{}}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			name, matched := n.Name, []string{}
			for _, matcher := range n.LabelMatchers {
				if matcher.Name != labels.MetricName {
					matched = append(matched, matcher.Name)
				} else if name == "" {
					name = matcher.Value
				}
			}
			found.Metrics[name] = append(found.Metrics[name], matched...)
		case *parser.AggregateExpr:
			found.Labels = append(found.Labels, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				found.Labels = append(append(found.Labels, n.VectorMatching.MatchingLabels...), n.VectorMatching.Include...)
			}
		}
		return nil
	})
	return found
}
