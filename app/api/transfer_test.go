package api

import (
	"fmt"
	"strings"
	"testing"
)

// TestTransfersAreRefusedForTheirReason: before anything happens.
func TestTransfersAreRefusedForTheirReason(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	path := "/v1/rings/" + a.ring("").ID + "/transfer"
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		`{}`:                                        {400, `"field":"to"`},
		`{"to":{}}`:                                 {400, `"field":"to"`},
		`{"to":{"group":"sales"}}`:                  {400, `"field":"to.group"`},
		`{"to":{"agent":"a","group":"b"}}`:          {400, `"field":"to"`},
		`{"to":{"agent":"nobody"}}`:                 {400, `"field":"to.agent"`},
		`{"to":{"person":"a b"}}`:                   {400, `"field":"to.person"`},
		`{"to":{"person":""}}`:                      {400, `"field":"to.person"`},
		`{"to":{"person":"a","group":"b"}}`:         {400, `"field":"to"`},
		`{"to":{"person":"doctor"}}`:                {409, "not_in_call"},
		fmt.Sprintf(`{"to":{"agent":%q}}`, a.agent): {409, "not_in_call"},
	} {
		if r := h.do(ask{method: "POST", path: path, key: a.key, body: body}).want(want.status); !strings.Contains(r.body, want.says) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
}
