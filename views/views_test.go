package views

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/static"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
)

var moment = time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)

func TestEveryPage(t *testing.T) {
	t.Parallel()
	for _, s := range Samples(moment) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			tree, page := draw(t, s.Page)
			for _, fault := range faults(tree) {
				t.Error(fault)
			}
			if len(page) == 0 || !bytes.Contains(page, []byte("<title")) {
				t.Error("not a whole page")
			}
		})
	}
}

// TestZeroPages draws each page from its zero struct: a handler that forgets a field must not bring
// a page down.
func TestZeroPages(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]templ.Component{
		"signin":      SignIn(SignInPage{}),
		"passkey-add": PasskeyAdd(PasskeyAddPage{}), "welcome": Welcome(WelcomePage{}), "overview": Overview(OverviewPage{}),
		"rings": Rings(RingsPage{}),
		"ring":  Ring(RingPage{}), "transfer": Transfer(TransferPage{}), "test": TestRing(TestRingPage{}),
		"live": TestLive(TestLivePage{}), "devices": Devices(DevicesPage{}),
		"device": Device(DevicePage{}), "pair": Pair(PairPage{}), "devices-import": Import(ImportPage{}),
		"devices-alike": AlikeDevices(AlikePage{Pairs: []AlikePair{{}}}), "earlier": earlierDevices([]EarlierDevice{{}}),
		"credentials": Credentials(CredentialsPage{}),
		"credential":  Credential(CredentialPage{}),
		"data":        Data(DataPage{}), "data-export": DataExportOf(DataExport{}),
		"schedule": ScheduleForm(SchedulePage{Roster: &RosterCard{}}),
		"consent":  Consent(ConsentPage{}),
		"duty":     Duty(DutyPage{}),
		"consents": Consents(ConsentsPage{}), "duty-form": DutyFormOf(DutyForm{Rings: &WhoRings{}}), "steps": StepsOf(nil),
		"watch": Watch(WatchPage{}), "rule-form": RuleForm(RuleFormPage{Preview: &RulePreview{Firings: []Firing{{}}}}),
		"target-form": TargetForm(TargetFormPage{}), "digest": DigestPreview(DigestPage{}), "digest-off": DigestOff(DigestOffPage{}),
		"digest-setting": digestSetting(DigestSetting{}),
		"connections":    Connections(ConnectionsPage{}), "connection": Connection(ConnectionPage{}),
		"connection-form": ConnectionForm(ConnectionFormPage{Role: "x"}), "deliveries": Deliveries(DeliveriesPage{}),
		"delivery": Delivery(DeliveryPage{}), "replay": Replay(ReplayPage{}), "traffic": trafficOf(Traffic{}),
		"agents": Agents(AgentsPage{}), "keys": Keys(KeysPage{}), "key": Key(KeyPage{}), "key-form": KeyForm(KeyFormPage{}),
		"key-rotate": KeyRotate(KeyRotatePage{}), "people": People(PeoplePage{}), "billing": Billing(BillingPage{}),
		"invoices":       Invoices(InvoicesPage{}),
		"billing-change": BillingChange(ChangePage{}), "audit": Audit(AuditPage{}),
		"settings": Settings(SettingsPage{}),
		"rules":    Rules(RulesPage{}), "developers": Developers(DevelopersPage{}), "error": Error(ErrorPage{}),
		"analytics": Analytics(AnalyticsPage{HasRings: true, Times: TimesChart{Points: []TimesPoint{{}}}}),
		"alerts":    Alerts(AlertsPage{}), "phone-health": PhoneHealth(PhoneHealthPage{}), "outcomes": OutcomesOf(Outcomes{}),
		"late": LateOf(Late{Total: 1}), "wakes": WakeHistoryOf(WakeHistory{}), "phone": PhoneOf(PhonePage{}),
		"storybook": Storybook(StorybookPage{}), "secret": SecretOnce(SecretPage{}),
		"funnel": FunnelOf(Funnel{}), "latency": LatencyOf(Latency{}), "time": TimeChartOf(TimeChart{}),
		"qr": QR(nil, ""), "spark": Spark(nil),
		"sound": SoundOf(Sound{Graphs: []SoundGraph{{}}}), "calls": CallFiguresOf(CallFigures{Rows: []CallFigure{{}}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draw(t, page)
		})
	}
}

