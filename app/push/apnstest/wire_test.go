package apnstest_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wire sends and reads single HTTP/2 frames.
type wire struct {
	nc     net.Conn
	fr     *http2.Framer
	bearer string
	enc    *hpack.Encoder
	buf    bytes.Buffer
}

func (w *wire) sendSettings(t *testing.T) {
	t.Helper()
	w.enc = hpack.NewEncoder(&w.buf)
	if _, err := io.WriteString(w.nc, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := w.fr.WriteSettings(); err != nil {
		t.Fatal(err)
	}
}

func (w *wire) request(t *testing.T, id uint32, token string) {
	t.Helper()
	w.buf.Reset()
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/3/device/" + token},
		{"authorization", w.bearer}, {"apns-topic", topic}, {"apns-push-type", "voip"}, {"apns-priority", "10"},
		{"apns-expiration", "0"}, {"apns-id", pushID},
	} {
		w.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	if err := w.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: w.buf.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.fr.WriteData(id, true, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

// read returns the next n events that matter, acknowledging settings.
func (w *wire) read(t *testing.T, n int) []string {
	t.Helper()
	w.nc.SetReadDeadline(time.Now().Add(time.Minute))
	var events []string
	for len(events) < n {
		f, err := w.fr.ReadFrame()
		if err != nil {
			t.Fatalf("%v after %v", err, events)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if f.IsAck() {
				continue
			}
			v, _ := f.Value(http2.SettingMaxConcurrentStreams)
			events = append(events, fmt.Sprintf("settings %d", v))
			if err := w.fr.WriteSettingsAck(); err != nil {
				t.Fatal(err)
			}
		case *http2.HeadersFrame:
			events = append(events, fmt.Sprintf("headers %d", f.StreamID))
		case *http2.RSTStreamFrame:
			events = append(events, fmt.Sprintf("rst %d %v", f.StreamID, f.ErrCode))
		case *http2.GoAwayFrame:
			events = append(events, fmt.Sprintf("goaway %d", f.LastStreamID))
		}
	}
	return events
}
