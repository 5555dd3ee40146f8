package uniq

import "github.com/google/uuid"

// StreamOf names the reservation stream of a name.
func StreamOf(r *Registry, store uuid.UUID, n Name) string { return r.stream(store, n) }
