// Package api is Steward's HTTP interface: commands go to the log, lists and
// logs come from the read models.
//
// server.go holds the whole URL space as one table. Every route names the
// permission that it needs; permissions.go says which role has which. A handler
// returns an error, and problems.go turns it into an answer: a fault by its
// kind, anything else into a 500 that says nothing.
//
// # Conventions
//
// A command is a POST named after what it does. It answers the ids of the
// events that it wrote and a position, an opaque token that a later read sends
// as Steward-Min-Position to see at least that much. A command that finds things
// already so writes nothing and succeeds.
//
// Whatever reads one thing folds its stream and therefore sees every change at
// once. Lists, searches and logs are read models and follow within moments.
package api
