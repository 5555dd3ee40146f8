package esnode

import "bytes"

const (
	metastreamPrefix = "$$"
	allStream        = "$all"
)

// name is a stream's name taken apart. A stream and its metastream share one entry of the name index, and
// so one cached head, because whoever needs one of them nearly always needs the other.
type name struct {
	full       []byte
	base       []byte // the stream itself, without the prefix of a metastream
	metastream bool
}

func parseName(full []byte) name {
	base, metastream := bytes.CutPrefix(full, []byte(metastreamPrefix))
	return name{full: full, base: base, metastream: metastream}
}

// ofMetadata returns the metastream of the stream.
func (n name) ofMetadata() name {
	return name{full: append([]byte(metastreamPrefix), n.full...), base: n.full, metastream: true}
}

func (n name) valid() bool {
	return len(n.full) > 0 && len(n.base) > 0 && string(n.full) != allStream
}
