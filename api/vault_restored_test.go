package api_test

import (
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
)

// A vault that is restored from a backup of before an erasure brings nobody back:
// what was destroyed is destroyed again when a process starts, be the list of it
// there or, restored with the vault, behind the log.
func TestErasure_ARestoredVaultBringsNobodyBack(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]string{
		"the vault alone": ``,
		"the vault and the list": `
			TRUNCATE ops.destroyed_keys, ops.erasures;
			UPDATE ops.reaction_checkpoints SET generation = generation + 1, commit = 0, prepare = 0`,
		"the vault and everything beside the log": `TRUNCATE ops.destroyed_keys, ops.erasures, ops.reaction_checkpoints`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newErasing(t)
			id := e.register("canary")
			sql := func(text string) {
				t.Helper()
				if _, err := e.direct.Exec(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			sql(`CREATE SCHEMA backup; CREATE TABLE backup.keys AS TABLE vault.keys`)
			e.owner("POST", "/v1/customers/"+id+"/erase", nil).want(200)
			e.now.advance(72 * time.Hour)
			e.carryOut()
			e.stop()
			sql(`ALTER TABLE vault.keys DISABLE TRIGGER keep_fences;
				DELETE FROM vault.keys;
				INSERT INTO vault.keys SELECT * FROM backup.keys;
				ALTER TABLE vault.keys ENABLE TRIGGER keep_fences`)
			sql(lost)
			restored := must(vault.Open(t.Context(), e.pool, e.kek))
			shown := func() bool {
				t.Helper()
				var log []events.Envelope
				for _, r := range e.stored() {
					log = append(log, must(events.Decode(r)))
				}
				fresh := must(vault.Open(t.Context(), e.pool, e.kek))
				for _, env := range must(seal.New(fresh).OpenSecrets(t.Context(), log)) {
					for _, f := range events.PersonalFields(env.Event) {
						text, _ := f.Value.Reveal()
						if text == "canary@example.com" || f.Subject.Kind == events.SubjectCredential && text != "" {
							return true
						}
					}
				}
				return false
			}
			if !shown() {
				t.Fatal("the restored vault opens nothing, so the test shows nothing")
			}
			n, err := reactions.Reerase(t.Context(), e.pool, e.engine.Log, e.checkpoints, restored)
			if err != nil || n < 3 {
				t.Fatalf("%d keys were destroyed again: %v", n, err)
			}
			if shown() {
				t.Error("the person is back")
			}
			if n, err := reactions.Reerase(t.Context(), e.pool, e.engine.Log, e.checkpoints, restored); err != nil || n != 0 {
				t.Errorf("again %d: %v", n, err)
			}
		})
	}
}
