package projections

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

const (
	// fieldMark stands before every field in a search column. No field holds it,
	// so that no term matches across two fields.
	fieldMark = "\n"
	// searchBytes bounds a search column: it is part of an index, whose entries
	// are limited.
	searchBytes = 2000
	// substringFrom is how long a term must be to be looked for anywhere in a
	// field. Shorter ones match where a field begins.
	substringFrom = 3
	// rankBytes bounds a text that a list is ordered by.
	rankBytes = 500
)

// searchText makes the search column of the fields that a row is found by.
func searchText(fields ...string) string {
	var b strings.Builder
	for _, f := range fields {
		if f = folded(f); f == "" {
			continue
		}
		if f = bounded(f, searchBytes-b.Len()-len(fieldMark)); f != "" {
			b.WriteString(fieldMark)
			b.WriteString(f)
		}
	}
	return b.String()
}

// folded is text as it is compared in a search: lower case and without accents.
func folded(text string) string {
	if isLowerASCII(text) {
		return strings.TrimSpace(text)
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
	bare, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), text)
	if err != nil {
		bare = text
	}
	return strings.TrimSpace(bare)
}

func isLowerASCII(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// searchPattern is the LIKE pattern of a term, "" for a term that says nothing.
func searchPattern(term string) string {
	term = folded(term)
	if term == "" {
		return ""
	}
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(term)
	if utf8.RuneCountInString(term) < substringFrom {
		return "%" + fieldMark + escaped + "%"
	}
	return "%" + escaped + "%"
}

// bounded cuts text to at most limit bytes, between two characters.
func bounded(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	limit = max(limit, 0)
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
