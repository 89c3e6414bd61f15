package gateway

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"
)

// TestCheckServer asks a real STUN and TURN server, with the right and with a wrong password, and
// an address where nobody answers.
func TestCheckServer(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "example.com",
		AuthHandler: func(q *turn.RequestAttributes) (string, []byte, bool) {
			return q.Username, turn.GenerateAuthKey(q.Username, "example.com", "right"), true
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: conn, RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
			RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1",
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at := conn.LocalAddr().String()
	for _, c := range []struct{ url, password, wrong string }{
		{"stun:" + at, "", ""},
		{"turn:" + at + "?transport=udp", "right", ""},
		{"turn:" + at + "?transport=udp", "wrong", "it gave no address: failed to allocate on TURN client"},
		{"stun:" + silent.LocalAddr().String(), "", "it gave no address"},
	} {
		patience := time.Minute
		if strings.HasSuffix(c.url, silent.LocalAddr().String()) { // nothing else takes as long as it may
			patience = 2 * time.Second
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := CheckServer(ctx, c.url, ICEServer{Username: "carillon", Credential: c.password})
		cancel()
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s %s: %v, want %q", c.url, c.password, err, c.wrong)
		}
	}
}
