package totp_test

import (
	"bytes"
	"encoding/base32"
	"encoding/xml"
	"fmt"
	"image"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/totp"
)

func newKey(t testing.TB, issuer, account string) totp.Key {
	t.Helper()
	key, err := totp.NewKey(issuer, account, rfc(t))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// S3-07: the URI that apps read, with names that need escaping.
func TestURI_S3_07(t *testing.T) {
	t.Parallel()
	const plain = "otpauth://totp/Kestrel:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Kestrel&algorithm=SHA1&digits=6&period=30"
	if got := newKey(t, "Kestrel", "ada").URI(); got != plain {
		t.Errorf("%s", got)
	}
	for _, c := range []struct{ issuer, account, wantIssuer, wantAccount string }{
		{"Kestrel & Moss", "ada+shop@example.com", "Kestrel & Moss", "ada+shop@example.com"},
		{"Müller/Söhne?#%", "用户@例え.jp", "Müller/Söhne?#%", "用户@例え.jp"},
		{"A: the shop", ":ada:", "A  the shop", "ada"},
		{"a&secret=AAAA", "b?secret=AAAA&digits=8", "a&secret=AAAA", "b?secret=AAAA&digits=8"},
		{" padded ", "bad\xffutf", "padded", "badutf"},
		{strings.Repeat("é", 100), strings.Repeat("界", 100), strings.Repeat("é", 40), strings.Repeat("界", 64)},
	} {
		text := newKey(t, c.issuer, c.account).URI()
		u, err := url.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		q := u.Query()
		if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/"+c.wantIssuer+":"+c.wantAccount || q.Get("issuer") != c.wantIssuer || len(q) != 5 ||
			len(q["secret"]) != 1 || q.Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || q.Get("algorithm") != "SHA1" || q.Get("digits") != "6" || q.Get("period") != "30" {
			t.Errorf("%s was read as %q and %v", text, u.Path, q)
		}
		if strings.Contains(text, "+") {
			t.Errorf("%s has a plus, which some apps take for a space", text)
		}
	}
	for _, bad := range [][2]string{{"", "ada"}, {"Kestrel", ""}, {" : ", "ada"}, {"Kestrel", "::"}} {
		if _, err := totp.NewKey(bad[0], bad[1], rfc(t)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := totp.NewKey("Kestrel", "ada", totp.Secret{}); err == nil {
		t.Error("no secret was accepted")
	}
}

// S3-14: the text for typing, which is the secret.
func TestText_S3_14(t *testing.T) {
	t.Parallel()
	text := newKey(t, "Kestrel", "ada").Text()
	if text != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Errorf("%s", text)
	}
	secret, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil || string(secret) != "12345678901234567890" {
		t.Errorf("%q, %v", secret, err)
	}
}

// S3-13: PNG and SVG show the same modules, within a quiet zone of four.
func TestQR_S3_13(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"Kestrel", "ada"}, {strings.Repeat("é", 40), strings.Repeat("界", 64)}} {
		key := newKey(t, names[0], names[1])
		svg, err := key.SVG()
		if err != nil {
			t.Fatal(err)
		}
		size, dark := rasterise(t, svg)
		for _, pixels := range []int{2 * size, 3*size + 5} {
			encoded, err := key.PNG(pixels)
			if err != nil {
				t.Fatal(err)
			}
			img, err := png.Decode(bytes.NewReader(encoded))
			if err != nil {
				t.Fatal(err)
			}
			if img.Bounds() != image.Rect(0, 0, pixels, pixels) {
				t.Errorf("%v for %d", img.Bounds(), pixels)
			}
			scale := pixels / size
			offset := (pixels - scale*size) / 2
			for y := range pixels {
				for x := range pixels {
					r, _, _, _ := img.At(x, y).RGBA()
					mx, my := (x-offset+scale)/scale-1, (y-offset+scale)/scale-1 // rounds down below zero
					if want := dark[[2]int{mx, my}]; (r == 0) != want {
						t.Fatalf("%d pixels: the module %d, %d is dark %v in the SVG and %v in the PNG", pixels, mx, my, want, r == 0)
					}
				}
			}
		}
		for at := range dark {
			if at[0] < 4 || at[1] < 4 || at[0] >= size-4 || at[1] >= size-4 {
				t.Fatalf("the module %v is in the quiet zone", at)
			}
		}
	}
	for _, pixels := range []int{totp.MinPNG, totp.DefaultPNG, totp.MaxPNG} {
		if _, err := newKey(t, "Kestrel", "ada").PNG(pixels); err != nil {
			t.Error(err)
		}
	}
	for _, pixels := range []int{-1, 0, 1, totp.MinPNG - 1, totp.MaxPNG + 1} {
		if _, err := newKey(t, "Kestrel", "ada").PNG(pixels); err == nil {
			t.Errorf("%d pixels were accepted", pixels)
		}
	}
}

