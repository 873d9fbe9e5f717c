// Package image_test looks at the images that `make image` writes, and at the Dockerfile that makes the same.
package image_test

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	root    = "../.."
	version = "v1.2.3-test"
	created = "2023-11-14T22:13:20Z" // 1700000000
	image   = "registry.example.com/team/rollcall:v1.2.3"
)

// written is the folder with the archive and what lies beside it, made from a copy of the sources.
var written string

func TestMain(m *testing.M) {
	scratch, err := os.MkdirTemp("", "image-test-")
	if err == nil {
		written = filepath.Join(scratch, "out")
		err = makeImage(filepath.Join(scratch, "sources"), written)
	}
	status := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		status = m.Run()
	}
	os.RemoveAll(scratch)
	os.Exit(status)
}

func TestTheSameBytesTwice(t *testing.T) {
	// The other copy of the sources shares neither folder, nor umask, nor the times of its files.
	other := filepath.Join(t.TempDir(), "quite", "another", "folder")
	before := syscall.Umask(0o077)
	err := makeImage(filepath.Join(other, "sources"), filepath.Join(other, "out"))
	syscall.Umask(before)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"manager.tar", "manager-linux-amd64.cdx.json", "manager-linux-arm64.cdx.json"} {
		one, two := read(t, filepath.Join(written, name)), read(t, filepath.Join(other, "out", name))
		if digestOf(one) != digestOf(two) {
			t.Errorf("%s is %s from one folder and %s from another", name, digestOf(one), digestOf(two))
		}
	}
}

func TestTheArchiveHoldsTheManagerForBothArchitectures(t *testing.T) {
	a := readArchive(t, filepath.Join(written, "manager.tar"))
	top := decode[index](t, a["index.json"])
	if len(top.Manifests) != 1 {
		t.Fatalf("%d images in index.json", len(top.Manifests))
	}
	if diff := cmp.Diff(map[string]string{
		"io.containerd.image.name": image, "org.opencontainers.image.ref.name": "v1.2.3",
	}, top.Manifests[0].Annotations); diff != "" {
		t.Error(diff)
	}
	both := decode[index](t, a.blob(t, top.Manifests[0]))
	machines := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}
	for _, one := range both.Manifests {
		platform := one.Platform.OS + "/" + one.Platform.Architecture
		t.Run(platform, func(t *testing.T) {
			m := decode[manifest](t, a.blob(t, one))
			c := decode[configuration](t, a.blob(t, m.Config))
			if c.OS+"/"+c.Architecture != platform {
				t.Errorf("the configuration is for %s/%s", c.OS, c.Architecture)
			}
			checkConfiguration(t, c)
			checkFiles(t, files(t, a, m, c), machines[platform])
		})
		delete(machines, platform)
	}
	if len(machines) > 0 {
		t.Errorf("no image for %v", slices.Collect(maps.Keys(machines)))
	}
}

func checkConfiguration(t *testing.T, c configuration) {
	t.Helper()
	if c.Config.User != "65532:65532" || !slices.Equal(c.Config.Entrypoint, []string{"/manager"}) {
		t.Errorf("runs %v as %q", c.Config.Entrypoint, c.Config.User)
	}
	if c.Created != created {
		t.Errorf("created %s", c.Created)
	}
	if !slices.Contains(c.Config.Env, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt") {
		t.Errorf("environment %v", c.Config.Env)
	}
	if c.Config.Labels["org.opencontainers.image.version"] != version {
		t.Errorf("labels %v", c.Config.Labels)
	}
}

func files(t *testing.T, a archive, m manifest, c configuration) map[string]file {
	t.Helper()
	found := map[string]file{}
	for i, layer := range m.Layers {
		for _, f := range a.layer(t, layer, c.RootFS.DiffIDs[i]) {
			found[f.header.Name] = f
		}
	}
	return found
}

