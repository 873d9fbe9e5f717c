// Command bench measures rollcall: how long it takes to bring an organization into the declared state, what
// that costs, and what it costs to keep it so. It runs the manager as a process of its own on a real control
// plane (etcd and kube-apiserver) against a simulated organization with latency.
//
//	make bench
//	hack/bench.sh --users 1000 --changes 50
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// settings are what the flags set.
type settings struct {
	users   []int
	inSync  bool
	latency time.Duration
	workers int
	changes int
	resyncs int
	out     string
	manager string
	profile string

	budgetUsers int
	fair        bool
	fairUsers   int
	fairBig     int
	fairEdits   int
	fairSpan    time.Duration
}

func main() {
	// A second Ctrl-C changes nothing: what was started is being ended, and each wait for that has a limit.
	log.SetLogger(logr.Discard()) // envtest's
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "bench: stopped before it had measured everything")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	var s settings
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure rollcall on a real control plane with a simulated organization",
		Long: `bench measures rollcall on a real control plane with a simulated organization, for each number of users:

  convergence   OrgUsers for existing members, half of them in need of a change, are there before the manager
                starts. The time until the last is Ready, as a ratio to the floor: the same list pages, calls
                and Kubernetes writes by a bare loop, once before and once after, on equal objects.
  cost          Kubernetes writes and API calls for each OrgUser, and the manager's memory and CPU.
  reaction      one spec change after another: from the start of the patch to the call that it causes.
  an idle hour  readings that find nothing changed, at a short interval; the calls, writes and CPU are those
                of as many readings as an hour has at the default interval, and of the quiet time between.
  restart       the manager starts again where all is in sync: the time to its first call, and what it writes;
                and once more with one edit that was made meanwhile: the time to its call.

budget is a row of its own (--budget-users): the Kubernetes writes of a first start in sync and of another, and
the API calls for each change when half of the users are edited at once, at 150 calls a minute. It takes some
three minutes; with 10,000 users, three quarters of an hour.

fair is a row of its own (--fair): five healthy organizations, each with a binding, first alone and then beside
one that hangs for 40 s a call with 60 deletions in it, one that answers 429 to every call, one with 10 calls a
minute and 5,000 edits, and one whose 20,000 users are adopted. For the healthy ones, the time from an edit to its
call, from a creation to its call and to Ready, and until drift of a role and of an assignment is undone, at a
resyncInterval of 30s. It takes some six minutes.

A figure that misses its target is shown as missed. The exit code says whether bench could measure, and
nothing about the figures. Absolute times depend on the machine and on what else it does; ratios less so.

Run it from the root of a checkout, by make bench or hack/bench.sh, which find the control plane's programs.`,
		Example: `  hack/bench.sh                                # all rows: some twenty minutes
  hack/bench.sh --users 1000 --changes 50 --budget-users 0 --fair=false  # a quick look
  hack/bench.sh --users 10000 --profile /tmp/p # with CPU and heap profiles of the manager
  hack/bench.sh --users 100000 --in-sync --budget-users 0 --fair=false   # a very large organization
  hack/bench.sh --users 0 --budget-users 0     # the row fair only
  hack/bench.sh --users 0 --budget-users 0 --fair-users 20 --fair-big 200 --fair-edits 100 --fair-span 30s  # small`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return s.run(command)
		},
	}
	flags := command.Flags()
	flags.IntSliceVar(&s.users, "users", []int{1000, 10000}, "how many OrgUsers; one measurement for each number")
	flags.BoolVar(&s.inSync, "in-sync", false, "for --users: all members are as declared from the start; no floor then")
	flags.IntVar(&s.budgetUsers, "budget-users", 400, "how many users the row budget has; half of them are changed, at 150 calls a minute; 0: no such row")
	flags.BoolVar(&s.fair, "fair", true, "measure the row fair")
	flags.IntVar(&s.fairUsers, "fair-users", 500, "users of each healthy organization of the row fair, and of the one that answers 429")
	flags.IntVar(&s.fairBig, "fair-big", 20_000, "users whose first adoption goes on beside, in the row fair")
	flags.IntVar(&s.fairEdits, "fair-edits", 5_000, "edits that wait beside, at 10 calls a minute, in the row fair")
	flags.DurationVar(&s.fairSpan, "fair-span", time.Minute, "for how long edits, creations and drift come in the row fair, alone and again beside")
	flags.DurationVar(&s.latency, "latency", 50*time.Millisecond, "how long the simulated API takes for each call")
	flags.IntVar(&s.workers, "workers", 10, "workers of the manager; the floor's bare loop has 20")
	flags.IntVar(&s.changes, "changes", 200, "how many spec changes to time, one after another")
	flags.IntVar(&s.resyncs, "resyncs", 3, "how many readings the idle hour is reckoned from; each takes 30s or more")
	flags.StringVar(&s.out, "out", "bench.json", "file for the figures as JSON")
	flags.StringVar(&s.manager, "manager", "", "measure this manager program instead of building one from ./cmd/manager")
	flags.StringVar(&s.profile, "profile", "", "folder for profiles of the manager (CPU and heap after each phase); costs some memory and CPU")
	return command
}

