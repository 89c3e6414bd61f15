package api

import (
	"fmt"
	"strings"
	"testing"
)

func TestRingLists(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	other, _ := a.newDevice("someone")
	var ids []string
	for i := range 5 {
		ids = append([]string{a.ring(fmt.Sprintf(`{"to":{"device":%q},"reference":"lead-%d"}`, a.device, i)).ID}, ids...)
	}
	last := a.ring(fmt.Sprintf(`{"to":{"device":%q},"agent":%q}`, other, a.agent)).ID
	type page struct {
		Data []ringView `json:"data"`
		Next *string    `json:"next"`
	}
	get := func(query string) (p page) {
		t.Helper()
		h.do(ask{method: "GET", path: "/v1/rings?" + query, key: a.key}).want(200).into(&p)
		return p
	}
	var walked []string
	after := ""
	for {
		p := get("limit=2&device=" + strings.ToUpper(string(a.device)) + after)
		for _, r := range p.Data {
			walked = append(walked, r.ID)
		}
		if p.Next == nil {
			break
		}
		after = "&after=" + *p.Next
	}
	if strings.Join(walked, " ") != strings.Join(ids, " ") {
		t.Errorf("walked %v, want %v", walked, ids)
	}
	for query, want := range map[string]int{
		"": 6, "q=lead-3": 1, "person=someone": 0, "agent=" + string(a.agent): 1, "device=" + string(other): 1, "state=ended": 0,
		"q=" + last: 1, "from=2020-01-01T00:00:00Z": 6, "to=2020-01-01T00:00:00Z": 0, "limit=200": 6,
	} {
		if p := get(query); len(p.Data) != want || p.Data == nil {
			t.Errorf("?%s: %d rings, want %d", query, len(p.Data), want)
		}
	}
}
