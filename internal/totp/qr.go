package totp

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"github.com/boombuler/barcode/qr"
)

// quiet is the width of the light border that a reader needs, in modules.
const quiet = 4

// The sizes of a PNG in pixels.
const (
	MinPNG     = 100
	DefaultPNG = 320
	MaxPNG     = 2048
)

// modules are the squares of a QR code with its quiet zone.
type modules struct {
	size int
	dark func(x, y int) bool
}

// qr encodes the URI with error correction level M: a smudge on the screen does
// no harm.
func (k Key) qr() (modules, error) {
	code, err := qr.Encode(k.URI(), qr.M, qr.Unicode)
	if err != nil {
		// The library's error quotes what it was to encode.
		return modules{}, fmt.Errorf("totp: a URI of %d bytes does not fit a QR code", len(k.URI()))
	}
	n := code.Bounds().Dx()
	return modules{size: n + 2*quiet, dark: func(x, y int) bool {
		x, y = x-quiet, y-quiet
		if x < 0 || y < 0 || x >= n || y >= n {
			return false
		}
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}}, nil
}

// PNG returns the key as a QR code of size by size pixels, quiet zone included.
// All modules are equally wide; what is left over widens the border. It fails
// if size is not from [MinPNG] to [MaxPNG], or too small for the key.
func (k Key) PNG(size int) ([]byte, error) {
	m, err := k.qr()
	if err != nil {
		return nil, err
	}
	if least := max(MinPNG, m.size); size < least || size > MaxPNG {
		return nil, fmt.Errorf("totp: a QR code of %d pixels; it must have %d to %d", size, least, MaxPNG)
	}
	scale := size / m.size
	offset := (size - scale*m.size) / 2
	img := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.Black})
	for y := range size {
		for x := range size {
			if x >= offset && y >= offset && m.dark((x-offset)/scale, (y-offset)/scale) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("totp: %w", err)
	}
	return b.Bytes(), nil
}

// SVG returns the key as a QR code that scales to any size, quiet zone included.
func (k Key) SVG() ([]byte, error) {
	m, err := k.qr()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges">`, m.size)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%[1]dH0z"/><path d="`, m.size)
	for y := range m.size {
		for x := 0; x < m.size; x++ {
			from := x
			for m.dark(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%[3]dz", from, y, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}
