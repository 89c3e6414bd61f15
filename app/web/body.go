package web

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// uploadBounds says how many uploads may be read and worked on at once. With the limit of each they
// bound the bytes too.
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
	return v.edge.readInSlot(c, h, v.edge.BodyLimit)
}

// ReadDocument reads the body of a request at one of Config.Uploads that may have more bytes than
// other documents. One that is no larger than others is read at once, so that a sender of many
// small ones is not held up; a larger one is read within a slot of the uploads. The caller must
// call leave when it has worked on the document.
func ReadDocument(c *fiber.Ctx, h Holder, most int) (leave func(), err error) {
	v, ok := visitOf(c)
	if !ok {
		return func() {}, nil
	}
	if n := c.Request().Header.ContentLength(); n >= 0 && n <= v.edge.BodyLimit {
		return func() {}, v.edge.readBody(c, v.edge.BodyLimit)
	}
	return v.edge.readInSlot(c, h, most)
}

func (e *edge) readInSlot(c *fiber.Ctx, h Holder, most int) (leave func(), err error) {
	h.Network = Network(IP(c))
	if leave, err = e.uploads.Take(h); err != nil {
		return nil, err
	}
	if err := e.readBody(c, most); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// readBody reads what is left of the body, at most this many bytes. After an error the connection
// is closed, because what follows on it could be taken for another request.
func (e *edge) readBody(c *fiber.Ctx, most int) error {
	stream := c.Context().RequestBodyStream()
	if stream == nil {
		return nil // it has none, or was read
	}
	n := c.Request().Header.ContentLength() // negative = chunks
	if n > most {
		closeUnread(c)
		return fiber.ErrRequestEntityTooLarge
	}
	var body []byte
	var err error
	if n >= 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(stream, body)
	} else if body, err = io.ReadAll(io.LimitReader(stream, int64(most)+1)); err == nil && len(body) > most {
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
