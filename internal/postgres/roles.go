package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Role is a database role that Steward acts in. None of them can log in: the user of the database URL may enter all
// three, and a pool enters one for good, see Options. They belong to the server, so its databases share them.
type Role string

// The roles.
const (
	// Owner owns every table and sees every row. It migrates, projects and rebuilds, and keeps the keys.
	Owner Role = "steward_owner"
	// API answers requests: of the read models it sees the rows of one store, named by StoreSetting, and it changes
	// what it needs of ops. It does not reach the keys.
	API Role = "steward_api"
	// Worker runs jobs: like API, but it may change all of ops.
	Worker Role = "steward_worker"
)

var roles = []Role{Owner, API, Worker}

// StoreSetting names the store whose rows API and Worker see, for the transaction that it is set in. Without it they
// see none.
const StoreSetting = "app.store_id"

// RolesError says that the roles are not as Steward needs them and may not be made so by the user of the database
// URL. Its text is one line.
type RolesError struct {
	User, Database string
	Reason         string
	// SQL is what an administrator of the database runs once.
	SQL string
	err error
}

func (e *RolesError) Error() string {
	return fmt.Sprintf("the roles of database %q are not set up and user %q cannot do it: %s; as an administrator of the server, "+
		"connect to that database and run: %s", e.Database, e.User, e.Reason, e.SQL)
}

func (e *RolesError) Unwrap() error { return e.err }

// setUp is the roles of one database as somebody found them.
type setUp struct {
	user, database string
	existing       []string
}

// setUpRoles makes the roles, lets the user enter them, and hands them what older versions made as the user. All of
// it is done already at most starts. Callers hold schemaLock; other databases of the server may be set up meanwhile.
func setUpRoles(ctx context.Context, tx *sql.Tx) error {
	var found setUp
	var existing string
	err := tx.QueryRowContext(ctx, `
		SELECT current_user, current_database(),
			(SELECT coalesce(string_agg(rolname, ','), '') FROM pg_roles WHERE rolname IN ($1, $2, $3))`,
		Owner, API, Worker).Scan(&found.user, &found.database, &existing)
	if err != nil {
		return fmt.Errorf("look at the roles: %w", err)
	}
	found.existing = strings.Split(existing, ",")
	for _, step := range []func(context.Context, *sql.Tx) error{createRoles, checkRoles, enterRoles, allowSchemas, handOver} {
		if err := step(ctx, tx); err != nil {
			return found.explain(err)
		}
	}
	return nil
}

// sql does what is missing, as an administrator.
func (s setUp) sql() string {
	name := func(name string) string { return pgx.Identifier{name}.Sanitize() }
	var b strings.Builder
	for _, r := range roles {
		if !slices.Contains(s.existing, string(r)) {
			fmt.Fprintf(&b, "CREATE ROLE %s NOLOGIN; ", r)
		}
	}
	fmt.Fprintf(&b, "GRANT %s, %s, %s TO %s; ", Owner, API, Worker, name(s.user))
	fmt.Fprintf(&b, "GRANT CREATE ON DATABASE %s TO %s;", name(s.database), Owner)
	return b.String()
}

// explain adds the remedy to what the server does not permit.
func (s setUp) explain(err error) error {
	e := &RolesError{User: s.user, Database: s.database, SQL: s.sql(), err: err}
	var server *pgconn.PgError
	switch {
	case errors.As(err, &server) && server.Code == "42501":
		e.Reason = server.Message
		return e
	case errors.Is(err, errNotAllowed):
		e.Reason = oneLine(err)
		return e
	}
	return fmt.Errorf("set up the roles of database %q: %w", s.database, err)
}

// errUnfitRole is about a role that would see too much.
var errUnfitRole = errors.New("it must be no superuser, must not bypass row-level security and must not be a member of " + string(Owner))

