package dialect

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // its error only says that bytes were replaced
	return b
}

// appendMembers appends parameters as the members of an object, without its braces.
func appendMembers(b []byte, parameters map[string]string) []byte {
	for i, name := range sorted(parameters) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendString(b, parameters[name])
	}
	return b
}

func appendParameters(b []byte, parameters map[string]string) []byte {
	return append(appendMembers(append(b, '{'), parameters), '}')
}

func sorted(parameters map[string]string) []string {
	names := make([]string, 0, len(parameters))
	for name := range parameters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var errOtherStream = bad("a frame of another stream")

// reader reads JSON frames without allocating.
type reader struct {
	in  bytes.Reader
	dec jsontext.Decoder
	message
}

// message holds the members that a dialect may read, as raw JSON. They are slices of the frame.
// Members that other dialects have are read and not used.
type message struct {
	event, action       jsontext.Value
	streamSid, streamID jsontext.Value // Twilio's spelling, and Plivo's "streamId"
	stream              jsontext.Value // Telnyx's "stream_id"
	name, content, dtmf jsontext.Value // "name", "payload" and "dtmf" of the frame itself
	payload, markName   jsontext.Value // of the object in "media" and "mark"
	digit               jsontext.Value // of the object in "dtmf"
	contentType, rate   jsontext.Value // of the object in "media"

	text  []byte // an unquoted value
	plain []byte // decoded sound
}

// read finds the members of a frame. Values are cut out of the frame by their offsets, because what
// the decoder returns is only valid until it reads on.
func (r *reader) read(frame []byte) (*message, error) {
	r.in.Reset(frame)
	r.dec.Reset(&r.in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	r.message = message{text: r.text, plain: r.plain}
	var (
		to    *jsontext.Value // where the next value goes
		enter bool            // the next value is an object whose members are wanted
	)
	for {
		depth := r.dec.StackDepth()
		kind := r.dec.PeekKind()
		if kind == '{' && (depth == 0 || enter) || kind == '}' {
			if _, err := r.dec.ReadToken(); err != nil {
				return nil, errNotJSON
			}
			if kind == '}' && depth == 1 {
				return &r.message, nil
			}
			to, enter = nil, false
			continue
		}
		v, err := r.dec.ReadValue()
		if err != nil || depth == 0 {
			return nil, errNotJSON
		}
		if _, read := r.dec.StackIndex(depth); read%2 == 1 {
			to, enter = r.place(v, depth)
			continue
		}
		if to != nil {
			end := int(r.dec.InputOffset())
			*to = frame[end-len(v) : end]
		}
		to, enter = nil, false
	}
}

var errNotJSON = bad("a frame that is not JSON")

// place returns where the value of a member goes, and whether an object there is read too.
func (m *message) place(name jsontext.Value, depth int) (*jsontext.Value, bool) {
	if depth == 1 {
		switch string(name) {
		case `"event"`:
			return &m.event, false
		case `"action"`:
			return &m.action, false
		case `"streamSid"`:
			return &m.streamSid, false
		case `"streamId"`:
			return &m.streamID, false
		case `"stream_id"`:
			return &m.stream, false
		case `"name"`:
			return &m.name, false
		case `"payload"`:
			return &m.content, false
		case `"dtmf"`:
			return &m.dtmf, true
		}
		return nil, string(name) == `"media"` || string(name) == `"mark"`
	}
	switch string(name) {
	case `"payload"`:
		return &m.payload, false
	case `"name"`:
		return &m.markName, false
	case `"digit"`:
		return &m.digit, false
	case `"contentType"`:
		return &m.contentType, false
	case `"sampleRate"`:
		return &m.rate, false
	}
	return nil, false
}

// of reports whether the frame names another stream than ours. Some bots leave it out.
func (m *message) of(named jsontext.Value, ours string) bool {
	return named != nil && ours != "" && !bytes.EqualFold(m.unquoted(named), []byte(ours))
}

// unquoted returns the text of a JSON string, or nothing for another value. It is valid until the
// next call.
func (m *message) unquoted(v jsontext.Value) []byte {
	if len(v) < 2 || v[0] != '"' {
		return nil
	}
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	text, err := jsontext.AppendUnquote(m.text[:0], v)
	if err != nil {
		return nil
	}
	m.text = text
	return text
}

// sound reads the base64 of a media frame.
func (m *message) sound() (Event, error) {
	if m.payload == nil {
		return Event{}, bad("a media frame without a payload")
	}
	text := m.unquoted(m.payload)
	m.plain = slices.Grow(m.plain[:0], base64.StdEncoding.DecodedLen(len(text)))
	plain, err := base64.StdEncoding.AppendDecode(m.plain, text)
	if err != nil {
		// Some encoders leave the padding out.
		plain, err = base64.RawStdEncoding.AppendDecode(m.plain, text)
	}
	m.plain = plain[:0]
	if err != nil {
		return Event{}, bad("a payload that is not base64")
	}
	return Event{Kind: Sound, Sound: plain}, nil
}

// mark reads the name of a mark.
func (m *message) mark(named jsontext.Value) (Event, error) {
	name := m.unquoted(named)
	if named == nil || len(name) > maxName {
		return Event{}, bad("a mark without a name, or with one of more than %d bytes", maxName)
	}
	return Event{Kind: Mark, Name: string(name)}, nil
}

// digits reads one key.
func (m *message) digits(v jsontext.Value) (Event, error) {
	digit := m.unquoted(v)
	if len(digit) != 1 || !IsDigit(digit[0]) {
		return Event{}, bad("a dtmf without one digit")
	}
	return Event{Kind: Digit, Digit: digit[0]}, nil
}
