package mail

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is the most that a value of one line shows, in characters.
const maxLine = 300

// line makes one line of text that shows what it is: no line breaks, nothing invisible, nothing that reorders the text
// around it.
func line(s string) string {
	s = strings.Join(strings.Fields(visible(s, false)), " ")
	if utf8.RuneCountInString(s) > maxLine {
		s = string([]rune(s)[:maxLine-1]) + "…"
	}
	return s
}

// paragraphs splits a text at empty lines, and each part into its lines.
func paragraphs(s string) [][]string {
	var all [][]string
	var part []string
	for text := range strings.SplitSeq(visible(s, true), "\n") {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
		if text != "" {
			part = append(part, text)
			continue
		}
		if len(part) > 0 {
			all, part = append(all, part), nil
		}
	}
	if len(part) > 0 {
		all = append(all, part)
	}
	return all
}

// visible leaves out what people cannot see. Every kind of line break becomes a newline, or a space.
func visible(s string, lines bool) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
			if lines {
				return '\n'
			}
			return ' '
		case r == '\t':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Noncharacter_Code_Point), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}

// addressLike finds what mail programs turn into a link by themselves.
var addressLike = regexp.MustCompile(`[/\\@]|\pL\.[\pL\pN]{2,}`)

// greeted is the name to greet. People choose their names before anybody checked that the address is theirs, so a name
// must not be able to carry an advertisement with an address to a stranger.
func greeted(name string) string {
	name = line(name)
	if addressLike.MatchString(name) || utf8.RuneCountInString(name) > 80 {
		return ""
	}
	return name
}

// webAddress returns s when it is an absolute address of one of the schemes that a mail may show and open, else "".
func webAddress(s string, schemes ...string) string {
	if s != line(s) || strings.ContainsAny(s, " <>\"'`\\") || len(s) > 2000 {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return ""
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return s
		}
	}
	return ""
}

var colorPattern = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// neutral is the colour of a store without one.
const neutral = "#24292f"

// colors returns the store's colour and the one that can be read on it.
func colors(given string) (color, ink string) {
	if !colorPattern.MatchString(given) {
		given = neutral
	}
	var rgb [3]float64
	for i := range rgb {
		rgb[i] = float64(hexDigit(given[1+2*i])<<4 | hexDigit(given[2+2*i]))
	}
	if 0.299*rgb[0]+0.587*rgb[1]+0.114*rgb[2] > 160 {
		return given, "#000000"
	}
	return given, "#ffffff"
}

func hexDigit(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c <= 'F':
		return int(c-'A') + 10
	}
	return int(c-'a') + 10
}