// rasterise returns the dark modules of an SVG of ours and how wide it is.
func rasterise(t *testing.T, svg []byte) (size int, dark map[[2]int]bool) {
	t.Helper()
	var doc struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox string   `xml:"viewBox,attr"`
		Paths   []struct {
			D    string `xml:"d,attr"`
			Fill string `xml:"fill,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &doc); err != nil {
		t.Fatal(err)
	}
	var same int
	if _, err := fmt.Sscanf(doc.ViewBox, "0 0 %d %d", &size, &same); err != nil || size != same || len(doc.Paths) != 2 || doc.Paths[0].Fill != "#fff" {
		t.Fatalf("the viewBox %q and %d paths: %v", doc.ViewBox, len(doc.Paths), err)
	}
	run := regexp.MustCompile(`^M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
	dark = make(map[[2]int]bool)
	for d := doc.Paths[1].D; d != ""; {
		m := run.FindStringSubmatch(d)
		if m == nil || m[3] != m[4] {
			t.Fatalf("the path goes on with %.40s", d)
		}
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		w, _ := strconv.Atoi(m[3])
		for i := range w {
			dark[[2]int{x + i, y}] = true
		}
		d = d[len(m[0]):]
	}
	return size, dark
}

// A reader of QR codes finds the URI in the PNG and in the SVG.
func TestReadByZbar_S3_13(t *testing.T) {
	t.Parallel()
	zbarimg, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("zbarimg is not installed; on Debian: apt-get install zbar-tools")
	}
	dir := t.TempDir()
	read := func(t *testing.T, file, want string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), zbarimg, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file).Output()
		if got := strings.TrimSuffix(string(out), "\n"); err != nil || got != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	write := func(t *testing.T, name string, data []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for i, names := range [][2]string{{"Kestrel", "ada"}, {"Kestrel & Moss Hosting", "countess-of-lovelace@example.com"}, {strings.Repeat("é", 40), strings.Repeat("界", 64)}} {
		key := newKey(t, names[0], names[1])
		t.Run(fmt.Sprintf("PNG %d", i), func(t *testing.T) {
			t.Parallel()
			data, err := key.PNG(3 * totp.DefaultPNG)
			read(t, write(t, fmt.Sprintf("%d.png", i), data, err), key.URI())
		})
		t.Run(fmt.Sprintf("SVG %d", i), func(t *testing.T) {
			t.Parallel()
			rsvg, err := exec.LookPath("rsvg-convert")
			if err != nil {
				t.Skip("rsvg-convert is not installed; on Debian: apt-get install librsvg2-bin")
			}
			data, err := key.SVG()
			svg := write(t, fmt.Sprintf("%d.svg", i), data, err)
			if out, err := exec.CommandContext(t.Context(), rsvg, "--width", "900", "--height", "900", "--output", svg+".png", svg).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			read(t, svg+".png", key.URI())
		})
	}
}
