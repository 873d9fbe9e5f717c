package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// write writes an OCI image layout as a tar file, with the list that `docker load` looks for.
func (s *settings) write(out io.Writer, index v1.ImageIndex) error {
	folder, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	written, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	reference := s.reference()
	if err := written.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": s.tag.TagStr(),
		"io.containerd.image.name":          reference, // what `ctr images import` names it
	})); err != nil {
		return err
	}
	list, err := s.dockerList(index)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "manifest.json"), list, 0o600); err != nil {
		return err
	}
	return s.pack(out, folder)
}

// reference is the full name, as containerd and the kubelet have it.
func (s *settings) reference() string {
	if rest, ok := strings.CutPrefix(s.tag.Name(), "index.docker.io/"); ok {
		return "docker.io/" + rest
	}
	return s.tag.Name()
}

// dockerList is the manifest.json of `docker save`, with the first platform's image: there is room for one.
func (s *settings) dockerList(index v1.ImageIndex) ([]byte, error) {
	manifests, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	image, err := index.Image(manifests.Manifests[0].Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	item := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{Config: blob(manifest.Config.Digest), RepoTags: []string{s.tag.String()}}
	for _, layer := range manifest.Layers {
		item.Layers = append(item.Layers, blob(layer.Digest))
	}
	return json.Marshal([]any{item})
}

func blob(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// pack writes the folder in the order of names, as nobody's and with one time, so that it tells nothing of where
// and when it was made.
func (s *settings) pack(out io.Writer, folder string) error {
	writer := tar.NewWriter(out)
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, found fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		header := &tar.Header{Name: path, Mode: 0o644, ModTime: s.created, Format: tar.FormatPAX, Typeflag: tar.TypeReg}
		if found.IsDir() {
			header.Name, header.Mode, header.Typeflag = path+"/", 0o755, tar.TypeDir
			return writer.WriteHeader(header)
		}
		content, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		header.Size = int64(len(content))
		if err := writer.WriteHeader(header); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		_, err = writer.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return writer.Close()
}
