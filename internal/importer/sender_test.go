package importer_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/importer"
)

func answer(w http.ResponseWriter, status int, body string, headers ...string) bool {
	for i := 0; i < len(headers); i += 2 {
		w.Header().Set(headers[i], headers[i+1])
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
	return true
}

// trouble ends a connection without an answer, or does not make one.
func trouble(w http.ResponseWriter, kind string) bool {
	return answer(w, http.StatusOK, "", "Trouble", kind)
}

func fifty() string {
	var rows []string
	for i := range 50 {
		rows = append(rows, row(fmt.Sprintf("name%d.com", i), fmt.Sprintf("owner%d", i%20)))
	}
	return lines(rows...)
}

// Whatever goes wrong on the way, every row is applied once and counts as
// accepted once.
func TestTroubleOnTheWay(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*server){
		"busy": func(s *server) {
			s.before = func(w http.ResponseWriter, n int) bool {
				return n%3 > 0 && answer(w, http.StatusTooManyRequests, "", "Retry-After", "3")
			}
		},
		"unavailable from the start": func(s *server) {
			s.before = func(w http.ResponseWriter, n int) bool {
				return n < 40 && answer(w, http.StatusServiceUnavailable, `{"code":"starting"}`)
			}
		},
		"a gateway's page": func(s *server) {
			s.before = func(w http.ResponseWriter, n int) bool {
				return n%2 == 1 && answer(w, http.StatusBadGateway, "<html>")
			}
		},
		"the answer is lost": func(s *server) {
			s.after = func(w http.ResponseWriter, n int) bool { return n%3 > 0 && trouble(w, "cut") }
		},
		"the answer is cut": func(s *server) {
			s.after = func(w http.ResponseWriter, n int) bool {
				return n%3 > 0 && answer(w, http.StatusOK, `{"rows":[{"sta`)
			}
		},
		"the outcome is not known yet": func(s *server) {
			s.after = func(w http.ResponseWriter, n int) bool { return n%2 == 1 && answer(w, http.StatusGatewayTimeout, "") }
		},
		"an internal error now and then": func(s *server) {
			s.after = func(w http.ResponseWriter, n int) bool {
				return n%7 == 1 && answer(w, http.StatusInternalServerError, "")
			}
		},
		"single rows are held up": func(s *server) {
			s.judge = func(name string, n int) int {
				if n < 40 && strings.HasSuffix(name, "7.com") {
					return http.StatusServiceUnavailable
				}
				return 0
			}
		},
		"somebody else is after the names": func(s *server) {
			s.code = "name_reserved"
			s.judge = func(name string, n int) int {
				if n < 40 && strings.HasSuffix(name, "7.com") {
					return http.StatusConflict
				}
				return 0
			}
		},
		"batches are refused as such": func(s *server) {
			s.limit = 1 // as a server would that checks a request as a whole
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newServer(t)
				prepare(store)
				report := mustRun(t, importer.Options{Source: strings.NewReader(fifty()), Client: store.client()})
				if got := counts(report); got != [4]int{50, 0, 0, 20} {
					t.Errorf("accepted, unchanged, refused, owners = %v", got)
				}
				if len(store.applied) != 50 {
					t.Errorf("%d rows were applied", len(store.applied))
				}
			})
		})
	}
}

// What no further try can cure ends the import at once, with the remedy.
func TestStops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, int) bool
		want   string
	}{
		"key":  {func(w http.ResponseWriter, _ int) bool { return answer(w, 401, "") }, "does not accept the API key"},
		"role": {func(w http.ResponseWriter, _ int) bool { return answer(w, 403, "") }, "give a key with the role"},
		"version": {func(w http.ResponseWriter, _ int) bool {
			return answer(w, 422, `{"code":"unknown_field","errors":[{"field":"rows[0].owner.name"}]}`)
		}, "another version"},
		"format":   {func(w http.ResponseWriter, _ int) bool { return answer(w, 200, `{"results":[]}`) }, "another version"},
		"address":  {func(w http.ResponseWriter, _ int) bool { return answer(w, 404, "") }, "no import at this address"},
		"redirect": {func(w http.ResponseWriter, _ int) bool { return answer(w, 308, "", "Location", "https://x.test/") }, "no import at this address"},
		"nobody":   {func(w http.ResponseWriter, _ int) bool { return trouble(w, "dial") }, "is it running"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newServer(t)
				store.before = c.before
				began := time.Now()
				report, err := importer.Run(t.Context(), importer.Options{Source: strings.NewReader(fifty()), Client: store.client()})
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), testKey) {
					t.Errorf("error %v, want one that says %s", err, c.want)
				}
				if report.Total() > 0 || time.Since(began) > time.Second {
					t.Errorf("%d rows reported after %s", report.Total(), time.Since(began))
				}
			})
		})
	}
}

