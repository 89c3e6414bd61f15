package tenants_test

import (
	"testing"
	"time"

	"carillon/tenants"
)

func TestStatusOfPhone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := tenants.Device{State: tenants.DeviceActive, SeenAt: now.Add(-time.Hour)}
	gone := tenants.Device{State: tenants.DeviceDisabled, SeenAt: now}
	unseen := tenants.Device{State: tenants.DeviceActive, SeenAt: now.Add(-7 * 24 * time.Hour)}
	for name, c := range map[string]struct {
		device  tenants.Device
		letters string // as in story, newest first; q = reported and kept quiet
		want    tenants.PhoneState
	}{
		"never rung":                        {active, "", tenants.PhoneUntested},
		"shown":                             {active, "rss", tenants.PhoneReady},
		"one silent":                        {active, "sr", tenants.PhoneNoReply},
		"two silent":                        {active, "ssr", tenants.PhoneNoReply},
		"three silent":                      {active, "sssr", tenants.PhoneBlocked},
		"one unshown":                       {active, "ur", tenants.PhoneNoReply},
		"two unshown":                       {active, "uur", tenants.PhoneUnshown},
		"silenced":                          {active, "qr", tenants.PhoneSilenced},
		"silenced before":                   {active, "rqqq", tenants.PhoneReady},
		"silent after silenced":             {active, "sqq", tenants.PhoneNoReply},
		"disabled":                          {gone, "r", tenants.PhoneRemoved},
		"not seen for a week":               {unseen, "", tenants.PhoneNotSeen},
		"not seen, and blocked before that": {unseen, "sss", tenants.PhoneBlocked},
	} {
		h := tenants.WakeHistory{}
		if c.letters != "" {
			h = tenants.WakeHistoryOf(story(c.letters, "d", "1.0"))
		}
		s := tenants.StatusOfPhone(c.device, h, now)
		if s.State != c.want || s.Title == "" || s.Cause == "" || s.OK() != (s.Cure == "") {
			t.Errorf("%s: %+v, want %s", name, s, c.want)
		}
		if s.Failing() != (s.Alert("Ana", h) != "") {
			t.Errorf("%s: failing %t, alert %q", name, s.Failing(), s.Alert("Ana", h))
		}
	}
}
