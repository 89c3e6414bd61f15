package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// slowUpload is an upload whose client has sent a part and keeps the rest.
type slowUpload struct {
	conn net.Conn
	rest string
}

// startUpload sends the first 10 KiB of an upload of 20 KiB: more than the server reads before it
// knows who sends.
func (h *fixture) startUpload(key tenants.Secret) slowUpload {
	h.Helper()
	body, kind := form(h, map[string]string{"team_id": "TEAM123456"}, [3]string{"file", "x.p8", strings.Repeat("no key ", 3000)})
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	must(h, err)
	h.Cleanup(func() { _ = conn.Close() })
	must(h, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n", PathUpload, string(key))
	must(h, err)
	_, err = fmt.Fprintf(conn, "Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body[:10<<10])
	must(h, err)
	return slowUpload{conn, body[10<<10:]}
}

// answer reads the answer without sending the rest.
func (u slowUpload) answer(t testing.TB) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(u.conn), nil)
	must(t, err)
	must(t, res.Body.Close())
	return res
}

func (u slowUpload) finish(t testing.TB) int {
	t.Helper()
	_, err := io.WriteString(u.conn, u.rest)
	must(t, err)
	return u.answer(t).StatusCode
}

// TestSlowUploads: a key that holds two uploads open is refused the next one before it is read, and
// so is its organisation at three; another organisation is served. Uploads that end make room.
func TestSlowUploads(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.tenant("lakeside", "Lakeside"), h.tenant("hillside", "Hillside")
	other := a.newKey(false, tenants.Scopes()...)
	upload := func(key tenants.Secret) (got answer) {
		t.Helper()
		return h.do(ask{method: "POST", path: PathUpload, key: key, body: "{}"})
	}
	refused := func(key tenants.Secret) { // as soon as the server has read what was sent before
		t.Helper()
		tick := time.NewTicker(100 * time.Millisecond) // below the rate of changes
		defer tick.Stop()
		limit := time.After(time.Minute)
		for got := upload(key); got.status != 429; got = upload(key) {
			got.want(415)
			select {
			case <-tick.C:
			case <-limit:
				t.Fatal("not refused")
			}
		}
		got := upload(key).want(429)
		if code, _ := got.code(); code != "too_many_uploads" || got.header.Get("Retry-After") != "2" {
			t.Errorf("%s %v", got.body, got.header)
		}
	}
	first, second := h.startUpload(a.key), h.startUpload(a.key)
	refused(a.key)
	if res := h.startUpload(a.key).answer(t); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third, of which a part was sent: %d", res.StatusCode)
	}
	third := h.startUpload(other)
	refused(other)
	upload(b.key).want(415) // another organisation
	for _, u := range []slowUpload{first, second} {
		if status := u.finish(t); status != 400 {
			t.Errorf("a slow upload: %d", status)
		}
	}
	if status := third.finish(t); status != 400 {
		t.Errorf("the last slow upload: %d", status)
	}
	upload(a.key).want(415)
}
