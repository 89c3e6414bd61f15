package console

import (
	"encoding/hex"
	"net/url"
	"strings"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// who may come to an address.
type access int

const (
	public  access = iota // anybody
	members               // anyone who is signed in, or whose role may read it
	editors               // those whose role may change it
	wayOut                // anyone who is signed in, also of a suspended tenant
)

// visit is how a test goes to an address: with the ids of a tenant, and with a form that would
// change something.
type visit struct {
	access access
	path   func(t *tenant) string           // nil = the pattern is the address
	form   func(t *tenant) url.Values       // of a POST
	owned  bool                             // the address or form names something of the tenant: another tenant gets 404
	file   func(t *tenant) (kind, b string) // a multipart body instead of a form

	refused int // what an editor gets, as no ring of these tests is in a call; 0 = it does what it says

	recorded bool // each reading is in the audit log
	endless  bool // a stream that ends with its reader: only its first line is read
}

func fields(pairs ...string) func(*tenant) url.Values {
	return func(*tenant) url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		return v
	}
}

func confirming(name func(*tenant) string) func(*tenant) url.Values {
	return func(t *tenant) url.Values { return url.Values{"confirm": {name(t)}} }
}

var (
	ofRing       = func(t *tenant) string { return "/rings/" + string(t.ring) }
	ofDevice     = func(t *tenant) string { return "/devices/" + string(t.device) }
	ofCredential = func(t *tenant) string { return "/credentials/" + string(t.credential) }
	ofConnection = func(t *tenant) string { return "/connections/" + string(t.connection) }
	ofRule       = func(t *tenant) string { return "/alerts/rules/" + string(t.rule) }
	ofTarget     = func(t *tenant) string { return "/alerts/targets/" + string(t.target) }
	ofGroup      = func(t *tenant) string { return "/groups/" + string(t.group) }
	ofSchedule   = func(t *tenant) string { return "/schedules/" + string(t.schedule) }
	ofConsent    = func(t *tenant) string { return "/consents/" + string(t.consent) }
	ofAgent      = func(t *tenant) string { return "/agents/" + string(t.agent) }
	ofKey        = func(t *tenant) string { return "/keys/" + string(t.key) }
	ofView       = func(t *tenant) string { return "/lists/views/" + string(t.view) }
	ofPerson     = func(t *tenant) string { return "/people/" + string(t.viewer().ID) }
	ofPasskey    = func(*tenant) string { return "/account/passkeys/" + string(onePasskey) }
	ofInvitation = func(t *tenant) string { h := t.invitation.Hash(); return "/people/" + hex.EncodeToString(h[:]) }
)

// onePasskey is the passkey that keyed adds.
const onePasskey tenants.PasskeyID = "0190aaaa-0000-7000-8000-0000000000aa"

// keyed gives the owner of the tenant a passkey. One tenant of a test can have it.
func (t *tenant) keyed() {
	pagetest.Must(t.h, t.h.Store.Factors().AddPasskey(t.h.Context(), store.Who{}, store.Passkey{ID: onePasskey, User: t.Owner.ID,
		Credential: []byte{1}, Record: []byte("{}"), Name: t.Word, CreatedAt: t.h.Clock.Now()}, tenants.Hash{}))
}

// viewer is a second person of the tenant, made once.
func (t *tenant) viewer() tenants.User {
	members, _, err := t.Scope().Members().List(t.h.Context(), store.Page{})
	pagetest.Must(t.h, err)
	for _, m := range members {
		if m.Role == tenants.Viewer {
			return tenants.User{ID: m.User, Email: m.Email, Name: m.Name}
		}
	}
	return t.Person(tenants.Viewer)
}

