package projections_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/projections"
)

// neighbours are two stores on one platform, each with something in every table.
type neighbours struct {
	*world
	own, foreign tenant
}

// tenant is a store and the ids in it.
type tenant struct {
	store, staff, customer, domain, command uuid.UUID
	prefix                                  string
}

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	n := &neighbours{world: newWorld(t)}
	n.own = n.furnish("own")
	n.store, n.staff = uuid.New(), uuid.New()
	n.given(events.StoreStream(n.store), events.StoreCreated{StoreID: n.store, Name: "Next door", Hosts: []string{"next.example"}})
	n.given(events.StaffStream(n.staff), events.StaffCreated{
		StaffID: n.staff, Email: events.Clear("nora@next.example"), Role: events.RoleOwner,
	})
	n.foreign = n.furnish("foreign")
	n.then()
	return n
}

// furnish gives the store of the world a customer, domains and a key.
func (n *neighbours) furnish(word string) tenant {
	n.tb.Helper()
	n.actor = events.Reseller(n.staff, uuid.New())
	t := tenant{store: n.store, staff: n.staff, prefix: "stw_live_" + word}
	t.customer = n.customer(person{first: "Mara", last: "Marsh", username: "mara", email: "mara@" + word + ".example"})
	t.domain = n.domain(t.customer, word+".example", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	for i := range 3 {
		n.domain(t.customer, fmt.Sprintf("%s-%d.example", word, i), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	key := uuid.New()
	n.given(events.APIKeyStream(key), events.APIKeyCreated{
		APIKeyID: key, StaffID: n.staff, Prefix: t.prefix, Hash: word, Label: events.Clear(word), Source: events.SourceAPI,
		ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	n.then()
	mail, login := uuid.New(), uuid.Nil
	if err := n.pool.QueryRow(n.tb.Context(), `SELECT login_id FROM read_core.customers WHERE customer_id = $1`, t.customer).Scan(&login); err != nil {
		n.tb.Fatal(err)
	}
	n.signsIn(t.customer, "203.0.113.7")
	n.refused(t.customer, events.RefusedPassword)
	n.given(events.MailStream(mail), events.MailCreated{
		MailID: mail, CustomerID: t.customer, LoginID: login, Template: word, To: events.Clear("mara@" + word + ".example"),
	})
	return t
}

// forgetful runs queries without what names the store in their SQL.
type forgetful struct{ projections.Querier }

func (f forgetful) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		q.SQL = withoutStore(q.SQL)
	}
	return f.Querier.SendBatch(ctx, b)
}

// withoutStore keeps $1, so that the values still fit.
func withoutStore(sql string) string {
	return strings.ReplaceAll(sql, "store_id = $1", "$1::uuid IS NOT NULL")
}

// asked is what every method of Queries answers about the own store, and about ids
// of the other one in it.
func (n *neighbours) asked(q projections.Queries) map[string]any {
	n.tb.Helper()
	ctx, own, foreign := n.tb.Context(), n.own, n.foreign
	answers := make(map[string]any)
	note := func(method string, values ...any) {
		n.tb.Helper()
		if err := values[len(values)-1]; err != nil {
			n.tb.Fatalf("%s: %v", method, err)
		}
		for i := 1; ; i++ {
			name := fmt.Sprintf("%s %d", method, i)
			if _, taken := answers[name]; !taken {
				answers[name] = values[:len(values)-1]
				return
			}
		}
	}
	note3 := func(method string) func(a, b any, err error) {
		return func(a, b any, err error) { n.tb.Helper(); note(method, a, b, err) }
	}
	note2 := func(method string) func(a any, err error) {
		return func(a any, err error) { n.tb.Helper(); note(method, a, err) }
	}
	for _, order := range []projections.CustomerOrder{projections.CustomersBySignIn, projections.CustomersByCreation, projections.CustomersByUsername} {
		for _, term := range []string{"", "mar", "ma"} {
			a, b, err := q.Customers(ctx, projections.CustomerFilter{StoreID: own.store, Order: order, Query: term})
			note3("Customers")(a, b, err)
		}
	}
	for _, order := range []projections.DomainOrder{projections.DomainsByName, projections.DomainsByExpiry} {
		for _, term := range []string{"", "exam", "ow"} {
			a, b, err := q.Domains(ctx, projections.DomainFilter{StoreID: own.store, Order: order, Query: term})
			note3("Domains")(a, b, err)
		}
	}
	a, b, err := q.Domains(ctx, projections.DomainFilter{StoreID: own.store, CustomerID: foreign.customer})
	note3("Domains")(a, b, err)
	for _, of := range []tenant{own, foreign} {
		c, found, err := q.Customer(ctx, own.store, of.customer)
		note3("Customer")(c, found, err)
		d, found, err := q.Domain(ctx, own.store, of.domain)
		note3("Domain")(d, found, err)
		holds, err := q.HoldsDomains(ctx, own.store, of.customer, time.Time{})
		note2("HoldsDomains")(holds, err)
		for _, f := range []projections.LogFilter{
			{}, {CustomerID: of.customer}, {DomainID: of.domain}, {CustomerID: of.customer, DomainID: of.domain}, {StaffID: of.staff},
		} {
			f.StoreID = own.store
			rows, next, err := q.Log(ctx, f)
			note3("Log")(rows, next, err)
			entries, next, err := q.ReadLog(ctx, n.sealer, f)
			note3("ReadLog")(entries, next, err)
		}
		staff, err := q.StaffByID(ctx, own.store, []uuid.UUID{of.staff})
		note2("StaffByID")(staff, err)
		keys, err := q.APIKeysByPrefix(ctx, of.prefix)
		note2("APIKeysByPrefix")(keys, err)
		for _, f := range []projections.SignInFilter{{}, {CustomerID: of.customer}, {Reason: events.RefusedPassword}} {
			f.StoreID = own.store
			attempts, next, err := q.SignIns(ctx, n.sealer, f)
			note3("SignIns")(attempts, next, err)
		}
		for _, f := range []projections.ImpersonationFilter{{}, {CustomerID: of.customer}} {
			f.StoreID = own.store
			ids, next, err := q.Impersonations(ctx, f)
			note3("Impersonations")(ids, next, err)
		}
		from, err := q.LastSignIns(ctx, n.sealer, own.store, n.rowOf(of.customer))
		note2("LastSignIns")(from, err)
		mails, next, err := q.Mails(ctx, n.sealer, own.store, of.customer, nil, 0)
		note3("Mails")(mails, next, err)
		fp, found, err := q.CreationFingerprint(ctx, own.store, of.command)
		note3("CreationFingerprint")(fp, found, err)
	}
	rows, err := q.LogAfter(ctx, own.store, events.Position{}, nil, 100)
	note2("LogAfter")(rows, err)
	opened, err := q.OpenLog(ctx, n.sealer, own.store, rows)
	note2("OpenLog")(opened, err)
	team, err := q.Team(ctx, own.store)
	note2("Team")(team, err)
	keys, err := q.APIKeys(ctx, own.store)
	note2("APIKeys")(keys, err)
	schemes, err := q.PasswordSchemes(ctx, own.store)
	note2("PasswordSchemes")(schemes, err)
	store, found, err := q.Store(ctx, own.store)
	note3("Store")(store, found, err)
	return answers
}

// rowOf reads a customer of any store.
func (n *neighbours) rowOf(id uuid.UUID) projections.Customer {
	n.tb.Helper()
	owner := projections.NewQueries(n.pool)
	for _, of := range []tenant{n.own, n.foreign} {
		if row, found, err := owner.Customer(n.tb.Context(), of.store, id); err != nil || found {
			return row
		}
	}
	n.tb.Fatalf("there is no customer %s", id)
	return projections.Customer{}
}

// commandOf finds the command that registered a domain.
func (n *neighbours) commandOf(t tenant) (command uuid.UUID) {
	n.tb.Helper()
	err := n.pool.QueryRow(n.tb.Context(), `
		SELECT command_id FROM read_core.event_log WHERE domain_id = $1 AND type = 'domain.registered'`, t.domain).Scan(&command)
	if err != nil {
		n.tb.Fatal(err)
	}
	return command
}

// operators are the methods of Queries that no store bounds and no request runs.
var operators = []string{"Stores", "StoreByHost"}

func TestForgottenStorePredicateShowsOwnRowsOnly_N3_S0_01_S0_83(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.own.command, n.foreign.command = n.commandOf(n.own), n.commandOf(n.foreign)
	api := pgtest.As(t, n.url, postgres.API)
	honest := n.asked(projections.NewQueries(api))

	methods := reflect.TypeFor[projections.Queries]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if _, asked := honest[name+" 1"]; !asked && !slices.Contains(operators, name) {
			t.Errorf("%s is not asked here", name)
		}
	}
	dropped := 0
	for _, sql := range projections.ReadSQL {
		if withoutStore(sql) != sql {
			dropped++
		}
	}
	if dropped < len(projections.ReadSQL)-3 {
		t.Errorf("only %d of %d statements forget their store", dropped, len(projections.ReadSQL))
	}
	if diff := cmp.Diff(honest, n.asked(projections.NewQueries(forgetful{api})), cmp.Exporter(all)); diff != "" {
		t.Errorf("N3 what names the store in the SQL makes a difference: %s", diff)
	}
	// Past the policies the same hook shows what belongs to the other store, so the
	// policies are what held it back.
	leaked := fmt.Sprint(n.asked(projections.NewQueries(forgetful{n.pool})))
	if !strings.Contains(leaked, "foreign.example") || strings.Contains(fmt.Sprint(honest), "foreign.example") {
		t.Error("the hook forgets nothing")
	}
}

func all(reflect.Type) bool { return true }

// readTables are the tables and views of read models and whether they name a store.
func readTables(t *testing.T, pool *pgxpool.Pool) map[string]bool {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT c.oid::regclass::text, EXISTS (
			SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'store_id' AND NOT a.attisdropped)
		FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname LIKE 'read\_%' AND c.relkind IN ('r', 'p', 'm', 'f', 'v')`)
	if err != nil {
		t.Fatal(err)
	}
	tables := make(map[string]bool)
	var name string
	var named bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &named}, func() error { tables[name] = named; return nil }); err != nil {
		t.Fatal(err)
	}
	return tables
}

// wantGuarded fails unless the two readers see nothing in any table without a
// store, their own rows with one, and can change nothing.
func (n *neighbours) wantGuarded(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	tables := readTables(t, n.pool)
	named := 0
	for table, of := range tables {
		if of {
			named++
		} else if !slices.Contains([]string{"read_core.checkpoint", "read_core.stream_head", "read_core.trim_alarm"}, table) {
			t.Errorf("%s names no store: if it should, add a column store_id, else name it here", table)
		}
	}
	if named < 14 {
		t.Fatalf("%d tables and views name a store: %v", named, tables)
	}
	for _, role := range []postgres.Role{postgres.API, postgres.Worker} {
		pool := pgtest.As(t, n.url, role)
		for table, of := range tables {
			count := func(store string) (rows, foreign int, err error) {
				err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
					if store != "" {
						if _, err := tx.Exec(ctx, `SELECT set_config('app.store_id', $1, true)`, store); err != nil {
							return err
						}
					}
					return tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE store_id <> $1) FROM `+table, n.own.store).Scan(&rows, &foreign)
				})
				return rows, foreign, err
			}
			if of {
				if rows, foreign, err := count(n.own.store.String()); err != nil || rows == 0 || foreign != 0 {
					t.Errorf("%s in %s: %d rows, %d of another store: %v", role, table, rows, foreign, err)
				}
				for _, none := range []string{"", uuid.NewString()} {
					if rows, _, err := count(none); err != nil || rows != 0 {
						t.Errorf("%s in %s sees %d rows with the store %q: %v", role, table, rows, none, err)
					}
				}
			} else if _, err := pool.Exec(ctx, `SELECT FROM `+table); (err == nil) != (table == "read_core.checkpoint") {
				t.Errorf("%s may look into %s: %v", role, table, err)
			}
			changes := []string{`DELETE FROM ` + table, `INSERT INTO ` + table + ` SELECT * FROM ` + table}
			if _, viewed := tables[table+"_own"]; viewed {
				changes = append(changes, `TRUNCATE `+table, `DROP TABLE `+table, `CREATE POLICY everything ON `+table+` USING (true)`,
					`ALTER TABLE `+table+` DISABLE ROW LEVEL SECURITY`, `DROP VIEW `+table+`_own`)
			} else if of && !strings.HasSuffix(table, "_own") {
				t.Errorf("%s has no view", table)
			}
			for _, sql := range changes {
				var refused *pgconn.PgError
				if _, err := pool.Exec(ctx, sql); !errors.As(err, &refused) || refused.Code != "42501" {
					t.Errorf("%s is not forbidden to %s: %v", role, sql, err)
				}
			}
		}
	}
}

