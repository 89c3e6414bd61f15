package console

import (
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

var phoneHealthWords = page.Words{
	Name: "Phones", Path: views.PathPhoneHealth, CSV: views.PathPhoneHealthCSV, File: "phones-wake",
	Search: "Device, version of app or iOS", One: "phone", Many: "phones",
	Empty: views.Empty{Icon: views.IconActivity, Text: "No rings in the last 7 days."},
	Add:   views.Button{Text: "Start test ring", Href: views.PathTestRing, Icon: views.IconRing, Kind: views.Primary},
	Sorts: []page.Sort{{Key: "-trouble", Text: "Problems first"}, {Key: "name", Text: "Name, A to Z"}, {Key: "-name", Text: "Name, Z to A"},
		{Key: "version", Text: "Version, lowest first"}, {Key: "-version", Text: "Version, highest first"},
		{Key: "-last", Text: "Last ring first"}, {Key: "last", Text: "Longest not rung first"}},
}

func versionName(app string) string {
	if app == "" {
		return "Apps without a version"
	}
	return "Version " + app
}

// whole is the state of all of them, in a sentence.
func (w judgedPhones) whole() (tone views.Tone, word, why string) {
	var bad []string
	for _, a := range w.versions {
		if a.Verdict == tenants.Blocked || a.Verdict == tenants.Unshown {
			bad = append(bad, a.AppVersion)
		}
	}
	failing, silenced, quiet := 0, 0, 0
	for _, d := range w.devices {
		switch status := w.status(d, w.now); {
		case status.Failing():
			failing++
		case status.State == tenants.PhoneSilenced:
			silenced++
		case status.State == tenants.PhoneNoReply:
			quiet++
		}
	}
	switch {
	case len(bad) > 0:
		return views.ToneBad, views.Plural(len(bad), "app version has a problem", "app versions have a problem"),
			"Several phones with " + strings.Join(mapped(bad, versionName), ", ") + " no longer show calls. " +
				"Fix this version before more phones are affected."
	case failing > 0:
		return views.ToneWarn, views.Plural(failing, "phone does not show calls", "phones do not show calls"),
			"This is probably not caused by the app version. Open the app once on each phone and ring it again."
	case silenced > 0:
		return views.ToneWarn, views.Plural(silenced, "phone silences its calls", "phones silence their calls"),
			"The app works. Ask the person to allow calls from your app in the phone’s Focus settings."
	case quiet > 0:
		return views.ToneInfo, views.Plural(quiet, "phone did not respond to its last ring", "phones did not respond to their last ring"),
			"This is normal when a phone is off. Several rings in a row without a response are a problem."
	case len(w.devices) == 1:
		return views.ToneGood, "The phone wakes", "The phone that was rung in " + healthSpan + " woke and reported its call."
	case len(w.devices) > 0:
		return views.ToneGood, "All phones wake",
			"All " + views.Count(len(w.devices)) + " phones that were rung in " + healthSpan + " woke and reported their calls."
	}
	return views.ToneNeutral, "No data yet", "No ring ended in " + healthSpan + ". Start a test ring to get data."
}

func (w judgedPhones) versionRows() []views.HealthVersion {
	shown, silent, unshown := map[string]bool{}, map[string]int{}, map[string]int{} // by a phone's latest ring
	for _, s := range w.histories {
		switch {
		case s.Verdict == tenants.Unshown, s.Unshown > 0 && s.Silent == 0:
			unshown[s.AppVersion]++
		case s.Silent > 0:
			silent[s.AppVersion]++
		case s.Verdict == tenants.Fine:
			shown[s.AppVersion] = true
		}
	}
	var out []views.HealthVersion
	for _, a := range w.versions {
		look := verdictLooks[a.Verdict]
		row := views.HealthVersion{
			Name: versionName(a.AppVersion), Registered: a.Registered, Rung: a.Devices, Silent: silent[a.AppVersion],
			Unshown:  unshown[a.AppVersion],
			Delegate: a.Delegate,
			Tone:     look.tone, Verdict: look.text, Cause: a.Verdict.Cause(), Cure: a.Verdict.Cure(),
		}
		switch {
		case a.Verdict == tenants.Untested:
			row.Verdict, row.Cause = "No rings yet", "No phone with this version has been rung in "+healthSpan+"."
		case a.Verdict == tenants.Fine && !shown[a.AppVersion]:
			row.Tone, row.Verdict, row.Cause = views.ToneNeutral, "Not enough data",
				"The last call to every phone failed. Ring one of them again."
		case a.Verdict == tenants.Fine && a.Blocked+a.Unshown > 0:
			row.Tone, row.Verdict, row.Cause = views.ToneWarn, "Mostly wakes",
				"Some phones do not show calls. The app version is probably not "+
					"the cause."
		}
		out = append(out, row)
	}
	return out
}

func markOf(o tenants.Outcome) views.WakeMark {
	switch {
	case o.Quiet:
		return views.WakeMark{Tone: views.ToneWarn, Icon: views.IconBellOff, Word: "The app reported the call, but the phone kept it quiet"}
	case o.Reported:
		return views.WakeMark{Tone: views.ToneGood, Icon: views.IconCheck, Word: "The app reported the call"}
	case o.Unshown():
		return views.WakeMark{Tone: views.ToneWarn, Icon: views.IconBellOff, Word: "The app woke but showed no call"}
	case o.Silent():
		return views.WakeMark{Tone: views.ToneBad, Icon: views.IconPower, Word: "Apple accepted the push, but the phone did not respond"}
	case o.Status != 0 && o.Status != 200:
		return views.WakeMark{Tone: views.ToneNeutral, Icon: views.IconX, Word: "Apple refused the push" + before(": ", o.Reason)}
	case o.Over:
		return views.WakeMark{Tone: views.ToneNeutral, Icon: views.IconX, Word: "The push never reached Apple"}
	}
	return views.WakeMark{Tone: views.ToneNeutral, Icon: views.IconPending, Word: "In progress, or ended too soon to know"}
}