// ofFed is a schedule by a calendar, made once.
func ofFed(t *tenant) string {
	now := t.h.Clock.Now()
	if t.fed == "" {
		feed := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](now), Tenant: t.Id, Name: t.Word + " feed",
			Role: tenants.RoleCalendar, URL: "https://127.0.0.1/duty.ics", CreatedAt: now}.Clean()
		_, err := t.Scope().Connections().Add(t.h.Context(), feed)
		pagetest.Must(t.h, err)
		t.fed = tenants.NewID[tenants.ScheduleID](now)
		pagetest.Must(t.h, t.Scope().Schedules().Add(t.h.Context(), tenants.Schedule{ID: t.fed, Name: "By calendar", Zone: "UTC",
			Calendar: feed.ID, CreatedAt: now}))
	}
	return "/schedules/" + string(t.fed)
}

// ofTwin merges an older entry of the tenant's device into it. The entry is made once.
func ofTwin(t *tenant) string {
	if t.twin == "" {
		t.twin = t.phone()
	}
	return views.DeviceMergePath(string(t.twin), string(t.device))
}

func plus(f func(*tenant) string, s string) func(*tenant) string {
	return func(t *tenant) string { return f(t) + s }
}

// importable is a file of one device.
var importable = "token,bundle_id\n" + strings.Repeat("ef", 32) + ",com.example.imported\n"

// bulkOf is the address of what is done to several rows, of which it names one.
func bulkOf(list, do string, id func(*tenant) string) func(*tenant) string {
	return func(t *tenant) string { return "/" + list + "/bulk?do=" + do + "&id=" + url.QueryEscape(id(t)) }
}

func theRing(t *tenant) string   { return string(t.ring) }
func theDevice(t *tenant) string { return string(t.device) }
func theKey(t *tenant) string    { return string(t.key) }
func theAlert(t *tenant) string  { return string(tenants.AlertCredential) + " " + string(t.credential) }