func TestReadersSeeOneStoreAndChangeNothing_N1_N3(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.wantGuarded(t)
	t.Run("also after a rebuild", func(t *testing.T) {
		n.exact()
		n.wantGuarded(t)
	})
	t.Run("also in tables that an older version made", func(t *testing.T) {
		rows, err := n.pool.Query(t.Context(), `
			SELECT format('DROP POLICY %I ON %s; ALTER TABLE %2$s DISABLE ROW LEVEL SECURITY; REVOKE ALL ON %2$s FROM steward_api, steward_worker;', polname, polrelid::regclass)
			FROM pg_policy`)
		if err != nil {
			t.Fatal(err)
		}
		old, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(old) < 6 {
			t.Fatal(old, err)
		}
		for _, sql := range append(old, `DROP VIEW read_core.customers_own`, `REVOKE ALL ON SCHEMA read_core FROM steward_api, steward_worker`) {
			if _, err := n.pool.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := projector.Create(t.Context(), n.pool, projections.Core(nil)); err != nil {
				t.Fatal(err)
			}
		}
		n.wantGuarded(t)
		if found, _, err := n.queries.Customers(t.Context(), projections.CustomerFilter{StoreID: n.own.store, Query: "mar"}); err != nil || len(found) != 1 {
			t.Errorf("%d customers are found: %v", len(found), err)
		}
	})
}

// TestIndexesServeUnderThePolicy: a policy alone would have every row of the store
// read for what PostgreSQL does not trust to keep rows to itself.
func TestIndexesServeUnderThePolicy(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	owner := pgtest.As(t, url, postgres.Owner)
	store := uuid.New()
	newCrowd(true).load(t, owner, store, 20_000)
	reads := map[string]string{
		"customers_search":   `SELECT FROM read_core.customers_own WHERE search LIKE '%nobody42%'`,
		"customers_tags":     `SELECT FROM read_core.customers_own WHERE tags @> ARRAY['vip']`,
		"event_log_refusals": `SELECT FROM read_core.event_log_own WHERE type = 'session.refused' AND data->>'reason' = 'banned'`,
	}
	err := pgx.BeginFunc(t.Context(), pgtest.As(t, url, postgres.API), func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SELECT set_config('app.store_id', $1, true), set_config('enable_seqscan', 'off', true)`, store.String()); err != nil {
			return err
		}
		for index, sql := range reads {
			rows, err := tx.Query(t.Context(), `EXPLAIN `+sql)
			if err != nil {
				return err
			}
			plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			if text := strings.Join(plan, "\n"); !strings.Contains(text, index) {
				t.Errorf("%s does not serve:\n%s", index, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
