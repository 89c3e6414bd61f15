package health_test

import (
	"strings"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/app/switchboard"
	"carillon/tenants"
)

// Three phones have one version of the app; each has three rings that Apple takes and nobody hears.
func TestSilentPhonesRaiseAnAlertBeforeItSpreads(t *testing.T) {
	t.Parallel()
	for kind, word := range map[tenants.AlertKind]tenants.FactKind{tenants.AlertBlocked: "", tenants.AlertUnshown: tenants.FactWoke} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			phones := w.crowd(3)
			for i := range phones {
				phones[i].AppVersion, phones[i].OSVersion = "7.0", "26.4"
				must(t, w.scope.Devices().SetToken(t.Context(), phones[i]))
			}
			round := func(say tenants.FactKind) {
				t.Helper()
				for _, d := range phones {
					r := w.ringOnce(d)
					if r.State != tenants.Pushed {
						t.Fatalf("the ring is %s", r.State)
					}
					if say != "" {
						_, err := w.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: say})
						must(t, err)
					}
				}
				w.clock.Pass(61 * time.Second)
				must(t, w.board.Sweep(t.Context()))
			}
			round(word)
			if len(w.alerts(kind)) != 0 {
				t.Error("an alert after one ring")
			}
			round(word)
			round(word)
			list := w.alerts(kind)
			if len(list) != 1 || list[0].Target != "7.0" || !strings.HasPrefix(list[0].Detail, "3 of 3 phones with version 7.0") {
				t.Fatalf("alerts %+v", list)
			}
			phonesSeen, apps, err := health.Phones(t.Context(), w.scope, w.clock.Now())
			must(t, err)
			if len(phonesSeen) != 3 || len(apps) != 1 || apps[0].Delegate != 3 || apps[0].Verdict == tenants.Fine {
				t.Errorf("%+v %+v", phonesSeen, apps)
			}
			round(tenants.FactShown)
			must(t, w.monitor.Review(t.Context()))
			if list := w.alerts(kind); len(list) != 0 {
				t.Errorf("it is over, and the alert is still open: %+v", list)
			}
		})
	}
}

// One phone alone raises an alert about itself, which closes when it shows a ring.
func TestASilentPhoneRaisesAnAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.crowd(1)[0]
	round := func(say tenants.FactKind) {
		t.Helper()
		r := w.ringOnce(d)
		if say != "" {
			_, err := w.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: say})
			must(t, err)
		}
		w.clock.Pass(61 * time.Second)
		must(t, w.board.Sweep(t.Context()))
	}
	round("")
	round("")
	if list := w.alerts(tenants.AlertPhone); len(list) != 0 {
		t.Errorf("an alert after two rings: %+v", list)
	}
	round("")
	list := w.alerts(tenants.AlertPhone)
	if len(list) != 1 || list[0].Target != string(d.ID) || !strings.Contains(list[0].Detail, "did not respond to its last 3 rings") {
		t.Fatalf("alerts %+v", list)
	}
	round(tenants.FactShown)
	must(t, w.monitor.Review(t.Context()))
	if list := w.alerts(tenants.AlertPhone); len(list) != 0 {
		t.Errorf("it works again, and the alert is still open: %+v", list)
	}
}
