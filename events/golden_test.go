package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

var update = flag.Bool("update", false, "write golden files that do not exist yet")

var (
	id1 = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	id2 = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")
	id3 = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0003")
	key = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f000f")

	begin = time.Date(2020, 1, 2, 3, 4, 5, 678900000, time.UTC)
	end   = time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
)

// sealed is a personal value as stored, told apart by its ciphertext.
func sealed(name string) events.Personal { return events.Sealed(key, "c2VhbGVk-"+name) }

// samples holds one event per stored name, with every field set.
func samples() map[string]events.Event {
	settings := events.DomainSettings{AutoRenew: true, Locked: true, Privacy: true, Nameservers: []string{"ns1.shop.example", "ns2.shop.example"}}
	profile := events.Profile{
		FirstName: sealed("first"), LastName: sealed("last"), Company: sealed("company"), Phone: sealed("phone"),
		Street: sealed("street"), PostalCode: sealed("postal"), City: sealed("city"), Region: sealed("region"), Country: sealed("country"),
	}
	all := []events.Event{
		events.PlatformInitialized{LogID: id1, Format: 1, IdentityScope: events.ScopeStore, KeyChecks: map[string]string{"index": "00ff", "cursor": "ff00"}},
		events.PlatformEventParked{EventID: id1, Group: "core"},
		events.PlatformReactionReset{Reaction: "reservations", To: events.Position{Commit: 10, Prepare: 9}},
		events.StoreCreated{StoreID: id1, Name: "Shop", Hosts: []string{"shop.example"}, Branding: events.Branding{LogoURL: "https://shop.example/logo.svg", Color: "#1f6feb"}},
		events.StoreRenamed{StoreID: id1, Before: "Shop", After: "Store"},
		events.StoreHostsChanged{StoreID: id1, Before: []string{"shop.example"}, After: []string{"shop.example", "www.shop.example"}},
		events.StoreBrandingChanged{StoreID: id1, Before: events.Branding{Color: "#000000"}, After: events.Branding{Color: "#1f6feb"}},
		events.StoreMailChanged{
			StoreID: id1, Before: events.MailSettings{SenderName: "Shop"},
			After: events.MailSettings{SenderName: "Shop", SenderAddress: "shop@shop.example", ReplyTo: "help@shop.example", LinkURL: "https://shop.example/account"},
		},
		events.MailCreated{
			MailID: id1, CustomerID: id2, LoginID: id3, Template: "message", CauseID: id3, CauseStream: "customer-" + id2.String(), CauseRevision: 4,
			To: sealed("to"), Subject: sealed("subject"),
		},
		events.MailSent{MailID: id1, CustomerID: id2, Attempt: 2},
		events.MailFailed{MailID: id1, CustomerID: id2, Attempt: 9, Reason: events.MailRejected},
		events.MailResendRequested{MailID: id1, CustomerID: id2, Template: "message", CauseID: id3, CauseStream: "customer-" + id2.String(), CauseRevision: 4},
		events.CustomerSecurityQuestionImported{CustomerID: id1, Question: sealed("question")},
		events.CustomerSecurityQuestionRemoved{CustomerID: id1},
		events.CustomerDetailsReviewed{CustomerID: id1},
		events.CustomerMailRequested{CustomerID: id1, Subject: sealed("subject"), Body: sealed("body")},
		events.StorePolicySet{StoreID: id1, Policy: "require_reason", Before: "false", After: "true", EffectiveAt: begin},
		events.CustomerActivated{CustomerID: id1, Before: events.StatusPending, After: events.StatusActive, Method: events.ActivatedByStaff},
		events.LoginPasswordSet{LoginID: id1, CustomerID: id2, CredentialID: id3, ReplacedID: id1, Hash: sealed("hash"), Scheme: "argon2id", Cause: events.PasswordChanged},
		events.LoginSessionsEnded{LoginID: id1, CustomerID: id2},
		events.LoginLinkIssued{LoginID: id1, CustomerID: id2, LinkID: id3, Purpose: events.LinkEmailUndo, ExpiresAt: end, KeyVersion: 2, Standing: 3, Email: sealed("email")},
		events.LoginLinkUsed{LoginID: id1, CustomerID: id2, LinkID: id3, Purpose: events.LinkReset, SessionID: id1},
		events.LoginDeviceAdded{LoginID: id1, CustomerID: id2, StaffID: id3, DeviceID: id3, SessionID: id1, First: true},
		events.LoginUnlocked{LoginID: id1, CustomerID: id2},
		events.LoginTwoFactorStarted{LoginID: id1, CustomerID: id2, CredentialID: id3, ReplacedID: id1, Secret: sealed("secret")},
		events.LoginTwoFactorEnabled{LoginID: id1, CustomerID: id2, CredentialID: id3, ReplacedIDs: []uuid.UUID{id1, id2}, Step: 59_000_000, RecoveryID: id3, Recovery: sealed("recovery")},
		events.LoginTwoFactorDisabled{LoginID: id1, CustomerID: id2, ReplacedIDs: []uuid.UUID{id1, id3}},
		events.LoginCodeAccepted{LoginID: id1, CustomerID: id2, Step: 59_000_001, SessionID: id3},
		events.LoginRecoveryCodeUsed{LoginID: id1, CustomerID: id2, Index: 3, Remaining: 8, SessionID: id3},
		events.LoginRecoveryCodesRenewed{LoginID: id1, CustomerID: id2, ReplacedID: id1, RecoveryID: id3, Recovery: sealed("recovery")},
		events.SessionChallenged{SessionID: id1, CustomerID: id2, LoginID: id3, TokenHash: "00ff", Epoch: 2, ExpiresAt: end},
		events.SessionFactorRefused{SessionID: id1, CustomerID: id2, Reason: events.RefusedCode, Method: events.MethodCode},
		events.SessionRefused{SessionID: id1, CustomerID: id2, Reason: events.RefusedStatus, Status: events.StatusSuspended, VisitorID: id3, Name: sealed("name")},
		events.SessionStarted{
			SessionID: id1, CustomerID: id2, LoginID: id3, TokenHash: "00ff", Methods: []events.AuthMethod{events.MethodPassword},
			Epoch: 2, IdleSeconds: 1800, ExpiresAt: end,
		},
		events.SessionRecoveryRefused{SessionID: id1, CustomerID: id2, Reason: events.RefusedStatus, Status: events.StatusBanned, VisitorID: id3, Name: sealed("name")},
		events.SessionEnded{SessionID: id1, CustomerID: id2, Reason: events.EndedBySignOut},
		events.ImpersonationIssued{
			ImpersonationID: id1, CustomerID: id2, StaffID: id3, APIKeyID: id1, Scope: events.ImpersonationSupport,
			Prefix: "stw_imp_0123456789abcdef", ExpiresAt: end, KeyVersion: 2, Standing: 3,
		},
		events.ImpersonationRedeemed{ImpersonationID: id1, CustomerID: id2, StaffID: id3, TokenHash: "00ff", IdleSeconds: 600, ExpiresAt: end},
		events.ImpersonationCustomerViewed{ImpersonationID: id1, CustomerID: id2, Until: end},
		events.ImpersonationRefused{ImpersonationID: id1, CustomerID: id2, Route: "POST /v1/sign-out", Reason: events.RefusedAsCustomer},
		events.ImpersonationEnded{ImpersonationID: id1, CustomerID: id2, Reason: events.ImpersonationLeft},
		events.StaffCreated{StaffID: id1, Email: sealed("email"), Name: sealed("name"), Role: events.RoleOwner},
		events.StaffRenamed{StaffID: id1, Before: sealed("before"), After: sealed("after")},
		events.StaffEmailChanged{StaffID: id1, Before: sealed("before"), After: sealed("after")},
		events.StaffRoleChanged{StaffID: id1, Before: events.RoleSupport, After: events.RoleAdmin},
		events.StaffDeactivated{StaffID: id1},
		events.StaffReactivated{StaffID: id1},
		events.APIKeyCreated{APIKeyID: id1, StaffID: id2, Prefix: "stw_live_0123456789abcdef", Hash: "00ff", Label: sealed("label"), Source: events.SourceImport, ExpiresAt: end},
		events.APIKeyRevoked{APIKeyID: id1, StaffID: id2},
		events.APIKeyRotated{APIKeyID: id1, StaffID: id2, Hash: "00ff", PreviousUntil: end},
		events.APIKeyUsed{APIKeyID: id1, StaffID: id2, Day: "2026-03-01"},
		events.CustomerCreated{CustomerID: id1, LoginID: id2, Origin: events.OriginStaff, Status: events.StatusActive, Email: sealed("email"), Username: sealed("username"), ExternalID: sealed("external"), Profile: profile},
		events.CustomerProfileEdited{CustomerID: id1, Before: events.Profile{City: sealed("before")}, After: events.Profile{City: sealed("after"), Phone: sealed("phone")}},
		events.CustomerEmailChanged{CustomerID: id1, LoginID: id2, Before: sealed("before"), After: sealed("after")},
		events.CustomerUsernameChanged{CustomerID: id1, LoginID: id2, Before: sealed("before"), After: sealed("after")},
		events.CustomerExternalIDChanged{CustomerID: id1, Before: sealed("before"), After: sealed("after")},
		events.CustomerSuspended{CustomerID: id1, Before: events.StatusActive, After: events.StatusSuspended, ReasonCode: events.ReasonFraud, Reason: sealed("reason"), HoldServices: true},
		events.CustomerReactivated{CustomerID: id1, Before: events.StatusSuspended, After: events.StatusActive, ReleaseServices: true},
		events.CustomerBanned{CustomerID: id1, Before: events.StatusActive, After: events.StatusBanned, ReasonCode: events.ReasonTerms, Reason: sealed("reason"), HoldServices: true},
		events.CustomerDeleted{CustomerID: id1, Before: events.StatusActive, After: events.StatusDeleted},
		events.CustomerRestored{CustomerID: id1, Before: events.StatusDeleted, After: events.StatusActive},
		events.CustomerEmailProvisionalSet{CustomerID: id1, Before: false, After: true},
		events.CustomerNoteAdded{CustomerID: id1, Text: sealed("note")},
		events.CustomerTagsChanged{CustomerID: id1, Before: []string{}, After: []string{"reseller", "vip"}},
		events.CustomerErasureRequested{CustomerID: id1, Before: events.StatusActive, After: events.StatusDeleted, DueAt: end, ReleaseNames: true},
		events.CustomerErasureCancelled{CustomerID: id1, Before: events.StatusDeleted, After: events.StatusActive},
		events.CustomerErased{CustomerID: id1, LoginID: id2, Before: events.StatusDeleted, After: events.StatusErased, ReleaseNames: true},
		events.CustomerErasureCompleted{CustomerID: id1, LoginID: id2, Keys: []events.DestroyedKey{{KeyID: key, Subject: "customer:" + id1.String(), Commitment: "abcd"}}},
		events.CustomerNamesReleased{CustomerID: id1, LoginID: id2, Email: sealed("email"), Username: sealed("username"), ExternalID: sealed("external")},
		events.CustomerNamesClaimed{CustomerID: id1, LoginID: id2, Email: sealed("email"), Username: sealed("username"), ExternalID: sealed("external")},
		events.CustomerExported{CustomerID: id1, Purpose: sealed("purpose")},
		events.LoginErased{LoginID: id1, CustomerID: id2, ReplacedIDs: []uuid.UUID{id1, id3}},
		events.DomainRegistered{DomainID: id1, CustomerID: id2, Name: "example.com", RegisteredAt: begin, ExpiresAt: end, Settings: settings},
		events.DomainImported{DomainID: id1, CustomerID: id2, Name: "example.com", RegisteredAt: begin, ExpiresAt: end, Settings: settings},
		events.DomainAutoRenewSet{DomainID: id1, CustomerID: id2, Before: true, After: false},
		events.DomainLockSet{DomainID: id1, CustomerID: id2, Before: false, After: true},
		events.DomainPrivacySet{DomainID: id1, CustomerID: id2, Before: false, After: true},
		events.DomainNameserversChanged{DomainID: id1, CustomerID: id2, Before: []string{}, After: settings.Nameservers},
		events.DomainPushed{DomainID: id1, FromCustomerID: id2, ToCustomerID: id3, ReasonCode: events.PushSale},
		events.UniqReserved{Kind: events.NameEmail, Claim: events.Claim{Stream: events.CustomerStream(id1), ExpectedRevision: -1}, CommandID: id2, Deadline: end},
		events.UniqConfirmed{Kind: events.NameEmail, Stream: events.CustomerStream(id1)},
		events.UniqReleased{Kind: events.NameEmail, Stream: events.CustomerStream(id1)},
		events.UniqClaimAborted{Claim: events.Claim{Stream: events.CustomerStream(id1), ExpectedRevision: 4}},
	}
	byType := make(map[string]events.Event, len(all))
	for _, e := range all {
		byType[e.EventType()] = e
	}
	return byType
}

