package projector

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/internal/postgres"
)

// Lookup lets whoever reads a table see rows of any store that hold a value which
// they name: a credential is looked up before its store is known.
type Lookup struct {
	Table, Column string
	// Setting names the setting of the transaction that holds the value.
	Setting string
}

// storeColumn is what a table is divided among stores by. One that has no such
// column, as those of the projector itself, is about no store.
const storeColumn = "store_id"

// ownStore is the condition on rows of the store that the transaction names. A
// setting that was never set, or that ended with another transaction, is none.
const ownStore = storeColumn + ` = nullif(current_setting('` + postgres.StoreSetting + `', true), '')::uuid`

// The names of what stands between readers and rows.
const (
	storePolicy = "own_store"
	viewSuffix  = "_own"
)

// ownView shows the same rows as a table does under its policy. PostgreSQL
// evaluates a policy before any condition that might tell of the rows that it looks
// at, as patterns, arrays and JSON do, and then cannot use an index for that
// condition. A view without such a barrier is as strict and may use every index.
func ownView(table string) string {
	return pgx.Identifier{table + viewSuffix}.Sanitize()
}

// readers are the roles that see one store at a time.
const readers = string(postgres.API) + ", " + string(postgres.Worker)

// tableAccess is what a table has and lacks.
type tableAccess struct {
	Table                      string
	HasStore                   bool
	Enabled, Guarded, Viewable bool
	Lookups                    []string // its policies besides the one of the store
}

// selectAccess looks at all tables of schema $1.
const selectAccess = `
	SELECT c.relname::text AS "table",
		EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = '` + storeColumn + `' AND NOT a.attisdropped) AS has_store,
		c.relrowsecurity AS enabled,
		EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = '` + storePolicy + `') AS guarded,
		EXISTS (SELECT FROM pg_class AS v WHERE v.relnamespace = c.relnamespace AND v.relname = c.relname || '` + viewSuffix + `') AS viewable,
		ARRAY(SELECT p.polname::text FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname <> '` + storePolicy + `') AS lookups
	FROM pg_class AS c
	WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND c.relkind IN ('r', 'p')
	ORDER BY c.relname`

// missingAccess returns the statements that let readers at the tables in schema,
// as far as they still have to be run. Every table that names a store gets a
// policy and a view by itself; of the projector's own they see the checkpoint.
func missingAccess(ctx context.Context, db querier, g Group, schema string) ([]string, error) {
	rows, err := db.Query(ctx, selectAccess, schema)
	if err != nil {
		return nil, fmt.Errorf("look at the policies of %s: %w", schema, err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByName[tableAccess])
	if err != nil {
		return nil, fmt.Errorf("look at the policies of %s: %w", schema, err)
	}
	var missing []string
	for _, t := range tables {
		missing = append(missing, t.missing(g.Lookups)...)
	}
	var permitted bool
	err = db.QueryRow(ctx, `
		SELECT bool_and(has_schema_privilege(r, $1, 'USAGE') AND has_table_privilege(r, format('%I.checkpoint', $1::text), 'SELECT'))
		FROM unnest($2::text[]) AS r`, schema, []string{string(postgres.API), string(postgres.Worker)}).Scan(&permitted)
	if err != nil {
		return nil, fmt.Errorf("look at the rights on %s: %w", schema, err)
	}
	if !permitted {
		missing = append(missing,
			`GRANT USAGE ON SCHEMA `+pgx.Identifier{schema}.Sanitize()+` TO `+readers,
			`GRANT SELECT ON checkpoint TO `+readers)
	}
	return missing, nil
}

// missing returns what is to be done for one table. The policy comes before the
// right to read.
func (t tableAccess) missing(lookups []Lookup) []string {
	if !t.HasStore {
		return nil
	}
	name := pgx.Identifier{t.Table}.Sanitize()
	var sql []string
	if !t.Guarded {
		sql = append(sql, `CREATE POLICY `+storePolicy+` ON `+name+` FOR SELECT TO `+readers+` USING (`+ownStore+`)`)
	}
	for _, l := range lookups {
		policy := "by_" + l.Column
		if l.Table == t.Table && !slices.Contains(t.Lookups, policy) {
			sql = append(sql, `CREATE POLICY `+policy+` ON `+name+` FOR SELECT TO `+readers+
				` USING (`+pgx.Identifier{l.Column}.Sanitize()+` = current_setting('`+l.Setting+`', true))`)
		}
	}
	if !t.Enabled {
		sql = append(sql, `ALTER TABLE `+name+` ENABLE ROW LEVEL SECURITY`, `GRANT SELECT ON `+name+` TO `+readers)
	}
	if !t.Viewable {
		view := ownView(t.Table)
		sql = append(sql,
			`CREATE VIEW `+view+` AS SELECT * FROM `+name+` WHERE `+ownStore,
			`GRANT SELECT ON `+view+` TO `+readers)
	}
	return sql
}

// grantAccess lets readers at the tables in schema. Doing so again does nothing.
func grantAccess(ctx context.Context, tx pgx.Tx, g Group, schema string) error {
	missing, err := missingAccess(ctx, tx, g, schema)
	if err != nil || len(missing) == 0 {
		return err
	}
	for _, sql := range append([]string{searchPath(schema)}, missing...) {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("let readers at %s: %w", schema, err)
		}
	}
	return nil
}
