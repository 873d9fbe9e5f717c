package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/controller"
	"github.com/rollcall-dev/rollcall/internal/declared"
)

// Who leads must be the only one whose requests still land. A leader that cannot renew stops after renewDeadline, and
// a request of its last moment ends within the client's timeout of 30 seconds; only then, after leaseDuration, may
// another one look. A manager that is told to stop lets its requests end first, and releases the Lease after that.
const (
	leaseDuration    = 60 * time.Second
	renewDeadline    = 20 * time.Second
	retryPeriod      = 3 * time.Second
	gracefulShutdown = 40 * time.Second
)

// settings are what the flags set.
type settings struct {
	leaderElect             bool
	leaderElectionNamespace string
	metricsAddress          string
	metricsInsecure         bool
	healthAddress           string
	watchNamespaces         []string
	workers                 int
	allowInsecureBaseURL    bool
	logLevel                string
	logFormat               string
}

func newCommand() *cobra.Command {
	var s settings
	command := &cobra.Command{
		Use:   "manager",
		Short: "Keep the membership of OpenAI organizations as Kubernetes objects declare it",
		Long: `manager runs rollcall's controllers against the cluster of the current kubeconfig, or in a pod against
the cluster that it runs in. The kinds must be installed first: make install.

It reads Organization, OrgUser and OrgUserRoleBinding objects and changes the OpenAI organization where it
differs from them.`,
		Example: `  manager                                       # the current kubeconfig, logs for people
  manager --leader-elect --metrics-bind-address=:8443 --log-format=json
  manager --watch-namespaces=platform,research  # these two namespaces only`,
		Args:          noArguments,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return refuseDebugOfRequests(os.Getenv("GODEBUG"))
		},
		RunE: func(command *cobra.Command, _ []string) error {
			return s.run(command.Context())
		},
	}
	flags := command.Flags()
	flags.BoolVar(&s.leaderElect, "leader-elect", false, "act only while holding the Lease openai.rollcall.dev; needed with more than one replica")
	flags.StringVar(&s.leaderElectionNamespace, "leader-election-namespace", "", "namespace of the Lease (default: the pod's own)")
	flags.StringVar(&s.metricsAddress, "metrics-bind-address", "0", "address for metrics, over HTTPS and for callers that may get /metrics, such as :8443; 0 is none")
	flags.BoolVar(&s.metricsInsecure, "metrics-insecure", false, "serve metrics over plain HTTP and to anybody; for development")
	flags.StringVar(&s.healthAddress, "health-probe-bind-address", ":8081", "address for /healthz and /readyz; 0 is none")
	flags.StringSliceVar(&s.watchNamespaces, "watch-namespaces", nil, "namespaces to act in (default: all)")
	flags.IntVar(&s.workers, "workers", 10, "objects of one kind that are worked on at once, from 1 to 200")
	flags.BoolVar(&s.allowInsecureBaseURL, "allow-insecure-base-url", false, "accept http in a Secret's base-url for hosts other than loopback; the admin key then crosses the network in the clear")
	flags.StringVar(&s.logLevel, "log-level", "info", "error, info or debug")
	flags.StringVar(&s.logFormat, "log-format", "", "text or json (default: text in a terminal, else json)")
	// controller-runtime registers --kubeconfig with the standard library's flags.
	command.Flags().AddGoFlagSet(kubeconfigFlags())
	command.AddCommand(newExportCommand())
	return command
}

// refuseDebugOfRequests refuses the one setting of Go's that would write the headers and bodies of HTTP/2 requests,
// the admin key among them, to the log.
func refuseDebugOfRequests(godebug string) error {
	if strings.Contains(godebug, "http2debug") {
		return errors.New("GODEBUG has http2debug, which would write admin keys to the log; take it out")
	}
	return nil
}

// noArguments is cobra.NoArgs without repeating the argument, which may be a key that was meant for a flag.
func noArguments(command *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("%s takes flags only, and no other arguments; see %s --help", command.CommandPath(), command.CommandPath())
	}
	return nil
}

// stamped is the version that hack/image.sh and the Dockerfile build in; `go install` and `go build` leave it empty.
var stamped string

func version() string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

func (s *settings) validate() error {
	if s.workers < 1 || s.workers > 200 {
		return fmt.Errorf("--workers is %d; it must be from 1 to 200", s.workers)
	}
	if slices.Contains(s.watchNamespaces, "") {
		return fmt.Errorf("--watch-namespaces has an empty name; separate names by single commas")
	}
	return nil
}

func (s *settings) run(ctx context.Context) error {
	if err := s.validate(); err != nil {
		return err
	}
	logger, err := s.logger()
	if err != nil {
		return err
	}
	ctrl.SetLogger(logger)

	rest, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("no cluster to work in: %w; set KUBECONFIG or --kubeconfig, or run in a pod", err)
	}
	options, err := s.managerOptions()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(rest, options)
	if err != nil {
		return fmt.Errorf("cannot start with the cluster at %s: %w", rest.Host, err)
	}
	if err := controller.SetupWithManager(ctx, mgr, controller.Options{
		Workers: s.workers, AllowInsecureBaseURL: s.allowInsecureBaseURL,
		Metrics: metrics.Registry, Linger: s.linger(),
	}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	logger.Info("rollcall starts", "version", version(), "cluster", rest.Host, "namespaces", s.watchNamespaces, "leaderElection", s.leaderElect)
	return mgr.Start(ctx)
}

// linger is how long requests of the manager before this one may land. With the Lease of a leader that was lost their time
// has passed too; one that is just started again, after a kill, knows of none before it.
func (s *settings) linger() time.Duration {
	if s.leaderElect {
		return -1
	}
	return 0
}

func (s *settings) managerOptions() (ctrl.Options, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return ctrl.Options{}, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return ctrl.Options{}, err
	}
	options := ctrl.Options{
		Scheme:         scheme,
		MapperProvider: newMapper,
		Metrics: metricsserver.Options{
			BindAddress: s.metricsAddress, SecureServing: !s.metricsInsecure,
		},
		HealthProbeBindAddress:  s.healthAddress,
		LeaderElection:          s.leaderElect,
		LeaderElectionID:        "openai.rollcall.dev",
		LeaderElectionNamespace: s.leaderElectionNamespace,
		LeaseDuration:           new(leaseDuration),
		RenewDeadline:           new(renewDeadline),
		RetryPeriod:             new(retryPeriod),
		GracefulShutdownTimeout: new(gracefulShutdown),
		// The process ends as soon as the manager does, so the next leader need not wait for the Lease to expire.
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			DefaultTransform: declared.Trim,
			NewInformer:      newInformer,
		},
		Client: client.Options{Cache: &client.CacheOptions{
			// A reconcile must see what the one before it wrote, or it would write it again.
			EnableReadYourWritesConsistency: new(true),
		}},
	}
	if !s.metricsInsecure {
		options.Metrics.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	if len(s.watchNamespaces) > 0 {
		options.Cache.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range s.watchNamespaces {
			options.Cache.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options, nil
}
