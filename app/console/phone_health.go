package console

import (
	"carillon/app/page"

	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// phoneHealthPages serve phone health.
type phoneHealthPages struct{ *Console }

// verdictLooks are the verdicts about a version of the app, in a word or two.
var verdictLooks = map[tenants.Verdict]badge{
	tenants.Fine: {views.ToneGood, "Wakes"}, tenants.Blocked: {views.ToneBad, "Probably blocked"}, tenants.Unshown: {views.ToneBad,
		"Shows no call"},
	tenants.Untested: {views.ToneNeutral, "No data yet"},
}

// healthSpan is how far back the page looks: health.PhoneSpan.
const healthSpan = "the last 7 days"

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

// judgedPhones is how phones and versions do, with the phones themselves.
type judgedPhones struct {
	phones
	devices map[tenants.DeviceID]tenants.Device // those that are registered
	now     time.Time
}

func (k phoneHealthPages) judge(ctx context.Context, v *page.Visitor) (w judgedPhones, err error) {
	w.now = k.Now()
	if w.phones, err = k.judged.of(ctx, v.Tenant.ID, v.Scope); err != nil {
		return w, err
	}
	ids := make([]tenants.DeviceID, len(w.histories))
	for i, s := range w.histories {
		ids[i] = s.Device
	}
	w.devices, err = v.Scope.Devices().ByID(ctx, ids)
	return w, err
}

// ratedPhone is a phone with the verdict about it.
type ratedPhone struct {
	tenants.Device
	wakes  tenants.WakeHistory
	status tenants.PhoneStatus
}

// phoneOrders compare two phones by a sort key. The list's own order has none: it is that of the
// verdicts.
var phoneOrders = map[store.Sort]func(a, b ratedPhone) int{
	"name": func(a, b ratedPhone) int {
		return strings.Compare(strings.ToLower(deviceName(a.Device)), strings.ToLower(deviceName(b.Device)))
	},
	"version": func(a, b ratedPhone) int { return compareVersions(a.wakes.AppVersion, b.wakes.AppVersion) },
	"last":    func(a, b ratedPhone) int { return a.wakes.LastAt.Compare(b.wakes.LastAt) },
}

func compareVersions(a, b string) int {
	switch least, most := tenants.VersionAtLeast(a, b), tenants.VersionAtLeast(b, a); {
	case least && most:
		return 0
	case least:
		return 1
	}
	return -1
}

// found are the phones that were asked for, the worst first. Phones that were removed are left out.
func (w judgedPhones) found(search, verdict string) []ratedPhone {
	search = strings.ToLower(search)
	var out []ratedPhone
	for _, s := range w.histories {
		d, ok := w.devices[s.Device]
		status := w.status(d, w.now)
		if !ok || verdict == "trouble" && status.OK() || verdict == "fine" && !status.OK() {
			continue
		}
		if search != "" && !strings.Contains(strings.ToLower(strings.Join([]string{deviceName(d), d.Person, s.AppVersion, s.OSVersion,
			string(d.ID)}, "\n")), search) {
			continue
		}
		out = append(out, ratedPhone{d, s, status})
	}
	return out
}

// list is the phones that the search and filter of q leave.
func (k phoneHealthPages) list(v *page.Visitor, q *page.Query, w judgedPhones) page.List[ratedPhone] {
	phones := w.found(q.Text("q"), q.OneOf("verdict", "trouble", "fine"))
	return page.List[ratedPhone]{
		Words: phoneHealthWords, MayAdd: v.Role.May(), Find: page.InMemory(phones, phoneOrders),
		Total: func(context.Context, store.Page) (store.Total, error) { return store.Total{N: int64(len(phones))}, nil },
		Head:  []string{"device", "name", "app_version", "os_version", "verdict", "silent_in_a_row", "not_shown_in_a_row", "last_ring_at"},
		Cells: page.Each(func(p ratedPhone) []string {
			return []string{string(p.ID), deviceName(p.Device), orDash(p.wakes.AppVersion), orDash(before("iOS ", p.wakes.OSVersion)),
				p.status.Title, strconv.Itoa(p.wakes.Silent), strconv.Itoa(p.wakes.Unshown), page.Stamp(p.wakes.LastAt)}
		}),
	}
}

func (k phoneHealthPages) phoneHealth(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	w, err := k.judge(ctx, v)
	if err != nil {
		return err
	}
	q := page.QueryOf(c)
	phones, table, err := k.list(v, q, w).Page(ctx, q, views.Filter{Name: "verdict", Label: "Status",
		Choices: q.Chosen("verdict", page.Choice("", "Any status"), page.Choice("trouble", "Problems"), page.Choice("fine", "Wakes"))})
	if err != nil {
		return err
	}
	_, late, err := v.Scope.Analytics().Reasons(ctx, k.Now().AddDate(0, 0, -30), time.Time{})
	if err != nil {
		return err
	}
	p := views.PhoneHealthPage{Span: healthSpan, Delegate: tenants.DelegateOS, Versions: w.versionRows(), Late: lateOf(late), Table: table,
		Phones: mapped(phones, func(p ratedPhone) views.HealthPhone {
			return views.HealthPhone{
				ID: string(p.ID), Name: deviceName(p.Device), App: orDash(p.wakes.AppVersion),
				OS: orDash(before("iOS ", p.wakes.OSVersion)), Tone: phoneTones[p.status.State], Verdict: p.status.Title, Silent: p.wakes.Silent, Unshown: p.wakes.Unshown,
				Last: v.At(p.wakes.LastAt),
			}
		})}
	p.Tone, p.Word, p.Why = w.whole()
	if p.Shell, err = k.shell(ctx, c, v, at("Phone health", views.NavHealth)); err != nil {
		return err
	}
	return web.Page(c, views.PhoneHealth(p), fiber.StatusOK)
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
	case len(w.devices) > 0:
		return views.ToneGood, "All phones wake",
			"All " + views.Count(len(w.devices)) + " phones that were rung in " + healthSpan + " woke and reported their calls."
	}
	return views.ToneNeutral, "No data yet", "No ring ended in " + healthSpan + ". Start a test ring to get data."
}