// A server that was there before may be starting again.
func TestServerStartsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newServer(t)
		store.before = func(w http.ResponseWriter, n int) bool {
			return n > 5 && n < 12 && trouble(w, "dial")
		}
		report := mustRun(t, importer.Options{Source: strings.NewReader(fifty()), Client: store.client(), InFlight: 1})
		if got := counts(report); got != [4]int{50, 0, 0, 20} {
			t.Errorf("accepted, unchanged, refused, owners = %v", got)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newServer(t)
		store.before = func(w http.ResponseWriter, n int) bool {
			return n > 2 && answer(w, http.StatusServiceUnavailable, "")
		}
		began := time.Now()
		report, err := importer.Run(t.Context(), importer.Options{
			Source: strings.NewReader(fifty()), Client: store.client(), InFlight: 16, Patience: time.Minute,
		})
		if !errors.Is(err, importer.ErrUnavailable) || !strings.Contains(err.Error(), "503") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took < 45*time.Second || took > time.Minute {
			t.Errorf("gave up after %s", took)
		}
		if report.Accepted != len(store.applied) || report.Accepted == 0 || !report.Interrupted {
			t.Errorf("%d rows are reported and %d were applied", report.Accepted, len(store.applied))
		}
		store.before = nil
		again := mustRun(t, importer.Options{Source: strings.NewReader(fifty()), Client: store.client()})
		if again.Accepted+report.Accepted != 50 || again.Unchanged != report.Accepted {
			t.Errorf("the second run: %v after %d", counts(again), report.Accepted)
		}
	})
}

// A wait that the server asks for is kept, also as a date.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]func() string{
		"seconds": func() string { return "30" },
		"date":    func() string { return time.Now().Add(31 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newServer(t)
				store.before = func(w http.ResponseWriter, n int) bool {
					return n == 1 && answer(w, http.StatusServiceUnavailable, "", "Retry-After", value())
				}
				began := time.Now()
				mustRun(t, importer.Options{Source: strings.NewReader(lines(row("a.com", "ada"))), Client: store.client()})
				if took := time.Since(began); took < 30*time.Second || took > 32*time.Second {
					t.Errorf("tried again after %s", took)
				}
			})
		})
	}
}

// One row that the server cannot cope with is refused, and costs no other.
func TestInternalErrorOfOneRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newServer(t)
		store.judge = func(name string, _ int) int {
			if name == "name7.com" {
				return http.StatusInternalServerError
			}
			return 0
		}
		report := mustRun(t, importer.Options{Source: strings.NewReader(fifty()), Client: store.client()})
		if diff := cmp.Diff([]string{"9  http_500"}, places(report)); diff != "" {
			t.Errorf("refused (-want +got):\n%s", diff)
		}
	})
}

func TestNewClient(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "steward.example.com", "ftp://x", "http://", "https://me:secret@x", "https://x?a=b", "http://x#y"} {
		if _, err := importer.NewClient(base, testKey, 1, nil); err == nil {
			t.Errorf("%q is taken for a URL", base)
		}
	}
	for _, key := range []string{"", "a b", "a\nb", "schlüssel"} {
		if _, err := importer.NewClient("http://x", key, 1, nil); err == nil || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("key %q: error %v", key, err)
		}
	}
	for _, base := range []string{"http://store.test", "http://store.test/", "http://store.test/v1", "http://store.test/v1/"} {
		store := newServer(t)
		client, err := importer.NewClient(base, testKey, 1, store)
		if err != nil {
			t.Fatal(err)
		}
		mustRun(t, importer.Options{Source: strings.NewReader(lines(row("a.com", "ada"))), Client: client})
	}
}
