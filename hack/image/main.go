// Command image writes container images as OCI archives, without a container engine and the same bytes each time.
//
//	image --name rollcall:dev --entrypoint manager --out rollcall.tar --created 1700000000 \
//	  --version v0.1.0 --binary linux/amd64=FILE --binary linux/arm64=FILE
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// settings say what goes into an archive.
type settings struct {
	tag        name.Tag
	entrypoint string
	version    string
	revision   string
	created    time.Time
	binaries   []binary
}

// binary is a static program for one platform.
type binary struct {
	platform v1.Platform
	file     string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	var s settings
	var reference, out string
	var created int64
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&reference, "name", "", "name and tag of the image")
	flags.StringVar(&s.entrypoint, "entrypoint", "", "name of the program in the image's root folder")
	flags.StringVar(&s.version, "version", "", "version, for the image's labels")
	flags.StringVar(&s.revision, "revision", "", "Git commit, for the image's labels")
	flags.Int64Var(&created, "created", 0, "time of everything in the archive, in seconds since 1970")
	flags.StringVar(&out, "out", "", "file to write")
	flags.Func("binary", "PLATFORM=FILE, a static program; once for each platform", s.addBinary)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if s.entrypoint == "" || out == "" || len(s.binaries) == 0 {
		return fmt.Errorf("--entrypoint, --out and at least one --binary are needed")
	}
	var err error
	if s.tag, err = name.NewTag(reference, name.WeakValidation); err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	s.created = time.Unix(created, 0).UTC()
	index, err := s.index()
	if err != nil {
		return err
	}
	// An interrupted run leaves no half of an archive behind.
	unfinished, err := os.CreateTemp(filepath.Dir(out), ".image-*")
	if err != nil {
		return err
	}
	defer os.Remove(unfinished.Name())
	defer unfinished.Close()
	if err := s.write(unfinished, index); err != nil {
		return err
	}
	if err := unfinished.Chmod(0o644); err != nil {
		return err
	}
	if err := unfinished.Close(); err != nil {
		return err
	}
	return os.Rename(unfinished.Name(), out)
}

func (s *settings) addBinary(value string) error {
	platform, file, ok := strings.Cut(value, "=")
	if !ok {
		return fmt.Errorf("%q is not PLATFORM=FILE", value)
	}
	parsed, err := v1.ParsePlatform(platform)
	if err != nil {
		return err
	}
	s.binaries = append(s.binaries, binary{platform: *parsed, file: file})
	return nil
}