func sampleMetadata() events.Metadata {
	notify := false
	return events.Metadata{
		Schema: events.MetadataSchema, StoreID: id1,
		Actor:  events.Actor{Kind: events.ActorAsCustomer, ID: id2.String(), StaffID: id3, ImpersonationID: id1, SessionID: id2, APIKeyID: id3},
		Source: events.SourceAPI, CommandID: id1, Fingerprint: "00ff", CorrelationID: id2, CausationID: id3,
		OccurredAt: begin, RequestID: "req-1", Reason: sealed("reason"), Ticket: "T-1", Notify: &notify,
		Keys: []events.KeyCommitment{{ID: key, Subject: events.Subject{Kind: events.SubjectCustomer, ID: id1}, Commitment: "abcd"}},
		Net:  sealed("net"),
	}
}

// Every stored name has a golden file. The file decodes to the sample, and the
// sample encodes to the file: neither the shape nor a name can drift.
func TestGoldenFilePerStoredName(t *testing.T) {
	t.Parallel()
	types, err := events.Types()
	if err != nil {
		t.Fatal(err)
	}
	known := samples()
	for name := range types {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sample, ok := known[name]
			if !ok {
				t.Fatalf("no sample for %s", name)
			}
			encoded, _, err := events.Encode(sample, sampleMetadata())
			if err != nil {
				t.Fatal(err)
			}
			stored := golden(t, name, encoded)
			metadata := golden(t, "metadata", mustMetadata(t))
			env, err := events.Decode(events.Record{Type: name, Data: stored, Metadata: metadata})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample, env.Event); diff != "" {
				t.Fatalf("decoded differently (-sample +decoded):\n%s", diff)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if _, ok := types[name]; !ok && name != "metadata" && name != "record" {
			t.Errorf("%s belongs to no stored name: a name may never go away", file)
		}
	}
}

