package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client speaks to one Steward with one API key.
type Client struct {
	url  string
	key  string
	http *http.Client
}

const (
	requestTimeout = time.Minute
	maxAnswer      = 8 << 20
)

// NewClient returns a client of the Steward at base, such as
// http://127.0.0.1:8080. A nil transport means one of its own, over which
// conns requests may be under way at once.
func NewClient(base, key string, conns int, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL must look like https://steward.example.com, without a user, query or fragment")
	}
	u.Path = strings.TrimSuffix(u.Path, "/v1")
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key is empty or holds characters that no key has")
	}
	if transport == nil {
		t := &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: conns, IdleConnTimeout: time.Minute,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
		}
		transport = t
	}
	return &Client{url: u.String() + batchPath, key: key, http: &http.Client{
		Transport: transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// answer is what came back for a batch: a result for each row, or one status
// for all.
type answer struct {
	status  int
	results []result
	problem problem
	after   time.Duration // when to try again, if the server says
}

// send sends a batch once. An error means that there was no answer that could
// be read, so that nobody knows whether the rows were applied.
func (c *Client) send(ctx context.Context, b *batch, dryRun bool) (answer, error) {
	var q request
	for _, r := range b.rows {
		q.Rows = append(q.Rows, r.wire)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return answer{}, fmt.Errorf("encode rows: %w", err)
	}
	to := c.url
	if dryRun {
		to += "?dry_run=true"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", b.key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "steward-import")
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	a := answer{status: resp.StatusCode, after: retryAfter(resp.Header, time.Now())}
	if a.status < 200 || a.status > 299 {
		_ = json.Unmarshal(text, &a.problem) // a proxy's page is no problem document: the status tells enough
		return a, nil
	}
	var r response
	if err := json.Unmarshal(text, &r); err != nil {
		return answer{}, fmt.Errorf("the answer is not JSON: %w", err)
	}
	if len(r.Results) != len(b.rows) {
		return answer{}, fmt.Errorf("the answer has %d results for %d rows", len(r.Results), len(b.rows))
	}
	a.results = r.Results
	return a, nil
}

// single turns an answer for a request of one row into that row's result.
func (a answer) single() result {
	r := result{Status: a.status, problem: a.problem}
	for i := range r.Errors {
		r.Errors[i].Field = strings.TrimPrefix(r.Errors[i].Field, "rows[0].")
	}
	return r
}
