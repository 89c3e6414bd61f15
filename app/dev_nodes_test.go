package app

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"carillon/gateway/phonetest"
	"carillon/tenants/store/postgrestest"
)

// TestDevModeWithSeveralNodes: a ring that one node has placed and connected is cancelled at the
// other one, and the call ends. The balancer tells of it.
func TestDevModeWithSeveralNodes(t *testing.T) {
	t.Parallel()
	if !postgrestest.Installed() {
		t.Skip(postgrestest.ErrMissing)
	}
	s := start(t, "--nodes", "2")
	if len(s.ready.Nodes) != 2 || s.ready.Nodes[0] == s.ready.Nodes[1] || strings.Contains(strings.Join(s.ready.Nodes, " "), s.ready.URL) {
		t.Fatalf("the nodes are %q behind %s", s.ready.Nodes, s.ready.URL)
	}
	at := func(node int) *server { // what is asked of it does not go through the balancer
		n := *s
		n.ready.URL = s.ready.Nodes[node]
		return &n
	}
	r := at(0).place(`{"to":{"device":"` + string(s.ready.DeviceID) + `"},"ttl_s":60}`)
	at(0).until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	leg := &phonetest.Leg{URL: s.ready.Nodes[0], Ring: r.ID, Credential: s.ready.DeviceCredential}
	call, err := iphone.Call(t.Context(), leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(call.HangUp)
	within := func(what string, c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(time.Minute):
			t.Fatal(what)
		}
	}
	within("the phone hears nothing", call.Heard())
	if status := at(1).call("POST", "/v1/rings/"+r.ID+"/cancel", s.ready.APIKey, "", nil); status != 202 {
		t.Errorf("cancel: %d", status)
	}
	within("the call goes on after a cancel", call.Closed())
	s.until(r.ID, func(r toldRing) bool { return r.State == "ended" })
}

func TestDevModeRefusesNodesThatKeepNothing(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ args, want string }{
		{"--nodes 2 --data /nowhere", "--data: several nodes"},
		{"--nodes 10", "--nodes must be from 1 to 9"},
	} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), append([]string{"dev"}, strings.Fields(x.args)...), &out, &errs)
		if code != 2 || !strings.Contains(errs.String(), x.want) {
			t.Errorf("dev %s: %d %s", x.args, code, errs.String())
		}
	}
}
