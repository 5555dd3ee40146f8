// Package trial tries the contract suite itself: on a store in use, on secure servers and clusters, with
// connection strings that are wrong, and built as the one binary that is handed to others.
package trial
