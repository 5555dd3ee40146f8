package importer

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The address that takes rows, and how much it takes at once.
const (
	batchPath    = "/v1/domains/import-batch"
	maxBatchRows = 100
	maxBatchSize = 56 << 10 // bytes of rows
)

// Body is one row as the API takes it.
type Body struct {
	Key          string   `json:"idempotency_key"`
	Name         string   `json:"name"`
	RegisteredAt string   `json:"registered_at"`
	ExpiresAt    string   `json:"expires_at"`
	AutoRenew    bool     `json:"auto_renew"`
	Locked       bool     `json:"locked"`
	Privacy      bool     `json:"privacy"`
	Nameservers  []string `json:"nameservers,omitempty"`
	Owner        Owner    `json:"owner"`
}

// Owner is who a row gives its domain to, found or created by email.
type Owner struct {
	Email     string `json:"email"`
	Username  string `json:"username,omitempty"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
}

// columnOf is the CSV column that a field of the API's came from.
func columnOf(field string) string {
	field, _, _ = strings.Cut(field, "[") // nameservers[1]
	switch field {
	case "name":
		return colDomain
	case "owner.email":
		return colEmail
	case "owner.username":
		return colUsername
	case "owner.first_name", "owner.last_name", "owner.profile.first_name", "owner.profile.last_name":
		return colName
	case colRegistered, colExpires, colAutoRenew, colLocked, colPrivacy, colNameservers:
		return field
	}
	return ""
}

type request struct {
	Rows []json.RawMessage `json:"rows"`
}

type response struct {
	Rows []result `json:"rows"`
}

// result is the API's answer to one row.
type result struct {
	Status       int    `json:"status"`
	Outcome      string `json:"outcome"` // accepted or unchanged
	OwnerCreated bool   `json:"owner_created"`
	Code         string `json:"code"`
	Field        string `json:"field"`
	Message      string `json:"message"`
}

// problem is the API's answer to a request that it refuses (RFC 9457).
type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (r result) outcome() Outcome {
	if r.Status >= 200 && r.Status < 300 {
		return Outcome{Unchanged: r.Outcome == "unchanged", OwnerCreated: r.OwnerCreated}
	}
	why := refusal(columnOf(r.Field), r.Code, r.Message)
	if why.Code == "" {
		why.Code = "http_" + strconv.Itoa(r.Status)
	}
	if why.Reason == "" {
		why.Reason = strings.ToLower(http.StatusText(r.Status))
	}
	return Outcome{Refused: why}
}

// passing are refusals that say: somebody else is at it at this very moment.
var passing = []string{"name_reserved", "name_contended", "busy"}

// temporary reports whether the row may fare better in a moment.
func (r result) temporary() bool {
	return temporary(r.Status) || r.Status == http.StatusConflict && slices.Contains(passing, r.Code)
}

// temporary reports whether the same request may fare better later: 504 says
// that the outcome is not known yet.
func temporary(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads the header of that name, in seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
