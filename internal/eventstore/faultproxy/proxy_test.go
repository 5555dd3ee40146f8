package faultproxy

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Two calls run into each other on one connection, the second one names its
// method by an index into the table that the first one filled, and the bytes
// arrive in pieces of every size.
func TestRequestsAreFoundInPieces(t *testing.T) {
	t.Parallel()
	const method = "/package.Service/Method"
	var wire bytes.Buffer
	wire.WriteString(http2.ClientPreface)
	out := http2.NewFramer(&wire, nil)
	var block bytes.Buffer
	headers := hpack.NewEncoder(&block)
	var failed []error
	note := func(err error) { failed = append(failed, err) }
	begin := func(stream uint32, split bool) {
		block.Reset()
		note(headers.WriteField(hpack.HeaderField{Name: ":path", Value: method}))
		b := block.Bytes()
		if !split {
			note(out.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b, EndHeaders: true, PadLength: 3}))
			return
		}
		note(out.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b[:1], Priority: http2.PriorityParam{Weight: 7}}))
		note(out.WriteContinuation(stream, true, b[1:]))
	}
	note(out.WriteSettings())
	begin(1, true)
	begin(3, false)
	begin(5, false)
	note(out.WriteData(1, false, []byte("one, ")))
	note(out.WriteDataPadded(3, false, []byte("two, "), []byte{0, 0}))
	note(out.WriteData(5, false, []byte("given up")))
	note(out.WriteData(3, true, []byte("ended")))
	note(out.WriteRSTStream(5, http2.ErrCodeCancel))
	note(out.WriteData(1, true, nil))
	for _, err := range failed {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{method + " two, ended", method + " one, "}
	for size := 1; size <= wire.Len(); size++ {
		var got []string
		c := newCalls(func(r Request) { got = append(got, r.Method+" "+string(r.Body)) })
		for piece := range slices.Chunk(wire.Bytes(), size) {
			if c.read(piece) != len(piece) {
				t.Fatal("a request was held back")
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d: %q", size, got)
		}
	}
}

// A visitor is told where in the piece a frame began.
func TestFramesAreFoundWhereTheyBegin(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	out := http2.NewFramer(&wire, nil)
	var starts []int
	for i := range 5 {
		starts = append(starts, wire.Len())
		if err := out.WriteData(1, false, make([]byte, 7*i)); err != nil {
			t.Fatal(err)
		}
	}
	for size := 1; size <= wire.Len(); size++ {
		var f frames
		var got []int
		offset := 0
		for piece := range slices.Chunk(wire.Bytes(), size) {
			f.read(piece, func(_ frame, at int) bool {
				got = append(got, offset+at)
				return true
			})
			offset += len(piece)
		}
		if !slices.Equal(got, starts) {
			t.Fatalf("in pieces of %d: %v, want %v", size, got, starts)
		}
	}
}

// echo starts a server that sends everything back, and a proxy before it.
func echo(t *testing.T) *Proxy {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	p, err := Listen(filepath.Join(dir, "p"), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", p.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(c net.Conn, text string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	answer := make([]byte, len(text))
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if string(answer) != text {
		return fmt.Errorf("answered %q", answer)
	}
	return nil
}

func TestACutComesAfterTheByteThatWasNamed(t *testing.T) {
	t.Parallel()
	for _, d := range []Direction{Requests, Replies} {
		p := echo(t)
		for range 20 {
			n := rand.IntN(2000)
			c := dial(t, p)
			if err := ask(c, "through"); err != nil {
				t.Fatal(err)
			}
			p.CutAfter(n, d)
			// More than passes: writing may fail once the connection is gone.
			_, _ = c.Write(make([]byte, 4000))
			got, _ := io.ReadAll(c)
			if d == Replies && len(got) != n || len(got) > n {
				t.Errorf("%d bytes came back, cut after %d in direction %d", len(got), n, d)
			}
			if err := ask(dial(t, p), "a new one"); err != nil {
				t.Errorf("after a cut: %v", err)
			}
		}
	}
}

func TestAnAbandonedConnectionStaysAndSaysNothing(t *testing.T) {
	t.Parallel()
	p := echo(t)
	c := dial(t, p)
	if err := ask(c, "through"); err != nil {
		t.Fatal(err)
	}
	p.Abandon()
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := ask(c, "hello?"); err == nil {
		t.Error("it answered")
	} else if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() { //nolint:errorlint // the connection's own error, unwrapped
		t.Errorf("it did not stay: %v", err)
	}
	if err := ask(dial(t, p), "a new one"); err != nil {
		t.Error(err)
	}
	if open := p.Open(); open != 2 {
		t.Errorf("%d connections are open", open)
	}
}

func TestAThrottledConnectionIsSlow(t *testing.T) {
	t.Parallel()
	p := echo(t)
	c := dial(t, p)
	p.Throttle(100_000)
	begun := time.Now()
	if err := ask(c, string(make([]byte, 5_000))); err != nil { // 50 ms each way
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 90*time.Millisecond {
		t.Errorf("took %v", took)
	}
}
