package views

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Shell is what surrounds every page of the console.
type Shell struct {
	Own         bool        // Title is a name that somebody gave, kept as it is in each language
	Title       string      // of the page, for the window and the heading
	Current     Nav         // the entry marked in the navigation
	Tenant      string      // name of the tenant
	Industry    string      // "Dental clinic", shown small under the tenant
	Tenants     []Choice    // the tenants this person may switch to, the current one selected
	User        string      // name of the person
	Email       string      // of the person
	Role        string      // "Owner", "Administrator", …
	Guest       string      // what the banner of an operator who looks says; empty = a person of the tenant
	Preview     bool        // Role is one that the person tries out
	MayRing     bool        // the role may call phones
	MayPair     bool        // the role may add devices
	Environment Environment // what the tenant's credentials reach
	Theme       Theme       // from the cookie
	Flash       *Flash      // said once, after a change
	Crumbs      []Link      // the way back, outermost first; the page itself is not in it
	Dev         bool        // dev mode: links to the storybook and the virtual phone
	TimeZone    string      // in which times are shown, such as "Europe/Berlin"
	Trial       string      // "9 days of trial left", while there is one
	Session     string      // names the sign-in and tenant that the page is drawn for; see LivePath
	Alerts      int         // how many are open
	Alarm       *Callout    // what every page says first: a payment that failed, a limit that is reached
}

// Nav is an entry of the console's navigation.
type Nav string

// The entries.
const (
	NavOverview    Nav = "overview"
	NavTest        Nav = "test"
	NavRings       Nav = "rings"
	NavAnalytics   Nav = "analytics"
	NavAlerts      Nav = "alerts"
	NavDevices     Nav = "devices"
	NavHealth      Nav = "phone-health"
	NavCredentials Nav = "credentials"
	NavAgents      Nav = "agents"
	NavGroups      Nav = "groups"
	NavSchedules   Nav = "schedules"
	NavConsents    Nav = "consents"
	NavConnections Nav = "connections"
	NavKeys        Nav = "keys"
	NavPeople      Nav = "people"
	NavAudit       Nav = "audit"
	NavBilling     Nav = "billing"
	NavSettings    Nav = "settings"
	NavDevelopers  Nav = "developers"
)

// Theme is the colour scheme a person chose. Auto follows the device.
type Theme string

// The themes.
const (
	ThemeAuto  Theme = "auto"
	ThemeLight Theme = "light"
	ThemeDark  Theme = "dark"
)

// orAuto reads the zero Theme, and anything unknown, as auto.
func (t Theme) orAuto() string {
	if t == ThemeLight || t == ThemeDark {
		return string(t)
	}
	return string(ThemeAuto)
}

// Environment is Apple's push environment.
type Environment string

// The environments. Both is a tenant with credentials for each; none has none yet.
const (
	EnvProduction Environment = "production"
	EnvSandbox    Environment = "sandbox"
	EnvBoth       Environment = "both"
	EnvAuto       Environment = "auto"
	EnvNone       Environment = ""
	EnvUnasked    Environment = "unasked" // around a refusal: nothing was looked up, and no badge is drawn
)

// Link is a name and where it leads.
type Link struct {
	Text string
	Href string
	Hint string // small text beside it
	Icon Icon
	Own  bool // Text is somebody’s own words, which no language changes
}

// Choice is one option of a list.
type Choice struct {
	Value    string
	Text     string
	Selected bool
}

// Tone is the colour of a message or figure. Colour is never alone: each has its icon or word.
type Tone string

// The tones.
const (
	ToneNeutral Tone = "neutral"
	ToneInfo    Tone = "info"
	ToneGood    Tone = "good"
	ToneWarn    Tone = "warn"
	ToneBad     Tone = "bad"
	ToneBrand   Tone = "brand"
)

// icon is the sign that goes with the tone.
func (t Tone) icon() Icon {
	switch t {
	case ToneGood:
		return IconDone
	case ToneWarn:
		return IconWarn
	case ToneBad:
		return IconFailed
	case ToneNeutral, ToneInfo, ToneBrand:
	}
	return IconInfo
}

// Flash is one sentence said after a change.
type Flash struct {
	Tone Tone
	Text string
}

// Time is a moment as text for people and for machines. The zero Time is drawn as a dash.
type Time struct {
	ISO  string // RFC 3339 with offset
	Text string // in the reader's zone, such as "24 Nov 2026, 09:14"
}

// At is the moment t in the reader's zone, to the minute. The zero time gives the zero Time.
func At(t time.Time, zone *time.Location) Time { return format(t, zone, "2 Jan 2006, 15:04") }

// OnDay is At without the hour: for bills.
func OnDay(t time.Time, zone *time.Location) Time { return format(t, zone, "2 Jan 2006") }

// AtSecond is At to the millisecond, without the date: for hops of one ring.
func AtSecond(t time.Time, zone *time.Location) Time { return format(t, zone, "15:04:05.000") }

func format(t time.Time, zone *time.Location, layout string) Time {
	if t.IsZero() {
		return Time{}
	}
	if zone == nil {
		zone = time.UTC
	}
	t = t.In(zone)
	return Time{ISO: t.Format("2006-01-02T15:04:05.000Z07:00"), Text: t.Format(layout)}
}

// Millis writes a span of milliseconds for people: "182 ms", "1.43 s", "2 min 5 s".
func Millis(ms int) string {
	switch {
	case ms < 0:
		return "−" + Millis(-ms)
	case ms < 1000:
		return strconv.Itoa(ms) + " ms"
	case ms < 10_000:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 2, 64) + " s"
	case ms < 60_000:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
	}
	return strconv.Itoa(ms/60_000) + " min " + strconv.Itoa(ms%60_000/1000) + " s"
}

// Count writes a number with commas between thousands, as refusals and mails do (tenants.Count):
// "12,804".
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural is "1 device", "12 devices".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// htmxConfig keeps htmx to this server: no inline styles or scripts, no eval, no pages kept.
const htmxConfig = `{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0,` +
	`"refreshOnHistoryMiss":true,"allowScriptTags":false}`

// Percent of a whole, rounded, with one decimal below 1 and above 99; "–" when there is nothing to
// share.
func Percent(part, whole int) string {
	if whole <= 0 {
		return "–"
	}
	p := float64(part) * 100 / float64(whole)
	if p > 99 && p < 100 || p > 0 && p < 1 {
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

// initials of a name, for avatars: the first letter or digit of each of its first two words. What
// has neither, such as an ampersand between them, is no word. phone.js does the same.
func initials(name string) string {
	var out []rune
	for _, word := range strings.Fields(name) {
		at := strings.IndexFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
		if at >= 0 && len(out) < 2 {
			first, _ := utf8.DecodeRuneInString(word[at:])
			out = append(out, first)
		}
	}
	return strings.ToUpper(string(out))
}

// offer is e without its button for someone who may not use it.
func offer(may bool, e Empty) Empty {
	if !may {
		e.Action = Button{}
	}
	return e
}
