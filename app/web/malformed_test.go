package web

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// malformedRequests are requests that two readers could frame or route in two ways. RFC 9112 lets a
// server answer each with 400 and close the connection: the only safe answer behind a proxy.
func malformedRequests() map[string]string {
	const post = "POST /v1/things HTTP/1.1\r\nHost: x\r\n"
	const get = "GET /v1/things HTTP/1.1\r\n"
	chunks := func(te string) string { return post + te + "\r\n\r\n2\r\n{}\r\n0\r\n\r\n" }
	body := func(text string) string { return post + "Transfer-Encoding: chunked\r\n\r\n" + text }
	return map[string]string{
		"coding in a list":         chunks("Transfer-Encoding: gzip, chunked"),
		"coding after chunked":     chunks("Transfer-Encoding: chunked, identity"),
		"identity":                 chunks("Transfer-Encoding: identity"),
		"xchunked":                 chunks("Transfer-Encoding: xchunked"),
		"quoted chunked":           chunks(`Transfer-Encoding: "chunked"`),
		"chunked with parameter":   chunks("Transfer-Encoding: chunked;q=1"),
		"empty coding":             chunks("Transfer-Encoding:"),
		"comma before chunked":     chunks("Transfer-Encoding: ,chunked"),
		"vertical tab and chunked": chunks("Transfer-Encoding: \vchunked"),
		"chunked twice":            chunks("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
		"identity and chunked":     chunks("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
		"folded coding":            chunks("Transfer-Encoding:\r\n chunked"),
		"space before the colon":   chunks("Transfer-Encoding : chunked"),
		"tab before the colon":     chunks("Transfer-Encoding\t: chunked"),
		"chunks in HTTP/1.0":       strings.Replace(chunks("Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1),
		"length and chunks":        chunks("Content-Length: 2\r\nTransfer-Encoding: chunked"),
		"chunks and length":        chunks("Transfer-Encoding: chunked\r\nContent-Length: 2"),

		"two lengths":             post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
		"the same length twice":   post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"lengths in a list":       post + "Content-Length: 2, 2\r\n\r\n{}",
		"length with a sign":      post + "Content-Length: +2\r\n\r\n{}",
		"length below zero":       post + "Content-Length: -2\r\n\r\n{}",
		"length in hexadecimal":   post + "Content-Length: 0x2\r\n\r\n{}",
		"length with an underbar": post + "Content-Length: 1_0\r\n\r\n{}",
		"length with a blank":     post + "Content-Length: 2 2\r\n\r\n{}",
		"huge length":             post + "Content-Length: 99999999999999999999\r\n\r\n{}",
		"empty length":            post + "Content-Length:\r\n\r\n{}",
		"blank before its colon":  post + "Content-Length : 2\r\n\r\n{}",

		"two hosts":                  get + "Host: x\r\nHost: y\r\n\r\n",
		"the same host twice":        get + "Host: x\r\nhost: x\r\n\r\n",
		"no host":                    get + "Accept: */*\r\n\r\n",
		"a host with a path":         get + "Host: x/y\r\n\r\n",
		"a host with a user":         get + "Host: me@x\r\n\r\n",
		"a host with a blank":        get + "Host: x y\r\n\r\n",
		"hosts in a list":            get + "Host: x, y\r\n\r\n",
		"another host in the target": "GET http://y/v1/things HTTP/1.1\r\nHost: x\r\n\r\n",

		"bare CR in a value":      get + "Host: x\r\nX-A: b\rContent-Length: 5\r\n\r\n",
		"bare CR as a line's end": get + "Host: x\rX-A: b\r\n\r\n",
		"bare CR in the target":   "GET /v1/\rthings HTTP/1.1\r\nHost: x\r\n\r\n",
		"bare LF as a line's end": get + "Host: x\nX-A: b\r\n\r\n",
		"NUL in a value":          get + "Host: x\r\nX-A: b\x00c\r\n\r\n",
		"NUL in a name":           get + "Host: x\r\nX\x00A: b\r\n\r\n",
		"obs-fold":                get + "Host: x\r\nX-A: b\r\n c\r\n\r\n",
		"obs-fold with a tab":     get + "Host: x\r\nX-A: b\r\n\tc\r\n\r\n",
		"a fold at the beginning": get + " X-A: b\r\nHost: x\r\n\r\n",
		"a line without a colon":  get + "Host: x\r\nX-A\r\n\r\n",
		"a line without a name":   get + "Host: x\r\n: b\r\n\r\n",
		"blank in a name":         get + "Host: x\r\nX A: b\r\n\r\n",
		"timeout in a bad header": get + "Host: x\r\ntimeout(: b\r\n\r\n",
		"brackets in a name":      get + "Host: x\r\nX(A): b\r\n\r\n",
		"blank before any colon":  get + "Host: x\r\nX-A : b\r\n\r\n",

		"two blanks in the first line": "GET  /v1/things HTTP/1.1\r\nHost: x\r\n\r\n",
		"a blank in the target":        "GET /v1/thi ngs HTTP/1.1\r\nHost: x\r\n\r\n",
		"a tab in the first line":      "GET\t/v1/things\tHTTP/1.1\r\nHost: x\r\n\r\n",
		"no protocol":                  "GET /v1/things\r\nHost: x\r\n\r\n",
		"another protocol":             "GET /v1/things SPDY/9\r\nHost: x\r\n\r\n",
		"lower case protocol":          "GET /v1/things http/1.1\r\nHost: x\r\n\r\n",
		"HTTP/2 without TLS":           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a relative target":            "GET v1/things HTTP/1.1\r\nHost: x\r\n\r\n",
		"a method in brackets":         "G{E}T /v1/things HTTP/1.1\r\nHost: x\r\n\r\n",
		"an unknown method":            "get /v1/things HTTP/1.1\r\nHost: x\r\n\r\n",
		"a TLS hello":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",

		"a chunk size with a sign":      body("+2\r\n{}\r\n0\r\n\r\n"),
		"a chunk size below zero":       body("-2\r\n{}\r\n0\r\n\r\n"),
		"a chunk size with 0x":          body("0x2\r\n{}\r\n0\r\n\r\n"),
		"a chunk size with an underbar": body("0_2\r\n{}\r\n0\r\n\r\n"),
		"a chunk size that overflows":   body("fffffffffffffffff2\r\n{}\r\n0\r\n\r\n"),
		"no chunk size":                 body("\r\n{}\r\n0\r\n\r\n"),
		"a chunk size of letters":       body("zz\r\n{}\r\n0\r\n\r\n"),
		"blanks before a chunk size":    body(" 2\r\n{}\r\n0\r\n\r\n"),
		"a chunk longer than its size":  body("2\r\n{}}\r\n0\r\n\r\n"),
		"a chunk without its end":       body("2\r\n{}0\r\n\r\n"),
		"bare LF after a chunk size":    body("2\n{}\r\n0\r\n\r\n"),
		"bare LF after a chunk":         body("2\r\n{}\n0\r\n\r\n"),
		"bare CR in an extension":       body("2;a\rb\r\n{}\r\n0\r\n\r\n"),
		"bare LF in an extension":       body("2;a\nb\r\n{}\r\n0\r\n\r\n"),
		"a length as a trailer":         body("2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"),
		"a host as a trailer":           body("2\r\n{}\r\n0\r\nHost: y\r\n\r\n"),
		"a folded trailer":              body("2\r\n{}\r\n0\r\nX-A: b\r\n c\r\n\r\n"),
	}
}

// TestMalformedRequests: each is answered 400 once, and the connection is closed before the request
// behind it is read. A second request could be one that a proxy never saw.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	var handled atomic.Int64
	app := New(Config{})
	app.All("/v1/things", func(c *fiber.Ctx) error {
		handled.Add(1)
		return c.SendString("ok")
	})
	at := strings.TrimPrefix(serving(t, app), "http://")
	const second = "GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, text := range malformedRequests() {
		t.Run(name, func(t *testing.T) {
			for _, resp := range exchange(t, at, text+second) {
				if resp.status != 400 || resp.problem.Status != 400 || resp.header.Get("Connection") != "close" {
					t.Errorf("%q: %d %v %+v", text, resp.status, resp.header, resp.problem)
				}
			}
		})
	}
	if n := handled.Load(); n != 0 {
		t.Errorf("%d requests reached the handler", n)
	}
	for name, text := range map[string]string{
		"plain":                    second,
		"an empty line before":     "\r\n" + second,
		"chunked in capitals":      "POST /v1/things HTTP/1.1\r\nHost: x\r\nTRANSFER-ENCODING: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"a chunk extension":        "POST /v1/things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
		"zeros before a size":      "POST /v1/things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n002\r\n{}\r\n0\r\n\r\n",
		"blanks around a length":   "POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: \t2 \r\n\r\n{}",
		"the host in the target":   "GET http://x/v1/things HTTP/1.1\r\nHost: x\r\n\r\n",
		"a host with a port":       "GET /v1/things HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
		"HTTP/1.0 without a host":  "GET /v1/things HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"a value of words and tab": "GET /v1/things HTTP/1.1\r\nHost: x\r\nX-A: b\tc d\r\n\r\n",
	} {
		answers := exchange(t, at, text+"GET /v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if len(answers) < 2 || answers[0].status != 200 || answers[1].status != 200 {
			t.Errorf("%s: %+v", name, answers)
		}
	}
}

type answer struct {
	status  int
	header  http.Header
	problem problem
}

// exchange sends text on one connection and reads every answer until the server closes it.
func exchange(t *testing.T, at, text string) (answers []answer) {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for {
		if _, err := r.Peek(1); err != nil {
			if len(answers) == 0 {
				t.Errorf("%q: no answer: %v", text, err)
			}
			return answers
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return answers
		}
		a := answer{status: resp.StatusCode, header: resp.Header}
		if resp.Close {
			a.header.Set("Connection", "close")
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		_ = json.Unmarshal(b, &a.problem) // an answer that is no problem document has none
		answers = append(answers, a)
	}
}
