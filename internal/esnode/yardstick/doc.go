// Package yardstick holds what the embedded event store is measured with: events of the usual size, the official
// client with nothing around it, and a server that stores nothing, which shows what it costs merely to talk.
package yardstick
