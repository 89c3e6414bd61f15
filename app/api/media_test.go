package api

import (
	"strings"
	"testing"
)

func TestMedia(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	path := "/v1/phone/rings/" + a.ring("").ID
	got := h.do(ask{method: "POST", path: path + "/answer", key: a.phone, body: "v=0\r\n", kind: "application/sdp"}).want(201)
	if got.body != "v=0\r\n" || got.header.Get("Content-Type") != "application/sdp" || got.header.Get("Location") != path+"/leg" ||
		got.header.Get("ETag") != `"1"` || len(got.header["Link"]) != 2 {
		t.Errorf("%v %q", got.header, got.body)
	}
	frag := "application/trickle-ice-sdpfrag"
	patch := func(match, body, kind string) ask {
		a := ask{method: "PATCH", path: path + "/leg", key: a.phone, body: body, kind: kind}
		if match != "" {
			a.header = []string{"If-Match", match}
		}
		return a
	}
	if got := h.do(patch(`"1"`, "a=candidate", frag)).want(204); got.body != "" || got.header.Get("ETag") != "" {
		t.Errorf("%v %q", got.header, got.body)
	}
	if got := h.do(patch("*", "a=ice-ufrag", frag)).want(200); got.header.Get("ETag") != `"2"` || got.header.Get("Content-Type") != frag {
		t.Errorf("%v %q", got.header, got.body)
	}
	h.do(patch("", "a=candidate", frag)).want(428)
	h.do(patch(`"1"`, "a=candidate", "text/plain")).want(415)
	h.do(patch(`"1"`, "", frag)).want(400)
	h.do(ask{method: "POST", path: path + "/answer", key: a.phone, body: "v=elsewhere", kind: "application/sdp"}).want(409)
	h.do(ask{method: "POST", path: path + "/answer", key: a.phone, body: "{}"}).want(415)
	h.do(ask{method: "POST", path: path + "/answer", key: a.phone, body: strings.Repeat("v", 65<<10), kind: "application/sdp"}).want(413)
	h.do(ask{method: "DELETE", path: path + "/leg", key: a.phone}).want(200)
}
