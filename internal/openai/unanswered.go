package openai

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
)

// unanswered says why no answer arrived, without the ports and times that
// make the system's own words differ from try to try.
func unanswered(err error) string {
	var (
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		network     net.Error
	)
	switch {
	case errors.As(err, &dns):
		return "the API's host name does not resolve; is base-url right?"
	case errors.As(err, &certificate):
		return "the server's certificate is not accepted"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS; is base-url right?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.As(err, &network) && network.Timeout():
		return "the connection could not be made in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was dropped before an answer"
	default:
		return "no answer arrived"
	}
}

// withoutURL drops the request's URL from an error of net/http: it may hold
// e-mail addresses.
func withoutURL(err error) error {
	if at, ok := errors.AsType[*url.Error](err); ok {
		return at.Err
	}
	return err
}
