package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// step is one thing that rollcall does, shown.
type step struct {
	title, what string
	// run are commands, shown as typed and with what they print.
	run []string
	// until is waited for before show: a command and what its output must contain.
	until condition
	// show are commands whose output is the result.
	show []string
}

type condition struct {
	command, contains string
}

const (
	users    = "kubectl get orgusers"
	bindings = "kubectl get orguserrolebindings"

	organizations = "kubectl get organizations"
	resync        = `kubectl annotate organization default --overwrite openai.rollcall.dev/sync-requested-at=now`
)

func (s *stage) steps() []step {
	return []step{
		{
			title: "An admin key, and who is to be in the organization",
			what: "The key stays in a Secret. The samples declare three people, and a role for all three.\n" +
				"rollcall finds them by their email and adopts them; only what differs is changed: Grace's technical\n" +
				"level, and who has the role.",
			run: []string{
				"kubectl create secret generic openai-admin-key --from-literal=api-key=" + adminKey + " --from-literal=base-url=http://" + s.simulator + "/v1",
				"kubectl apply -k config/samples",
				"kubectl wait organization/default orguser/ada orguser/grace orguser/alan orguserrolebinding/usage-viewers --for=condition=Ready --timeout=60s",
			},
			show: []string{organizations, users + " -o wide", bindings, "orgsim journal --changes"},
		},
		{
			title: "A role change",
			what:  "Grace becomes an owner. One call is made, with the one field that differs.",
			run:   []string{`kubectl patch orguser grace --type=merge -p {"spec":{"role":"owner"}}`},
			until: condition{users + " grace", "owner"},
			show:  []string{users, "orgsim users grace.hopper"},
		},
		{
			title: "Persona and technical level: set, then cleared",
			what:  "A field that is set is kept so. An empty one is cleared; one that is left out is not managed.",
			run:   []string{`kubectl patch orguser ada --type=merge -p {"spec":{"developerPersona":"analyst","technicalLevel":"expert"}}`},
			until: condition{"orgsim users ada.lovelace", "expert"},
			show:  []string{"orgsim users ada.lovelace"},
		},
		{
			run:   []string{`kubectl patch orguser ada --type=merge -p {"spec":{"developerPersona":""}}`},
			until: condition{"orgsim users ada.lovelace", "-        expert"},
			show:  []string{"orgsim users ada.lovelace"},
		},
		{
			title: "A role for three people, and one of them taken out",
			what:  "The binding of the first step gave three people the role usage-viewer. Grace is taken out.",
			run: []string{
				`kubectl patch orguserrolebinding usage-viewers --type=merge -p {"spec":{"subjects":[{"orgUser":"ada"},{"email":"alan.turing@example.com"}]}}`,
			},
			until: condition{bindings, "2/2"},
			show:  []string{bindings, "orgsim users grace.hopper", "orgsim users alan.turing"},
		},
		{
			title: "Drift: somebody changes things by hand",
			what: "Past rollcall, Grace is made a reader and Alan loses the role. rollcall notices at the next resync\n" +
				"(every 10 minutes, or now if asked), and puts both back, with an event for each.",
			run: []string{
				"orgsim set grace.hopper@example.com --role reader",
				"orgsim set alan.turing@example.com --unassign usage-viewer",
				resync,
			},
			until: condition{"kubectl get events --field-selector reason=DriftCorrected", "usage-viewer"},
			show:  []string{"kubectl get events --field-selector reason=DriftCorrected -o custom-columns=OBJECT:.involvedObject.name,EVENT:.message", "orgsim users grace.hopper", "orgsim users alan.turing"},
		},
		{
			title: "Somebody who is not a member yet",
			what:  "rollcall invites nobody. The object waits, and is ready by itself once they have joined.",
			run:   []string{"kubectl apply -f hack/demo/newcomer.yaml"},
			until: condition{users, "NotAMember"},
			show:  []string{users},
		},
		{
			run:   []string{"orgsim add emmy.noether@example.com", "kubectl annotate organization default --overwrite openai.rollcall.dev/sync-requested-at=again"},
			until: condition{users + " emmy", "True"},
			show:  []string{users},
		},
		{
			title: "A person who leaves",
			what: "Deleting an OrgUser makes its person a leaver: the object goes at once, and the person stays for\n" +
				"spec.guard.removalDelay, so that a rename in Git, or a mistake, removes nobody. It is 5 minutes unless the\n" +
				"Organization says something else; here it is 10 seconds.",
			run: []string{
				`kubectl patch organization default --type=merge -p {"spec":{"guard":{"removalDelay":"10s"}}}`,
				"kubectl delete orguser grace --timeout=60s",
			},
			until: condition{organizations + " -o custom-columns=LEAVING:.status.leavingUsers", "1"},
			show: []string{
				organizations, users, "orgsim users grace",
				organizations + ` -o jsonpath={range.items[*].status.leaving[*]}{.email}{"\tsince\t"}{.since}{"\tdue\t"}{.due}{"\n"}{end}`,
			},
		},
		{
			title: "Their removal",
			what:  "When the time is over they are looked at afresh, the guard is asked, and they are removed.",
			until: condition{"kubectl get events --field-selector reason=Removed", "grace.hopper"},
			show:  []string{"orgsim users grace", "kubectl get events --field-selector reason=Removed -o custom-columns=OBJECT:.involvedObject.name,EVENT:.message"},
		},
		{
			until: condition{organizations + " -o custom-columns=LEAVING:.status.leavingUsers", "0"},
			show:  []string{organizations},
		},
		{
			title: "A removal that is none: deletionPolicy Retain",
			what:  "Alan's OrgUser says Retain, so the object goes and he stays.",
			run:   []string{"kubectl delete orguser alan --timeout=60s"},
			until: condition{"kubectl get events --field-selector reason=Retained", "alan.turing"},
			show:  []string{users, "orgsim users alan", "kubectl get events --field-selector reason=Retained -o custom-columns=OBJECT:.involvedObject.name,EVENT:.message"},
		},
		{
			title: "All that rollcall changed in the organization",
			show:  []string{"orgsim journal --changes"},
		},
	}
}

