// Package postgres finds, starts, migrates and connects to PostgreSQL.
//
// Steward keeps read models, operational tables and wrapped keys in PostgreSQL 15 or newer. In production
// it is given a URL. For development and tests it starts a private cluster of its own from the server
// programs on the machine; such a cluster listens on a Unix socket only.
package postgres
