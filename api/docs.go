package api

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// docFiles are the pages that people look at. The documentation is shown by
// Stoplight Elements 9.0.25 (Apache-2.0, licences beside it), which is kept and
// served compressed, as it came, and asks nobody else for anything.
//
//go:embed docs/index.html docs/docs.html docs/*.gz
var docFiles embed.FS

// docsPolicy permits the page with the documentation what it needs of us, and
// nothing of anybody else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// linkFiles are the page that the links in mails lead to where a store has none of its
// own.
//
//go:embed pages/links.html pages/links.js
var linkFiles embed.FS

// linkPolicy permits the page behind links its own script, and to ask us.
const linkPolicy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'"

// pages adds what is not part of the documented API to the router.
func (s *Server) pages() {
	metrics := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
	s.router.Method(http.MethodGet, "/metrics", metrics)
	s.router.Get("/openapi.json", s.serveSpec(func() []byte { return s.spec.json }, "application/openapi+json"))
	s.router.Get("/openapi.yaml", s.serveSpec(func() []byte { return s.spec.yaml }, "application/openapi+yaml"))
	s.router.Get("/", s.servePage(docFiles, "docs/index.html", "default-src 'none'; frame-ancestors 'none'"))
	s.router.Get("/docs", s.servePage(docFiles, "docs/docs.html", docsPolicy))
	s.router.Get("/links", s.servePage(linkFiles, "pages/links.html", linkPolicy))
	s.router.Get("/links.js", s.servePage(linkFiles, "pages/links.js", linkPolicy))
	if s.mailbox != nil {
		s.router.Handle("/mailbox", s.mailbox)
		s.router.Handle("/mailbox.json", s.mailbox)
		s.router.Handle("/mailbox/*", s.mailbox)
	}
	s.router.Get("/docs/{file}", s.serveDocFile)
}

func (s *Server) serveSpec(spec func() []byte, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(spec()) // the caller is gone
	}
}

func (s *Server) servePage(files embed.FS, name, policy string) http.HandlerFunc {
	contentType := "text/html; charset=utf-8"
	if strings.HasSuffix(name, ".js") {
		contentType = "text/javascript; charset=utf-8"
	}
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := files.ReadFile(name)
		if err != nil {
			s.refuse(r.Context(), fmt.Errorf("read page: %w", err)).write(w)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(content) // the caller is gone
	}
}

// serveDocFile serves a compressed file, unpacked for the few who cannot.
func (s *Server) serveDocFile(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "file")
	packed, err := docFiles.ReadFile("docs/" + name + ".gz")
	if err != nil {
		s.noRoute(w, r)
		return
	}
	w.Header().Set("Content-Type", map[bool]string{true: "text/css; charset=utf-8", false: "text/javascript; charset=utf-8"}[strings.HasSuffix(name, ".css")])
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed) // the caller is gone
		return
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		s.refuse(r.Context(), fmt.Errorf("unpack %s: %w", name, err)).write(w)
		return
	}
	_, _ = io.Copy(w, unpacked) // the caller is gone
}
