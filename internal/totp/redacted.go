package totp

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted makes the type that embeds it print the same text wherever it goes.
// Such a type keeps its secret behind a pointer: for a verb that does not fit,
// as %p or %w, package fmt looks into the fields, but not behind their pointers.
type redacted struct{}

const redaction = "[redacted]"

// String implements [fmt.Stringer].
func (redacted) String() string { return redaction }

// GoString implements [fmt.GoStringer].
func (redacted) GoString() string { return redaction }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (redacted) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redaction) }

// MarshalJSON implements [encoding/json.Marshaler].
func (redacted) MarshalJSON() ([]byte, error) { return []byte(`"` + redaction + `"`), nil }

// MarshalText implements [encoding.TextMarshaler].
func (redacted) MarshalText() ([]byte, error) { return []byte(redaction), nil }

// LogValue implements [slog.LogValuer].
func (redacted) LogValue() slog.Value { return slog.StringValue(redaction) }
