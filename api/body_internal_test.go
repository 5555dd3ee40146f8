package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// anyJSON draws a JSON value.
func anyJSON(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 6
		if depth == 0 {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.String().Draw(t, "text")
		case 3:
			return float64(rapid.Int32().Draw(t, "number"))
		case 4:
			return rapid.SliceOfN(anyJSON(depth-1), 0, 4).Draw(t, "list")
		default:
			return rapid.MapOfN(rapid.String(), anyJSON(depth-1), 0, 4).Draw(t, "object")
		}
	})
}

func TestCanonicalJSON_KeepsTheValueAndHasOneSpelling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := anyJSON(3).Draw(t, "value")
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		spaced, err := json.MarshalIndent(value, " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		a, errA := canonicalJSON(text)
		b, errB := canonicalJSON(spaced)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Fatalf("%s %v, %s %v", a, errA, b, errB)
		}
		var back, want any
		if json.Unmarshal(a, &back) != nil || json.Unmarshal(text, &want) != nil || !reflect.DeepEqual(back, want) {
			t.Fatalf("%s became %s", text, a)
		}
	})
}

// FuzzCanonicalJSON: whatever comes in is refused by a fault, or is JSON.
func FuzzCanonicalJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `[1,2`, "\xff", `{"a":"\ud800"}`, `1 2`, `{"a":[{"b":null}]}`, ``, `"`, `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		canonical, err := canonicalJSON(data)
		if err != nil {
			if faultOf(err).Kind == 0 {
				t.Fatalf("not a fault of the caller's: %v", err)
			}
			return
		}
		if !json.Valid(data) || !json.Valid(canonical) {
			t.Fatalf("%q was taken as %q", data, canonical)
		}
		again, err := canonicalJSON(canonical)
		if err != nil || string(again) != string(canonical) {
			t.Fatalf("%q became %q, then %q: %v", data, canonical, again, err)
		}
	})
}

func TestCanonicalJSON_DepthIsBounded(t *testing.T) {
	t.Parallel()
	nested := func(n int) []byte {
		text := []byte("1")
		for range n {
			text = append(append([]byte("["), text...), ']')
		}
		return text
	}
	if _, err := canonicalJSON(nested(maxDepth)); err != nil {
		t.Error(err)
	}
	if _, err := canonicalJSON(nested(maxDepth + 1)); !errors.Is(err, errDepth) {
		t.Error(err)
	}
}
