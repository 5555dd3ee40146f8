package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
)

// ownServer starts a server of the test's own, since roles belong to the whole server, with a database that one of
// its users owns. It returns the addresses for the administrator and for that user.
func ownServer(t *testing.T, rights string) (admin, user string) {
	t.Helper()
	server, err := postgres.StartTemporary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	exec1(t, server.URL("postgres"), `CREATE ROLE shop LOGIN `+rights)
	exec1(t, server.URL("postgres"), `CREATE DATABASE shop OWNER shop`)
	admin = server.URL("shop")
	address, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.User("shop")
	return admin, address.String()
}

// connectAs opens a pool in a role.
func connectAs(t *testing.T, address string, role postgres.Role) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), address, postgres.Options{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// wantRoles fails unless the user of address can act in all roles and the owner can do what it is for.
func wantRoles(t *testing.T, address string) {
	t.Helper()
	for _, role := range []postgres.Role{postgres.Owner, postgres.API, postgres.Worker} {
		var current, reset string
		pool := connectAs(t, address, role)
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			if err := tx.QueryRow(t.Context(), `SELECT current_user`).Scan(&current); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `RESET ROLE`); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), `SELECT current_user`).Scan(&reset)
		})
		if err != nil || current != string(role) || reset != string(role) {
			t.Errorf("role %s: acts as %q, after a reset as %q: %v", role, current, reset, err)
		}
	}
	owner := connectAs(t, address, postgres.Owner)
	for _, sql := range []string{
		`CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public`,
		`CREATE SCHEMA read_trial CREATE TABLE names (name text)`,
		`CREATE INDEX ON read_trial.names USING gin (name public.gin_trgm_ops)`,
		`INSERT INTO ops.throttles VALUES (sha256('x'), 'rule', '{}')`,
		`INSERT INTO vault.log (log_id) VALUES (gen_random_uuid())`,
		`ALTER TABLE ops.sessions ADD COLUMN trial integer`,
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Errorf("the owner: %s: %v", sql, err)
		}
	}
}

