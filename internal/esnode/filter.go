package esnode

import (
	"bytes"
	"regexp"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// defaultWindow is how many events a filter looks at between chances for a checkpoint when the client left
// that to the server.
const defaultWindow = 32

// filter selects events of $all. It looks at the stored event, at the link and not at its target.
type filter struct {
	byStream bool
	regex    *regexp.Regexp
	prefixes [][]byte
	// interval is how many events are looked at between two checkpoints.
	interval uint64
}

// parseFilter returns nil when the request asks for everything.
func parseFilter(options *streams.ReadReq_Options) (*filter, error) {
	switch option := options.GetFilterOption().(type) {
	case *streams.ReadReq_Options_NoFilter:
		return nil, nil
	case *streams.ReadReq_Options_Filter:
		return newFilter(option.Filter)
	default:
		return nil, errInvalid("'%T' is not a valid filter option.", option)
	}
}

func newFilter(options *streams.ReadReq_Options_FilterOptions) (*filter, error) {
	f := &filter{}
	var expression *streams.ReadReq_Options_FilterOptions_Expression
	switch kind := options.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_EventType:
		expression = kind.EventType
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		expression, f.byStream = kind.StreamIdentifier, true
	default:
		return nil, errInvalid("'%T' is not a valid filter.", kind)
	}
	if pattern := expression.GetRegex(); pattern != "" {
		regex, err := regexp.Compile(pattern)
		if err != nil {
			return nil, errInvalid("'%s' is not a regular expression that this server understands: %v", pattern, err)
		}
		f.regex = regex
	}
	for _, prefix := range expression.GetPrefix() {
		f.prefixes = append(f.prefixes, []byte(prefix))
	}
	if f.regex == nil && len(f.prefixes) == 0 {
		return nil, errInvalid("a filter needs a regular expression or a prefix")
	}

	var window uint32
	switch option := options.GetWindow().(type) {
	case *streams.ReadReq_Options_FilterOptions_Max:
		window = option.Max
	case *streams.ReadReq_Options_FilterOptions_Count:
		window = defaultWindow
	default:
		return nil, errInvalid("'%T' is not a valid window.", option)
	}
	f.interval = uint64(window) * uint64(options.GetCheckpointIntervalMultiplier())
	return f, nil
}

func (f *filter) matches(e *event) bool {
	if f == nil {
		return true
	}
	subject := e.kind
	if f.byStream {
		subject = e.stream
	}
	if f.regex != nil {
		return f.regex.Match(subject)
	}
	for _, prefix := range f.prefixes {
		if bytes.HasPrefix(subject, prefix) {
			return true
		}
	}
	return false
}