// TestEscapes writes a hostile text into a page and wants no element of it.
func TestEscapes(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	row := RingRow{ID: evil, State: RingMissed, To: evil, Devices: evil, Agent: evil, Reference: evil, Reason: evil}
	table := Table{Name: evil, Action: PathRings, Query: evil, Search: evil, Rows: 1, CSV: "javascript:alert(1)", Total: evil}
	shell := Shell{Title: evil, Session: evil, Tenant: evil, User: evil, Email: evil,
		Crumbs: []Link{{Text: evil, Href: "javascript:alert(1)"}}}
	tree, _ := draw(t, Rings(RingsPage{shell, table, []RingRow{row}, true}))
	for _, fault := range faults(tree) {
		t.Error(fault)
	}
	each(tree, func(n *html.Node) {
		href, _ := attr(n, "href")
		if strings.HasPrefix(strings.ToLower(href), "javascript:") {
			t.Errorf("a script as an address: %s", href)
		}
	})
}

// TestWeight holds pages to their budget: 200 KB compressed for the first one with all its files,
// 20 KB for later ones.
func TestWeight(t *testing.T) {
	t.Parallel()
	files := 0
	for _, name := range []string{"tabler.css", "app.css", "htmx.js", "live.js", "app.js", "icons.svg", "mark.svg",
		"instrument-sans.woff2"} {
		a, ok := static.Open(strings.TrimPrefix(static.Path(name), static.Prefix), "gzip")
		if !ok {
			t.Fatalf("no %s", name)
		}
		files += len(a.Content)
	}
	for _, s := range Samples(moment) {
		_, page := draw(t, s.Page)
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(page)
		_ = w.Close()
		if packed.Len() > 20<<10 {
			t.Errorf("%s weighs %d bytes compressed", s.Name, packed.Len())
		}
		if files+packed.Len() > 200<<10 {
			t.Errorf("%s weighs %d bytes at first", s.Name, files+packed.Len())
		}
	}
	t.Logf("files of a first load: %d bytes", files)
}

// TestIcons wants every icon that pages use in the sprite, and every file that pages ask for.
func TestIcons(t *testing.T) {
	t.Parallel()
	sprite, ok := static.Open(strings.TrimPrefix(static.Path("icons.svg"), static.Prefix), "")
	if !ok {
		t.Fatal("no sprite")
	}
	files := regexp.MustCompile(`/static/[^"#]+`)
	for _, s := range Samples(moment) {
		tree, page := draw(t, s.Page)
		each(tree, func(n *html.Node) {
			if n.Data != "use" {
				return
			}
			href, _ := attr(n, "href")
			_, name, _ := strings.Cut(href, "#")
			if !bytes.Contains(sprite.Content, []byte(`id="`+name+`"`)) {
				t.Errorf("%s: no icon %q", s.Name, name)
			}
		})
		for _, address := range files.FindAllString(string(page), -1) {
			if _, ok := static.Open(strings.TrimPrefix(address, static.Prefix), ""); !ok {
				t.Errorf("%s: no file %s", s.Name, address)
			}
		}
	}
}

// TestClasses wants every class of a page styled: vendor.mjs must be run again after a new Tabler
// class.
func TestClasses(t *testing.T) {
	t.Parallel()
	var css strings.Builder
	for _, name := range []string{"tabler.css", "app.css", "front.css", "phone.css"} {
		a, _ := static.Open(strings.TrimPrefix(static.Path(name), static.Prefix), "")
		css.Write(a.Content)
	}
	styled := map[string]bool{}
	for _, m := range regexp.MustCompile(`\.(-?[A-Za-z_][\w-]*)`).FindAllStringSubmatch(css.String(), -1) {
		styled[m[1]] = true
	}
	bare := map[string]bool{}
	for _, name := range strings.Fields(unstyled) {
		bare[name] = true
	}
	missing := map[string]string{}
	for _, s := range Samples(moment) {
		tree, _ := draw(t, s.Page)
		each(tree, func(n *html.Node) {
			class, _ := attr(n, "class")
			for _, c := range strings.Fields(class) {
				if !styled[c] && !bare[c] {
					missing[c] = s.Name
				}
			}
		})
	}
	// The pages for operators have no samples: their sources say which classes they use.
	sources, err := filepath.Glob("operator/*.templ")
	if err != nil || len(sources) == 0 {
		t.Fatalf("the sources of the operators' pages: %v %v", sources, err)
	}
	for _, name := range sources {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`class="([^"]*)"`).FindAllSubmatch(source, -1) {
			for _, c := range strings.Fields(string(m[1])) {
				if !styled[c] && !bare[c] {
					missing[c] = name
				}
			}
		}
	}
	for class, page := range missing {
		t.Errorf("%s: class %q has no style", page, class)
	}
}

// unstyled are class names that only name a part, and look like what is around them.
const unstyled = `funnel-step-0 test-placed test-pushed test-ringing`

func TestTheme(t *testing.T) {
	t.Parallel()
	for theme, want := range map[Theme]string{"": "auto", ThemeAuto: "auto", ThemeDark: "dark", ThemeLight: "light", "evil": "auto"} {
		tree, _ := draw(t, SignIn(SignInPage{Theme: theme}))
		each(tree, func(n *html.Node) {
			if got, _ := attr(n, "data-bs-theme"); n.Data == "html" && got != want {
				t.Errorf("theme %q is drawn as %q", theme, got)
			}
		})
	}
}

