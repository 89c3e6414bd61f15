package web

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// uploadBounds says how many uploads may be read and worked on at once. With Config.BodyLimit they
// bound the bytes too: all together have under 10 MiB.
func uploadBounds() SlotBounds {
	return SlotBounds{
		Code: "too_many_uploads", What: "uploads under way", Cure: "Wait until one is complete and try again.", After: 2 * time.Second,
		Each: map[string]int{KindPerson: 2, KindKey: 2}, Tenant: 3, Network: 8, All: 64,
	}
}

// ReadUpload reads the body of a request at one of Config.Uploads, within a slot of its sender: at
// the bound it refuses before it reads. The server has then read at most the first 8 KiB, which it
// reads before it knows who sends. The caller must call leave when it has worked on the upload.
func ReadUpload(c *fiber.Ctx, h Holder) (leave func(), err error) {
	v, ok := visitOf(c)
	if !ok {
		return func() {}, nil
	}
	h.Network = Network(IP(c))
	if leave, err = v.edge.uploads.Take(h); err != nil {
		return nil, err
	}
	if err := v.edge.readBody(c); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// readBody reads what is left of the body, at most BodyLimit bytes. After an error the connection
// is closed, because what follows on it could be taken for another request.
func (e *edge) readBody(c *fiber.Ctx) error {
	stream := c.Context().RequestBodyStream()
	if stream == nil {
		return nil // it has none, or was read
	}
	n := c.Request().Header.ContentLength() // negative = chunks
	if n > e.BodyLimit {
		closeUnread(c)
		return fiber.ErrRequestEntityTooLarge
	}
	var body []byte
	var err error
	if n >= 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(stream, body)
	} else if body, err = io.ReadAll(io.LimitReader(stream, int64(e.BodyLimit)+1)); err == nil && len(body) > e.BodyLimit {
		closeUnread(c)
		return fiber.ErrRequestEntityTooLarge
	}
	if err != nil {
		closeUnread(c)
		if slow := net.Error(nil); errors.As(err, &slow) && slow.Timeout() {
			return fiber.ErrRequestTimeout
		}
		return fiber.ErrBadRequest
	}
	c.Request().SetBodyRaw(body)
	return noTrailers(c)
}

// noTrailers refuses fields after the body; see oneReading.
func noTrailers(c *fiber.Ctx) error {
	if len(c.Request().Header.PeekTrailerKeys()) == 0 {
		return nil
	}
	closeUnread(c)
	return tenants.Refuse(tenants.Invalid, "trailers",
		"The request has fields after its body. Send all header fields before the body.")
}

// closeUnread closes the connection after the answer. If the body was not read, it lets the client
// send on meanwhile: see conn.linger.
func closeUnread(c *fiber.Ctx) {
	c.Context().SetConnectionClose()
	if k, ok := c.Context().Conn().(*conn); ok && c.Context().RequestBodyStream() != nil {
		k.unread.Store(true)
	}
}
