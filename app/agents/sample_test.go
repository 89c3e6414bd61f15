package agents

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/gateway"
)

// sampleAt serves a sample agent and returns its address.
func sampleAt(t *testing.T, name string) string {
	t.Helper()
	h, err := Sample(name)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// awaits waits until the line was told something.
func awaits(t *testing.T, l *deskLine, what string, is func([]gateway.Packet) bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !is(l.heard()) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no %s: %d packets were said", what, len(l.heard()))
		}
	}
}

// listener waits until somebody listens to the line.
func (l *deskLine) listener(t *testing.T) (ear func(gateway.Packet)) {
	t.Helper()
	awaits(t, l, "listener", func([]gateway.Packet) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		ear = l.ear
		return ear != nil
	})
	return ear
}

// TestTheSampleEchoRepeats what the person says, through the real protocol.
func TestTheSampleEchoRepeats(t *testing.T) {
	t.Parallel()
	line := newDeskLine()
	ctx, hangUp := context.WithCancel(t.Context())
	done := converse(ctx, openStream(t, sampleAt(t, "echo")), line)
	awaits(t, line, "bells", func(said []gateway.Packet) bool { return len(said) > 3 })
	sound := bytes.Repeat([]byte{0x2a}, 160)
	line.listener(t)(gateway.Packet{Source: 9, Sequence: 1, Payload: sound, At: time.Now()})
	awaits(t, line, "echo", func(said []gateway.Packet) bool { // and silence follows it
		return slices.ContainsFunc(said, func(p gateway.Packet) bool { return bytes.Equal(p.Payload, sound) })
	})
	hangUp()
	if err := result(t, done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTheSampleScriptFollowsKeys: any key rings the bells again, and # hangs up.
func TestTheSampleScriptFollowsKeys(t *testing.T) {
	t.Parallel()
	line := newDeskLine()
	done := converse(t.Context(), openStream(t, sampleAt(t, "script")), line)
	awaits(t, line, "bells", func(said []gateway.Packet) bool { return len(said) > 0 })
	line.listener(t)(gateway.Packet{Digit: '5', At: time.Now()})
	line.listener(t)(gateway.Packet{Digit: '#', At: time.Now()})
	if err := result(t, done); err != nil {
		t.Errorf("it hangs up: %v", err)
	}
	bells, err := gateway.Bells(gateway.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(line.heard()); n < len(bells) {
		t.Errorf("%d frames of the %d of the bells that the key asked for were played to the end", n, len(bells))
	}
	if _, err := Sample("parrot"); err == nil {
		t.Error("an unknown sample was opened")
	}
}