// createRoles makes the roles that do not exist. Another database of the same server may be doing so right now.
func createRoles(ctx context.Context, tx *sql.Tx) error {
	for _, r := range roles {
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`
			DO $$ BEGIN
				IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s') THEN
					CREATE ROLE %[1]s NOLOGIN;
				END IF;
			EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
			END $$`, r))
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRoles refuses roles of these names that see the rows of all stores.
func checkRoles(ctx context.Context, tx *sql.Tx) error {
	for _, r := range []Role{API, Worker} {
		var unfit bool
		err := tx.QueryRowContext(ctx, `
			SELECT rolsuper OR rolbypassrls OR pg_has_role(oid, $2, 'USAGE')
			FROM pg_roles
			WHERE rolname = $1`, r, Owner).Scan(&unfit)
		if err != nil {
			return err
		}
		if unfit {
			return fmt.Errorf("role %s: %w", r, errUnfitRole)
		}
	}
	return nil
}

// errNotAllowed is what a grant without effect leads to.
var errNotAllowed = errors.New("must be granted")

// enterRoles lets the user act in the roles. Before version 16 every member of a role might; since then it is a right
// of its own.
func enterRoles(ctx context.Context, tx *sql.Tx) error {
	const may = `
		SELECT pg_has_role($1, CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END)`
	for _, r := range roles {
		if err := unless(ctx, tx, may, r, `GRANT `+string(r)+` TO CURRENT_USER`); err != nil {
			return err
		}
	}
	return nil
}

// allowSchemas lets the owner make schemas and extensions.
func allowSchemas(ctx context.Context, tx *sql.Tx) error {
	const grant = `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ` + string(Owner) + `', current_database()); END $$`
	return unless(ctx, tx, `SELECT has_database_privilege($1, current_database(), 'CREATE')`, Owner, grant)
}

// unless grants a right of a role that question says is missing. A grant by somebody who holds the right, but may not
// pass it on, is a mere warning, so it asks again.
func unless(ctx context.Context, tx *sql.Tx, question string, r Role, grant string) error {
	for _, again := range []bool{true, false} {
		var has bool
		if err := tx.QueryRowContext(ctx, question, r).Scan(&has); err != nil || has {
			return err
		}
		if again {
			if _, err := tx.ExecContext(ctx, grant); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("role %s %w", r, errNotAllowed)
}

// handOver gives the owner what versions before the roles made as the user: the schemas ops and vault, the read
// models, and all that is in them.
func handOver(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `
		DO $$
		DECLARE
			ours oid[] := ARRAY(
				SELECT n.oid FROM pg_namespace AS n
				WHERE n.nspname IN ('ops', 'vault') OR n.nspname LIKE 'read\_%' AND to_regclass(format('%I.checkpoint', n.nspname)) IS NOT NULL);
			command text;
		BEGIN
			FOR command IN
				SELECT format('ALTER SCHEMA %I OWNER TO steward_owner', n.nspname)
				FROM pg_namespace AS n
				WHERE n.oid = ANY (ours) AND n.nspowner <> 'steward_owner'::regrole
				UNION ALL
				SELECT format('ALTER %s %s OWNER TO steward_owner',
					CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass)
				FROM pg_class AS c
				WHERE c.relnamespace = ANY (ours) AND c.relowner <> 'steward_owner'::regrole AND (c.relkind IN ('r', 'p', 'v', 'm')
					-- A sequence that a column owns goes with its table.
					OR c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')))
				UNION ALL
				SELECT format('ALTER ROUTINE %s OWNER TO steward_owner', p.oid::regprocedure)
				FROM pg_proc AS p
				WHERE p.pronamespace = ANY (ours) AND p.proowner <> 'steward_owner'::regrole
				UNION ALL
				SELECT format('ALTER TYPE %s OWNER TO steward_owner', t.oid::regtype)
				FROM pg_type AS t
				WHERE t.typnamespace = ANY (ours) AND t.typowner <> 'steward_owner'::regrole AND t.typtype IN ('e', 'd')
			LOOP
				EXECUTE command;
			END LOOP;
		END $$`)
	return err
}
