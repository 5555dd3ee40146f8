package archtest_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var clusterNodes = []string{"eventstore1", "eventstore2", "eventstore3"}

func TestTheClusterIsAProfileOfItsOwn(t *testing.T) {
	t.Parallel()
	profile := append([]string{"cluster-access", "cluster-certificates", "steward-cluster"}, clusterNodes...)
	for name, s := range compose(t).Services {
		if got := slices.Equal(s.Profiles, []string{"cluster"}); got != slices.Contains(profile, name) {
			t.Errorf("%s has profiles %v", name, s.Profiles)
		}
	}
}

func TestTheNodesOfTheClusterKnowEachOther(t *testing.T) {
	t.Parallel()
	file := compose(t)
	subnet, err := netip.ParsePrefix(file.Networks["cluster"].Ipam.Config[0].Subnet)
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{}
	for _, name := range clusterNodes {
		address := file.Services[name].Environment["KURRENTDB_REPLICATION_IP"]
		if ip, err := netip.ParseAddr(address); err != nil || !subnet.Contains(ip) {
			t.Errorf("%s: address %q is not in %s: %v", name, address, subnet, err)
		}
		given, _ := file.Services[name].Networks.(map[string]any)["cluster"].(map[string]any)
		if given["ipv4_address"] != address {
			t.Errorf("%s advertises %s and has %v", name, address, given)
		}
		addresses[name] = address + ":2113"
	}
	ports := map[string]bool{}
	certificates := string(read(t, "deploy/eventstore/certify.sh"))
	for i, name := range clusterNodes {
		s := file.Services[name]
		var others []string
		for other, address := range addresses {
			if other != name {
				others = append(others, address)
			}
		}
		seeds := strings.Split(s.Environment["KURRENTDB_GOSSIP_SEED"], ",")
		slices.Sort(others)
		slices.Sort(seeds)
		if !slices.Equal(seeds, others) {
			t.Errorf("%s has the seeds %v, not the others %v", name, seeds, others)
		}
		for key, want := range map[string]string{
			"KURRENTDB_CLUSTER_SIZE":                   "3",
			"KURRENTDB_DISCOVER_VIA_DNS":               "false",
			"KURRENTDB_ADVERTISE_HOST_TO_CLIENT_AS":    name,
			"KURRENTDB_TRUSTED_ROOT_CERTIFICATES_PATH": "/ca",
			"KURRENTDB_CERTIFICATE_FILE":               fmt.Sprintf("/certificates/node%d/node.crt", i+1),
			"KURRENTDB_CERTIFICATE_PRIVATE_KEY_FILE":   fmt.Sprintf("/certificates/node%d/node.key", i+1),
			"KURRENTDB_INSECURE":                       "",
			"KURRENTDB_RUN_PROJECTIONS":                "None",
		} {
			if got := s.Environment[key]; got != want {
				t.Errorf("%s: %s is %q, not %q", name, key, got, want)
			}
		}
		if !strings.Contains(s.Healthcheck.Test[1], "--cacert /ca/ca.crt https://localhost:2113/") {
			t.Errorf("%s: health check %q does not verify the certificate", name, s.Healthcheck.Test)
		}
		if len(s.Ports) != 1 || ports[s.Ports[0]] || !regexp.MustCompile(`^127\.0\.0\.1:\d+:2113$`).MatchString(s.Ports[0]) {
			t.Errorf("%s: ports %v", name, s.Ports)
		}
		ports[s.Ports[0]] = true
		if s.Image != file.Services["eventstore"].Image {
			t.Errorf("%s runs %s", name, s.Image)
		}
		for _, other := range file.Services["cluster-access"].DependsOn {
			if other.Condition != "service_healthy" {
				t.Errorf("rights are given before the nodes are healthy: %v", other)
			}
		}
	}
	// Made for the addresses and names under which the nodes are dialled.
	if !strings.Contains(certificates, `-ip-addresses "127.0.0.1,172.30.240.1$i" -dns-names "localhost,eventstore$i"`) {
		t.Error("the certificates are made for other names")
	}
}

// Steward gets the authority's certificate and its own password; neither an
// administrator's password nor a key.
func TestStewardInTheClusterHasItsOwnUser(t *testing.T) {
	t.Parallel()
	s := compose(t).Services["steward-cluster"]
	want := `^esdb://steward:\$\{EVENTSTORE_PASSWORD:\?.+\}@eventstore1:2113,eventstore2:2113,eventstore3:2113\?tls=true&tlsCAFile=/ca/ca\.crt&nodePreference=leader$`
	if got := s.Environment["STEWARD_EVENTSTORE_URL"]; !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("STEWARD_EVENTSTORE_URL is %q", got)
	}
	for key, value := range s.Environment {
		if key == "STEWARD_EVENTSTORE_INSECURE" || strings.Contains(value, "ADMIN") || strings.Contains(value, "OPS") || strings.Contains(value, "tlsVerifyCert") {
			t.Errorf("%s is %q", key, value)
		}
	}
	if !slices.Equal(s.Volumes, []string{"cluster-ca:/ca:ro"}) {
		t.Errorf("mounts %v", s.Volumes)
	}
	for name, other := range compose(t).Services {
		if mounts := slices.ContainsFunc(other.Volumes, func(v string) bool { return strings.HasPrefix(v, "cluster-authority:") }); mounts != (name == "cluster-certificates") {
			t.Errorf("%s mounts the authority's key: %v", name, mounts)
		}
	}
}

// acl is an access control list: who may read, write, delete, and the same for metadata.
type acl struct {
	Read      []string `json:"$r"`
	Write     []string `json:"$w"`
	Delete    []string `json:"$d"`
	MetaRead  []string `json:"$mr"`
	MetaWrite []string `json:"$mw"`
}

func acls(t *testing.T, name string) (eventType string, lists map[string]acl) {
	t.Helper()
	var file []struct {
		EventID   string         `json:"eventId"`
		EventType string         `json:"eventType"`
		Data      map[string]acl `json:"data"`
	}
	dec := json.NewDecoder(strings.NewReader(string(read(t, name))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil || len(file) != 1 {
		t.Fatalf("%s: %d events, %v", name, len(file), err)
	}
	return file[0].EventType, file[0].Data
}

func TestStewardMayNotDeleteNorWriteMetadata(t *testing.T) {
	t.Parallel()
	equal := func(a, b acl) bool {
		return slices.Equal(a.Read, b.Read) && slices.Equal(a.Write, b.Write) && slices.Equal(a.Delete, b.Delete) &&
			slices.Equal(a.MetaRead, b.MetaRead) && slices.Equal(a.MetaWrite, b.MetaWrite)
	}
	steward, admins := []string{"steward"}, []string{"$admins"}
	for name, want := range map[string]map[string]acl{
		"deploy/eventstore/default-acl.json": {
			"$userStreamAcl":   {Read: steward, Write: steward, Delete: admins, MetaRead: admins, MetaWrite: admins},
			"$systemStreamAcl": {Read: admins, Write: admins, Delete: admins, MetaRead: admins, MetaWrite: admins},
		},
		"deploy/eventstore/all-acl.json": {
			"$acl": {Read: steward, Write: admins, Delete: admins, MetaRead: admins, MetaWrite: admins},
		},
	} {
		_, got := acls(t, name)
		if len(got) != len(want) {
			t.Errorf("%s has %d lists", name, len(got))
		}
		for key := range want {
			if !equal(got[key], want[key]) {
				t.Errorf("%s: %s is %+v, not %+v", name, key, got[key], want[key])
			}
		}
	}
}
