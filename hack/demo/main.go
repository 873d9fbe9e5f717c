// Command demo shows rollcall at work: a control plane, a simulated organization and the manager, and a walk
// through what they do. make demo runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	assets := flag.String("assets", "", "folder of kube-apiserver, etcd and kubectl")
	programs := flag.String("programs", "bin", "folder of manager and orgsim")
	keep := flag.Bool("keep", false, "keep everything running at the end, until Ctrl-C")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *assets, *programs, *keep)
	stopped := ctx.Err() != nil
	stop()
	if stopped {
		fmt.Println("\nStopped. Everything that the demo started has been ended.")
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// run starts the stage, plays the walk on it, and clears it away whatever happens.
func run(ctx context.Context, assets, programs string, keep bool) (err error) {
	assets, errAssets := filepath.Abs(assets)
	programs, errPrograms := filepath.Abs(programs)
	if err := errors.Join(errAssets, errPrograms); err != nil {
		return err
	}
	s, err := setUp(ctx, assets, programs)
	if s != nil {
		defer func() { err = errors.Join(err, s.tearDown()) }()
	}
	if err != nil {
		return err
	}
	if err := s.walk(ctx); err != nil {
		return errors.Join(err, s.tail())
	}
	if !keep {
		fmt.Print("\nThat was all; everything is ended again. To look around yourself: make demo KEEP=1\n")
		return nil
	}
	s.explain()
	<-ctx.Done()
	return ctx.Err()
}
