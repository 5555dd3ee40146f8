// Package events is Steward's storage contract: the events, their stored
// names, the metadata that says who caused them, and the codec between structs
// and stored bytes.
//
// What is written here is written for ever. A stored name, a JSON tag or a
// golden file never changes; a shape that breaks gets a new name with the
// suffix .v2 and an upcaster from the old one.
//
// The package imports nothing else of Steward.
package events
