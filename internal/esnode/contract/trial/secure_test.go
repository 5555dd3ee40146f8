package trial_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/esnode/contract"
)

// brief is a section whose cases are few and go through both the client and the bare protocol.
var brief = []string{"2.2"}

// TestSecureServer runs the suite through everything that a server may ask of its clients.
func TestSecureServer(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	secure := ours.serving()
	secure.ClientAuth, secure.ClientCAs = tls.RequireAndVerifyClientCert, ours.clients()
	const user, password = "admin", "ch@nge:it"
	address := startGuard(t, onSocket(t), secure, user, password)
	_, certFile, keyFile := ours.issue("client")
	contract.Run(t, contract.Target{ConnectionString: fmt.Sprintf(
		"esdb://%s:ch%%40nge%%3Ait@%s?tls=true&tlsCAFile=%s&userCertFile=%s&userKeyFile=%s", user, address, ours.file, certFile, keyFile)})
}

// TestConnectionStrings shows that both ways of talking to a server take every form of address and of trust.
func TestConnectionStrings(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	secure, plain, gone := onLoopback(t, ours.serving()), onLoopback(t, nil), free(t)
	for name, connection := range map[string]string{
		"one_host":                   "esdb://" + plain + "?tls=false",
		"discovery":                  "esdb+discover://" + plain + "?tls=false",
		"seeds":                      "esdb://" + gone + "," + plain + "?tls=false",
		"tls_with_authority":         "esdb://" + secure + "?tlsCAFile=" + ours.file,
		"tls_unverified":             "esdb://" + secure + "?tls=true&tlsVerifyCert=false",
		"tls_discovery":              "esdb+discover://" + secure + "?tls=true&tlsCAFile=" + ours.file,
		"tls_seeds":                  "esdb://" + gone + "," + secure + "?tls=true&tlsCAFile=" + ours.file,
		"tls_with_user_nobody_needs": "esdb://admin:changeit@" + secure + "?tlsCAFile=" + ours.file,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contract.Run(t, contract.Target{ConnectionString: connection, Sections: brief})
		})
	}
}

// wrongURL makes this binary run the suite against a server that cannot be tested.
const wrongURL = "CONTRACT_TRIAL_WRONG_URL"

// TestWrongConnectionStrings shows what somebody reads who got one wrong.
func TestWrongConnectionStrings(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(wrongURL); url != "" {
		contract.Run(t, contract.Target{ConnectionString: url})
		return
	}
	ours := newAuthority(t)
	secure, plain, gone := onLoopback(t, ours.serving()), onLoopback(t, nil), free(t)
	for name, c := range map[string]struct{ connection, want string }{
		"not_a_url":          {"localhost:2113", "cannot be used"},
		"another_scheme":     {"http://admin:secret@" + plain, "expecting esdb:// or esdb+discover://"},
		"broken_setting":     {"esdb://admin:secret@" + plain + "?tls=perhaps", "cannot be used"},
		"half_a_certificate": {"esdb://" + plain + "?userCertFile=/tmp/x", "both userCertFile and userKeyFile"},
		"no_certificate":     {"esdb://" + secure + "?userCertFile=/nowhere&userKeyFile=/nowhere", "/nowhere"},
		"user_without_tls":   {"esdb://admin:secret@" + plain + "?tls=false", "use tls=true, or leave the user out"},
		"nobody_there":       {"esdb://" + gone + "?tls=false", "no event store answers on " + gone},
		"plain_for_tls":      {"esdb://" + plain + "?tls=true&tlsVerifyCert=false", "whether tls is right"},
		"tls_for_plain":      {"esdb://" + secure + "?tls=false", "whether tls is right"},
		"unknown_authority":  {"esdb://admin:secret@" + secure + "?tls=true", "unknown authority"},
		"seeds_all_gone":     {"esdb://admin:secret@" + gone + "," + gone + "?tls=true", "no node of the cluster names a leader"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWrongConnectionStrings$")
			command.Env = append(os.Environ(), wrongURL+"="+c.connection)
			output, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(output), c.want) {
				t.Errorf("want %q, got %v:\n%s", c.want, err, output)
			}
			if strings.Contains(string(output), "secret") {
				t.Errorf("the password is shown:\n%s", output)
			}
		})
	}
}
