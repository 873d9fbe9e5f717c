package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"testing"
)

// archive is an OCI archive, read with nothing of what wrote it: file name to content.
type archive map[string][]byte

// descriptor is how OCI names a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations"`
	Platform    struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

type index struct {
	MediaType string       `json:"mediaType"`
	Manifests []descriptor `json:"manifests"`
}

type manifest struct {
	MediaType string       `json:"mediaType"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

type configuration struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Created      string `json:"created"`
	Config       struct {
		User       string
		Entrypoint []string
		Env        []string
		Labels     map[string]string
	} `json:"config"`
	RootFS struct {
		DiffIDs []string `json:"diff_ids"` //nolint:tagliatelle // OCI's name
	} `json:"rootfs"`
}

// file is a file or folder in a layer.
type file struct {
	header  *tar.Header
	content []byte
}

func readArchive(t *testing.T, name string) archive {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	read := archive{}
	for _, f := range untar(t, content) {
		read[f.header.Name] = f.content
	}
	return read
}

func untar(t *testing.T, content []byte) []file {
	t.Helper()
	var files []file
	reader := tar.NewReader(bytes.NewReader(content))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{header: header, content: content})
	}
}

// blob returns what the descriptor names, after a check that it is that.
func (a archive) blob(t *testing.T, d descriptor) []byte {
	t.Helper()
	content, ok := a[path.Join("blobs", strings.Replace(d.Digest, ":", "/", 1))]
	if !ok {
		t.Fatalf("the archive names %s and does not hold it", d.Digest)
	}
	if digestOf(content) != d.Digest || len(content) != d.Size {
		t.Fatalf("%s is %s of %d bytes; its descriptor says %d", d.Digest, digestOf(content), len(content), d.Size)
	}
	return content
}

// layer returns the files of a layer.
func (a archive) layer(t *testing.T, d descriptor, diffID string) []file {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(a.blob(t, d)))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if digestOf(content) != diffID {
		t.Fatalf("the layer unpacks to %s, and the configuration says %s", digestOf(content), diffID)
	}
	return untar(t, content)
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func decode[T any](t *testing.T, content []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(content, &value); err != nil {
		t.Fatalf("%v in %.200s", err, content)
	}
	return value
}
