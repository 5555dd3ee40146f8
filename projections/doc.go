// Package projections is what lists, searches and logs are read from: the read
// models of the group core, one file each with its table and the pure function
// from events to rows, and the queries beside it.
//
// The tables are in the schema read_core. They are made by the projector and can
// be dropped at any time: steward rebuild makes the same ones again. Every query
// names the store whose rows it may see.
package projections
