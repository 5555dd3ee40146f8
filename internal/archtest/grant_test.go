package archtest_test

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// management answers like the part of a node's HTTP API that grant.sh uses: users,
// access control lists, and who may do what under them.
type management struct {
	mu       sync.Mutex
	password string         // of steward, "" while there is no such user
	lists    map[string]acl // by name, as last written
	careless bool           // gives everybody every right
}

func (m *management) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	user, password, _ := r.BasicAuth()
	admin := user == "admin" && password == "admin-password-1"
	if !admin && (user != "steward" || m.password == "" || password != m.password) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var account struct{ LoginName, Password, NewPassword string }
	var written []struct{ Data map[string]acl }
	if r.Header.Get("Content-Type") == "application/json" {
		_ = json.Unmarshal(body, &account)
	} else if r.Header.Get("Content-Type") == "application/vnd.kurrent.events+json" {
		_ = json.Unmarshal(body, &written)
	}
	may := func(list string, right func(acl) []string) bool {
		a := m.lists[list]
		return admin || m.careless || len(right(a)) == 1 && right(a)[0] == user
	}
	switch r.Method + " " + r.URL.EscapedPath() {
	case "POST /users/":
		if m.password != "" {
			w.WriteHeader(http.StatusConflict)
			return
		}
		m.password = account.Password
		w.WriteHeader(http.StatusCreated)
	case "POST /users/steward/command/reset-password":
		m.password = account.NewPassword
	case "POST /streams/%24settings", "POST /streams/%24all/metadata":
		if !may("$acl", func(a acl) []string { return a.MetaWrite }) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		for name, list := range written[0].Data {
			m.lists[name] = list
		}
		w.WriteHeader(http.StatusCreated)
	case "GET /streams/%24all/head/backward/1":
		if !may("$acl", func(a acl) []string { return a.Read }) {
			w.WriteHeader(http.StatusForbidden)
		}
	case "GET /streams/%24users":
		if !may("$systemStreamAcl", func(a acl) []string { return a.Read }) {
			w.WriteHeader(http.StatusForbidden)
		}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// given is the password that Steward's user has.
func (m *management) given() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.password
}

// The script that gives Steward its rights is run against what stands for a node.
func TestTheScriptThatGivesStewardItsRights(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	m := &management{lists: map[string]acl{}}
	server := httptest.NewTLSServer(m)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(admin, password string) (string, error) {
		command := exec.CommandContext(t.Context(), "bash", filepath.Join(root, "deploy/eventstore/grant.sh"))
		command.Env = append(os.Environ(), "EVENTSTORE_NODES="+server.URL+" https://127.0.0.1:1", "EVENTSTORE_CA="+ca,
			"EVENTSTORE_ADMIN_PASSWORD="+admin, "EVENTSTORE_PASSWORD="+password)
		out, err := command.CombinedOutput()
		return string(out), err
	}

	for _, password := range []string{"steward-password-1", "steward-password-2"} { // repeated, with another password
		out, err := run("admin-password-1", password)
		if given := m.given(); err != nil || given != password || !strings.Contains(out, "steward reads the log (200)") || strings.Contains(out, "password") {
			t.Fatalf("%v, user with %q\n%s", err, given, out)
		}
	}
	m.mu.Lock()
	if got := m.lists["$acl"].Read; len(got) != 1 || got[0] != "steward" || len(m.lists) != 3 {
		t.Errorf("the lists are %v", m.lists)
	}
	m.mu.Unlock()
	if out, err := run("guess", "steward-password-1"); err == nil || !strings.Contains(out, "admin is refused (401)") {
		t.Errorf("with a wrong password: %v\n%s", err, out)
	}
	if out, err := run("admin-password-1", "p@ss word/quoted\""); err == nil || !strings.Contains(out, "EVENTSTORE_PASSWORD") {
		t.Errorf("with a password that no URL can hold: %v\n%s", err, out)
	}
	m.mu.Lock()
	m.careless = true
	m.mu.Unlock()
	if out, err := run("admin-password-1", "steward-password-1"); err == nil || !strings.Contains(out, "not so, the answer is 200") {
		t.Errorf("with too many rights: %v\n%s", err, out)
	}
}
