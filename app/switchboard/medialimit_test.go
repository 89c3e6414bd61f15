package switchboard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/page/pagetest"
	"carillon/gateway"
	"carillon/tenants"
)

// mediaCounter is a gateway that counts what reaches it. Every fragment restarts ICE.
type mediaCounter struct {
	answers, restarts int
	on                func(gateway.Event) // of the last answer
	gone              bool                // the gateway does not carry it
}

func (m *mediaCounter) Answer(_ context.Context, o gateway.Offer) (gateway.Answer, error) {
	if o.Decide != nil {
		if _, _, err := o.Decide(); err != nil {
			return gateway.Answer{}, err
		}
	}
	m.answers++
	m.on = o.On
	return gateway.Answer{SDP: "v=0\r\n"}, nil
}

func (m *mediaCounter) Trickle(_ context.Context, f gateway.Fragment) (gateway.Trickled, error) {
	if err := f.Restart(); err != nil {
		return gateway.Trickled{}, err
	}
	m.restarts++
	return gateway.Trickled{}, nil
}

func (m *mediaCounter) HangUp(string, gateway.EndReason) {}

// TestMediaOfOneRingIsLimited: a device that answers its ring again and again, or restarts ICE, is
// refused before the store or the gateway is asked, and may try again after the wait that it was
// given.
func TestMediaOfOneRingIsLimited(t *testing.T) {
	t.Parallel()
	w, m := newWorld(t, tenants.RealEstate), &mediaCounter{}
	w.config.Media = m
	w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) {
		return agents.Ready{Agent: pagetest.SilentAgent{}}, nil
	}
	w.open()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.settle()
	w.clock.Stop()
	answer := func() error { _, err := w.board.Answer(t.Context(), d, r.ID, "v=0"); return err }
	restart := func() error { _, err := w.board.Trickle(t.Context(), d, r.ID, "*", "a=ice-ufrag:x"); return err }
	for _, row := range []struct {
		do    func() error
		code  string
		burst int
		done  *int
	}{{answer, "too_many_answers", 6, &m.answers}, {restart, "too_many_restarts", 4, &m.restarts}} {
		for range row.burst {
			must(t, row.do())
		}
		if *row.done != row.burst {
			t.Errorf("%s: %d of %d reached the gateway", row.code, *row.done, row.burst)
		}
		before, answers := w.statements.Load(), m.answers
		code, wait := refusedBy(row.do())
		if code != row.code || wait <= 0 || wait > 2*time.Second || *row.done != row.burst || m.answers != answers {
			t.Errorf("one too many: %s, wait %v; %d reached the gateway", code, wait, *row.done)
		}
		if n := w.statements.Load() - before; row.code == "too_many_answers" && n != 0 {
			t.Errorf("%s cost %d statements", row.code, n)
		}
		w.clock.Pass(wait)
		must(t, row.do())
	}
}

// TestMediaIsLimitedByDeviceAndTenant: rings that do not exist count for their device, devices for
// their tenant, and tenants for the server; the refusal says which.
func TestMediaIsLimitedByDeviceAndTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	ring := func() tenants.RingID { return tenants.NewID[tenants.RingID](w.clock.Now()) }
	devices := func(tenant tenants.TenantID) (n int, err error) {
		for ; n < 1000; n++ {
			d := tenants.Device{ID: tenants.DeviceID(fmt.Sprint(tenant, n)), Tenant: tenant}
			if err = w.board.AdmitAnswer(d, ring()); err != nil {
				return n, err
			}
		}
		return n, nil
	}
	one := tenants.Device{ID: "one", Tenant: "a"}
	for range 12 {
		must(t, w.board.AdmitAnswer(one, ring()))
	}
	if code, _ := refusedBy(w.board.AdmitAnswer(one, ring())); code != "too_many_answers" {
		t.Errorf("the thirteenth ring of a device: %s", code)
	}
	if n, err := devices("a"); n != 200-12 || tenants.KindOf(err) != tenants.TooMany {
		t.Errorf("%d more of its tenant: %v", n, err)
	}
	if n, err := devices("b"); n != 200 || tenants.KindOf(err) != tenants.TooMany {
		t.Errorf("%d of another tenant: %v", n, err)
	}
	var e *tenants.Error
	if n, err := devices("c"); n != 0 || !errors.As(err, &e) || e.Kind != tenants.Unavailable || e.RetryAfter <= 0 {
		t.Errorf("%d when the server has as many as it can: %v", n, err)
	}
}

// CodecOf knows the call that was answered last, until it is gone.
func (m *mediaCounter) CodecOf(string) (gateway.Codec, bool) {
	return gateway.Opus, m.on != nil && !m.gone
}
