package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// caller is an HTTP client of Steward with an API key.
type caller struct {
	client *http.Client
	base   string
	key    string
}

func newCaller(base, key string, connections int) *caller {
	return &caller{base: base, key: key, client: &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			MaxIdleConns: connections, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
			DisableCompression: true,
		},
	}}
}

func (c *caller) close() { c.client.CloseIdleConnections() }

// get reads path and returns the answer.
func (c *caller) get(ctx context.Context, path string) ([]byte, error) {
	return c.do(ctx, http.MethodGet, path, nil)
}

// post sends body to path and returns the answer.
func (c *caller) post(ctx context.Context, path string, body []byte) ([]byte, error) {
	return c.do(ctx, http.MethodPost, path, body)
}

func (c *caller) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return c.send(ctx, method, path, body, bearer(c.key))
}

// bearer is the header of a request with a credential.
func bearer(credential string) http.Header {
	return http.Header{"Authorization": {"Bearer " + credential}}
}

// send sends a request whose header becomes its own, with no credential but what
// stands there.
func (c *caller) send(ctx context.Context, method, path string, body []byte, header http.Header) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	request.Header = header
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err // it names method and address
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusAccepted {
		return nil, fmt.Errorf("%s %s: %s %s", method, path, response.Status, problemCode(answer))
	}
	return answer, nil
}

// problemCode is the stable code in a problem document.
func problemCode(answer []byte) string {
	var problem struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(answer, &problem); err != nil {
		return "(without a problem document)"
	}
	return problem.Code
}