// walk shows every step.
func (s *stage) walk(ctx context.Context) error {
	number := 0
	for _, step := range s.steps() {
		if step.title != "" {
			number++
			fmt.Printf("\n%s\n%d. %s\n", strings.Repeat("-", 100), number, step.title)
			if step.what != "" {
				fmt.Println(step.what)
			}
		}
		for _, command := range step.run {
			if err := s.show(ctx, command); err != nil {
				return err
			}
		}
		if err := s.waitUntil(ctx, step.until); err != nil {
			return err
		}
		for _, command := range step.show {
			if err := s.show(ctx, command); err != nil {
				return err
			}
		}
	}
	return nil
}

// show types a command and prints what it prints.
func (s *stage) show(ctx context.Context, command string) error {
	fmt.Printf("\n$ %s\n", typed(command))
	cmd := s.command(ctx, strings.Fields(command)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

// typed quotes what a shell would take apart.
func typed(command string) string {
	words := strings.Fields(command)
	for i, word := range words {
		if strings.ContainsAny(word, `{}"*`) {
			words[i] = "'" + word + "'"
		}
	}
	return strings.Join(words, " ")
}

// waitUntil waits until a command prints what is expected, and says so if that takes long.
func (s *stage) waitUntil(ctx context.Context, c condition) error {
	if c.command == "" {
		return nil
	}
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun, said := time.Now(), false
	for {
		output, err := s.output(ctx, strings.Fields(c.command)...)
		if err == nil && strings.Contains(output, c.contains) {
			return nil
		}
		if !said && time.Since(begun) > 2*time.Second {
			said = true
			fmt.Printf("  waiting until `%s` shows %q ...\n", typed(c.command), c.contains)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("`%s` did not show %q within %s; it shows:\n%s", typed(c.command), c.contains, patience, output)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// explain says how to go on with what is running.
func (s *stage) explain() {
	fmt.Printf(`
%s
Everything goes on running until Ctrl-C. In another terminal, from this folder:

  export KUBECONFIG=%s
  alias kubectl=%s
  alias orgsim='%s/orgsim'
  kubectl get rollcall
  kubectl explain orguser.spec
  orgsim users --server http://%[5]s
  orgsim fault --method POST --status 503 --times 3 --server http://%[5]s

The simulated organization is at http://%[5]s/v1 (admin key %[6]s).
The logs are in %[7]s.
`, strings.Repeat("-", 100), s.plane.Kubeconfig, s.plane.Kubectl, s.programs, s.simulator, adminKey, s.plane.Folder)
}
