package api

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/apikey"
	"github.com/stewardhq/steward/commands/platform"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
)

// Bootstrap is what a new store begins with. The first one also begins the log.
type Bootstrap struct {
	LogID         uuid.UUID
	IdentityScope events.IdentityScope
	KeyChecks     map[string]string
	// FingerprintKey keys the fingerprints of the commands.
	FingerprintKey []byte

	StoreName  string
	Hosts      []string
	OwnerEmail string
	OwnerName  string

	// Roles get a team member and an API key each. The owner is always there.
	Roles []events.Role
	// ImportKey also creates a key of the owner's whose events say that they were
	// imported.
	ImportKey bool

	Now func() time.Time // [time.Now] if nil
}

// Founded is what was created. The keys are shown here and kept nowhere.
type Founded struct {
	StoreID   uuid.UUID
	Staff     map[events.Role]uuid.UUID
	Keys      map[events.Role]apitoken.Token
	ImportKey apitoken.Token // if asked for
	// Position is that of the last event.
	Position events.Position
}

// ErrOtherInstallation is returned when the store was begun with other names.
var ErrOtherInstallation = errors.New("a store was begun here with another name, host or owner")

// Run begins the log, if it is empty, and creates a store with its owner and a
// key for each role asked for. Cut short and run again with the same names it
// finishes what it began, with new keys. It fails with [ErrOtherInstallation] and
// as commands do.
func (b Bootstrap) Run(ctx context.Context, e *decider.Engine) (Founded, error) {
	if b.Now == nil {
		b.Now = time.Now
	}
	i := initialization{engine: e, Bootstrap: b, done: Founded{
		Staff: make(map[events.Role]uuid.UUID), Keys: make(map[events.Role]apitoken.Token),
	}}
	if err := i.run(ctx); err != nil {
		if errors.Is(err, decider.ErrKeyReused) {
			err = ErrOtherInstallation
		}
		return Founded{}, fmt.Errorf("initialize: %w", err)
	}
	return i.done, nil
}

// initialization is a [Bootstrap] under way.
type initialization struct {
	engine *decider.Engine
	Bootstrap
	done Founded
}

func (i *initialization) run(ctx context.Context) error {
	if err := i.check(); err != nil {
		return err
	}
	_, err := platform.Decider.Handle(ctx, i.engine, events.PlatformStream, platform.Initialize{
		LogID: i.LogID, IdentityScope: i.IdentityScope, KeyChecks: i.KeyChecks,
	}, i.request("platform", uuid.Nil))
	if err != nil {
		return err
	}
	// The store's id is in its own metadata, so it cannot come out of a creation:
	// it follows from the log and the first host.
	id := uuid.NewSHA1(i.LogID, []byte("store\x00"+strings.ToLower(strings.Join(i.Hosts, "\x00"))))
	out, err := store.Decider.Handle(ctx, i.engine, events.StoreStream(id), store.Create{
		StoreID: id, Name: i.StoreName, Hosts: i.Hosts,
	}, i.request("store", id))
	if err != nil {
		return err
	}
	i.done.StoreID, i.done.Position = id, out.Position
	for _, role := range append([]events.Role{events.RoleOwner}, i.Roles...) {
		if _, twice := i.done.Staff[role]; twice {
			continue
		}
		if err := i.member(ctx, role); err != nil {
			return err
		}
		if i.done.Keys[role], err = i.key(ctx, role, string(role), events.SourceAPI); err != nil {
			return err
		}
	}
	if i.ImportKey {
		i.done.ImportKey, err = i.key(ctx, events.RoleOwner, "import", events.SourceImport)
	}
	return err
}

// check decides everything on nothing first, so that a name which is not
// acceptable leaves nothing behind that another attempt would have to match.
func (i *initialization) check() error {
	_, badStore := store.Decide(store.State{}, store.Create{StoreID: i.LogID, Name: i.StoreName, Hosts: i.Hosts})
	_, badOwner := staff.Decide(staff.State{}, staff.Create{
		StaffID: i.LogID, Email: i.OwnerEmail, Name: i.OwnerName, Role: events.RoleOwner, By: staff.Grantor{Role: events.RoleOwner},
	})
	return cmp.Or(badStore, under("owner", badOwner))
}

// member adds the team member of a role: the owner, or somebody at a tagged
// address of the owner's.
func (i *initialization) member(ctx context.Context, role events.Role) error {
	email, name := i.OwnerEmail, i.OwnerName
	if role != events.RoleOwner {
		if local, domain, ok := strings.Cut(i.OwnerEmail, "@"); ok {
			email = local + "+" + string(role) + "@" + domain
		}
		name = strings.ToUpper(string(role[:1])) + string(role[1:])
	}
	id, out, err := staff.Decider.Create(ctx, i.engine, "stf", events.StaffStream, func(id uuid.UUID) staff.Command {
		return staff.Create{StaffID: id, Email: email, Name: name, Role: role, By: staff.Grantor{Role: events.RoleOwner}}
	}, i.request("staff "+string(role), i.done.StoreID))
	i.done.Staff[role], i.done.Position = id, out.Position
	return err
}

// key issues an API key for the team member of a role.
func (i *initialization) key(ctx context.Context, role events.Role, label string, source events.Source) (apitoken.Token, error) {
	token := apitoken.New()
	r := i.request("key", i.done.StoreID)
	r.CommandID = uuid.New()
	out, err := apikey.Decider.Handle(ctx, i.engine, events.APIKeyStream(token.ID()), apikey.Create{
		APIKeyID: token.ID(), StaffID: i.done.Staff[role], Prefix: token.Prefix(), Hash: token.Hash(), Label: label,
		Source: source, ExpiresAt: r.At.Add(defaultKeyLifetime), At: r.At,
	}, r)
	i.done.Position = out.Position
	return token, err
}

// request is that of one of the commands. All but the keys follow from the log
// and the store, so that a second run finds what the first one did.
func (i *initialization) request(what string, id uuid.UUID) decider.Request {
	var names []byte // the log is begun the same way by every store
	if id != uuid.Nil {
		names, _ = json.Marshal([]any{i.StoreName, i.Hosts, i.OwnerEmail, i.OwnerName})
	}
	return decider.Request{
		StoreID: id, Actor: events.System("init"), Source: events.SourceCLI, At: i.Now(),
		CommandID:   uuid.NewSHA1(i.LogID, []byte("init\x00"+what+"\x00"+id.String())),
		Fingerprint: i.fingerprint(names),
	}
}

// fingerprint is a keyed hash of the names: they are personal, and few enough to
// be guessed from a plain one.
func (i *initialization) fingerprint(names []byte) string {
	mac := hmac.New(sha256.New, i.FingerprintKey)
	mac.Write([]byte("steward-fp/init\x00"))
	mac.Write(names)
	return hex.EncodeToString(mac.Sum(nil))
}
