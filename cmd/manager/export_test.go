package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// runExport runs the command with the key on standard input, unless the arguments name a file.
func runExport(t *testing.T, key string, arguments ...string) (output, progress string, err error) {
	t.Helper()
	command := newCommand()
	var out, errors bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&errors)
	command.SetIn(strings.NewReader(key))
	command.SetArgs(append([]string{"export"}, arguments...))
	err = command.ExecuteContext(context.Background())
	return out.String(), errors.String(), err
}

func TestExport(t *testing.T) {
	organization := openaitest.NewServer()
	t.Cleanup(organization.Close)
	id := organization.AddUser(openaitest.User{Email: "ada@example.com", Role: "owner"})
	organization.AssignRole(id, organization.AddRole(openaitest.Role{Name: "viewer"}))

	output, progress, err := runExport(t, organization.AdminKey()+"\n", "--admin-key-file=-", "--base-url="+organization.URL())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kind: OrgUser\n", "email: ada@example.com\n", "kind: OrgUserRoleBinding\n", "- orgUser: ada\n"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
	if want := "users: 1, people among them: 1\n"; progress != want {
		t.Errorf("progress %q, want %q", progress, want)
	}

	organization.ResetJournal()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(organization.AdminKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	output, _, err = runExport(t, "", "--admin-key-file="+file, "--base-url="+organization.URL(), "--bindings=false")
	if err != nil || strings.Contains(output, "OrgUserRoleBinding") {
		t.Errorf("without bindings: %v\n%s", err, output)
	}
	if calls := organization.Journal(); len(calls) != 1 {
		t.Errorf("%d calls, want one: %v", len(calls), calls)
	}
}

func TestNoRequestIsMadeWhileGoWouldLogItsHeaders(t *testing.T) {
	organization := openaitest.NewServer()
	t.Cleanup(organization.Close)
	t.Setenv("GODEBUG", "madvdontneed=1,http2debug=2")
	_, _, err := runExport(t, organization.AdminKey(), "--admin-key-file=-", "--base-url="+organization.URL())
	if err == nil || !strings.Contains(err.Error(), "GODEBUG has http2debug") {
		t.Errorf("got %v", err)
	}
	command := newCommand()
	command.SetArgs([]string{"--kubeconfig=/nowhere"})
	if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "GODEBUG has http2debug") {
		t.Errorf("the manager: %v", err)
	}
	if calls := organization.Journal(); len(calls) > 0 {
		t.Errorf("it called %v", calls)
	}
}

func TestExportSaysWhatIsWrongAndWritesNoPartOfAnOrganization(t *testing.T) {
	organization := openaitest.NewServer()
	t.Cleanup(organization.Close)
	organization.SeedMany(150)
	for name, c := range map[string]struct {
		key       string
		arguments []string
		fault     openaitest.Fault
		want      string
	}{
		"no key file named": {want: "--admin-key-file is missing: name a file"},
		"no such file":      {arguments: []string{"--admin-key-file=/nowhere"}, want: "--admin-key-file: open /nowhere"},
		"no admin key":      {key: "sk-proj-0123456789", arguments: []string{"--admin-key-file=-"}, want: "an admin key starts with sk-admin-"},
		"a refused key":     {key: "sk-admin-of-somebody-else", arguments: []string{"--admin-key-file=-"}, want: "401"},
		"the key itself for its file": {
			key: organization.AdminKey(), arguments: []string{"--admin-key-file=" + organization.AdminKey()}, want: "the name of a file with the key, or -, not the key itself",
		},
		"the key in front of its flag": {
			key: organization.AdminKey(), arguments: []string{organization.AdminKey()}, want: "manager export takes flags only",
		},
		"the key in the address": {
			key: organization.AdminKey(), arguments: []string{"--admin-key-file=-", "--base-url=http://127.0.0.1:1/" + organization.AdminKey()}, want: "contains an admin key",
		},
		"half a list": {
			key: organization.AdminKey(), arguments: []string{"--admin-key-file=-"}, want: "list users",
			fault: openaitest.Fault{Path: "/organization/users", Skip: 1, Status: http.StatusBadRequest},
		},
		"a list of roles that fails": {
			key: organization.AdminKey(), arguments: []string{"--admin-key-file=-"}, want: "list",
			fault: openaitest.Fault{Path: "/organization/users/*/roles", Skip: 1, Status: http.StatusBadRequest},
		},
	} {
		t.Run(name, func(t *testing.T) {
			organization.ClearFaults()
			if c.fault.Status != 0 {
				organization.Fail(c.fault)
			}
			output, progress, err := runExport(t, c.key, append([]string{"--base-url=" + organization.URL()}, c.arguments...)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if output != "" {
				t.Errorf("wrote %q", output)
			}
			if c.key != "" && strings.Contains(fmt.Sprint(err)+progress, c.key) {
				t.Errorf("the key is shown: %v, %s", err, progress)
			}
		})
	}
}
