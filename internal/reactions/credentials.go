package reactions

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
)

// Keys destroys keys; [vault.Vault] does.
type Keys interface {
	Erase(ctx context.Context, subject events.Subject) ([]events.KeyCommitment, error)
	// Survivors returns those of the subjects whose keys are there all the same.
	Survivors(ctx context.Context, subjects []events.Subject) ([]events.Subject, error)
}

const credentials = "credentials"

// Credentials is the reaction that destroys the keys of whatever an event ended:
// nobody can read an old password's hash out of the log, or the secret of an app
// that was given up, or anything of a person who was erased. It keeps a list of
// them, for [Reerase].
func Credentials(keys Keys) Reaction {
	return Reaction{
		Name: credentials, FromStart: true,
		Wants: func(e events.Event) bool {
			_, ends := e.(events.Ender)
			return ends
		},
		Handle: func(ctx context.Context, tx pgx.Tx, env events.Envelope) error {
			for _, subject := range env.Event.(events.Ender).Ends() {
				if _, err := keys.Erase(ctx, subject); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `INSERT INTO ops.destroyed_keys (subject) VALUES ($1) ON CONFLICT DO NOTHING`, subject.String())
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// LogPages is what [Reerase] reads of the log; [eventstore.Store] has it.
type LogPages interface {
	ReadAll(ctx context.Context, after events.Position, limit int) ([]events.Record, error)
}

// reerasePage is how much is read at a time.
const reerasePage = 1000

// Reerase destroys every key again that was destroyed before and is there all the
// same, because the vault was restored from an older backup. It returns how many
// there were. It is for the start of a process, before anybody can ask for what
// such a key opens.
//
// What the reaction [Credentials] has done is in its list; what it has not, because
// the list was restored as well, is in the log after its checkpoint.
func Reerase(ctx context.Context, pool *pgxpool.Pool, log LogPages, checkpoints *Checkpoints, keys Keys) (int, error) {
	listed, err := reeraseListed(ctx, pool, keys)
	if err != nil {
		return listed, err
	}
	after, err := checkpoints.Of(credentials).Load(ctx)
	if err != nil && !errors.Is(err, ErrNoCheckpoint) {
		return listed, err
	}
	for {
		records, err := log.ReadAll(ctx, after, reerasePage)
		if err != nil || len(records) == 0 {
			return listed, err
		}
		var ended []events.Subject
		for _, r := range records {
			after = r.Position
			ended = append(ended, endedBy(r)...)
		}
		n, err := erase(ctx, keys, ended)
		listed += n
		if err != nil {
			return listed, err
		}
	}
}

// endedBy lists whose keys end with a record. One that cannot be read stops the
// reaction, which then says why.
func endedBy(r events.Record) []events.Subject {
	if events.IsSystem(r.Type) || events.IsSystem(r.Stream) {
		return nil
	}
	env, err := events.Decode(r)
	if err != nil {
		return nil
	}
	ender, ok := env.Event.(events.Ender)
	if !ok {
		return nil
	}
	return ender.Ends()
}

func reeraseListed(ctx context.Context, pool *pgxpool.Pool, keys Keys) (int, error) {
	erased, last := 0, ""
	for {
		rows, err := pool.Query(ctx, `
			SELECT subject FROM ops.destroyed_keys WHERE subject > $1 ORDER BY subject LIMIT $2`, last, reerasePage)
		if err != nil {
			return erased, err
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(texts) == 0 {
			return erased, err
		}
		var page []events.Subject
		for _, text := range texts {
			subject, err := events.ParseSubject(text)
			if err != nil {
				return erased, err
			}
			page, last = append(page, subject), text
		}
		n, err := erase(ctx, keys, page)
		erased += n
		if err != nil {
			return erased, err
		}
	}
}

func erase(ctx context.Context, keys Keys, ended []events.Subject) (int, error) {
	if len(ended) == 0 {
		return 0, nil
	}
	survivors, err := keys.Survivors(ctx, ended)
	if err != nil {
		return 0, err
	}
	for i, subject := range survivors {
		if _, err := keys.Erase(ctx, subject); err != nil {
			return i, err
		}
	}
	return len(survivors), nil
}
