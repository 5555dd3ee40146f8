package mailbox

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// maxDepth is how deep parts may lie in each other.
const maxDepth = 5

// read takes a mail apart. What cannot be read is left out; the source shows it all.
func read(raw []byte) Message {
	one := Message{Raw: raw, Links: []string{}}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return one
	}
	one.From, one.Subject = decoded(m.Header.Get("From")), decoded(m.Header.Get("Subject"))
	one.parts(m.Header.Get, m.Body, 0)
	one.Links = links(one.Text, one.HTML)
	return one
}

func decoded(header string) string {
	text, err := new(mime.WordDecoder).DecodeHeader(header)
	if err != nil {
		return header
	}
	return text
}

// parts fills in the first text and the first page below a part.
func (m *Message) parts(header func(string) string, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(header("Content-Type"))
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") && depth < maxDepth {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if err != nil {
				return
			}
			m.parts(part.Header.Get, part, depth+1)
		}
	}
	switch strings.ToLower(header("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, _ := io.ReadAll(body) // what can be read of it
	text := strings.ReplaceAll(strings.ToValidUTF8(string(content), "\ufffd"), "\r\n", "\n")
	switch {
	case kind == "text/plain" && m.Text == "":
		m.Text = text
	case kind == "text/html" && m.HTML == "":
		m.HTML = text
	}
}

var address = regexp.MustCompile(`https?://[^\s<>"]+`)

// links finds what a reader can follow.
func links(text, page string) []string {
	found := []string{}
	add := func(link string) {
		if !slices.Contains(found, link) {
			found = append(found, link)
		}
	}
	for _, link := range address.FindAllString(text, -1) {
		add(strings.TrimRight(link, ".,;:!?)'"))
	}
	for z := html.NewTokenizer(strings.NewReader(page)); z.Next() != html.ErrorToken; {
		for _, a := range z.Token().Attr {
			if a.Key == "href" && address.MatchString(a.Val) && address.FindString(a.Val) == a.Val {
				add(a.Val)
			}
		}
	}
	return found
}
