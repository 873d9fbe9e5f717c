package main

import (
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is distroless' nonroot.
const user = "65532:65532"

// index is one image a platform.
func (s *settings) index() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	base, err := s.base()
	if err != nil {
		return nil, err
	}
	for _, b := range s.binaries {
		image, err := s.image(b, base)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.platform.String(), err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &b.platform},
		})
	}
	return index, nil
}

func (s *settings) image(b binary, base v1.Layer) (v1.Image, error) {
	program, err := os.ReadFile(b.file)
	if err != nil {
		return nil, err
	}
	if err := checkStatic(program, b.platform.Architecture); err != nil {
		return nil, fmt.Errorf("%s: %w", b.file, err)
	}
	top, err := s.layer(entry{path: s.entrypoint, mode: 0o755, content: program})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: base, History: s.history("certificates, passwd and /tmp")},
		mutate.Addendum{Layer: top, History: s.history(s.entrypoint + " " + s.version)})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.OS, config.Architecture, config.Variant = b.platform.OS, b.platform.Architecture, b.platform.Variant
	config.Created = v1.Time{Time: s.created}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + s.entrypoint},
		User:       user,
		WorkingDir: "/",
		Env:        []string{"PATH=/", "SSL_CERT_FILE=/" + certificatesPath},
		Labels: map[string]string{
			"org.opencontainers.image.title":    s.tag.RepositoryStr(),
			"org.opencontainers.image.source":   "https://github.com/rollcall-dev/rollcall",
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.version":  s.version,
			"org.opencontainers.image.revision": s.revision,
			"org.opencontainers.image.created":  s.created.Format(time.RFC3339),
		},
	}
	return mutate.ConfigFile(image, config)
}

func (s *settings) history(what string) v1.History {
	return v1.History{Created: v1.Time{Time: s.created}, CreatedBy: "make image", Comment: what}
}
