package tenants

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestBuiltinIndustries: the six files are without faults, in order, and say what the law asks for.
func TestBuiltinIndustries(t *testing.T) {
	t.Parallel()
	want := []Industry{RealEstate, Healthcare, BehavioralHealth, Legal, Salon, Insurance}
	if got := BuiltinIndustries().Slugs(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	opaque := []Industry{Healthcare, BehavioralHealth, Legal}
	for _, f := range BuiltinIndustries().List() {
		p := f.Rules.Payload
		if by := slices.Contains(opaque, f.Slug); (p.Value == PayloadOpaque) != by || p.Law != by {
			t.Errorf("%s: %+v", f.Slug, p)
		}
		if audits := f.Rules.Retention[DataAudits]; audits.Law && (audits.Least < 6*365+1 || audits.Source != "45 CFR 164.316(b)(2)(i)") {
			t.Errorf("%s: %+v", f.Slug, audits)
		}
	}
}

// TestUnknownIndustryIsStrict: a tenant whose file is gone sends no names.
func TestUnknownIndustryIsStrict(t *testing.T) {
	t.Parallel()
	label := PayloadLabel
	tenant := Tenant{Industry: "mining", Changes: &RuleChanges{Payload: &label}}
	if r := tenant.Rules(); !r.Opaque() || !r.Reason || r.Retention[DataRings] == 0 || !tenant.Opaque() {
		t.Errorf("%+v", r)
	}
	if len(tenant.File().Connections) > 0 || tenant.File().Name != "mining" {
		t.Errorf("%+v", tenant.File())
	}
}

// TestIndustryFaults: every fault is named with its path, all at once.
func TestIndustryFaults(t *testing.T) {
	t.Parallel()
	f, _ := BuiltinIndustries().File(Salon)
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	for change, want := range map[[2]string][]string{
		{`"name":"Salon"`, `"nane":"Salon"`}:              {"name: is missing", "nane: there is no such field"},
		{`"name":"Salon"`, `"name":"Salon","name":"S"`}:   {"name: is in the file twice"},
		{`"name":"Salon"`, `"name":7`}:                    {"name: is 7; give a text"},
		{`"name":"Salon"`, `"name":null`}:                 {"name: is null; give a text"},
		{`"order":50`, `"order":5.5`}:                     {"order: is 5.5; give a whole number"},
		{`"value":"label"`, `"value":"labels"`}:           {"rules.payload.value: one of label, opaque"},
		{`"value":"label"`, `"value":"label","law":true`}: {"rules.payload.law: a law must ask", "rules.payload.source: is missing"},
		{`"from":"21:00"`, `"from":"25:00"`}:              {"rules.quiet_hours.value: from and to must be two times"},
		{`"sun"`, `"sunday"`}:                             {`rules.quiet_hours.value: days: "sunday" is none of sun, mon`},
		{`"requests":{`, `"reqests":{`}: {"rules.retention.requests: is missing",
			"rules.retention.reqests: there is no such kind"},
		{`"days":90,"least":7`, `"days":90,"least":500`}: {"rules.retention.requests.least: is more than most",
			"rules.retention.requests.days: is outside"},
		{`"default_role":"viewer"`, `"default_role":"owner"`}:    {"default_role: one of admin"},
		{`"program":"bells"`, `"program":"bell"`}:                {"agents[0].program: one of bells"},
		{`"role":"sms"`, `"role":"calendar"`}:                    {"connections[1].role: calendar is in the list twice"},
		{`"metric":"failed_rate"`, `"metric":"failures"`}:        {"alerts[0].metric: one of answer_rate"},
		{`"below":20`, `"below":20,"above":30`}:                  {"alerts[1]: give above or below"},
		{`"check":"connection:sms"`, `"check":"connection:fax"`}: {"checklist[4].check: one of credential"},
		{`"habit":"silent"`, `"habit":"loud"`}:                   {"sample.devices[1].habit: one of rings"},
		{`"bundle":"com.coppershears.chair"`, `"bundle":"x"`}:    {"sample.bundle: an app's bundle id"},
		{`"slug":"salon"`, `"slug":"Salon"`}:                     {"slug: 2 to 40 of a-z"},
		{`{"slug"`, `{{"slug"`}:                                  {"line 1: not JSON"},
	} {
		if !strings.Contains(good, change[0]) {
			t.Errorf("the file has no %s", change[0])
			continue
		}
		_, faults := ParseIndustry([]byte(strings.Replace(good, change[0], change[1], 1)))
		for i, w := range want {
			if i >= len(faults) || !strings.Contains(faults[i].Error(), w) {
				t.Errorf("%s: %v, want %s", change[1], faults, w)
				break
			}
		}
		if len(faults) != len(want) {
			t.Errorf("%s: %v", change[1], faults)
		}
	}
}

// TestReadIndustries: an operator's files are listed by their order among the built-in ones; a
// built-in slug, a wrong name and a file that is too large are refused together.
func TestReadIndustries(t *testing.T) {
	t.Parallel()
	f, _ := BuiltinIndustries().File(Salon)
	write := func(change func(*IndustryFile)) *fstest.MapFile {
		c := f
		change(&c)
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return &fstest.MapFile{Data: text}
	}
	vet := write(func(c *IndustryFile) { c.Slug, c.Name, c.Order, c.Sample.Slug = "veterinary", "Veterinary", 35, "paws" })
	same := write(func(c *IndustryFile) { c.Slug = "barber" })
	in, err := ReadIndustries(fstest.MapFS{"veterinary.json": vet, "notes.txt": {Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := in.Slugs(); !slices.Equal(got, []Industry{RealEstate, Healthcare, BehavioralHealth, "veterinary", Legal, Salon, Insurance}) {
		t.Errorf("%v", got)
	}
	tenant := Tenant{Slug: "aa", Name: "A", Industry: "veterinary", TimeZone: "UTC", RingTTL: DefaultTTL}
	if err := in.Of(tenant).Check(); err != nil || in.Of(tenant).Opaque() {
		t.Errorf("%v", err)
	}
	if err := tenant.Check(); err == nil || !strings.Contains(err.Error(), "one of real-estate, healthcare") {
		t.Errorf("without the file: %v", err)
	}
	_, err = ReadIndustries(fstest.MapFS{"salon.json": write(func(*IndustryFile) {}), "vet.json": vet, "barber.json": same,
		"broken.json": {Data: []byte("{")}, "large.json": {Data: make([]byte, maxIndustryFile+1)}})
	for _, want := range []string{`salon.json: slug: "salon" is built in`,
		`vet.json: slug: is "veterinary"`,
		`barber.json: sample.slug: "copper-shears" is that of salon`,
		"broken.json: line 1: not JSON",
		"large.json: has 262145 bytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

// TestRuleChanges: what is law can only be made stricter; stored changes are read as they were
// written, and what the rules do not allow has no effect.
func TestRuleChanges(t *testing.T) {
	t.Parallel()
	label, opaque, recorded, no := PayloadLabel, PayloadOpaque, ConsentRecorded, false
	night, shorter, longer, none := QuietHours{21 * 60, 8 * 60, EveryDay}, QuietHours{22 * 60, 8 * 60, EveryDay},
		QuietHours{20 * 60, 9 * 60, EveryDay}, QuietHours{}
	health, _ := BuiltinIndustries().File(Healthcare)
	salon, _ := BuiltinIndustries().File(Salon)
	strict := salon.Rules
	strict.Quiet = Rule[QuietHours]{Value: night, Law: true, Why: "the law"}
	for name, c := range map[string]struct {
		rules   RuleSet
		changes RuleChanges
		wrong   string // the field; "" = allowed
	}{
		"label in healthcare":    {health.Rules, RuleChanges{Payload: &label}, "payload"},
		"opaque in a salon":      {salon.Rules, RuleChanges{Payload: &opaque}, ""},
		"no reason":              {health.Rules, RuleChanges{Reason: &no}, ""},
		"consent":                {health.Rules, RuleChanges{Consent: &recorded}, ""},
		"five years of audit":    {health.Rules, RuleChanges{Retention: map[DataKind]int{DataAudits: 1825}}, "retention.audits"},
		"audit for ever":         {health.Rules, RuleChanges{Retention: map[DataKind]int{DataAudits: 0}}, ""},
		"rings for ever":         {health.Rules, RuleChanges{Retention: map[DataKind]int{DataRings: 0}}, "retention.rings"},
		"a kind of no data":      {health.Rules, RuleChanges{Retention: map[DataKind]int{"dreams": 1}}, "retention.dreams"},
		"no quiet hours":         {salon.Rules, RuleChanges{Quiet: &none}, ""},
		"no lawful quiet hours":  {strict, RuleChanges{Quiet: &none}, "quiet_hours"},
		"shorter quiet hours":    {strict, RuleChanges{Quiet: &shorter}, "quiet_hours"},
		"longer quiet hours":     {strict, RuleChanges{Quiet: &longer}, ""},
		"quiet hours of no day":  {salon.Rules, RuleChanges{Quiet: &QuietHours{60, 120, 0}}, "quiet_hours"},
		"quiet hours after 24 h": {salon.Rules, RuleChanges{Quiet: &QuietHours{60, 1500, EveryDay}}, "quiet_hours"},
	} {
		err := c.rules.Check(&c.changes)
		e, _ := err.(*Error)
		if c.wrong == "" && err != nil || c.wrong != "" && (e == nil || len(e.Fields) != 1 || e.Fields[0].Name != c.wrong) {
			t.Errorf("%s: %v", name, err)
		}
		changed := !reflect.DeepEqual(c.rules.With(&c.changes), c.rules.With(nil))
		if changed != (c.wrong == "") {
			t.Errorf("%s: changed %v", name, changed)
		}
		if again := ParseRuleChanges(c.changes.Text()); c.wrong == "" && !reflect.DeepEqual(again, &c.changes) {
			t.Errorf("%s: stored as %s", name, c.changes.Text())
		}
	}
	if r := salon.Rules.With(ParseRuleChanges(`{"payload":`)); !r.Opaque() || r.Consent != ConsentRecorded {
		t.Errorf("unreadable changes: %+v", r)
	}
}
