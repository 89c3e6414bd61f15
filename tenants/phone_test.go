package tenants_test

import (
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

func TestStatusOfPhone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := tenants.Device{State: tenants.DeviceActive, SeenAt: now.Add(-time.Hour)}
	paired := active
	paired.CreatedAt = active.SeenAt
	gone := tenants.Device{State: tenants.DeviceDisabled, SeenAt: now}
	unseen := tenants.Device{State: tenants.DeviceActive, SeenAt: now.Add(-7 * 24 * time.Hour)}
	for name, c := range map[string]struct {
		device  tenants.Device
		letters string // as in story, newest first; q = reported and kept quiet
		want    tenants.PhoneState
	}{
		"never rung":                        {active, "", tenants.PhoneUntested},
		"paired an hour ago":                {paired, "", tenants.PhoneUntested},
		"shown":                             {active, "rss", tenants.PhoneReady},
		"one silent":                        {active, "sr", tenants.PhoneNoReply},
		"two silent":                        {active, "ssr", tenants.PhoneNoReply},
		"three silent":                      {active, "sssr", tenants.PhoneBlocked},
		"one unshown":                       {active, "ur", tenants.PhoneNoReply},
		"two unshown":                       {active, "uur", tenants.PhoneUnshown},
		"silenced":                          {active, "qr", tenants.PhoneSilenced},
		"silenced before":                   {active, "rqqq", tenants.PhoneReady},
		"silent after silenced":             {active, "sqq", tenants.PhoneNoReply},
		"silent, unshown, silenced":         {active, "suq", tenants.PhoneNoReply},
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

func TestPhoneSentences(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := tenants.Device{State: tenants.DeviceActive, SeenAt: now}
	for letters, want := range map[string]string{
		"qr": "kept the last call quiet", "qqqr": "kept the last 3 calls quiet",
	} {
		if s := tenants.StatusOfPhone(active, tenants.WakeHistoryOf(story(letters, "d", "1")), now); !strings.Contains(s.Cause, want) {
			t.Errorf("%q: %s", letters, s.Cause)
		}
	}
	for after, want := range map[time.Duration]string{7 * 24 * time.Hour: "Not seen for 7 days",
		10*24*time.Hour - 1: "Not seen for 9 days"} {
		if s := tenants.StatusOfPhone(active, tenants.WakeHistory{}, now.Add(after)); s.Title != want {
			t.Errorf("%v after the last report: %q", after, s.Title)
		}
	}
	for letters, want := range map[string]string{
		"sss": "Ana did not respond to its last 3 rings, although Apple accepted them.",
		"uu":  "Ana woke for its last 2 rings and showed no call.",
	} {
		h := tenants.WakeHistoryOf(story(letters, "d", "1"))
		s := tenants.StatusOfPhone(active, h, now)
		if got := s.Alert("Ana", h); got != want {
			t.Errorf("%q: %s", letters, got)
		}
		if got := s.Alert("", h); got != strings.Replace(want, "Ana", "A phone without a name", 1) {
			t.Errorf("%q without a name: %s", letters, got)
		}
	}
}
