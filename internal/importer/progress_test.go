package importer

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tally := &Tally{}
		stop := Watch(&out, false, 100, tally)
		for range 50 {
			tally.count(Outcome{})
		}
		<-time.After(5*time.Second + time.Millisecond)
		tally.count(Outcome{Refused: refusal("", "x", "x")})
		tally.waiting.Add(1)
		<-time.After(5 * time.Second)
		stop()
		const want = `importing: 50 of 100 rows, 10 rows/s, 5s left
importing: 51 of 100 rows, 5 rows/s, 1 refused, waiting for the server
`
		if out.String() != want {
			t.Errorf("got\n%s want\n%s", out.String(), want)
		}
	})
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	for name, total := range map[string]int64{"known": 100, "unknown": -1, "none": 0, "fewer than there are": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				tally := &Tally{}
				stop := Watch(&out, true, total, tally)
				for range 50 {
					tally.count(Outcome{})
				}
				<-time.After(time.Second)
				stop()
				if total != 0 && !strings.Contains(out.String(), "Importing") || strings.Contains(out.String(), "\n") {
					t.Errorf("got %q", out.String())
				}
			})
		})
	}
}

func TestCountRows(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"": 0, "head": 0, "head\n": 0, "head\na\nb": 2, "head\na\nb\n": 2} {
		path := filepath.Join(t.TempDir(), "file.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := CountRows(file); got != want {
			t.Errorf("%q has %d rows, want %d", text, got, want)
		}
		rest, err := io.ReadAll(file)
		if err != nil || string(rest) != text {
			t.Errorf("%q: what is left to read is %q, %v", text, rest, err)
		}
		_ = file.Close()
	}
	if got := CountRows(strings.NewReader("a")); got != 0 {
		t.Errorf("a text in memory: %d", got)
	}
	if got := CountRows(io.MultiReader()); got != -1 {
		t.Errorf("a stream: %d", got)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if got := CountRows(reader); got != -1 {
		t.Errorf("a pipe: %d", got)
	}
	_, _ = reader.Close(), writer.Close()
}
