package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// remote is a running orgsim.
type remote struct{ address string }

func clientCommands() []*cobra.Command {
	r := &remote{}
	commands := []*cobra.Command{
		r.usersCommand(), r.addCommand(), r.addRoleCommand(), r.setCommand(), r.removeCommand(),
		r.journalCommand(), r.faultCommand(), r.limitCommand(), r.longRoleIDsCommand(), r.rotateKeyCommand(),
	}
	for _, command := range commands {
		command.Flags().StringVar(&r.address, "server", "http://"+defaultAddress, "address of the running orgsim")
	}
	return commands
}

// do calls the control API.
func (r *remote) do(ctx context.Context, method, path string, body, into any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.address, "/")+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no orgsim answers at %s (%w); start one, or name it with --server", r.address, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(answer, &refusal) != nil || refusal.Error == "" {
			return fmt.Errorf("what answers at %s is no orgsim: %s", r.address, response.Status)
		}
		return fmt.Errorf("%s", refusal.Error)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// say prints what was done, unless it was not.
func (r *remote) say(command *cobra.Command, err error, done string) error {
	if err == nil {
		fmt.Fprintln(command.OutOrStdout(), done)
	}
	return err
}

func user(who string) string { return "/sim/users/" + url.PathEscape(who) }

func (r *remote) usersCommand() *cobra.Command {
	return &cobra.Command{
		Use: "users [EMAIL OR NAME]", Short: "Show who is in the organization", Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			var people []openaitest.Person
			if err := r.do(command.Context(), http.MethodGet, "/sim/users", nil, &people); err != nil {
				return err
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tEMAIL\tROLE\tPERSONA\tLEVEL\tROLES\tID")
			shown := 0
			for _, p := range people {
				if len(arguments) == 1 && !strings.Contains(strings.ToLower(p.Email+" "+p.Name), strings.ToLower(arguments[0])) {
					continue
				}
				shown++
				roles := p.Roles
				for _, inherited := range p.InheritedRoles {
					roles = append(roles, inherited+" (from a group)")
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, orDash(p.Email), orDash(p.Role), orDash(p.DeveloperPersona),
					orDash(p.TechnicalLevel), orDash(strings.Join(roles, ", ")), p.ID)
			}
			if shown == 0 {
				fmt.Fprintln(command.OutOrStdout(), "Nobody.")
				return nil
			}
			return table.Flush()
		},
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (r *remote) addCommand() *cobra.Command {
	var person openaitest.Person
	command := &cobra.Command{
		Use: "add EMAIL", Short: "Let somebody join", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			person.Email = arguments[0]
			return r.say(command, r.do(command.Context(), http.MethodPost, "/sim/users", person, nil), person.Email+" has joined")
		},
	}
	command.Flags().StringVar(&person.Name, "name", "", "name")
	command.Flags().StringVar(&person.Role, "role", "reader", "owner or reader")
	return command
}

func (r *remote) addRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "add-role NAME", Short: "Offer a role, for bindings to give", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			role := openaitest.Role{Name: arguments[0]}
			return r.say(command, r.do(command.Context(), http.MethodPost, "/sim/roles", role, nil), role.Name+" is offered")
		},
	}
}

func (r *remote) setCommand() *cobra.Command {
	var role, persona, level, email string
	var edit openaitest.Edit
	command := &cobra.Command{
		Use: "set EMAIL", Short: "Change somebody by hand, past rollcall", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			for name, field := range map[string]struct {
				value  *string
				target **string
			}{"role": {&role, &edit.Role}, "persona": {&persona, &edit.DeveloperPersona}, "level": {&level, &edit.TechnicalLevel}, "email": {&email, &edit.Email}} {
				if command.Flags().Changed(name) {
					*field.target = field.value
				}
			}
			return r.say(command, r.do(command.Context(), http.MethodPatch, user(arguments[0]), edit, nil), arguments[0]+" changed by hand")
		},
	}
	flags := command.Flags()
	flags.StringVar(&role, "role", "", "owner or reader")
	flags.StringVar(&persona, "persona", "", "developer persona; empty clears it")
	flags.StringVar(&level, "level", "", "technical level; empty clears it")
	flags.StringVar(&email, "email", "", "another email")
	flags.StringVar(&edit.AssignRole, "assign", "", "assign this role, by name or ID")
	flags.StringVar(&edit.UnassignRole, "unassign", "", "take this role away, by name or ID")
	return command
}

func (r *remote) removeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove EMAIL", Short: "Take somebody out by hand", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return r.say(command, r.do(command.Context(), http.MethodDelete, user(arguments[0]), nil, nil), arguments[0]+" taken out by hand")
		},
	}
}

