//go:build !race

package eventstore_test

// longest is the size of the longest events, in bytes.
const longest = 200 << 10

const underRace = false
