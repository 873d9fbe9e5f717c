package controller_test

import (
	"io"
	"net/http"
	"time"
)

// laggingWatches has what a watch tells arrive so much later, and everything else as it is.
func laggingWatches(lag time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err == nil && request.URL.Query().Get("watch") == "true" {
				response.Body = late(response.Body, lag)
			}
			return response, err
		})
	}
}

// lateBody gives what is read of a body so much later.
type lateBody struct {
	io.Reader
	body io.Closer
	pipe *io.PipeReader
}

func (l lateBody) Close() error {
	_ = l.pipe.Close() // it has no error to tell
	return l.body.Close()
}

func late(body io.ReadCloser, lag time.Duration) io.ReadCloser {
	type piece struct {
		due  time.Time
		data []byte
		err  error
	}
	pieces := make(chan piece, 1<<16)
	go func() {
		defer close(pieces)
		for {
			data := make([]byte, 32<<10)
			n, err := body.Read(data)
			pieces <- piece{time.Now().Add(lag), data[:n], err}
			if err != nil {
				return
			}
		}
	}()
	reader, writer := io.Pipe()
	go func() {
		for p := range pieces {
			<-time.After(time.Until(p.due))
			if _, err := writer.Write(p.data); err != nil {
				return
			}
			if p.err != nil {
				writer.CloseWithError(p.err)
				return
			}
		}
	}()
	return lateBody{reader, body, reader}
}
