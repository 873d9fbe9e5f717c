package image_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// No engine builds the Dockerfile here, so what can go wrong with it is looked for in its text.
func TestTheDockerfile(t *testing.T) {
	lines := instructions(string(read(t, filepath.Join(root, "Dockerfile"))))

	t.Run("builds the manager as `make image` does", func(t *testing.T) {
		flags := regexp.MustCompile(`go build (-trimpath .*main\.stamped=)\$`)
		mine := flags.FindStringSubmatch(strings.Join(lines, "\n"))
		theirs := flags.FindStringSubmatch(instructionsOf(t, "hack/image.sh"))
		if mine == nil || theirs == nil || mine[1] != theirs[1] {
			t.Errorf("Dockerfile: %q, hack/image.sh: %q", mine, theirs)
		}
		if !strings.Contains(strings.Join(lines, "\n"), "CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build") {
			t.Error("the manager is not static, or not for the platform asked for")
		}
	})

	t.Run("copies every package of the manager", func(t *testing.T) {
		var copied []string
		for _, line := range lines {
			words := strings.Fields(line)
			if words[0] == "COPY" && !strings.HasPrefix(words[1], "--from") {
				copied = append(copied, words[1:len(words)-1]...)
			}
		}
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}", "./cmd/manager")
		list.Dir = root
		output, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		checkout, err := filepath.Abs(root)
		if err != nil {
			t.Fatal(err)
		}
		needed := []string{"go.mod", "go.sum"}
		for folder := range strings.FieldsSeq(string(output)) {
			relative, err := filepath.Rel(checkout, folder)
			if err != nil {
				t.Fatal(err)
			}
			needed = append(needed, relative+"/")
		}
		if len(needed) < 6 {
			t.Fatalf("the manager is made of %v only", needed)
		}
		kept := strings.Fields(string(read(t, filepath.Join(root, ".dockerignore"))))
		for _, path := range needed {
			below := func(folder string) bool { return path == folder || strings.HasPrefix(path, folder) }
			if !slices.ContainsFunc(copied, below) {
				t.Errorf("%s is not copied", path)
			}
			if !slices.ContainsFunc(kept, func(rule string) bool { rest, ok := strings.CutPrefix(rule, "!"); return ok && below(rest) }) {
				t.Errorf(".dockerignore keeps %s out", path)
			}
		}
	})

	t.Run("builds with the Go that go.mod asks for", func(t *testing.T) {
		asked := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(read(t, filepath.Join(root, "go.mod"))))
		if !slices.Contains(lines, "FROM --platform=$BUILDPLATFORM golang:"+asked[1]+" AS build") {
			t.Errorf("go.mod asks for Go %s; the Dockerfile has another", asked[1])
		}
	})

	t.Run("ends as the image of `make image` is", func(t *testing.T) {
		last := lines[len(lines)-4:]
		want := []string{
			"FROM gcr.io/distroless/static:nonroot", "COPY --from=build /manager /manager",
			"USER 65532:65532", `ENTRYPOINT ["/manager"]`,
		}
		if !slices.Equal(last, want) {
			t.Errorf("the last stage is %q", last)
		}
	})
}

func instructionsOf(t *testing.T, name string) string {
	t.Helper()
	return strings.Join(instructions(string(read(t, filepath.Join(root, name)))), "\n")
}

// instructions are the lines without comments, each continued one joined.
func instructions(text string) []string {
	joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
	var lines []string
	for line := range strings.Lines(joined) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}
