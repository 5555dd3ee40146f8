//go:build race

package eventstore_test

// longest is the size of the longest events, in bytes. An append that is given up
// while its sending is blocked has the client read trailers that the connection
// is writing (see the package's comment); below 64 KiB nothing blocks.
const longest = 40 << 10