func TestRoles_OneURLIsEnoughForAUserWhoMayCreateRoles(t *testing.T) {
	t.Parallel()
	_, user := ownServer(t, "CREATEROLE")
	for range 2 {
		if err := postgres.Migrate(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
	wantRoles(t, user)
}

func TestRoles_AUserWhoMayNotCreateThemIsToldTheSQL(t *testing.T) {
	t.Parallel()
	admin, user := ownServer(t, "")
	err := postgres.Migrate(t.Context(), user)
	wantError(t, err, nil, `database "shop"`, `user "shop"`, "permission denied", "as an administrator", "CREATE ROLE steward_api NOLOGIN;")
	var roles *postgres.RolesError
	if !errors.As(err, &roles) {
		t.Fatalf("%v is no RolesError", err)
	}
	exec1(t, admin, `CREATE ROLE steward_api NOLOGIN`) // another installation has it already
	if !errors.As(postgres.Migrate(t.Context(), user), &roles) || strings.Contains(roles.SQL, "CREATE ROLE steward_api") {
		t.Fatalf("the SQL makes what there is: %v", roles)
	}
	for sql := range strings.SplitSeq(strings.TrimSuffix(roles.SQL, ";"), ";") {
		exec1(t, admin, sql)
	}
	if err := postgres.Migrate(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	wantRoles(t, user)
}

func TestRoles_AnOlderInstallationIsHandedOver(t *testing.T) {
	t.Parallel()
	_, user := ownServer(t, "CREATEROLE")
	if err := postgres.MigrateWithoutRoles(t.Context(), user, 30); err != nil {
		t.Fatal(err)
	}
	exec1(t, user, `CREATE SCHEMA read_core CREATE TABLE checkpoint (id bigserial) CREATE VIEW seen AS SELECT 1 AS one`)
	exec1(t, user, `CREATE SCHEMA read_elsewhere CREATE TABLE books ()`) // not ours
	if err := postgres.Migrate(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	wantRoles(t, user)
	var ours, others int
	err := connectAs(t, user, "").QueryRow(t.Context(), `
		SELECT count(*) FILTER (WHERE c.relowner <> 'steward_owner'::regrole AND n.nspname <> 'read_elsewhere'),
		       count(*) FILTER (WHERE c.relowner <> 'shop'::regrole AND n.nspname = 'read_elsewhere')
		FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('ops', 'vault', 'read_core', 'read_elsewhere')`).Scan(&ours, &others)
	if err != nil || ours != 0 || others != 0 {
		t.Errorf("%d relations of ours and %d of others have the wrong owner: %v", ours, others, err)
	}
}

func TestRoles_ARoleThatSeesTooMuchIsRefused_N1(t *testing.T) {
	t.Parallel()
	admin, user := ownServer(t, "SUPERUSER")
	for _, unfit := range []string{`ALTER ROLE steward_api BYPASSRLS`, `ALTER ROLE steward_worker SUPERUSER`, `GRANT steward_owner TO steward_api`} {
		if err := postgres.Migrate(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		exec1(t, admin, unfit)
		wantError(t, postgres.Migrate(t.Context(), user), nil, "must not bypass row-level security")
		for _, mend := range []string{
			`ALTER ROLE steward_api NOBYPASSRLS`, `ALTER ROLE steward_worker NOSUPERUSER`, `REVOKE steward_owner FROM steward_api`,
		} {
			exec1(t, admin, mend)
		}
	}
}

// TestRoles_WhatTheyMayNotDo: what a role is not given it does not have.
func TestRoles_WhatTheyMayNotDo_N3(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	for role, statements := range map[postgres.Role]map[string]bool{
		postgres.API: {
			`SELECT FROM vault.keys`:                                  false,
			`SELECT FROM vault.secrets`:                               false,
			`DELETE FROM vault.log`:                                   false,
			`SELECT FROM ops.schema_migrations`:                       false,
			`SELECT FROM ops.reaction_checkpoints`:                    false,
			`CREATE TABLE ops.mine ()`:                                false,
			`CREATE SCHEMA mine`:                                      false,
			`ALTER TABLE ops.sessions DISABLE ROW LEVEL SECURITY`:     false,
			`TRUNCATE ops.sessions`:                                   false,
			`DELETE FROM ops.sessions`:                                true,
			`DELETE FROM ops.throttles`:                               true,
			`SELECT FROM ops.take_slots('[]', now())`:                 true,
			`UPDATE ops.sessions SET last_used_at = last_used_at`:     true,
			`INSERT INTO ops.throttles VALUES (sha256(''), '', '{}')`: true,
		},
		postgres.Worker: {
			`SELECT FROM vault.keys`:               false,
			`SELECT FROM ops.schema_migrations`:    false,
			`CREATE TABLE ops.mine ()`:             false,
			`DELETE FROM ops.sessions`:             true,
			`DELETE FROM ops.reaction_checkpoints`: true,
			`DELETE FROM ops.jobs_to_come`:         true,
		},
	} {
		owner := pgtest.As(t, address, postgres.Owner)
		if _, err := owner.Exec(t.Context(), `CREATE TABLE IF NOT EXISTS ops.jobs_to_come (id bigserial)`); err != nil {
			t.Fatal(err)
		}
		pool := pgtest.As(t, address, role)
		for sql, may := range statements {
			_, err := pool.Exec(t.Context(), sql)
			if refused := denied(err); refused == may || !refused && err != nil {
				t.Errorf("%s: %s: %v", role, sql, err)
			}
		}
	}
}

func denied(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "42501"
}

func TestRoles_ManyDatabasesOfOneServerAtOnce(t *testing.T) {
	t.Parallel()
	admin, _ := ownServer(t, "SUPERUSER")
	ended := make(chan error)
	for _, name := range []string{"a", "b", "c", "d"} {
		address := strings.Replace(admin, "/shop?", "/"+name+"?", 1)
		if err := postgres.CreateDatabase(t.Context(), admin, name); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- postgres.Migrate(context.WithoutCancel(t.Context()), address) }()
	}
	for range 4 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
