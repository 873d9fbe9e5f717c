package docs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// block is a fenced block of a page, or a command that only the test runs.
type block struct {
	Line     int
	Language string
	Text     string
	// Terminal says that the block goes on until the page ends: a reader runs it in another terminal.
	Terminal bool
	// Untested is why the block is not run.
	Untested string
}

// onlyTest is the language of a command that only the test runs.
const onlyTest = "hidden"

// Comments before a block, which a reader does not see:
//
//	<!-- test: COMMAND -->       is run before the next block
//	<!-- terminal -->            the next block goes on in another terminal
//	<!-- untested: WHY -->       the next block cannot be run here
const (
	hiddenCommand = "test:"
	inTerminal    = "terminal"
	untested      = "untested:"
)

// parse returns the blocks of a page in their order.
func parse(page string) ([]block, error) {
	var blocks []block
	next := block{}
	var open *block
	number := 0
	for line := range strings.Lines(page) {
		number++
		text := strings.TrimSuffix(line, "\n")
		trimmed := strings.TrimSpace(text)
		switch {
		case open != nil && trimmed == "```":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += text + "\n"
		case strings.HasPrefix(trimmed, "```"):
			opened := next
			opened.Line, opened.Language = number, strings.TrimPrefix(trimmed, "```")
			open, next = &opened, block{}
		case strings.HasPrefix(trimmed, "<!-- ") && strings.HasSuffix(trimmed, " -->"):
			comment := strings.TrimSuffix(strings.TrimPrefix(trimmed, "<!-- "), " -->")
			switch {
			case strings.HasPrefix(comment, hiddenCommand):
				blocks = append(blocks, block{Line: number, Language: onlyTest, Text: strings.TrimSpace(strings.TrimPrefix(comment, hiddenCommand)) + "\n"})
			case comment == inTerminal:
				next.Terminal = true
			case strings.HasPrefix(comment, untested):
				next.Untested = strings.TrimSpace(strings.TrimPrefix(comment, untested))
			}
		}
	}
	if open != nil {
		return nil, fmt.Errorf("the block in line %d does not end", open.Line)
	}
	return blocks, nil
}

func TestParsePage(t *testing.T) {
	page := "# Page\n\n```sh\necho one\necho two\n```\n\n<!-- test: echo hidden -->\n<!-- untested: no cluster -->\n```sh\nrm -rf /\n```\n" +
		"<!-- terminal -->\n```sh\nserve\n```\n1. A step:\n\n   ```yaml\n   a: b\n   ```\n"
	got, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []block{
		{Line: 3, Language: "sh", Text: "echo one\necho two\n"},
		{Line: 8, Language: onlyTest, Text: "echo hidden\n"},
		{Line: 10, Language: "sh", Text: "rm -rf /\n", Untested: "no cluster"},
		{Line: 14, Language: "sh", Text: "serve\n", Terminal: true},
		{Line: 19, Language: "yaml", Text: "   a: b\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := parse("```sh\necho\n"); err == nil {
		t.Error("a block without an end was taken")
	}
}

// pages are all pages that people read for what to type.
func pages() ([]string, error) {
	var found []string
	for _, folder := range []string{".", "docs", "examples"} {
		entries, err := os.ReadDir(root + "/" + folder)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".md") && entry.Name() != "CHANGELOG.md" {
				found = append(found, strings.TrimPrefix(folder+"/"+entry.Name(), "./"))
			}
		}
	}
	return found, nil
}
