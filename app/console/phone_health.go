package console

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// phoneHealthPages serve phone health.
type phoneHealthPages struct{ *Console }

// verdictLooks are the verdicts about a version of the app, in a word or two.
var verdictLooks = map[tenants.Verdict]badge{
	tenants.Fine: {views.ToneGood, "Ready"}, tenants.Blocked: {views.ToneBad, "Probably blocked"}, tenants.Unshown: {views.ToneBad,
		"Shows no call"},
	tenants.Untested: {views.ToneNeutral, "No data yet"},
}

// healthSpan is how far back the page looks: health.PhoneSpan.
const healthSpan = "the last 7 days"

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
		Words: phoneHealthWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayDevices), Find: page.InMemory(phones, phoneOrders),
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
		Choices: q.Chosen("verdict", page.Choice("", "Any status"), page.Choice("trouble", "Problems"), page.Choice("fine", "Ready"))})
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
				OS: orDash(before("iOS ", p.wakes.OSVersion)), Tone: phoneTones[p.status.State], Verdict: p.status.Title,
				Silent: p.wakes.Silent, Unshown: p.wakes.Unshown, Last: v.At(p.wakes.LastAt),
			}
		})}
	p.Tone, p.Word, p.Why = w.whole()
	if p.Shell, err = k.shell(ctx, c, v, at("Phone health", views.NavHealth)); err != nil {
		return err
	}
	return web.Page(c, views.PhoneHealth(p), fiber.StatusOK)
}

func mapped[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, s := range in {
		out[i] = f(s)
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
