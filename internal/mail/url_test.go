package mail_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/mail"
)

func TestSenderAddresses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"smtp://mx.example":                               "mx.example:587 (STARTTLS)",
		"smtp://user:pa%23ss@mx.example:2525":             "mx.example:2525 (STARTTLS, signed in)",
		"smtp://user:pa%23ss@mx.example/?tls=starttls":    "mx.example:587 (STARTTLS, signed in)",
		"smtps://user:pa%23ss@mx.example":                 "mx.example:465 (TLS, signed in)",
		"smtp://localhost:1025":                           "localhost:1025 (no TLS)",
		"smtp://[::1]:1025":                               "[::1]:1025 (no TLS)",
		"smtp://user:pa%23ss@127.0.0.1:1025":              "127.0.0.1:1025 (no TLS, signed in)",
		"smtp://127.0.0.1:1025?tls=starttls":              "127.0.0.1:1025 (STARTTLS)",
		"smtp://mailpit:1025?tls=none":                    "mailpit:1025 (no TLS)",
		"smtp://localhost.evil.example:1025?tls=starttls": "localhost.evil.example:1025 (STARTTLS)",
		"smtp://localhost.evil.example:1025":              "localhost.evil.example:1025 (STARTTLS)",
	} {
		s, err := mail.NewSender(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("mail", "sender", s)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("mail", "sender", s)
		printed := fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s) + log.String()
		if s.String() != want || strings.Contains(printed, "pa#ss") || strings.Contains(printed, "pa%23ss") || strings.Contains(printed, "user") {
			t.Errorf("%s: %s, printed %s", url, s, printed)
		}
	}
	for url, says := range map[string]string{
		"":                                     "must begin with",
		"mx.example:587":                       "must begin with",
		"http://mx.example":                    "must begin with",
		"smtp://":                              "names no host",
		"smtp://:587":                          "names no host",
		"smtp://mx.example:0":                  "port",
		"smtp://mx.example:65536":              "port",
		"smtp://mx.example:smtp":               "cannot be read",
		"smtp://mx.example/s3cret":             "behind the host",
		"smtp://mx.example#s3cret":             "behind the host",
		"smtp://user@mx.example":               "both a user and a password",
		"smtp://:s3cret@mx.example":            "both a user and a password",
		"smtp://user:s3cret#x@mx.example":      "cannot be read",
		"smtp://user:s3cret/x@mx.example":      "cannot be read",
		"smtp://user:12?s3cret@mx.example":     "nothing else",
		"smtp://user:%zzs3cret@mx.example":     "cannot be read",
		"smtp://mx.example?tls=s3cret":         "neither starttls nor none",
		"smtp://mx.example?tls=none&s3cret=1":  "nothing else",
		"smtps://mx.example?tls=none":          "TLS already",
		"smtps://mx.example?tls=starttls":      "TLS already",
		"smtp://user:s3cret@mailpit?tls=none":  "in the clear",
		"smtp://user:s3cret@10.0.0.1?tls=none": "in the clear",
	} {
		if s, err := mail.NewSender(url); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "user:") && !strings.Contains(err.Error(), "user:password") {
			t.Errorf("%s: %v, %v", url, s, err)
		}
	}
}