func (s *settings) validate() error {
	for _, users := range s.users {
		if users != 0 && (users < 10 || users > 100_000) {
			return fmt.Errorf("--users has %d; each number must be from 10 to 100000, or 0 for none of these rows", users)
		}
	}
	switch {
	case len(s.users) == 0:
		return errors.New("--users is empty; name at least one number, such as --users 1000, or 0 for none of these rows")
	case s.workers < 1 || s.workers > 200:
		return fmt.Errorf("--workers is %d; it must be from 1 to 200, as the manager's", s.workers)
	case s.latency < 0 || s.latency > 10*time.Second:
		return fmt.Errorf("--latency is %s; it must be from 0s to 10s", s.latency)
	case s.changes < 1:
		return fmt.Errorf("--changes is %d; it must be at least 1", s.changes)
	case s.resyncs < 1:
		return fmt.Errorf("--resyncs is %d; it must be at least 1", s.resyncs)
	case s.budgetUsers != 0 && (s.budgetUsers < 10 || s.budgetUsers > 100_000):
		return fmt.Errorf("--budget-users is %d; it must be from 10 to 100000, or 0 for no such row", s.budgetUsers)
	case s.fairUsers < 10 || s.fairUsers > 1000:
		return fmt.Errorf("--fair-users is %d; it must be from 10 to 1000, as many as a binding can have", s.fairUsers)
	case s.fairBig < 10 || s.fairBig > 100_000 || s.fairEdits < 10 || s.fairEdits > 100_000:
		return fmt.Errorf("--fair-big is %d and --fair-edits %d; each must be from 10 to 100000", s.fairBig, s.fairEdits)
	case s.fairSpan < 10*time.Second || s.fairSpan > time.Hour:
		return fmt.Errorf("--fair-span is %s; it must be from 10s to 1h", s.fairSpan)
	case s.manager != "" && s.profile != "":
		return errors.New("--profile builds a manager that can be profiled, so it does not go with --manager; leave one of them out")
	}
	return nil
}

func (s *settings) run(command *cobra.Command) (err error) {
	if err := s.validate(); err != nil {
		return err
	}
	ctx := command.Context()
	say := newProgress(command.ErrOrStderr())
	folder, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, err := s.program(ctx, say, folder)
	if err != nil {
		return err
	}
	results := newReport(s)
	for _, users := range s.users {
		if users == 0 {
			continue
		}
		result, err := measure(ctx, s, say, program, users)
		if err != nil {
			return fmt.Errorf("could not measure %d users: %w", users, err)
		}
		results.Results = append(results.Results, result)
	}
	if s.budgetUsers > 0 {
		if results.Budget, err = measureBudget(ctx, s, say, program); err != nil {
			return fmt.Errorf("could not measure a mass change: %w", err)
		}
	}
	if s.fair {
		if results.Fair, err = measureFair(ctx, s, say, program); err != nil {
			return fmt.Errorf("could not measure the row fair: %w", err)
		}
	}
	if err := results.save(s.out); err != nil {
		return err
	}
	return results.print(command.OutOrStdout(), s.out)
}
