// Package node_test runs rollcall as its users do: as pods from its image, on a real node. The node has no link to
// the machine's network and leaves nothing behind.
package node_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	root       = "../.."
	oldVersion = "v0.1.0-old"
	newVersion = "v0.2.0-new"
	newImage   = "rollcall:new"
)

var (
	cluster *node
	// upgrade is an archive with the same manager under another version, which the node does not have yet.
	upgrade string
)

func TestNode(t *testing.T) {
	if reason := missing(); reason != "" {
		t.Skip("left out: " + reason)
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "Node")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = newNode(ctx)
	makeImage(ctx, "manager", "rollcall:dev", oldVersion, cluster.images())
	makeImage(ctx, "orgsim", "rollcall-orgsim:dev", oldVersion, cluster.images())
	makePause(ctx, filepath.Join(cluster.images(), "pause.tar"))
	folder := GinkgoT().TempDir()
	makeImage(ctx, "manager", newImage, newVersion, folder)
	upgrade = filepath.Join(folder, "manager.tar")

	before := lookAtMachine()
	// Cleanups run last first: this one after the node is gone.
	DeferCleanup(func() { lookAtMachine().expectUnchanged(before) })
	cluster.start(ctx)
	DeferCleanup(func() { lookAtMachine().expectOnlyTheNode(before) })
}, NodeTimeout(20*time.Minute))

// makeImage is `make image`.
func makeImage(ctx context.Context, program, image, version, folder string) {
	GinkgoHelper()
	run(exec.CommandContext(ctx, "make", "--no-print-directory", "-C", root, "image",
		"PROGRAM="+program, "IMG="+image, "VERSION="+version, "IMAGES="+folder))
}

// makePause writes the image that holds a pod's namespaces.
func makePause(ctx context.Context, archive string) {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(folder, "pause"), "./pause")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	run(build)
	run(exec.CommandContext(ctx, "go", "-C", root+"/hack/image", "run", ".", "--name=rollcall.local/pause:1", "--entrypoint=pause",
		"--binary=linux/"+runtime.GOARCH+"="+filepath.Join(folder, "pause"), "--out="+archive))
}
