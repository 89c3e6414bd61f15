package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
)

// File is a file that is made each time it is sent. Players ask for parts of it, to begin
// elsewhere.
type File struct {
	ETag  string                // in quotes; the same as long as the bytes are
	Write func(io.Writer) error // makes the whole file, with the same bytes each time
}

// sizesMost bounds what Sizes keeps.
const sizesMost = 1024

// Sizes keeps the sizes of files that were asked for in parts, so that a player's next request need
// not make the whole file to learn it. The zero Sizes is ready for use.
type Sizes struct {
	mu    sync.Mutex // guards known
	known map[string]int64
}

// of returns the size of f. Where it is not known, the file is made to learn it.
func (s *Sizes) of(f File) (int64, error) {
	s.mu.Lock()
	size, ok := s.known[f.ETag]
	s.mu.Unlock()
	if ok {
		return size, nil
	}
	var all part
	if err := Recovered(func() error { return f.Write(&all) }); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= sizesMost {
		s.known = map[string]int64{}
	}
	s.known[f.ETag] = all.at
	return all.at, nil
}

// errCut ends the making of a file of which enough was sent.
var errCut = errors.New("web: the rest of the file is not wanted")

// SendFile sends a file, or the part that the request asks for (RFC 9110 14): 206, or 416 where the
// file is shorter. For the first part the file is made twice, the first time to learn its size,
// which is kept in sizes. ended is called in any case, as by Download.
func SendFile(c *fiber.Ctx, f File, sizes *Sizes, ended func(error)) error {
	h := &c.Response().Header
	h.Set(fiber.HeaderAcceptRanges, "bytes")
	h.Set(fiber.HeaderETag, f.ETag)
	asked := Header(c, fiber.HeaderRange)
	if known := Header(c, fiber.HeaderIfRange); asked == "" || known != "" && known != f.ETag {
		Download(c, func(_ context.Context, w io.Writer) error { return f.Write(w) }, ended)
		return nil
	}
	size, err := sizes.of(f)
	if err != nil {
		ended(err)
		return err
	}
	from, to, ok := byteRange(asked, size)
	switch {
	case !ok:
		from, to = 0, size
	case from >= to:
		ended(nil)
		h.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes */%d", size))
		c.Status(fiber.StatusRequestedRangeNotSatisfiable)
		return nil
	default:
		h.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
		c.Status(fiber.StatusPartialContent)
	}
	Download(c, func(_ context.Context, w io.Writer) error {
		err := f.Write(&part{w: w, from: from, to: to})
		if errors.Is(err, errCut) {
			return nil
		}
		return err
	}, ended)
	return nil
}

// part passes on the bytes from from to to, and counts all. Without w it only counts.
type part struct {
	w        io.Writer
	at       int64
	from, to int64
}

func (p *part) Write(b []byte) (int, error) {
	begin := p.at
	p.at += int64(len(b))
	if p.w == nil {
		return len(b), nil
	}
	if begin >= p.to {
		return 0, errCut
	}
	first, last := max(p.from, begin), min(p.to, p.at)
	if first < last {
		if _, err := p.w.Write(b[first-begin : last-begin]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// byteRange reads a Range of one part of a file of this size: the bytes from from to to, without
// to. If none of them is there, from is not below to. A header that is not understood, or asks for
// several parts, is not ok: it is ignored (RFC 9110 14.2).
func byteRange(header string, size int64) (from, to int64, ok bool) {
	unit, text, _ := strings.Cut(header, "=")
	first, last, dash := strings.Cut(strings.TrimSpace(text), "-")
	if !strings.EqualFold(strings.TrimSpace(unit), "bytes") || !dash || strings.Contains(text, ",") {
		return 0, 0, false
	}
	number := func(s string) (int64, bool) {
		n, err := strconv.ParseUint(s, 10, 62)
		return int64(n), err == nil
	}
	if first == "" { // the last bytes
		n, ok := number(last)
		return max(0, size-n), size, ok
	}
	from, ok = number(first)
	to = size
	if last != "" && ok {
		if to, ok = number(last); to < from {
			return 0, 0, false
		}
		to = min(size, to+1)
	}
	return from, to, ok
}
