package openaitest

import "net/http/httptest"

// Server is an Organization that listens on a loopback address.
type Server struct {
	*Organization
	http *httptest.Server
}

// Option sets up a Server.
type Option func(*settings)

type settings struct{ id, key string }

// WithOrganizationID sets the organization's ID.
func WithOrganizationID(id string) Option { return func(s *settings) { s.id = id } }

// WithAdminKey sets the admin key.
func WithAdminKey(key string) Option { return func(s *settings) { s.key = key } }

// DefaultAdminKey opens simulated organizations and nothing else.
const DefaultAdminKey = "sk-admin-simulated-organization-key"

// NewServer starts an organization with nobody in it. Close ends it.
func NewServer(options ...Option) *Server {
	s := settings{id: "org-simulated", key: DefaultAdminKey}
	for _, option := range options {
		option(&s)
	}
	organization := New(s.id, s.key)
	return &Server{Organization: organization, http: httptest.NewServer(organization)}
}

// URL is the address for base-url, with /v1.
func (s *Server) URL() string { return s.http.URL + "/v1" }

// Close ends the server. Calls under way are cut off.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}