// visits knows every address of the console. One that it does not know fails the test.
var visits = map[string]visit{
	"GET /":                        {},
	"GET /pricing":                 {},
	"GET /industries":              {},
	"GET /industries/:industry":    {path: func(*tenant) string { return "/industries/legal" }},
	"GET /security":                {},
	"GET /docs":                    {},
	"GET /docs/search":             {},
	"GET /docs/:page":              {path: func(*tenant) string { return "/docs/errors" }},
	"GET /docs/api/:tag":           {path: func(*tenant) string { return "/docs/api/objects" }},
	"GET /docs/download/:file":     {path: func(*tenant) string { return "/docs/download/swift.zip" }},
	"GET /status":                  {},
	"GET /terms":                   {},
	"GET /privacy":                 {},
	"GET /sitemap.xml":             {},
	"GET /robots.txt":              {},
	"GET /demo":                    {},
	"GET /demo/ice":                {},
	"POST /demo/answer":            {file: func(*tenant) (string, string) { return "application/sdp", "v=0" }},
	"DELETE /demo/calls/:id":       {path: func(*tenant) string { return "/demo/calls/demo-x" }},
	"GET /trial":                   {},
	"POST /trial":                  {form: fields("company", "x", "email", "x")},
	"GET /trial/:token":            {path: func(*tenant) string { return "/trial/x" }},
	"POST /trial/:token":           {path: func(*tenant) string { return "/trial/x" }, form: fields()},
	"GET /affiliate":               {},
	"POST /affiliate":              {form: fields("name", "x", "email", "x")},
	"GET /affiliate/links/:token":  {path: func(*tenant) string { return "/affiliate/links/x" }},
	"POST /affiliate/links/:token": {path: func(*tenant) string { return "/affiliate/links/x" }, form: fields()},
	"GET /affiliate/dashboard":     {},
	"GET /affiliate/dashboard.csv": {},
	"GET /affiliate/ledger":        {},
	"GET /affiliate/customers":     {},
	"GET /affiliate/customers.csv": {},
	"POST /affiliate/payee":        {form: fields("payee", "Eve", "by", "mail")},
	"POST /affiliate/signout":      {form: fields()},
	"GET /r/:code":                 {path: func(*tenant) string { return "/r/ABCDEFGH" }},
	"GET /static/*":                {path: func(*tenant) string { return "/static/none.css" }},
	"GET /signin":                  {},
	"POST /signin":                 {form: fields("email", "x@y.example", "password", "wrong")},
	"GET /invitations/:token":      {path: func(*tenant) string { return "/invitations/x" }},
	"POST /invitations/:token":     {path: func(*tenant) string { return "/invitations/x" }, form: fields("name", "x")},
	"GET /forgot":                  {},
	"POST /forgot":                 {form: fields("email", "x@y.example")},
	"GET /forgot/:token":           {path: func(*tenant) string { return "/forgot/x" }},
	"GET /forgot-password":         {},
	"GET /forgot-password/:token":  {path: func(*tenant) string { return "/forgot-password/x" }},
	"POST /forgot/:token":          {path: func(*tenant) string { return "/forgot/x" }, form: fields("password", "x")},
	"GET /pair":                    {},
	"POST /theme":                  {form: fields("theme", "dark")},
	"POST /language":               {form: fields("language", "")},
	"GET /storybook":               {},
	"GET /storybook/:name":         {path: func(*tenant) string { return "/storybook/signin" }},
	"GET /phone":                   {},
	"GET /phone/:slug":             {path: func(*tenant) string { return "/phone/alpha" }},
	"GET /phones/pushes":           {endless: true},

	"POST /signout":   {access: wayOut},
	"POST /tenant":    {access: wayOut, owned: true, form: func(t *tenant) url.Values { return url.Values{"tenant": {string(t.Id)}} }},
	"GET /palette":    {access: members},
	"GET /overview":   {access: members},
	"POST /checklist": {access: editors, form: fields("dismiss", "1")},
	"GET /developers": {access: members},

	"GET /developers/key":  {access: members, refused: 303}, // leads back to the page with the form
	"POST /developers/key": {access: editors, form: fields()},

	"GET /rings/bulk":      {access: editors, owned: true, path: bulkOf("rings", "cancel", theRing)},
	"POST /rings/bulk":     {access: editors, owned: true, path: bulkOf("rings", "cancel", theRing), form: fields()},
	"GET /devices/bulk":    {access: editors, owned: true, path: bulkOf("devices", "remove", theDevice)},
	"POST /devices/bulk":   {access: editors, owned: true, path: bulkOf("devices", "remove", theDevice), form: fields()},
	"GET /devices/alike":   {access: editors},
	"GET /devices/import":  {access: editors},
	"POST /devices/import": {access: editors, file: func(*tenant) (string, string) { return multipartOf(nil, "a.csv", importable) }},
	"POST /devices/import/now": {access: editors, file: func(*tenant) (string, string) {
		return multipartOf(map[string]string{"devices": importable}, "", "")
	}},
	"GET /keys/bulk":    {access: editors, owned: true, path: bulkOf("keys", "revoke", theKey)},
	"POST /keys/bulk":   {access: editors, owned: true, path: bulkOf("keys", "revoke", theKey), form: fields()},
	"GET /alerts/bulk":  {access: editors, owned: true, path: bulkOf("alerts", "close", theAlert)},
	"POST /alerts/bulk": {access: editors, owned: true, path: bulkOf("alerts", "close", theAlert), form: fields()},

	"POST /lists/columns":          {access: members, form: fields("list", "none")},
	"POST /lists/views":            {access: members, form: fields("list", "none", "name", "x")},
	"GET /lists/views/:id/remove":  {access: members, path: plus(ofView, "/remove")},
	"POST /lists/views/:id/remove": {access: members, owned: true, path: plus(ofView, "/remove"), form: fields()},

	"GET /analytics":     {access: members},
	"GET /analytics.csv": {access: members},

	"GET /rings":      {access: members},
	"GET /rings.csv":  {access: members},
	"GET /rings/live": {access: members, endless: true},
	"GET /rings/test": {access: members, path: func(t *tenant) string { return "/rings/test?device=" + string(t.device) }},
	"POST /rings/test": {access: editors, owned: true, form: func(t *tenant) url.Values {
		return url.Values{"device": {string(t.device)}, "agent": {string(t.agent)}}
	}},
	"GET /rings/:id":           {access: members, owned: true, path: ofRing},
	"GET /rings/:id/test":      {access: members, owned: true, path: plus(ofRing, "/test")},
	"GET /rings/:id/part":      {access: members, owned: true, path: plus(ofRing, "/part?view=ring")},
	"GET /rings/:id/notes.txt": {access: members, owned: true, path: plus(ofRing, "/notes.txt")},
	"GET /rings/:id/notes.csv": {access: members, owned: true, path: plus(ofRing, "/notes.csv")},
	"GET /rings/:id/recording": {access: members, owned: true, recorded: true, path: plus(ofRing, "/recording")},
	"GET /rings/:id/erase":     {access: editors, owned: true, path: plus(ofRing, "/erase")},
	"POST /rings/:id/erase": {access: editors, owned: true, path: plus(ofRing, "/erase"),
		form: confirming(func(t *tenant) string { return t.Tag() + "-person" })},
	"GET /rings/:id/cancel":   {access: editors, owned: true, path: plus(ofRing, "/cancel")},
	"POST /rings/:id/cancel":  {access: editors, owned: true, path: plus(ofRing, "/cancel"), form: fields()},
	"GET /rings/:id/transfer": {access: editors, owned: true, path: plus(ofRing, "/transfer")},
	"POST /rings/:id/transfer": {access: editors, owned: true, path: plus(ofRing, "/transfer"), refused: 409,
		form: func(t *tenant) url.Values { return url.Values{"agent": {string(t.agent)}} }},

	"GET /alerts":     {access: members, path: func(*tenant) string { return "/alerts?state=all" }},
	"GET /alerts.csv": {access: members, path: func(*tenant) string { return "/alerts.csv?state=all" }},
	"POST /alerts/close": {access: editors, owned: true, form: func(t *tenant) url.Values {
		return url.Values{"kind": {string(tenants.AlertCredential)}, "target": {string(t.credential)}}
	}},
	"GET /phone-health":     {access: members},
	"GET /phone-health.csv": {access: members},

	"GET /devices":          {access: members},
	"GET /devices.csv":      {access: members},
	"GET /devices/pair":     {access: editors},
	"POST /devices/pair":    {access: editors, form: fields("person", "p")},
	"GET /devices/pair/:id": {access: editors, owned: true, path: func(t *tenant) string { return "/devices/pair/" + string(t.pairing) }},
	"GET /devices/:id":      {access: members, owned: true, path: ofDevice},
	"POST /devices/:id": {access: editors, owned: true, path: ofDevice,
		form: fields("name", "taken", "person", "", "environment", "auto")},
	"GET /devices/:id/merge":  {access: editors, owned: true, path: ofTwin},
	"POST /devices/:id/merge": {access: editors, owned: true, path: ofTwin, form: fields()},
	"GET /devices/:id/remove": {access: editors, owned: true, path: plus(ofDevice, "/remove")},
	"POST /devices/:id/remove": {access: editors, owned: true, path: plus(ofDevice, "/remove"),
		form: confirming(func(t *tenant) string { return t.Word + " phone" })},
	"GET /credentials":     {access: members},
	"GET /credentials.csv": {access: members},
	"GET /credentials/add": {access: editors, owned: true,
		path: func(t *tenant) string { return "/credentials/add?replaces=" + string(t.credential) }},
	"POST /credentials/add": {access: editors, file: func(*tenant) (string, string) {
		return multipartOf(map[string]string{"bundle_id": "com.x.y"}, "AuthKey_X.p8", "no key")
	}},
	"GET /credentials/:id":        {access: members, owned: true, path: ofCredential},
	"POST /credentials/:id/check": {access: editors, owned: true, path: plus(ofCredential, "/check"), form: fields()},
	"POST /credentials/:id/profile": {access: editors, owned: true, path: plus(ofCredential, "/profile"),
		form: fields("profile", "callkeep")},
	"POST /credentials/:id/hedging":  {access: editors, owned: true, path: plus(ofCredential, "/hedging"), form: fields("hedging", "off")},
	"GET /credentials/:id/rollback":  {access: editors, owned: true, path: plus(ofCredential, "/rollback")},
	"POST /credentials/:id/rollback": {access: editors, owned: true, path: plus(ofCredential, "/rollback"), form: fields()},
	"GET /credentials/:id/remove":    {access: editors, owned: true, path: plus(ofCredential, "/remove")},
	"POST /credentials/:id/remove": {access: editors, owned: true, path: plus(ofCredential, "/remove"),
		form: confirming(func(*tenant) string { return "KEY1234567" })},
	"GET /alerts/digest":      {access: members},
	"POST /account/digest":    {access: members, form: fields("digest", "on")},
	"GET /digest/off/:token":  {path: func(*tenant) string { return "/digest/off/x" }},
	"POST /digest/off/:token": {path: func(*tenant) string { return "/digest/off/x" }, form: fields()},
	"GET /alerts/rules":       {access: members},
	"GET /alerts/rules.csv":   {access: members},
	"GET /alerts/rules/add":   {access: editors},
	"POST /alerts/rules/add": {access: editors, form: fields("name", "Taken", "metric", "answer_rate", "threshold", "40", "window", "3600",
		"quiet", "3600", "least", "5", "cut", ":")},
	"GET /alerts/rules/:id": {access: members, owned: true, path: ofRule},
	"POST /alerts/rules/:id": {access: editors, owned: true, path: ofRule, form: fields("name", "taken", "metric", "answer_rate",
		"threshold", "41", "window", "3600", "quiet", "3600", "least", "5", "cut", ":")},
	"POST /alerts/rules/:id/pause":    {access: editors, owned: true, path: plus(ofRule, "/pause")},
	"GET /alerts/rules/:id/remove":    {access: editors, owned: true, path: plus(ofRule, "/remove")},
	"POST /alerts/rules/:id/remove":   {access: editors, owned: true, path: plus(ofRule, "/remove")},
	"GET /alerts/targets":             {access: members},
	"GET /alerts/targets.csv":         {access: members},
	"GET /alerts/targets/add":         {access: editors},
	"POST /alerts/targets/add":        {access: editors, form: fields("name", "Taken", "kind", "email", "role", "admin")},
	"GET /alerts/targets/:id":         {access: members, owned: true, path: ofTarget},
	"POST /alerts/targets/:id":        {access: editors, owned: true, path: ofTarget, form: fields("name", "taken")},
	"POST /alerts/targets/:id/test":   {access: editors, owned: true, path: plus(ofTarget, "/test")},
	"GET /alerts/targets/:id/remove":  {access: editors, owned: true, path: plus(ofTarget, "/remove")},
	"POST /alerts/targets/:id/remove": {access: editors, owned: true, path: plus(ofTarget, "/remove")},
	"GET /groups":                     {access: members},
	"GET /groups.csv":                 {access: members},
	"GET /groups/add":                 {access: editors},
	"POST /groups/add": {access: editors, form: fields("name", "Taken", "way", "sequential", "step_s", "20",
		"members", "ana")},
	"GET /groups/:id": {access: members, owned: true, path: ofGroup},
	"POST /groups/:id": {access: editors, owned: true, path: ofGroup, form: fields("name", "taken", "way", "sequential", "step_s", "20",
		"members", "ana")},
	"GET /groups/:id/remove": {access: editors, owned: true, path: plus(ofGroup, "/remove")},
	"POST /groups/:id/remove": {access: editors, owned: true, path: plus(ofGroup, "/remove"),
		form: confirming(func(t *tenant) string { return t.Word + " line" })},
	"GET /schedules":     {access: members},
	"GET /schedules.csv": {access: members},
	"GET /schedules/add": {access: editors},
	"POST /schedules/add": {access: editors, form: fields("name", "Taken", "time_zone", "UTC", "d1-0-from", "08:00",
		"d1-0-to", "16:00")},
	"GET /schedules/:id":        {access: members, owned: true, path: ofSchedule},
	"POST /schedules/:id":       {access: editors, owned: true, path: ofSchedule, form: fields("name", "taken", "time_zone", "UTC")},
	"POST /schedules/:id/read":  {access: editors, owned: true, path: plus(ofFed, "/read"), form: fields()},
	"GET /schedules/:id/remove": {access: editors, owned: true, path: plus(ofSchedule, "/remove")},
	"POST /schedules/:id/remove": {access: editors, owned: true, path: plus(ofSchedule, "/remove"),
		form: confirming(func(t *tenant) string { return t.Word + " hours" })},
	"GET /consents":               {access: members},
	"GET /consents.csv":           {access: members},
	"GET /consents/add":           {access: editors},
	"POST /consents/add":          {access: editors, form: fields("person", "ana", "given_at", "2026-01-02", "evidence", "Form 7")},
	"GET /consents/:id":           {access: members, owned: true, path: ofConsent},
	"GET /consents/:id/withdraw":  {access: editors, owned: true, path: plus(ofConsent, "/withdraw")},
	"POST /consents/:id/withdraw": {access: editors, owned: true, path: plus(ofConsent, "/withdraw"), form: fields()},
	"GET /agents":                 {access: members},
	"GET /agents.csv":             {access: members},
	"GET /agents/add":             {access: editors},
	"POST /agents/add":            {access: editors, form: fields("name", "Taken", "kind", "builtin")},
	"GET /agents/:id":             {access: members, owned: true, path: ofAgent},
	"POST /agents/:id":            {access: editors, owned: true, path: ofAgent, form: fields("name", "taken")},
	"POST /agents/:id/announcement": {access: editors, owned: true, path: plus(ofAgent, "/announcement"),
		file: func(*tenant) (string, string) { return multipartOf(nil, "a.ogg", "no sound") }},
	"GET /agents/:id/remove": {access: editors, owned: true, path: plus(ofAgent, "/remove")},
	"POST /agents/:id/remove": {access: editors, owned: true, path: plus(ofAgent, "/remove"),
		form: confirming(func(t *tenant) string { return t.Word + " desk" })},

	"GET /connections":     {access: members},
	"GET /connections.csv": {access: members},
	"GET /connections/add": {access: editors, path: func(*tenant) string { return "/connections/add?role=webhook" }},
	"POST /connections/add": {access: editors,
		form: fields("role", "webhook", "name", "Taken", "url", "https://example.com/hook", "event", "ring.ended")},
	"GET /connections/:id":      {access: members, owned: true, path: ofConnection},
	"GET /connections/:id/edit": {access: editors, owned: true, path: plus(ofConnection, "/edit")},
	"POST /connections/:id/edit": {access: editors, owned: true, path: plus(ofConnection, "/edit"),
		form: fields("name", "taken", "url", "https://example.com/other")},
	"POST /connections/:id/test":   {access: editors, owned: true, path: plus(ofConnection, "/test"), form: fields()},
	"POST /connections/:id/pause":  {access: editors, owned: true, path: plus(ofConnection, "/pause"), form: fields()},
	"POST /connections/:id/resume": {access: editors, owned: true, path: plus(ofConnection, "/resume"), form: fields()},
	"GET /connections/:id/secret":  {access: editors, owned: true, path: plus(ofConnection, "/secret")},
	"POST /connections/:id/secret": {access: editors, owned: true, path: plus(ofConnection, "/secret"), form: fields()},
	"GET /connections/:id/replay":  {access: editors, owned: true, path: plus(ofConnection, "/replay")},
	"POST /connections/:id/replay": {access: editors, owned: true, path: plus(ofConnection, "/replay"),
		form: fields("which", "all")},
	"GET /connections/:id/deliveries":     {access: members, owned: true, path: plus(ofConnection, "/deliveries")},
	"GET /connections/:id/deliveries.csv": {access: members, owned: true, path: plus(ofConnection, "/deliveries.csv")},
	"GET /connections/:id/deliveries/:event": {access: members, owned: true,
		path: func(t *tenant) string { return ofConnection(t) + "/deliveries/" + t.event }},
	"POST /connections/:id/deliveries/:event/send": {access: editors, owned: true,
		path: func(t *tenant) string { return ofConnection(t) + "/deliveries/" + t.event + "/send" }, form: fields()},
	"GET /connections/:id/remove": {access: editors, owned: true, path: plus(ofConnection, "/remove")},
	"POST /connections/:id/remove": {access: editors, owned: true, path: plus(ofConnection, "/remove"),
		form: confirming(func(t *tenant) string { return t.Word + " hook" })},

	"GET /keys":                  {access: members},
	"GET /keys.csv":              {access: members},
	"GET /keys/add":              {access: editors},
	"POST /keys/add":             {access: editors, form: fields("name", "Taken", "kind", "live", "scope", "rings:write")},
	"GET /keys/:id":              {access: members, owned: true, path: ofKey},
	"GET /keys/:id/requests.csv": {access: members, owned: true, path: plus(ofKey, "/requests.csv")},
	"GET /keys/:id/edit":         {access: editors, owned: true, path: plus(ofKey, "/edit")},
	"POST /keys/:id/edit": {access: editors, owned: true, path: plus(ofKey, "/edit"),
		form: fields("name", "Taken", "scope", "rings:write", "expires", "never")},
	"GET /keys/:id/rotate":  {access: editors, owned: true, path: plus(ofKey, "/rotate")},
	"POST /keys/:id/rotate": {access: editors, owned: true, path: plus(ofKey, "/rotate"), form: fields("overlap", "1h")},
	"GET /keys/:id/revoke":  {access: editors, owned: true, path: plus(ofKey, "/revoke")},
	"POST /keys/:id/revoke": {access: editors, owned: true, path: plus(ofKey, "/revoke"),
		form: confirming(func(t *tenant) string { return t.Word + " key" })},

	"POST /signin/passkey/begin":        {form: fields()},
	"POST /signin/passkey":              {form: fields("credential", "{}")},
	"POST /account/confirm/begin":       {access: members, form: fields()},
	"GET /account/passkeys/add":         {access: members},
	"POST /account/passkeys/add":        {access: members, form: fields("name", "x", "credential", "{}")},
	"POST /account/passkeys/begin":      {access: members, form: fields()},
	"POST /account/passkeys/:id":        {access: members, owned: true, path: ofPasskey, form: fields("name", "taken")},
	"GET /account/passkeys/:id/remove":  {access: members, owned: true, path: plus(ofPasskey, "/remove")},
	"POST /account/passkeys/:id/remove": {access: members, owned: true, path: plus(ofPasskey, "/remove"), form: fields()},

	"GET /signin/organisation":  {},
	"POST /signin/organisation": {form: fields("email", "x@y.example")},
	"GET /signin/oidc/callback": {},
	"GET /signin/oidc/:slug":    {path: func(*tenant) string { return "/signin/oidc/none" }},
	"POST /signin/oidc/:slug":   {path: func(*tenant) string { return "/signin/oidc/none" }, form: fields()},
	"GET /settings/sign-in":     {access: editors},
	"POST /settings/sign-in/check": {access: editors, owned: true, refused: 422,
		form: func(t *tenant) url.Values { return url.Values{"domain": {t.Slug + ".example"}} }},
	"POST /settings/sign-in": {access: editors, refused: 422,
		form: fields("issuer", "http://127.0.0.1:1", "client_id", "x", "domains", "x.example", "role", "admin")},
	"GET /settings/sign-in/remove":  {access: editors},
	"POST /settings/sign-in/remove": {access: editors, form: fields()},

	"GET /people":                {access: members},
	"GET /people.csv":            {access: members},
	"GET /people/roles":          {access: members},
	"POST /people/roles/preview": {access: members, form: fields("role", "")},
	"GET /people/add":            {access: editors},
	"POST /people/add":           {access: editors, form: fields("email", "eve@evil.example", "role", "viewer")},
	"POST /people/:id/role":      {access: editors, owned: true, path: plus(ofPerson, "/role"), form: fields("role", "admin")},
	"POST /people/:id/resend":    {access: editors, owned: true, path: plus(ofInvitation, "/resend"), form: fields(), refused: 429},
	"GET /people/:id/remove":     {access: editors, owned: true, path: plus(ofPerson, "/remove")},
	"POST /people/:id/remove":    {access: editors, owned: true, path: plus(ofPerson, "/remove"), form: fields()},
	"GET /audit":                 {access: members},
	"GET /audit.csv":             {access: members},
	"GET /audit.jsonl":           {access: members},
	"POST /audit/evidence.zip":   {access: editors, form: fields("from", "2020-01-01", "to", "2099-01-01")},
	"GET /audit/review":          {access: members},
	"POST /audit/review":         {access: editors, form: fields("upto", "1", "note", "Nothing unusual.")},
	"POST /audit/verify":         {access: members, form: fields()},
	"GET /billing":               {access: members},
	"GET /billing/usage.csv":     {access: members},
	"GET /account":               {access: members},
	"POST /account":              {access: members, form: fields("name", "")},
	"POST /account/email":        {access: members, form: fields("email", "x")},
	"POST /account/password":     {access: members, form: fields("current", "wrong", "password", "another long phrase")},
	"POST /account/sessions/end": {access: members, owned: true, form: fields("id", strings.Repeat("ab", 32))},
	"GET /signin/second":         {},
	"POST /signin/second":        {form: fields("code", "000000")},
	"GET /look/:token":           {access: public, path: func(*tenant) string { return "/look/x" }},
	"POST /look/:token":          {access: public, path: func(*tenant) string { return "/look/x" }, form: fields()},
	"POST /signout/look":         {access: wayOut, form: fields()},
	"POST /settings/look": {access: editors, file: func(*tenant) (string, string) {
		return "application/x-www-form-urlencoded", "hours=1"
	}},
	"POST /settings/two-steps": {access: editors, refused: 403, form: fields("two_steps", "1")},
	"GET /account/app":         {access: members},
	"POST /account/app":        {access: members, form: fields("code", "000000")},
	"GET /account/app/remove":  {access: members},
	"POST /account/app/remove": {access: members, form: fields()},
	"GET /account/recovery":    {access: members},
	"POST /account/recovery":   {access: members, form: fields()},
	"GET /email/:token":        {path: func(*tenant) string { return "/email/x" }},
	"POST /email/:token":       {path: func(*tenant) string { return "/email/x" }, form: fields()},
	"GET /account/confirm":     {access: members},
	"POST /account/confirm":    {access: members, form: fields("password", "wrong")},
	"GET /settings":            {access: members},
	"POST /settings": {access: editors, owned: true, form: func(t *tenant) url.Values {
		return url.Values{"name": {"taken"}, "time_zone": {"UTC"}, "ttl_s": {"30"}, "agent": {string(t.agent)}, "tenant_id": {string(t.Id)},
			"role": {"owner"}}
	}},
	"GET /settings/data":                {access: members},
	"GET /settings/data/export":         {access: editors},
	"POST /settings/data/export":        {access: editors, form: fields()},
	"GET /settings/data/export.zip":     {access: editors, refused: 404},
	"GET /settings/data/export/remove":  {access: editors, refused: 404},
	"POST /settings/data/export/remove": {access: editors, refused: 404, form: fields()},
	"GET /settings/data/erase":          {access: editors, path: func(*tenant) string { return "/settings/data/erase?who=x" }},
	"POST /settings/data/erase": {access: editors, refused: 404, form: fields("confirm", "no-one"),
		path: func(*tenant) string { return "/settings/data/erase?who=no-one" }},
	"GET /settings/data/delete":  {access: editors},
	"POST /settings/data/delete": {access: editors, refused: 422, form: fields("confirm", "x")},
	"GET /settings/data/keep":    {access: editors, refused: 404},
	"POST /settings/data/keep":   {access: editors, refused: 404, form: fields()},
	"GET /settings/rules":        {access: members},
	"POST /settings/rules":       {access: editors, form: fields("rule", "consent", "consent", "recorded")},
	"POST /settings/recording": {access: editors, file: func(*tenant) (string, string) {
		return "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\noff\r\n--x--\r\n"
	}},
}
