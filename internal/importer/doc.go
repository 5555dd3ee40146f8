// Package importer brings a CSV file of domains and their owners into a store
// over the HTTP API: it reads rows, sends them in batches, keeps the rows of one
// name or owner in file order, and reports every row that was refused.
//
// The server judges the rows. The importer refuses only what cannot be sent: a
// row that is not CSV, has the wrong number of fields, or holds a value that is
// no boolean or no date.
package importer
