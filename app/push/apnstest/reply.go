package apnstest

import (
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// handleRequest decides the answer to a complete request and sends it, now or after the latency.
func (c *conn) handleRequest(s *stream) {
	now := c.apple.cfg.Now()
	w, authorized := c.decideAnswer(s, now)
	if w.ok() {
		c.apple.log.recordPush(c.newDelivered(s, now))
	}
	switch {
	case w.Reset:
		c.resetStream(s.id, http2.ErrCodeInternal)
		return
	case w.Cut:
		c.cut()
		return
	}
	away, abrupt := c.apple.faults.goAwayDue()
	if !w.Silent && !abrupt {
		c.answerLater(s, w, authorized)
	}
	if away {
		c.goAway(abrupt)
	}
}

// answerLater answers after the configured latency.
func (c *conn) answerLater(s *stream, w Answer, authorized bool) {
	wait := w.Delay + c.apple.faults.nextLatency()
	if wait <= 0 {
		c.writeAnswer(s, w, authorized)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := c.open[s.id]; !open {
		return
	}
	c.apple.group.Add(1)
	c.open[s.id] = time.AfterFunc(wait, func() {
		defer c.apple.group.Done()
		c.writeAnswer(s, w, authorized)
	})
}

// writeAnswer writes one answer, preceded by a new stream limit when it changes.
func (c *conn) writeAnswer(s *stream, w Answer, authorized bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := c.open[s.id]; !open { // reset, or the connection is over
		return
	}
	delete(c.open, s.id)
	c.updateStreamLimit(w, authorized)
	body := w.body()
	c.encodeHeaders(s, w)
	c.write.WriteHeaders(http2.HeadersFrameParam{
		StreamID: s.id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: len(body) == 0,
	})
	if len(body) > 0 {
		c.write.WriteData(s.id, true, body)
	}
	if !s.ended && len(s.body) > 4*voipLimit {
		c.write.WriteRSTStream(s.id, http2.ErrCodeNo) // enough read to refuse it (RFC 9113, 8.1)
	}
	c.wakeWriter()
}

// updateStreamLimit raises the stream limit once a client was accepted. With Config.DropToOne it
// lowers it after a refusal. Called with mu held.
func (c *conn) updateStreamLimit(w Answer, authorized bool) {
	limit := c.announced
	switch {
	case c.apple.cfg.DropToOne && w.status() >= 400 && w.status() < 500 && w.status() != 410:
		limit = 1
	case authorized && (w.ok() || !c.apple.cfg.DropToOne):
		limit = c.apple.cfg.MaxStreams
	}
	if limit == c.announced {
		return
	}
	c.announced = limit
	c.sent = append(c.sent, limit)
	c.limit = max(c.limit, limit)
	c.write.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: limit})
}

// encodeHeaders writes the response's header block; called with mu held.
func (c *conn) encodeHeaders(s *stream, w Answer) {
	c.block.Reset()
	c.enc.WriteField(hpack.HeaderField{Name: ":status", Value: status(w.status())})
	c.enc.WriteField(hpack.HeaderField{Name: "apns-id", Value: s.apnsID, Sensitive: true})
	switch {
	case w.HTML:
		c.enc.WriteField(hpack.HeaderField{Name: "content-type", Value: "text/html"})
	case c.host.env == Sandbox:
		c.enc.WriteField(hpack.HeaderField{Name: "apns-unique-id", Value: s.apnsID, Sensitive: true})
	}
}

func status(code int) string {
	if code == 200 {
		return "200"
	}
	return strconv.Itoa(code)
}

func (w Answer) body() []byte {
	switch {
	case w.HTML:
		return []byte("<html><head><title>" + strconv.Itoa(w.status()) + "</title></head><body>upstream</body></html>")
	case w.ok() || w.Reason == "":
		return nil
	}
	body := `{"reason":` + strconv.Quote(w.Reason)
	if !w.Timestamp.IsZero() {
		body += `,"timestamp":` + strconv.FormatInt(w.Timestamp.UnixMilli(), 10)
	}
	return []byte(body + "}")
}
