package bus_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/app/bus/natstest"
	"carillon/tenants"
)

// token and seed are what a credentials file holds. The seed is the one of NATS' own manual.
const (
	token = "eyJ0eXAiOiJKV1QifQ.eyJuYW1lIjoiY2FyaWxsb24ifQ.c2lnbmVk"
	seed  = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
)

// credentials is a credentials file, and the key that belongs to it.
func credentials(t *testing.T) (string, ed25519.PublicKey) {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed) // 2 bytes, the key, 2 bytes
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(raw[2:34])
	file := filepath.Join(t.TempDir(), "carillon.creds")
	text := "-----BEGIN NATS USER JWT-----\n" + token + "\n------END NATS USER JWT------\n\n" +
		"-----BEGIN USER NKEY SEED-----\n" + seed + "\n------END USER NKEY SEED------\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, key.Public().(ed25519.PublicKey)
}

// TestSecureNATS: TLS, a certificate of ours and a credentials file connect two nodes; each thing
// that is wrong is refused with a sentence that says which.
func TestSecureNATS(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ours, err := natstest.NewAuthority()
	must(err)
	others, err := natstest.NewAuthority()
	must(err)
	file, key := credentials(t)
	s, err := natstest.NewSecure(ours, true, key)
	must(err)
	t.Cleanup(s.Stop)
	own, err := ours.Certificate()
	must(err)
	foreign, err := others.Certificate()
	must(err)
	config := func(change func(*bus.SharedConfig)) bus.SharedConfig {
		c := bus.SharedConfig{Servers: []string{s.URL()}, Secure: true, Creds: file, Within: 20 * time.Second,
			TLS:  &tls.Config{RootCAs: ours.Pool, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12},
			Node: tenants.NewID[tenants.NodeID](time.Now()), Log: slog.New(slog.DiscardHandler)}
		if change != nil {
			change(&c)
		}
		return c
	}
	must(bus.Try(config(nil)))
	open := func() *bus.Shared {
		b, err := bus.Share(config(nil))
		must(err)
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	connected(t, open(), open())

	for want, change := range map[string]func(*bus.SharedConfig){
		"signed by an authority that is not known here": func(c *bus.SharedConfig) { c.TLS.RootCAs = others.Pool },
		"for another name":                 func(c *bus.SharedConfig) { c.TLS.ServerName = "nats.example.com" },
		"does not take our certificate":    func(c *bus.SharedConfig) { c.TLS.Certificates = []tls.Certificate{foreign} },
		"asks for one and gets none":       func(c *bus.SharedConfig) { c.TLS.Certificates = nil },
		"does not take our user, password": func(c *bus.SharedConfig) { c.Creds = "" },
	} {
		var refused *bus.Refused
		if err := bus.Try(config(change)); !errors.As(err, &refused) || !strings.Contains(refused.Says, want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	plain := serveNATS(t)
	var refused *bus.Refused
	if err := bus.Try(config(func(c *bus.SharedConfig) { c.Servers = []string{plain.URL()} })); !errors.As(err, &refused) ||
		!strings.Contains(refused.Says, "does not speak TLS") {
		t.Errorf("a server without TLS: %v", err)
	}

	said := &lines{}
	b, err := bus.Share(config(func(c *bus.SharedConfig) {
		c.TLS.RootCAs, c.Log = others.Pool, slog.New(slog.NewTextHandler(said, nil))
	}))
	must(err)
	until(t, "the log does not say why", func() bool { return strings.Contains(said.String(), "authority that is not known here") })
	if b.Away().IsZero() {
		t.Error("it is connected to a server that it does not know")
	}
	must(b.Close())
}

// TestTryCutAfterTLS: with TLS 1.3 our side of the handshake ends before the server has judged our
// certificate, and the connection may be cut before its alert is read. That is no broken pipe.
func TestTryCutAfterTLS(t *testing.T) {
	t.Parallel()
	authority, err := natstest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	own, err := authority.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []func(*net.TCPConn){
		func(c *net.TCPConn) { _ = c.SetLinger(0) }, // a reset
		func(c *net.TCPConn) { _ = c.CloseWrite() }, // an end
	} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write([]byte(`INFO {"tls_required":true,"max_payload":1024}` + "\r\n"))
			_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13}).Handshake()
			cut(conn.(*net.TCPConn))
		}()
		err := bus.Try(bus.SharedConfig{Servers: []string{"nats://" + l.Addr().String()}, Secure: true, Within: 20 * time.Second,
			TLS: &tls.Config{RootCAs: authority.Pool, MinVersion: tls.VersionTLS13}})
		var refused *bus.Refused
		if !errors.As(err, &refused) || !strings.Contains(refused.Says, "does not take our certificate") {
			t.Errorf("cut after TLS: %v", err)
		}
		<-ended
	}
	_ = l.Close()
}

// lines is a log.
type lines struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
