package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"
)

// What [Render] fails with.
var (
	ErrUnknownTemplate = errors.New("mail: there is no such template")
	ErrMissing         = errors.New("mail: a field is missing")
)

// Rendered is a mail as its reader sees it. The subject is one line.
type Rendered struct {
	Subject, Text, HTML string
}

// view is what the templates see: the data, made harmless, and what follows from it.
type view struct {
	Data
	HasLink    bool
	Color, Ink string // the store's colour, and that of text on it
	Paragraphs [][]string
}

//go:embed templates
var files embed.FS

// shared are the parts that all mails have in common.
const shared = "layout"

type pair struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

// templates are parsed once. The files are part of the program, so a mistake in them shows in every test.
var templates = parse()

func parse() map[Template]pair {
	all := make(map[Template]pair, len(catalogue))
	functions := map[string]any{"when": when}
	for _, e := range catalogue {
		name := string(e.Template)
		all[e.Template] = pair{
			text: texttemplate.Must(texttemplate.New(name+".txt").Funcs(functions).Option("missingkey=error").
				ParseFS(files, "templates/"+shared+".txt", "templates/"+name+".txt")),
			html: htmltemplate.Must(htmltemplate.New(shared+".html").Funcs(functions).Option("missingkey=error").
				ParseFS(files, "templates/"+shared+".html", "templates/"+name+".html")),
		}
	}
	return all
}

func when(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04") + " UTC" }

// Render makes the mail t of d. It fails with [ErrUnknownTemplate], or with [ErrMissing] and the name of a field that
// the mail makes no sense without. Values show as they are and do nothing else: no markup, no header, no direction of
// text comes out of them.
func Render(t Template, d Data) (Rendered, error) {
	e, ok := find(t)
	if !ok {
		return Rendered{}, ErrUnknownTemplate
	}
	v := look(e, d)
	for _, needs := range [][]need{always, e.needs} {
		for _, n := range needs {
			if !n.has(v) {
				return Rendered{}, fmt.Errorf("%w: %s needs %s", ErrMissing, t, n.field)
			}
		}
	}
	var text, html bytes.Buffer
	if err := templates[t].text.Execute(&text, v); err != nil {
		return Rendered{}, fmt.Errorf("mail: render the text of %s: %w", t, err)
	}
	if err := templates[t].html.Execute(&html, v); err != nil {
		return Rendered{}, fmt.Errorf("mail: render the page of %s: %w", t, err)
	}
	head, body, _ := strings.Cut(text.String(), "\n")
	subject, ok := strings.CutPrefix(head, "Subject: ")
	if !ok {
		return Rendered{}, fmt.Errorf("mail: the text of %s does not begin with its subject", t)
	}
	return Rendered{Subject: subject, Text: strings.Trim(body, "\n") + "\n", HTML: html.String()}, nil
}

// look makes d harmless. Branding that cannot be used is left out: it must not keep a mail from its reader.
func look(e entry, d Data) view {
	v := view{Data: d, HasLink: e.HasLink, Paragraphs: paragraphs(d.Body)}
	v.Color, v.Ink = colors(d.Store.Color)
	v.Store = Store{Name: line(d.Store.Name), Host: line(d.Store.Host), LogoURL: webAddress(d.Store.LogoURL, "https"), Color: v.Color}
	v.Name, v.Link = greeted(d.Name), webAddress(d.Link, "http", "https")
	for _, field := range []*string{&v.Username, &v.IP, &v.Device, &v.Reason, &v.Subject, &v.Staff} {
		*field = line(*field)
	}
	v.Lines = nil
	for _, text := range d.Lines {
		if text = line(text); text != "" {
			v.Lines = append(v.Lines, text)
		}
	}
	return v
}
