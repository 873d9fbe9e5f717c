package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const defaultAddress = "127.0.0.1:8090"

// settings are what the flags of the server set.
type settings struct {
	address, adminKey, organizationID, seed string
	latency                                 time.Duration
	requestsPerMinute                       int
	verbose                                 bool
}

func newCommand() *cobra.Command {
	var s settings
	command := &cobra.Command{
		Use:   "orgsim",
		Short: "Simulate an OpenAI organization, to try rollcall without one of your own",
		Long: `orgsim answers the users and roles calls of the OpenAI organization admin API, from memory and strictly:
what the API refuses, it refuses. Point rollcall at it with the key base-url in the Organization's Secret.

The other commands speak to a running orgsim, as somebody who changes the organization by hand does.`,
		Example: `  orgsim                                       # some thirty people, on http://127.0.0.1:8090/v1
  orgsim --seed many:10000 --latency 50ms
  orgsim users                                 # who is in, from another terminal
  orgsim set grace.hopper@example.com --role owner
  orgsim fault --method POST --path '/organization/users/*' --status 503 --times 3
  orgsim journal --changes`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return s.serve(command.Context(), command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&s.address, "listen", defaultAddress, "address to listen on; a loopback address, since whoever reaches it can do anything")
	flags.StringVar(&s.adminKey, "admin-key", openaitest.DefaultAdminKey, "the admin key to accept")
	flags.StringVar(&s.organizationID, "organization-id", "org-simulated", "the organization's ID")
	flags.StringVar(&s.seed, "seed", "demo", "who is in: demo (some thirty people and roles), empty, or many:N")
	flags.DurationVar(&s.latency, "latency", 0, "delay of every answer, such as 50ms")
	flags.IntVar(&s.requestsPerMinute, "requests-per-minute", 0, "answer 429 to more calls a minute than this; 0: never")
	flags.BoolVar(&s.verbose, "verbose", false, "print every call")
	command.AddCommand(clientCommands()...)
	return command
}

func (s *settings) organization() (*openaitest.Organization, error) {
	if !strings.HasPrefix(s.adminKey, "sk-admin-") {
		return nil, fmt.Errorf("--admin-key must begin with sk-admin-, as admin keys do")
	}
	organization := openaitest.New(s.organizationID, s.adminKey)
	organization.SetLatency(s.latency)
	organization.LimitRate(s.requestsPerMinute)
	kind, count, _ := strings.Cut(s.seed, ":")
	people, err := strconv.Atoi(count)
	switch {
	case s.seed == "demo":
		organization.SeedDemo()
	case kind == "many" && err == nil && people > 0:
		organization.SeedMany(people)
	case s.seed != "empty":
		return nil, fmt.Errorf("--seed is %q; it must be demo, empty or many:N with N above 0", s.seed)
	}
	return organization, nil
}

func (s *settings) serve(ctx context.Context, out io.Writer) error {
	organization, err := s.organization()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("cannot listen on --listen %s: %w", s.address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sim/", organization.Control())
	mux.Handle("/", organization)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if s.verbose {
		organization.Watch(func(call openaitest.Call) {
			fmt.Fprintf(out, "%s  %3d  %-6s %s  %s\n", call.Time.Format(time.TimeOnly), call.Status, call.Method, pathOf(call), call.Body)
		})
	}
	s.introduce(out, listener.Addr().String(), len(organization.Members()))

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(shutdown); errors.Is(err, context.DeadlineExceeded) {
		return server.Close() // who still waits is cut off
	} else if err != nil {
		return err
	}
	return nil
}

func pathOf(call openaitest.Call) string {
	if call.Query == "" {
		return call.Path
	}
	return call.Path + "?" + call.Query
}

func (s *settings) introduce(out io.Writer, address string, people int) {
	fmt.Fprintf(out, `A simulated organization with %d users.

  base-url   http://%[2]s/v1
  api-key    %[3]s

Try it:
  curl -H 'Authorization: Bearer %[3]s' 'http://%[2]s/v1/organization/users?limit=2'
For rollcall:
  kubectl create secret generic openai-admin-key --from-literal=api-key=%[3]s --from-literal=base-url=http://%[2]s/v1
By hand, from another terminal: orgsim users, orgsim set, orgsim fault, orgsim journal (orgsim --help).
Ctrl-C ends it.
`, people, address, s.adminKey)
}