func mapped[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}

func (w judgedPhones) versionRows() []views.HealthVersion {
	shown := map[string]bool{} // by a phone's latest ring
	for _, s := range w.histories {
		shown[s.AppVersion] = shown[s.AppVersion] || s.Verdict == tenants.Fine && s.Silent+s.Unshown == 0
	}
	var out []views.HealthVersion
	for _, a := range w.versions {
		look := verdictLooks[a.Verdict]
		row := views.HealthVersion{
			Name: versionName(a.AppVersion), Registered: a.Registered, Rung: a.Devices, Silent: a.Blocked, Unshown: a.Unshown,
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

// lateSteps are the columns of the histogram of delayed pushes; the last one takes the rest.
var lateSteps = []struct {
	most time.Duration
	text string
}{{time.Second, "≤ 1 s"}, {5 * time.Second, "≤ 5 s"}, {15 * time.Second, "≤ 15 s"}, {time.Minute, "≤ 1 min"}, {5 * time.Minute,
	"≤ 5 min"}, {15 * time.Minute, "≤ 15 min"}, {0, "later"}}

func lateOf(l store.Late) views.Late {
	out := views.Late{Period: "the last 30 days", Total: int(l.N),
		Half: views.Millis(int(tenants.Percentile(l.Buckets, 0.5).Milliseconds()))}
	for _, s := range lateSteps {
		out.Steps = append(out.Steps, views.LateStep{Label: s.text})
	}
	for b, n := range l.Buckets {
		for i, s := range lateSteps {
			if s.most == 0 || b <= tenants.Bucket(s.most) {
				out.Steps[i].Count += int(n)
				break
			}
		}
	}
	return out
}

func (k phoneHealthPages) phoneHealthCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	w, err := k.judge(ctx, v)
	if err != nil {
		return err
	}
	q := page.QueryOf(c)
	return k.list(v, q, w).Send(ctx, c, k.Common, q)
}

// stripMost is how many of a phone's rings its page shows.
const stripMost = 20

// wakesOf is how the phone's latest rings came out, under the verdict about it; nil when it was
// never rung.
func wakesOf(ctx context.Context, v *page.Visitor, id tenants.DeviceID, status tenants.PhoneStatus) (*views.WakeHistory, error) {
	outcomes, err := v.Scope.Outcomes().OfDevice(ctx, id, stripMost)
	if err != nil || len(outcomes) == 0 {
		return nil, err
	}
	w := &views.WakeHistory{Tone: phoneTones[status.State], Verdict: status.Title, Cause: status.Cause, Cure: status.Cure}
	for i := len(outcomes) - 1; i >= 0; i-- {
		m := markOf(outcomes[i])
		m.When, m.Href = v.At(outcomes[i].At), views.RingPath(string(outcomes[i].Ring))
		w.Marks = append(w.Marks, m)
	}
	return w, nil
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
