package controlplane

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// Request is what a ServiceAccount asked the API server for.
type Request struct {
	Verb      string `json:"verb"`
	UserAgent string `json:"userAgent"`
	User      struct {
		Username string `json:"username"`
	} `json:"user"`
	// Object is nil for what is no resource, such as /metrics.
	Object *struct {
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Received    time.Time         `json:"requestReceivedTimestamp"`
	Annotations map[string]string `json:"annotations"`
}

// Allowed says whether it was let through.
func (r Request) Allowed() bool { return r.Annotations["authorization.k8s.io/decision"] == "allow" }

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts"]
- level: None
`

func (p *ControlPlane) auditLog() string { return filepath.Join(p.Folder, "audit.log") }

// audit has the API server, which is not started yet, write its audit log.
func (p *ControlPlane) audit() error {
	policy := filepath.Join(p.Folder, "audit-policy.yaml")
	p.environment.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policy).Set("audit-log-path", p.auditLog())
	return os.WriteFile(policy, []byte(auditPolicy), 0o600)
}

// Requests reads what ServiceAccounts have asked for so far. It needs the option Audit.
func (p *ControlPlane) Requests() ([]Request, error) {
	log, err := os.ReadFile(p.auditLog())
	if err != nil {
		return nil, err
	}
	// What follows the last end of a line is still being written.
	var requests []Request
	for line := range bytes.Lines(log[:bytes.LastIndexByte(log, '\n')+1]) {
		var request Request
		if err := json.Unmarshal(line, &request); err != nil {
			return nil, errors.Join(errors.New("read the audit log"), err)
		}
		requests = append(requests, request)
	}
	return requests, nil
}