func TestGoldenMetadata(t *testing.T) {
	t.Parallel()
	md, err := events.DecodeMetadata(golden(t, "metadata", mustMetadata(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleMetadata(), md); diff != "" {
		t.Fatalf("decoded differently (-sample +decoded):\n%s", diff)
	}
}

// The envelope: where an event stands and when it was recorded.
func TestGoldenRecord(t *testing.T) {
	t.Parallel()
	record := events.Record{
		ID: id1, Stream: events.CustomerStream(id2), Revision: 7, Position: events.Position{Commit: 30, Prepare: 29},
		Type: events.TypeCustomerDeleted, RecordedAt: end,
	}
	encoded, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	var decoded events.Record
	if err := json.Unmarshal(golden(t, "record", encoded), &decoded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record, decoded); diff != "" {
		t.Fatalf("decoded differently (-sample +decoded):\n%s", diff)
	}
}

func mustMetadata(t *testing.T) []byte {
	t.Helper()
	_, metadata, err := events.Encode(events.StaffDeactivated{}, sampleMetadata())
	if err != nil {
		t.Fatal(err)
	}
	return metadata
}

// golden returns the golden file name in compact form, after comparing it with
// encoded. With -update it writes a file that is missing; it never changes one.
func golden(t *testing.T, name string, encoded []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	want, err := os.ReadFile(path)
	if os.IsNotExist(err) && *update {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, encoded, "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		want, err = os.ReadFile(path)
	}
	if err != nil {
		t.Fatalf("%v: a new stored name needs a golden file: go test ./events -update", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(compact.String(), string(encoded)); diff != "" {
		t.Fatalf("%s no longer encodes as stored (-stored +encoded):\n%s", name, diff)
	}
	return compact.Bytes()
}
