package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/storecopy"
)

func TestMeterLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := newMeter(&out, "exporting", outputText)
	m.began = time.Now().Add(-10 * time.Second)
	m.copied(storecopy.Progress{Events: 1000, Done: 1, Total: 100})
	m.copied(storecopy.Progress{Events: 3000, Done: 25, Total: 100})
	m.show()
	m.stop()
	m.stop()
	// 2000 events in ten seconds: the first thousand was there before.
	for _, want := range []string{"exporting: 25%", "3000 events", "200 events/s", "30s left"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q does not say %q", out.String(), want)
		}
	}

	out.Reset()
	m = newMeter(&out, "checking", outputText)
	m.set(150, 100) // a store that grows
	m.show()
	m.stop()
	if got := out.String(); got != "checking: 100%\n" {
		t.Errorf("got %q", got)
	}

	out.Reset()
	m = newMeter(&out, "checking", outputJSON)
	m.set(1, 2)
	m.stop()
	if out.Len() > 0 {
		t.Errorf("printed %q for a program", out.String())
	}
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	for size, want := range map[uint64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 1536 << 10: "1.5 MiB", 5 << 40: "5.0 TiB", 5 << 50: "5120.0 TiB"} {
		if got := sizeText(size); got != want {
			t.Errorf("%d: %s instead of %s", size, got, want)
		}
	}
}
