// Package identity checks and normalises what identifies a person: email
// addresses, usernames, external ids, and the short texts around them. Every
// check is a pure function; a refusal says what is wrong without repeating the
// input.
package identity

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Line checks a text of one line: valid UTF-8, at most limit characters, no
// control characters and nothing invisible that changes how it reads. It
// returns the text in Unicode normalisation form C, without surrounding spaces.
func Line(text string, limit int) (string, error) { return clean(text, limit, false) }

// Text checks a text that may have several lines, by the rules of [Line].
func Text(text string, limit int) (string, error) { return clean(text, limit, true) }

func clean(text string, limit int, lines bool) (string, error) {
	if !utf8.ValidString(text) {
		return "", errors.New("is not valid UTF-8")
	}
	text = strings.TrimSpace(norm.NFC.String(text))
	if utf8.RuneCountInString(text) > limit {
		return "", fmt.Errorf("is longer than %d characters", limit)
	}
	for _, r := range text {
		if lines && (r == '\n' || r == '\r' || r == '\t') {
			continue
		}
		if err := checkRune(r); err != nil {
			return "", err
		}
	}
	return text, nil
}

// checkRune refuses characters that people cannot see or that reorder what they
// see: controls, bidirectional formatting (UAX #9), zero-width and other format
// characters, private use, unassigned and replacement characters.
func checkRune(r rune) error {
	switch {
	case unicode.IsControl(r):
		return errors.New("contains a control character")
	case unicode.Is(unicode.Bidi_Control, r):
		return errors.New("contains a character that changes the direction of text")
	case r == utf8.RuneError, unicode.Is(unicode.Co, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
		return errors.New("contains a character that is not text")
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return errors.New("contains an invisible character")
	}
	return nil
}
