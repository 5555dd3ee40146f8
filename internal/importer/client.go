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

// errVersion says that the two programs do not fit together.
var errVersion = errors.New("the server is of another version: use the steward program that the server runs")

// send sends rows once. An error means that there was no answer that could
// be read, so that nobody knows whether the rows were applied.
func (c *Client) send(ctx context.Context, rows []*row, dryRun bool) (answer, error) {
	var q request
	for _, r := range rows {
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
	if len(r.Rows) != len(rows) {
		return answer{}, fmt.Errorf("%w (it answers %d rows for %d)", errVersion, len(r.Rows), len(rows))
	}
	a.results = r.Rows
	return a, nil
}

// single turns an answer for a request of one row into that row's result.
func (a answer) single() result {
	r := result{Status: a.status, Code: a.problem.Code, Message: a.problem.Detail}
	if len(a.problem.Errors) > 0 {
		r.Field, r.Message = strings.TrimPrefix(a.problem.Errors[0].Field, "rows[0]."), a.problem.Errors[0].Message
	}
	return r
}
