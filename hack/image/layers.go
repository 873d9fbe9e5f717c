package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// certificatesPath is where distroless and Debian keep them, so that one may be mounted over it.
const certificatesPath = "etc/ssl/certs/ca-certificates.crt"

const passwd = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`

const group = `root:x:0:
nobody:x:65534:
nonroot:x:65532:
`

// entry is a file, or with a path that ends in a slash a folder.
type entry struct {
	path    string
	mode    int64
	owner   int
	content []byte
}

// base is what a static program expects of its file system.
func (s *settings) base() (v1.Layer, error) {
	return s.layer(
		entry{path: "etc/", mode: 0o755},
		entry{path: "etc/group", mode: 0o644, content: []byte(group)},
		entry{path: "etc/nsswitch.conf", mode: 0o644, content: []byte("hosts: files dns\n")},
		entry{path: "etc/passwd", mode: 0o644, content: []byte(passwd)},
		entry{path: "etc/ssl/", mode: 0o755},
		entry{path: "etc/ssl/certs/", mode: 0o755},
		entry{path: certificatesPath, mode: 0o644, content: certificates()},
		entry{path: "home/", mode: 0o755},
		entry{path: "home/nonroot/", mode: 0o700, owner: 65532},
		entry{path: "tmp/", mode: 0o1777},
	)
}

// certificates are Mozilla's roots in PEM. A root that Mozilla trusts for certificates up to a date only is left
// out, since a file of certificates cannot say so.
func certificates() []byte {
	var file bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			file.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return file.Bytes()
}

func (s *settings) layer(entries ...entry) (v1.Layer, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, e := range entries {
		kind := byte(tar.TypeReg)
		if strings.HasSuffix(e.path, "/") {
			kind = tar.TypeDir
		}
		header := &tar.Header{
			Name: e.path, Typeflag: kind, Mode: e.mode, Uid: e.owner, Gid: e.owner,
			Size: int64(len(e.content)), ModTime: s.created, Format: tar.FormatPAX,
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("%s: %w", e.path, err)
		}
		if _, err := writer.Write(e.content); err != nil {
			return nil, fmt.Errorf("%s: %w", e.path, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

// checkStatic refuses a program that would not start: there is no loader in the image, and a program for another
// architecture fails only where it runs.
func checkStatic(program []byte, architecture string) error {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("not a program for Linux: %w", err)
	}
	defer file.Close()
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[architecture]; file.Machine != want {
		return fmt.Errorf("built for %s, not for %s", file.Machine, architecture)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("not static: build it with CGO_ENABLED=0")
		}
	}
	return nil
}
