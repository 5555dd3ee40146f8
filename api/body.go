package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stewardhq/steward/internal/fault"
)

// maxDepth is how deep a body may be nested.
const maxDepth = 32

// Faults of a body that cannot be read.
var (
	errJSON         = fault.New(fault.Malformed, "malformed_json", "the body is not JSON")
	errTrailing     = fault.New(fault.Malformed, "trailing_data", "there is more in the body than one JSON value")
	errUTF8         = fault.New(fault.Malformed, "invalid_utf8", "the body is not valid UTF-8")
	errDuplicate    = fault.New(fault.Malformed, "duplicate_field", "a field is there twice")
	errDepth        = fault.New(fault.Malformed, "nested_too_deep", "the body is nested more than 32 levels deep")
	errBodyMissing  = fault.New(fault.Malformed, "body_required", "the request needs a body")
	errBodyTooLarge = fault.New(fault.TooLarge, "body_too_large", "the body is larger than this address accepts")
	errBodyCut      = fault.New(fault.Malformed, "body_incomplete", "the body could not be read to its end")
)

// canonicalJSON checks that data is one JSON value without duplicate fields and
// returns it in a form in which equal values are equal bytes: fields sorted, no
// space. What it refuses it names by path, where the path can be told.
func canonicalJSON(data []byte) ([]byte, error) {
	w := walker{decoder: json.NewDecoder(bytes.NewReader(data)), invalid: -1}
	w.decoder.UseNumber()
	if !utf8.Valid(data) {
		w.invalid = firstInvalid(data)
	}
	value, err := w.value("", 0)
	if err != nil {
		return nil, err
	}
	if w.invalid >= 0 {
		return nil, errUTF8
	}
	if _, err := w.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("canonical body: %w", err)
	}
	return canonical, nil
}

// walker reads a body token by token.
type walker struct {
	decoder *json.Decoder
	invalid int64 // where the first byte is that is not UTF-8, or -1
}

// value reads one value at path.
func (w *walker) value(path string, depth int) (any, error) {
	token, err := w.token(path)
	if err != nil {
		return nil, err
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return token, nil
	}
	if depth++; depth > maxDepth {
		return nil, errDepth
	}
	if delim == '{' {
		return w.object(path, depth)
	}
	return w.array(path, depth)
}

func (w *walker) object(path string, depth int) (any, error) {
	object := make(map[string]any)
	for w.decoder.More() {
		token, err := w.token(path)
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errJSON
		}
		at := join(path, name)
		if _, twice := object[name]; twice {
			return nil, on(errDuplicate, at, "is there twice")
		}
		if object[name], err = w.value(at, depth); err != nil {
			return nil, err
		}
	}
	return object, w.end(path)
}

func (w *walker) array(path string, depth int) (any, error) {
	array := []any{}
	for w.decoder.More() {
		value, err := w.value(path+"["+strconv.Itoa(len(array))+"]", depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	return array, w.end(path)
}

func (w *walker) end(path string) error {
	_, err := w.token(path)
	return err
}

// token reads the next token; at is where it stands.
func (w *walker) token(at string) (json.Token, error) {
	token, err := w.decoder.Token()
	if w.invalid >= 0 && w.decoder.InputOffset() > w.invalid {
		return nil, on(errUTF8, at, "is not valid UTF-8")
	}
	if err != nil {
		return nil, errJSON
	}
	return token, nil
}

func firstInvalid(data []byte) int64 {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return int64(i)
		}
		i += size
	}
	return -1
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// on names a field at fault, unless its name is not one that we would repeat.
func on(f *fault.Error, field, message string) *fault.Error {
	if !nameable(field) {
		return f
	}
	return f.On(field, message)
}

// nameable reports whether a path that a caller sent may be repeated: field
// names as APIs have them, and nothing that somebody put in their place.
func nameable(path string) bool {
	if path == "" || len(path) > 100 {
		return false
	}
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '-', c == '.', c == '[', c == ']', c == '$':
		default:
			return false
		}
	}
	return true
}

// readBody reads what a request sends, checks it and leaves it for the handler,
// and its canonical form in the call.
func readBody(c *call, limit int64, w http.ResponseWriter, r *http.Request) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errBodyTooLarge
	case err != nil:
		return errBodyCut
	case len(data) == 0:
		r.Body = http.NoBody
		return nil
	}
	if !isJSON(r.Header) {
		return newProblem(errMediaType, c.requestID).withStatus(http.StatusUnsupportedMediaType)
	}
	if c.body, err = canonicalJSON(data); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	r.Header.Set("Content-Type", "application/json") // in the one spelling that huma knows
	return nil
}

// isJSON reports whether the body is said to be JSON in UTF-8, as it is.
func isJSON(h http.Header) bool {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	return err == nil && kind == "application/json" && (charset == "" || charset == "utf-8") && h.Get("Content-Encoding") == ""
}
