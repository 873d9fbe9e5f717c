package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-dev/rollcall/internal/export"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// exporting is what the flags of export set.
type exporting struct {
	keyFile       string
	baseURL       string
	allowInsecure bool
	bindings      bool
}

func newExportCommand() *cobra.Command {
	var e exporting
	command := &cobra.Command{
		Use:   "export --admin-key-file FILE",
		Short: "Write manifests that declare an organization as it is",
		Long: `export reads an organization and writes an OrgUser for each person and an OrgUserRoleBinding for each role
that was given to somebody directly. Applied as they are they change nothing, and deleting them removes nobody:
their deletionPolicy is Retain. Service accounts and the default user are left out.

It changes nothing, and needs no cluster. The key is read from a file, or from standard input with -, so that it
stays out of the shell's history and the list of processes.`,
		Example: `  manager export --admin-key-file KEY >people.yaml
  manager export --admin-key-file KEY --bindings=false      # a call for 100 people, none for each`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return e.run(command.Context(), command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	flags := command.Flags()
	flags.StringVar(&e.keyFile, "admin-key-file", "", "file with the admin key; - reads standard input")
	flags.StringVar(&e.baseURL, "base-url", "", "address of the API (default: "+openai.DefaultBaseURL+")")
	flags.BoolVar(&e.allowInsecure, "allow-insecure-base-url", false, "accept http for hosts other than loopback; the admin key then crosses the network in the clear")
	flags.BoolVar(&e.bindings, "bindings", true, "write OrgUserRoleBindings too, which takes one call for each person")
	return command
}

func (e *exporting) run(ctx context.Context, stdin io.Reader, to, progress io.Writer) error {
	key, err := e.key(stdin)
	if err != nil {
		return err
	}
	client, err := openai.NewClient(openai.Config{AdminKey: key, BaseURL: e.baseURL, AllowInsecure: e.allowInsecure})
	if err != nil {
		return err
	}
	users, err := client.ListUsers(ctx)
	if err != nil {
		return err
	}
	people := export.People(users)
	fmt.Fprintf(progress, "users: %d, people among them: %d\n", len(users), len(people))
	var assignments map[string][]openai.RoleAssignment
	if e.bindings {
		if assignments, err = listAssignments(ctx, client, people, progress); err != nil {
			return err
		}
	}
	return export.Write(to, people, assignments)
}

func (e *exporting) key(stdin io.Reader) (string, error) {
	var key []byte
	var err error
	switch {
	case strings.HasPrefix(e.keyFile, "sk-"):
		// That no such file exists would be said with its name.
		return "", errors.New("--admin-key-file takes the name of a file with the key, or -, not the key itself")
	case e.keyFile == "":
		return "", errors.New("--admin-key-file is missing: name a file with an admin key, or - for standard input")
	case e.keyFile == "-":
		key, err = io.ReadAll(io.LimitReader(stdin, maxKeyFile))
	default:
		key, err = os.ReadFile(e.keyFile)
	}
	if err != nil {
		return "", fmt.Errorf("--admin-key-file: %w", err)
	}
	return string(key), nil
}

const (
	maxKeyFile = 1 << 16
	// listsAtOnce bounds the calls under way; the limiter bounds how many there are in a minute.
	listsAtOnce = 8
	// progressEvery is the time between two lines of progress.
	progressEvery = 2 * time.Second
)

// listAssignments lists the roles of all people, or fails with the first list that fails.
func listAssignments(ctx context.Context, client *openai.Client, people []openai.User, progress io.Writer) (map[string][]openai.RoleAssignment, error) {
	var mu sync.Mutex
	told := time.Now()
	assignments := make(map[string][]openai.RoleAssignment, len(people))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(listsAtOnce)
	for _, user := range people {
		group.Go(func() error {
			roles, err := client.ListUserRoles(ctx, user.ID)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			assignments[user.ID] = roles
			if time.Since(told) > progressEvery {
				told = time.Now()
				fmt.Fprintf(progress, "roles of %d of %d people\n", len(assignments), len(people))
			}
			return nil
		})
	}
	return assignments, group.Wait()
}
