package faultproxy

import (
	"encoding/binary"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Request is a call that a client has sent in full.
type Request struct {
	// Method is the path of the call, /package.Service/Method.
	Method string
	// Body is all that the client sent, with gRPC's frames around its messages.
	Body []byte

	stream uint32
}

// frame is one HTTP/2 frame.
type frame struct {
	kind    http2.FrameType
	flags   http2.Flags
	stream  uint32
	payload []byte // valid until the visitor returns
}

// frames finds the frames in one direction of a connection, whatever pieces it
// comes in.
type frames struct {
	skip    int // bytes that come before the first frame
	partial []byte
}

const frameHeader = 9

// read visits every frame that data completes; at is where in data it begins,
// negative if it began before. A visitor that returns false ends the reading.
func (r *frames) read(data []byte, visit func(f frame, at int) bool) {
	skipped := min(r.skip, len(data))
	r.skip -= skipped
	before := len(r.partial)
	r.partial = append(r.partial, data[skipped:]...)
	rest := r.partial
	for len(rest) >= frameHeader {
		size := frameHeader + int(uint32(rest[0])<<16|uint32(rest[1])<<8|uint32(rest[2]))
		if len(rest) < size {
			break
		}
		f := frame{
			kind: http2.FrameType(rest[3]), flags: http2.Flags(rest[4]),
			stream: binary.BigEndian.Uint32(rest[5:]) &^ (1 << 31), payload: rest[frameHeader:size],
		}
		at := len(r.partial) - len(rest) - before + skipped
		rest = rest[size:]
		if !visit(f, at) {
			break
		}
	}
	r.partial = slices.Delete(r.partial, 0, len(r.partial)-len(rest))
}

// calls finds the requests in what a client sends.
type calls struct {
	frames
	report  func(Request)
	open    map[uint32]*Request
	headers *hpack.Decoder
	block   []byte // a header block that is not complete yet
}

func newCalls(report func(Request)) *calls {
	return &calls{
		frames: frames{skip: len(http2.ClientPreface)},
		report: report, open: map[uint32]*Request{}, headers: hpack.NewDecoder(4096, nil),
	}
}

// read takes the next piece and reports the requests that it completes. All of
// it may pass.
func (c *calls) read(data []byte) int {
	c.frames.read(data, func(f frame, _ int) bool {
		c.take(f)
		return true
	})
	return len(data)
}

func (c *calls) take(f frame) {
	switch f.kind {
	case http2.FrameHeaders, http2.FrameContinuation:
		c.block = append(c.block, content(f)...)
		if !f.flags.Has(http2.FlagHeadersEndHeaders) {
			break
		}
		fields, err := c.headers.DecodeFull(c.block)
		c.block = c.block[:0]
		if err != nil {
			break // not for the proxy to judge: the server will
		}
		if c.open[f.stream] == nil {
			c.open[f.stream] = &Request{stream: f.stream}
		}
		for _, h := range fields {
			if h.Name == ":path" {
				c.open[f.stream].Method = h.Value
			}
		}
	case http2.FrameData:
		if r := c.open[f.stream]; r != nil {
			r.Body = append(r.Body, content(f)...)
		}
	case http2.FrameRSTStream:
		delete(c.open, f.stream)
	}
	// The flag has one value and one meaning in both kinds of frames.
	if (f.kind == http2.FrameData || f.kind == http2.FrameHeaders) && f.flags.Has(http2.FlagDataEndStream) {
		if r := c.open[f.stream]; r != nil {
			delete(c.open, f.stream)
			c.report(*r)
		}
	}
}

// content is the payload of a frame without padding and priority.
func content(f frame) []byte {
	b := f.payload
	if f.kind != http2.FrameContinuation && f.flags.Has(http2.FlagDataPadded) && len(b) > 0 {
		padding := int(b[0])
		b = b[1:max(1, len(b)-padding)]
	}
	if f.kind == http2.FrameHeaders && f.flags.Has(http2.FlagHeadersPriority) && len(b) >= 5 {
		b = b[5:]
	}
	return b
}