// TestLiveFragments wants the parts that the event stream sends to be whole by themselves.
func TestLiveFragments(t *testing.T) {
	t.Parallel()
	s := sampler{now: moment}
	var b bytes.Buffer
	if err := TestHops(TestLivePage{ID: sampleRing, State: RingAnswered, Device: "Ana’s iPhone", Hops: s.liveHops(),
		CanRing: true}).Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got, "<section") || !strings.Contains(got, `data-ring-state="answered"`) ||
		!strings.Contains(got, "Hang up") {
		t.Errorf("got %s", got)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int]string{0: "0 ms", 999: "999 ms", 1430: "1.43 s", 12_340: "12.3 s", 125_000: "2 min 5 s", -4: "−4 ms"} {
		if got := Millis(ms); got != want {
			t.Errorf("Millis(%d) = %q, want %q", ms, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	for name, want := range map[string]string{"Harbor & Pine Realty": "HP", "Hart & Okafor": "HO", "ana": "A", "(Ana) “Zoë”": "AZ",
		"& Co.": "C", "24 Hours": "2H", "é clair": "ÉC", "": "", "&": ""} {
		if got := initials(name); got != want {
			t.Errorf("initials(%q) = %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		part, whole int
		want        string
	}{{0, 0, "–"}, {1, 2, "50 %"}, {999, 1000, "99.9 %"}, {1, 1000, "0.1 %"}, {3, 3, "100 %"}} {
		if got := Percent(c.part, c.whole); got != c.want {
			t.Errorf("Percent(%d, %d) = %q, want %q", c.part, c.whole, got, c.want)
		}
	}
	zone := time.FixedZone("", 3600)
	if got := At(moment, zone); got.ISO != "2026-11-24T09:30:00.000+01:00" || got.Text != "24 Nov 2026, 09:30" {
		t.Errorf("At = %+v", got)
	}
	if got := At(time.Time{}, nil); got != (Time{}) {
		t.Errorf("the zero time is drawn as %+v", got)
	}
}

func TestSameName(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]bool{"Ana’s iPhone": true, " Ana's iPhone ": true, "ana's iphone": false, "": false,
		"Ana’s iPad": false} {
		if got := SameName(typed, "Ana’s iPhone"); got != want {
			t.Errorf("SameName(%q) = %v", typed, got)
		}
	}
	if !SameName("Zoë", "Zoe\u0308") {
		t.Error("an accent of its own makes another name")
	}
}

// TestCharts checks the arithmetic of the drawings.
func TestCharts(t *testing.T) {
	t.Parallel()
	f := Funnel{Steps: []FunnelStep{{Count: 100}, {Count: 80}, {Count: 0}}}
	if f.lost(1) != 20 || f.lost(2) != 80 || f.height(1) != 80 || f.height(2) != 2 || f.worst() != 2 || (Funnel{}).worst() != 0 {
		t.Errorf("funnel: lost %d, %d, heights %v, %v, worst %d", f.lost(1), f.lost(2), f.height(1), f.height(2), f.worst())
	}
	if got, want := f.ribbon(), "M0 100V0.0H58C82 0.0 76 20.0 100 20.0H158C182 20.0 176 98.0 200 98.0H258H300V100Z"; got != want {
		t.Errorf("the funnel's outline is %s, want %s", got, want)
	}
	if across(5) != across(10) || across(200) >= across(1500) || across(99_999_999) > 98.01 {
		t.Errorf("axis: %v %v %v", across(5), across(200), across(99_999_999))
	}
	c := TimeChart{Bars: []TimeBar{{Rings: Number{N: 5}, Ends: [5]Number{{N: 3}, {N: 1}}, Earlier: 8}, {Earlier: -1}, {Earlier: 4}}}
	want := []drawn{{"bar-good", "M4 62.5h25.33v37.5h-25.33z"}, {"bar-warn", "M4 50h25.33v12.5h-25.33z"},
		{"bar-open", "M4 37.5h25.33v12.5h-25.33z"}}
	if bars := c.columns(); !slices.Equal(bars, want) {
		t.Errorf("columns: %+v", bars)
	}
	if got, want := c.earlier(), "M16.67 0.00M83.33 50.00"; got != want {
		t.Errorf("the line before is %s, want %s", got, want)
	}
	for n, want := range map[int]int{0: 4, 4: 4, 5: 8, 13: 20, 40: 40, 41: 80, 99: 120, 1234: 2000} {
		if got := roundUp(n); got != want {
			t.Errorf("an axis for %d ends at %d, want %d", n, got, want)
		}
	}
}
