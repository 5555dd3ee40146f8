//go:build race

package eventstore_test

// longest is the size of the longest events, in bytes: what is sent without
// waiting for the other side, see trap 26 in the package's comment.
const longest = 40 << 10

// underRace tells that what the race detector objects to has to be left out.
const underRace = true
