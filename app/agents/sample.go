package agents

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"carillon/gateway"
)

// Samples are the names of the sample agents.
var Samples = []string{"echo", "script"}

// Sample returns the server of a sample agent: a program such as a tenant writes, which speaks
// Twilio's protocol. "echo" rings bells and repeats what it hears a second later. "script" rings
// them at the start and for each key that the person presses, and hangs up at #.
func Sample(name string) (http.Handler, error) { return newSample(name) }

// ConnectSample connects a sample agent to the call of a ring, and returns when the call is over.
// address is the stream_url of POST /v1/rings/{id}/join, and token its token.
func ConnectSample(ctx context.Context, name, address, token string) error {
	s, err := newSample(name)
	if err != nil {
		return err
	}
	conn, res, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if res != nil {
			return fmt.Errorf("the server answered %d: %s", res.StatusCode, unjoined(res.StatusCode))
		}
		return fmt.Errorf("no server answers at this address; check it: %w", withoutURL(err))
	}
	defer func() { _ = conn.CloseNow() }()
	c := &sampleCall{sample: s, ctx: ctx, conn: conn}
	err = c.talk()
	if err == nil || errors.Is(err, errHungUp) || websocket.CloseStatus(err) == websocket.StatusNormalClosure {
		_ = conn.Close(websocket.StatusNormalClosure, "")
		return nil
	}
	return err
}

// unjoined says why a server let no agent join a call.
func unjoined(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "the token is wrong, used or older than a minute; ask for a new one"
	case http.StatusGone:
		return "the ring has ended; place a new one"
	case http.StatusNotFound:
		return "the token is of another ring, or there is no such ring; check the address"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "the server is at its limit; try again in a moment"
	}
	return "no stream can be opened at this address; give the stream_url of POST /v1/rings/{id}/join"
}

func newSample(name string) (s sample, err error) {
	bells, err := gateway.Bells(gateway.PCMU)
	if err != nil {
		return s, fmt.Errorf("agents: %w", err)
	}
	s = sample{name: name, bells: bytes.Join(bells, nil)}
	switch name {
	case "echo":
		s.hear = (*sampleCall).repeat
	case "script":
		s.hear = (*sampleCall).follow
	default:
		return s, fmt.Errorf("agents: there is no sample agent %q", name)
	}
	return s, nil
}

// Mirror is the server of an agent that says one frame of silence at the start, and then sends back
// each frame at once, to measure the line.
func Mirror() http.Handler { return sample{name: "mirror", hear: (*sampleCall).mirror} }

// mirrorAfter is how long the mirror does not send back what it hears. The person's first sound
// comes in one burst, and sent back it would delay all that follows.
const mirrorAfter = 500 * time.Millisecond

// mirror sends back what it hears, but for the first moment.
func (c *sampleCall) mirror(m sampleMessage) error {
	if time.Since(c.began) < mirrorAfter {
		return nil
	}
	return c.repeat(m)
}

// sample is one sample agent.
type sample struct {
	name  string
	bells []byte
	hear  func(*sampleCall, sampleMessage) error // gets each message after start
}

// sampleMessage is what a sample agent reads of Carillon's messages.
type sampleMessage struct {
	Event string `json:"event"`
	Media struct {
		Payload string `json:"payload"`
	} `json:"media"`
	DTMF struct {
		Digit string `json:"digit"`
	} `json:"dtmf"`
	StreamSid string `json:"streamSid"`
}

// sampleCall is one call of a sample agent.
type sampleCall struct {
	sample
	ctx    context.Context
	conn   *websocket.Conn
	stream string
	began  time.Time // of a mirror
}

// ServeHTTP takes one call.
func (s sample) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil) // refuses browsers of other origins
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	c := &sampleCall{sample: s, ctx: r.Context(), conn: conn}
	if c.talk() == nil {
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}
}

// talk takes the call until one side hangs up.
func (c *sampleCall) talk() error {
	for {
		_, data, err := c.conn.Read(c.ctx)
		if err != nil {
			return err
		}
		var m sampleMessage
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		switch m.Event {
		case "start":
			c.stream = m.StreamSid
			err = c.greet()
		case "stop":
			return nil
		default:
			err = c.hear(c, m)
		}
		if err != nil {
			return err
		}
	}
}

func (c *sampleCall) greet() error {
	if len(c.bells) == 0 {
		c.began = time.Now()
		return c.say(silentFrame[:])
	}
	if err := c.say(c.bells); err != nil || c.name != "echo" {
		return err
	}
	// What is said after it is played after it: the echo is as late as this silence is long.
	return c.say(bytes.Repeat([]byte{muLawSilence}, 8*int(EchoDelay/time.Millisecond)))
}

// say sends sound.
func (c *sampleCall) say(sound []byte) error {
	return c.send(map[string]any{
		"event": "media", "streamSid": c.stream, "media": map[string]string{"payload": base64.StdEncoding.EncodeToString(sound)},
	})
}

func (c *sampleCall) send(m map[string]any) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return c.conn.Write(c.ctx, websocket.MessageText, data)
}

// repeat says what it hears.
func (c *sampleCall) repeat(m sampleMessage) error {
	if m.Event != "media" {
		return nil
	}
	return c.send(map[string]any{"event": "media", "streamSid": c.stream, "media": map[string]string{"payload": m.Media.Payload}})
}

// errHungUp says that the sample agent hangs up.
var errHungUp = fmt.Errorf("agents: the sample agent hangs up")

// follow does what the pressed key says.
func (c *sampleCall) follow(m sampleMessage) error {
	switch {
	case m.Event != "dtmf":
		return nil
	case m.DTMF.Digit == "#":
		_ = c.conn.Close(websocket.StatusNormalClosure, "")
		return errHungUp
	}
	if err := c.send(map[string]any{"event": "clear", "streamSid": c.stream}); err != nil {
		return err
	}
	return c.say(c.bells)
}
