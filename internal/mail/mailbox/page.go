package mailbox

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

//go:embed page.html page.css
var files embed.FS

var (
	page  = template.Must(template.ParseFS(files, "page.html"))
	style = func() template.CSS {
		css, err := files.ReadFile("page.css")
		if err != nil {
			panic(err) // it is part of the program
		}
		return template.CSS("\n" + string(css))
	}()

	// Nothing runs and nothing is loaded but our own style and the frame with the mail.
	pagePolicy = func() string {
		sum := sha256.Sum256([]byte(style))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	}()
)

// mailPolicy is for the page of a mail: it may look as it likes, load the store's logo, and open links in new windows.
const mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src https:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// ServeHTTP answers below /mailbox: the list, /mailbox/{id} with its text, page and source, and /mailbox.json?to=ADDRESS with all
// of it for programs, the newest first.
func (m *Mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	m.pages.ServeHTTP(w, r)
}

func (m *Mailbox) routes() *http.ServeMux {
	one := func(serve func(http.ResponseWriter, Message)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			found, ok := m.message(r.PathValue("id"))
			if !ok {
				http.Error(w, "There is no such mail (any more).", http.StatusNotFound)
				return
			}
			serve(w, found)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mailbox", m.serveList)
	mux.HandleFunc("GET /mailbox/{$}", m.serveList)
	mux.HandleFunc("GET /mailbox.json", m.serveJSON)
	mux.HandleFunc("GET /mailbox/{id}", one(func(w http.ResponseWriter, found Message) { show(w, view{One: &found}) }))
	mux.HandleFunc("GET /mailbox/{id}/html", one(serveHTML))
	mux.HandleFunc("GET /mailbox/{id}/raw", one(serveRaw))
	return mux
}

// newest returns the mails to an address, the newest first; all of them when the address is empty. It is never nil.
func (m *Mailbox) newest(to string) []Message {
	all := append([]Message{}, m.Messages(to)...)
	slices.Reverse(all)
	return all
}

func (m *Mailbox) serveJSON(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(m.newest(r.URL.Query().Get("to"))) // the caller is gone
}

func (m *Mailbox) serveList(w http.ResponseWriter, _ *http.Request) { show(w, view{All: m.newest("")}) }

// view is what the page shows: one mail, or the list.
type view struct {
	One   *Message
	All   []Message
	Style template.CSS
}

func show(w http.ResponseWriter, v view) {
	v.Style = style
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the caller is gone
}

// serveHTML shows the page of a mail as it is, for a frame. Links open in new windows: a frame could not leave.
func serveHTML(w http.ResponseWriter, found Message) {
	const targets = `<base target="_blank">`
	before, after, ok := strings.Cut(found.HTML, "<head>")
	if ok {
		before, after = before+"<head>", targets+after
	} else {
		before, after = targets, found.HTML
	}
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(before + after)) // the caller is gone
}

func serveRaw(w http.ResponseWriter, found Message) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(found.Raw) // the caller is gone
}
