package archtest_test

import (
	"bytes"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composeFile is what the tests below look at. No container engine runs them, so they check what can be read.
type composeFile struct {
	Name     string
	Steward  composeService    `yaml:"x-steward"` // what the services below have in common
	Settings map[string]string `yaml:"x-steward-environment"`
	Networks map[string]struct {
		Driver string
		Ipam   struct{ Config []struct{ Subnet string } }
	}
	Services map[string]composeService
	Volumes  map[string]any
	Secrets  map[string]struct{ File string }
}

type composeService struct {
	Build       any
	Image       string
	Profiles    []string
	Entrypoint  []string
	Command     []string
	NetworkMode string `yaml:"network_mode"`
	Networks    any
	User        string
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Environment map[string]string `yaml:"environment"`
	Secrets     []string
	Ports       []string
	Volumes     []string
	Tmpfs       []string
	Restart     string
	ShmSize     string `yaml:"shm_size"`
	Ulimits     any
	StopGrace   string `yaml:"stop_grace_period"`
	Healthcheck struct {
		Test        []string
		Interval    string
		Timeout     string
		Retries     int
		StartPeriod string `yaml:"start_period"`
	}
	DependsOn map[string]struct{ Condition string } `yaml:"depends_on"`
}

func compose(t *testing.T) composeFile {
	t.Helper()
	text := read(t, "docker-compose.yml")
	var file composeFile
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true) // a misspelt key would be ignored by nobody else but us
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestComposeHasEveryService(t *testing.T) {
	t.Parallel()
	want := []string{
		"cluster-access", "cluster-certificates", "eventstore", "eventstore1", "eventstore2", "eventstore3",
		"mailpit", "nats", "postgres", "steward", "steward-cluster",
	}
	if got := slices.Sorted(maps.Keys(compose(t).Services)); !slices.Equal(got, want) {
		t.Errorf("services %v, want %v", got, want)
	}
}

func TestComposeServices(t *testing.T) {
	t.Parallel()
	file := compose(t)
	for name, s := range file.Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s.Build == nil {
				checkImage(t, s.Image)
			}
			for _, port := range s.Ports {
				if !strings.HasPrefix(port, "127.0.0.1:") {
					t.Errorf("port %s is open to the network: publish it on 127.0.0.1", port)
				}
			}
			once := s.Restart == "no"
			if h := s.Healthcheck; !once && (len(h.Test) < 2 || h.Interval == "" || h.Timeout == "" || h.Retries == 0) {
				t.Errorf("health check %+v lacks a test, an interval, a timeout or retries", h)
			}
			for other, d := range s.DependsOn {
				want := "service_healthy"
				if file.Services[other].Restart == "no" {
					want = "service_completed_successfully"
				}
				if _, ok := file.Services[other]; !ok || d.Condition != want {
					t.Errorf("depends on %s in condition %q: it must exist and be waited for until %s", other, d.Condition, want)
				}
			}
			for _, v := range s.Volumes {
				volume, to, _ := strings.Cut(v, ":")
				if strings.HasPrefix(volume, "./") {
					if _, err := os.Stat(filepath.Join(root, volume)); err != nil || !strings.HasSuffix(to, ":ro") {
						t.Errorf("%s: the directory must exist and be mounted for reading only: %v", v, err)
					}
				} else if _, ok := file.Volumes[volume]; !ok {
					t.Errorf("volume %s is not declared", v)
				}
			}
			for key, value := range s.Environment {
				if strings.Contains(key, "PASSWORD") && !regexp.MustCompile(`^\$\{\w+:\?.+\}$`).MatchString(value) {
					t.Errorf("%s must come from outside and have no default", key)
				}
				if u, err := url.Parse(value); err == nil && strings.Contains(u.Scheme, "sdb") && u.User != nil && !strings.Contains(value, ":?") {
					t.Errorf("%s holds a password", key)
				}
			}
		})
	}
}

// checkImage demands a tag that says a version, on the registry that needs no account.
func checkImage(t *testing.T, image string) {
	t.Helper()
	name, tag, _ := strings.Cut(image, ":")
	if !regexp.MustCompile(`^v?\d+\.\d+`).MatchString(tag) {
		t.Errorf("image %s is not pinned to a version", image)
	}
	if host, _, ok := strings.Cut(name, "/"); ok && strings.ContainsAny(host, ".:") {
		t.Errorf("image %s is not on Docker Hub", image)
	}
}

func TestComposeRunsStewardWithoutPrivileges(t *testing.T) {
	t.Parallel()
	for name, others := range map[string][]string{"steward": {"eventstore", "postgres"}, "steward-cluster": {"cluster-access", "postgres"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkSteward(t, compose(t), name, others)
		})
	}
}

func checkSteward(t *testing.T, file composeFile, name string, others []string) {
	t.Helper()
	s := file.Services[name]
	if !regexp.MustCompile(`^\$\{STEWARD_UID:-[1-9]\d*\}:\$\{STEWARD_GID:-[1-9]\d*\}$`).MatchString(s.User) {
		t.Errorf("user %q may be root", s.User)
	}
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
		t.Errorf("read only %v, dropped %v, security %v", s.ReadOnly, s.CapDrop, s.SecurityOpt)
	}
	for _, other := range others {
		if _, ok := s.DependsOn[other]; !ok {
			t.Errorf("steward does not wait for %s", other)
		}
	}
	for _, name := range s.Secrets {
		if file.Secrets[name].File == "" {
			t.Errorf("secret %s has no file", name)
		}
	}
}

func TestComposeConfiguresSteward(t *testing.T) {
	t.Parallel()
	s := compose(t).Services["steward"]
	for key, want := range map[string]string{
		"STEWARD_ADDR":                `:8080$`,
		"STEWARD_EVENTSTORE_URL":      `^esdb://eventstore:2113\?tls=false$`,
		"STEWARD_EVENTSTORE_INSECURE": `^1$`,
		"STEWARD_POSTGRES_URL":        `^postgres://steward:\$\{STEWARD_DB_PASSWORD:\?.*\}@postgres:5432/steward`,
		"STEWARD_VAULT_URL":           `^postgres://.*@postgres:5432/`,
		"STEWARD_MASTER_KEY_FILE":     `^/run/secrets/master_key$`,
	} {
		if !regexp.MustCompile(want).MatchString(s.Environment[key]) {
			t.Errorf("%s is %q, not %s", key, s.Environment[key], want)
		}
	}
	want := []string{"CMD", "/steward", "healthcheck", "--url", "http://127.0.0.1:8080/readyz"}
	if !slices.Equal(s.Healthcheck.Test, want) {
		t.Errorf("health check %q, not %q", s.Healthcheck.Test, want)
	}
}

func TestDockerfileIsSmallStaticAndUnprivileged(t *testing.T) {
	t.Parallel()
	text := string(read(t, "Dockerfile"))
	stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text, -1)
	if len(stages) != 2 || stages[1][1] != "scratch" {
		t.Fatalf("stages %q: one to build, one from scratch", stages)
	}
	checkImage(t, stages[0][1])
	_, final, _ := strings.Cut(text, "FROM scratch")
	if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(final) || strings.Contains(final, "USER 0") {
		t.Error("the final stage does not name a user that is not root")
	}
	for _, want := range []string{"CGO_ENABLED=0 go build", "-trimpath", "main.version=", "HEALTHCHECK", `ENTRYPOINT ["/steward"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