func checkFiles(t *testing.T, found map[string]file, machine elf.Machine) {
	t.Helper()
	want := []string{
		"etc/", "etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/", "etc/ssl/certs/",
		"etc/ssl/certs/ca-certificates.crt", "home/", "home/nonroot/", "manager", "tmp/",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(found))); diff != "" {
		t.Fatal(diff)
	}
	if !strings.Contains(string(found["etc/passwd"].content), "nonroot:x:65532:65532:") {
		t.Errorf("the user has no name in %s", found["etc/passwd"].content)
	}
	for name, f := range found {
		if f.header.Mode&0o022 != 0 && name != "tmp/" {
			t.Errorf("anybody can write %s", name)
		}
	}
	if mode := found["manager"].header.Mode; mode != 0o755 {
		t.Errorf("the manager's mode is %o", mode)
	}
	program, err := elf.NewFile(bytes.NewReader(found["manager"].content))
	if err != nil {
		t.Fatal(err)
	}
	if program.Machine != machine || program.Section(".interp") != nil {
		t.Errorf("the manager is for %s, or not static", program.Machine)
	}
	names := authorities(t, found["etc/ssl/certs/ca-certificates.crt"].content)
	if len(names) < 100 {
		t.Errorf("%d certificate authorities", len(names))
	}
	for _, name := range []string{"ISRG Root X1", "GTS Root R4", "DigiCert Global Root G2"} {
		if !slices.Contains(names, name) {
			t.Errorf("no certificate of %s", name)
		}
	}
}

func authorities(t *testing.T, file []byte) []string {
	t.Helper()
	var names []string
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, certificate.Subject.CommonName)
	}
	return names
}

func TestDockerFindsItsOwnList(t *testing.T) {
	a := readArchive(t, filepath.Join(written, "manager.tar"))
	type item struct {
		Config           string
		RepoTags, Layers []string
	}
	list := decode[[]item](t, a["manifest.json"])
	if len(list) != 1 || !slices.Equal(list[0].RepoTags, []string{image}) {
		t.Fatalf("manifest.json is %s", a["manifest.json"])
	}
	if c := decode[configuration](t, a[list[0].Config]); c.Architecture != "amd64" || len(c.RootFS.DiffIDs) != len(list[0].Layers) {
		t.Errorf("manifest.json names another configuration: %s", a[list[0].Config])
	}
	for _, layer := range list[0].Layers {
		if a[layer] == nil {
			t.Errorf("no %s in the archive", layer)
		}
	}
}

func TestTheManagerSaysItsVersion(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the image's program runs on Linux")
	}
	a := readArchive(t, filepath.Join(written, "manager.tar"))
	for _, one := range decode[index](t, a.blob(t, decode[index](t, a["index.json"]).Manifests[0])).Manifests {
		if one.Platform.Architecture != runtime.GOARCH {
			continue
		}
		m := decode[manifest](t, a.blob(t, one))
		found := files(t, a, m, decode[configuration](t, a.blob(t, m.Config)))
		program := filepath.Join(t.TempDir(), "manager")
		if err := os.WriteFile(program, found["manager"].content, 0o700); err != nil {
			t.Fatal(err)
		}
		output, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput()
		if err != nil || !strings.Contains(string(output), version) {
			t.Errorf("manager --version: %v, %s", err, output)
		}
	}
}

func TestTheListOfPartsIsTrue(t *testing.T) {
	type part struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	type bom struct {
		Format       string `json:"bomFormat"`
		SerialNumber string `json:"serialNumber"`
		Metadata     struct {
			Timestamp string `json:"timestamp"`
			Component part   `json:"component"`
		} `json:"metadata"`
		Components []part `json:"components"`
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	pinned := map[string]string{}
	for line := range strings.Lines(string(output)) {
		module, pin, _ := strings.Cut(strings.TrimSpace(line), " ")
		pinned[module] = pin
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		b := decode[bom](t, read(t, filepath.Join(written, "manager-linux-"+architecture+".cdx.json")))
		if b.Format != "CycloneDX" || b.Metadata.Component.Version != version {
			t.Errorf("%s: a %s of %v", architecture, b.Format, b.Metadata.Component)
		}
		listed := map[string]string{}
		for _, p := range b.Components {
			listed[p.Name] = p.Version
			if want, ok := pinned[p.Name]; p.Name != "std" && (!ok || want != p.Version) {
				t.Errorf("%s: %s %s is listed, and go.mod has %q", architecture, p.Name, p.Version, want)
			}
		}
		for _, name := range []string{"sigs.k8s.io/controller-runtime", "github.com/openai/openai-go/v3", "std"} {
			if listed[name] == "" {
				t.Errorf("%s: %s is not listed", architecture, name)
			}
		}
	}
}

// makeImage copies what Git knows or would add into the folder, and writes the manager's image from there.
func makeImage(sources, out string) error {
	listed := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	listed.Dir = root
	names, err := listed.Output()
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(sources, name)); err != nil {
			return err
		}
	}
	command := exec.Command("bash", "hack/image.sh", "manager", image, out)
	command.Dir = sources
	command.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("hack/image.sh: %w\n%s", err, output)
	}
	return nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed, and that not yet committed
	} else if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode())
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
