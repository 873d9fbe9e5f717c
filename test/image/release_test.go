package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const repository = "registry.example.com/team/rollcall"

func TestARelease(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "release")
	if output, err := makeRelease(t, "v1.2.3-test", folder); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var sums strings.Builder
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
		if entry.Name() != "SHA256SUMS" {
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(read(t, filepath.Join(folder, entry.Name()))), entry.Name())
		}
	}
	if diff := cmp.Diff([]string{
		"SHA256SUMS", "install.yaml", "rollcall-v1.2.3-test-chart.tgz", "rollcall-v1.2.3-test-image.tar",
		"rollcall-v1.2.3-test-linux-amd64.cdx.json", "rollcall-v1.2.3-test-linux-arm64.cdx.json",
	}, names); diff != "" {
		t.Fatal(diff)
	}

	t.Run("has checksums of all its files", func(t *testing.T) {
		if diff := cmp.Diff(sums.String(), string(read(t, filepath.Join(folder, "SHA256SUMS")))); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("has an image of its version, by the name that its manifests have", func(t *testing.T) {
		a := readArchive(t, filepath.Join(folder, "rollcall-v1.2.3-test-image.tar"))
		top := decode[index](t, a["index.json"])
		if name := top.Manifests[0].Annotations["io.containerd.image.name"]; name != repository+":v1.2.3-test" {
			t.Errorf("the image is %s", name)
		}
		both := decode[index](t, a.blob(t, top.Manifests[0]))
		for _, one := range both.Manifests {
			m := decode[manifest](t, a.blob(t, one))
			c := decode[configuration](t, a.blob(t, m.Config))
			if said := c.Config.Labels["org.opencontainers.image.version"]; said != "v1.2.3-test" || c.Created != "1970-01-01T00:00:00Z" {
				t.Errorf("the image is of version %s, created %s", said, c.Created)
			}
		}
		installed := string(read(t, filepath.Join(folder, "install.yaml")))
		if strings.Count(installed, "image: "+repository+":v1.2.3-test\n") != 1 || strings.Count(installed, " image: ") != 1 {
			t.Errorf("install.yaml names another image")
		}
	})

	t.Run("has a chart of its version, with its image, that does not say when it was packed", func(t *testing.T) {
		files := chartFiles(t, filepath.Join(folder, "rollcall-v1.2.3-test-chart.tgz"))
		var about struct{ Version, AppVersion string }
		var values struct {
			Image struct{ Repository, Tag string }
		}
		if err := errors.Join(yaml.Unmarshal(files["rollcall/Chart.yaml"], &about), yaml.Unmarshal(files["rollcall/values.yaml"], &values)); err != nil {
			t.Fatal(err)
		}
		if about.Version != "1.2.3-test" || about.AppVersion != "v1.2.3-test" {
			t.Errorf("the chart is %+v", about)
		}
		if values.Image.Repository != repository || values.Image.Tag != "" {
			t.Errorf("the chart's image is %+v", values.Image)
		}
		if files["rollcall/templates/deployment.yaml"] == nil {
			t.Errorf("the chart has no Deployment; it has %v", slices.Sorted(maps.Keys(files)))
		}
	})
}

func TestAReleaseIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ version, folder, want string }{
		"without a version":            {"", filepath.Join(t.TempDir(), "new"), "write it like v0.1.0"},
		"with a version without its v": {"1.2.3", filepath.Join(t.TempDir(), "new"), "write it like v0.1.0"},
		"into a folder with another":   {"v1.2.3", t.TempDir(), "is there already"},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := makeRelease(t, test.version, test.folder)
			if err == nil || !strings.Contains(output, test.want) {
				t.Errorf("got %v, %s, want %q", err, output, test.want)
			}
		})
	}
}

// makeRelease makes a release from the sources that the image was made from.
func makeRelease(t *testing.T, version, folder string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "bash", "hack/release.sh", version, repository, folder)
	command.Dir = filepath.Join(filepath.Dir(written), "sources")
	command.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=") // and no Git there: the time is 0
	output, err := command.CombinedOutput()
	return string(output), err
}

func chartFiles(t *testing.T, file string) map[string][]byte {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for archive := tar.NewReader(unpacked); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if header.ModTime.Unix() != 0 {
			t.Errorf("%s is of %s", header.Name, header.ModTime)
		}
		if found[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