func (r *remote) journalCommand() *cobra.Command {
	var changes, anew bool
	command := &cobra.Command{
		Use: "journal", Short: "Show the calls that the organization got", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if anew {
				return r.say(command, r.do(command.Context(), http.MethodDelete, "/sim/journal", nil, nil), "a new journal begins")
			}
			var calls []openaitest.Call
			if err := r.do(command.Context(), http.MethodGet, "/sim/journal", nil, &calls); err != nil {
				return err
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "TIME\tSTATUS\tCALL\tBODY")
			for _, call := range calls {
				if !changes || call.Changed {
					fmt.Fprintf(table, "%s\t%d\t%s %s\t%s\n", call.Time.Format(time.TimeOnly), call.Status, call.Method, pathOf(call), call.Body)
				}
			}
			return table.Flush()
		},
	}
	command.Flags().BoolVar(&changes, "changes", false, "only calls that changed something")
	command.Flags().BoolVar(&anew, "clear", false, "begin a new journal")
	return command
}

func (r *remote) faultCommand() *cobra.Command {
	var fault openaitest.Fault
	var drop string
	var none bool
	command := &cobra.Command{
		Use: "fault", Short: "Have calls fail", Args: cobra.NoArgs,
		Example: `  orgsim fault --status 429 --retry-after 10 --times 1
  orgsim fault --method DELETE --drop after     # carried out, but the answer is lost
  orgsim fault --path /organization/users --skip 1 --status 500   # the second page
  orgsim fault --path '/organization/users/user-a*' --latency 1h  # some people's calls hang
  orgsim fault --clear`,
		RunE: func(command *cobra.Command, _ []string) error {
			if none {
				return r.say(command, r.do(command.Context(), http.MethodDelete, "/sim/faults", nil, nil), "no more faults")
			}
			fault.Drop = openaitest.Drop(drop)
			return r.say(command, r.do(command.Context(), http.MethodPost, "/sim/faults", fault, nil), "calls will fail as told")
		},
	}
	flags := command.Flags()
	flags.StringVar(&fault.Method, "method", "", "calls with this method (default: all)")
	flags.StringVar(&fault.Path, "path", "", "calls of this path, with * for any part of a segment (default: all)")
	flags.IntVar(&fault.Skip, "skip", 0, "let so many calls through first")
	flags.IntVar(&fault.Times, "times", 0, "how many calls fail; 0: until --clear")
	flags.IntVar(&fault.Status, "status", 0, "answer with this status")
	flags.IntVar(&fault.RetryAfter, "retry-after", 0, "seconds, with --status 429")
	flags.DurationVar(&fault.Latency, "latency", 0, "delay the calls; 1h: hang")
	flags.StringVar(&drop, "drop", "", "drop the connection: before or after the call is carried out")
	flags.BoolVar(&fault.HTML, "html", false, "answer with a page instead of JSON")
	flags.BoolVar(&fault.Truncate, "truncate", false, "cut the answer in half")
	flags.BoolVar(&none, "clear", false, "end all faults")
	return command
}

func (r *remote) limitCommand() *cobra.Command {
	var limit openaitest.Limit
	var hint string
	var none bool
	command := &cobra.Command{
		Use: "limit METHOD ENDPOINT", Short: "Answer 429 to more calls of one endpoint than so many a minute", Args: cobra.MaximumNArgs(2),
		Example: `  orgsim limit GET '/organization/users/{id}/roles' --per-minute 10 --hint text
  orgsim limit DELETE '/organization/users/{id}' --per-minute 60 --burst 5 --hint none
  orgsim limit --clear`,
		RunE: func(command *cobra.Command, arguments []string) error {
			if none {
				return r.say(command, r.do(command.Context(), http.MethodDelete, "/sim/limits", nil, nil), "no endpoint is limited")
			}
			if len(arguments) != 2 {
				return fmt.Errorf("name the endpoint, such as GET '/organization/users/{id}'")
			}
			limit.Method, limit.Endpoint, limit.Hint = arguments[0], arguments[1], openaitest.Hint(hint)
			return r.say(command, r.do(command.Context(), http.MethodPut, "/sim/limits", limit, nil), "the endpoint is limited as told")
		},
	}
	flags := command.Flags()
	flags.IntVar(&limit.PerMinute, "per-minute", 0, "so many calls a minute; 0: no limit")
	flags.IntVar(&limit.Burst, "burst", 0, "tokens of a bucket; 0: windows of a minute")
	flags.StringVar(&hint, "hint", string(openaitest.HintRetryAfter), "how a 429 says when to come again: retry-after, text, zero (Retry-After: 0) or none")
	flags.BoolVar(&none, "clear", false, "end the limits of all endpoints")
	return command
}

func (r *remote) longRoleIDsCommand() *cobra.Command {
	var off bool
	command := &cobra.Command{
		Use: "long-role-ids", Short: "Name the roles of users by longer IDs than the list of roles does", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return r.say(command, r.do(command.Context(), http.MethodPut, "/sim/long-role-ids", map[string]bool{"on": !off}, nil), "roles are named as told")
		},
	}
	command.Flags().BoolVar(&off, "off", false, "end it")
	return command
}

func (r *remote) rotateKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rotate-key KEY", Short: "Accept this admin key and no other", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return r.say(command, r.do(command.Context(), http.MethodPut, "/sim/key", map[string]string{"key": arguments[0]}, nil), "the old key is refused from now on")
		},
	}
}
