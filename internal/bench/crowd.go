package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// crowdColumns are the columns of read_core.customers.
var crowdColumns = strings.Fields(`customer_id store_id login_id status hold_services origin email username first_name last_name company
	country external_id email_provisional tags two_factor password_scheme password_unreadable last_sign_in_at last_sign_in_commit
	last_sign_in_prepare status_since status_actor_kind status_actor_id status_staff_id reason_code
	created_at updated_at revision position sign_in_rank username_rank search`)

// fillCustomers fills the list of customers of an installation with made-up
// people, and returns terms to search them by.
func (b *bench) fillCustomers(ctx context.Context, d *dev) (_ searchTerms, err error) {
	l, err := openLedger(ctx, d.EventStore, d.PostgresURL, d.masterKey())
	if err != nil {
		return searchTerms{}, err
	}
	storeID, staffID := l.storeID, l.staffID
	if err := errors.Join(d.rest(ctx, l), l.close()); err != nil {
		return searchTerms{}, err
	}
	conn, err := pgx.Connect(ctx, d.PostgresURL)
	if err != nil {
		return searchTerms{}, fmt.Errorf("fill the list of customers: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	indexes, err := dropIndexes(ctx, conn)
	if err != nil {
		return searchTerms{}, fmt.Errorf("fill the list of customers: %w", err)
	}
	random := newRandom(b.seed)
	c := &crowd{
		random: random, namer: newNamer(random), storeID: storeID, staffID: staffID,
		count: b.progress.count("filling the list of customers", b.sizes.people), terms: newTermCollector(random, b.sizes.people),
		left: b.sizes.people,
	}
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"read_core", "customers"}, crowdColumns, c); err != nil {
		return searchTerms{}, fmt.Errorf("fill the list of customers: %w", err)
	}
	c.count.finish()
	b.progress.say("making its indexes")
	for _, sql := range append(indexes, `VACUUM (ANALYZE) read_core.customers`, `CHECKPOINT`) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return searchTerms{}, fmt.Errorf("make indexes of the list of customers: %w", err)
		}
	}
	return c.terms.choose()
}

// dropIndexes drops the secondary indexes of the list, which are made faster when
// it is full, and returns the statements that make them again.
func dropIndexes(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
		FROM pg_index
		WHERE indrelid = 'read_core.customers'::regclass AND NOT indisprimary`)
	if err != nil {
		return nil, err
	}
	type index struct{ Name, Definition string }
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return nil, err
	}
	again := []string{`SET maintenance_work_mem = '256MB'`, `SET statement_timeout = 0`}
	for _, i := range found {
		if _, err := conn.Exec(ctx, `DROP INDEX `+i.Name); err != nil {
			return nil, err
		}
		again = append(again, i.Definition)
	}
	return again, nil
}

// crowd is the source of rows of made-up customers.
type crowd struct {
	random           *rand.Rand
	namer            *namer
	storeID, staffID uuid.UUID
	count            *counter
	terms            *termCollector
	left             int
	told             int
}

// Next implements pgx.CopyFromSource.
func (c *crowd) Next() bool {
	c.left--
	if c.told++; c.told%1000 == 0 || c.left < 0 {
		c.count.add(c.told - max(0, -c.left))
		c.told = 0
	}
	return c.left >= 0
}

// Err implements pgx.CopyFromSource.
func (c *crowd) Err() error { return nil }

// Values implements pgx.CopyFromSource. Sign-ins do not follow the order in which
// the rows are stored; a third never signed in.
func (c *crowd) Values() ([]any, error) {
	p := c.namer.person()
	created := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.random.IntN(6*365*24*60)) * time.Minute)
	rank, status, reason := int64(math.MaxInt64), "active", ""
	var signedIn *time.Time
	if c.random.IntN(3) > 0 {
		at := created.Add(time.Duration(c.random.IntN(365*24*60*60)) * time.Second)
		signedIn, rank = &at, -at.UnixMicro()
	}
	switch n := c.random.IntN(100); {
	case n < 3:
		status, reason = "suspended", "non_payment"
	case n < 4:
		status, reason = "banned", "fraud"
	case n < 8:
		status = "deleted"
	}
	if status != "deleted" { // the list leaves them out
		c.terms.see(p)
	}
	var company *string
	if p.company != "" {
		company = &p.company
	}
	tags := []string{}
	return []any{
		randomID(c.random), c.storeID, randomID(c.random), status, false, "staff", p.email, p.username, p.first, p.last, company,
		p.country, nil, false, tags, c.random.IntN(10) == 0, "argon2id", false, signedIn, nil, nil, created, "reseller",
		c.staffID.String(), c.staffID, reason, created, created, int64(0), int64(c.left), rank, p.username, searchColumn(p),
	}, nil
}

// searchColumn is what terms are looked for in: the fields, each after a mark, in
// lower case. No made-up name has accents.
func searchColumn(p person) string {
	var text strings.Builder
	for _, field := range []string{p.first + " " + p.last, p.last, p.username, p.email, p.company} {
		if field != "" {
			text.WriteString("\n" + strings.ToLower(field))
		}
	}
	return text.String()
}
