package console

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// keyTyped is a form of a key as it was sent, and the key that it makes.
type keyTyped struct {
	tenants.Key
	kind, rate, expires, until, networks, devices string
}

func (k keyPages) keyForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	t := keyTyped{kind: "live", expires: "never"}
	t.Permissions = []tenants.Permission{tenants.RingsWrite, tenants.RingsRead}
	return k.keyPage(ctx, c, v, t, page.Wrong{Status: fiber.StatusOK})
}

// editForm is the form with what a key may do now.
func (k keyPages) editForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	key, err := k.live(ctx, c, v)
	if err != nil {
		return err
	}
	t := keyTyped{Key: key, expires: "never", networks: networksShown(key, "\n"),
		devices: strings.Join(append(idsOf(key.Only.Devices), key.Only.People...), "\n")}
	if !key.ExpiresAt.IsZero() {
		t.expires = "keep"
	}
	if key.PerSecond != 0 {
		t.rate = strconv.Itoa(key.PerSecond)
	}
	return k.keyPage(ctx, c, v, t, page.Wrong{Status: fiber.StatusOK})
}

// one is the key that the path names.
func (k keyPages) one(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Key, error) {
	id, err := web.ID[tenants.KeyID](c, "key")
	if err != nil {
		return tenants.Key{}, err
	}
	return v.Scope.Keys().Get(ctx, id)
}

// live is the key that the path names, if it still works.
func (k keyPages) live(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Key, error) {
	key, err := k.one(ctx, c, v)
	if err == nil && key.Ended(k.Now()) {
		err = tenants.Refuse(tenants.Conflict, "key_ended", endedKey)
	}
	return key, err
}

func (k keyPages) keyPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, t keyTyped, w page.Wrong) error {
	where := at(createKeyTitle, views.NavKeys, up("API keys", views.PathKeys))
	exists := !t.CreatedAt.IsZero() && t.Last4 != ""
	if exists {
		where = at(editKeyTitle, views.NavKeys, up("API keys", views.PathKeys), up(t.Key.Name, views.KeyPath(string(t.ID))))
	}
	s, err := k.shell(ctx, c, v, where)
	if err != nil {
		return err
	}
	p := views.KeyFormPage{
		Shell: s, Kind: w.Fields["kind"],
		Error: joined(" ", w.Unseen("name", "scopes", "kind", "per_second", "expires", "networks", "devices"), w.Fields["scopes"]),
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(t.Name, 80), Max: 80, Error: w.Fields["name"],
			Placeholder: "Booking", Help: keyNameHelp},
		Rate: views.Field{Name: "per_second", Label: "Rings a second", Type: "number", Value: t.rate, Optional: true,
			Error: w.Fields["per_second"], Help: k.rateHelp()},
		Expires: k.expiryPick(v, t),
		Until: views.Field{Name: "until", Label: "Last day", Type: "date", Value: page.Shown(t.until, 10), Optional: true,
			Error: w.Fields["expires"], Help: lastDayHelp},
		Networks: views.Field{Name: "networks", Label: "IP addresses", Value: page.Shown(t.networks, formTextMost), Optional: true,
			Placeholder: "203.0.113.7\n2001:db8::/32", Error: w.Fields["networks"], Help: networksHelp, Mono: true},
		Devices: views.Field{Name: "devices", Label: "Devices and people", Value: page.Shown(t.devices, formTextMost), Optional: true,
			Error: w.Fields["devices"], Help: onlyDevicesHelp, Mono: true},
	}
	if exists {
		p.ID = string(t.ID)
	} else {
		p.Kinds = page.Choose(t.kind, page.Choice("live", "Live"), page.Choice("test", "Test"))
	}
	for _, may := range tenants.Scopes() {
		if v.Role.May(may) || exists && t.May(may) { // nobody gives what they do not have
			p.Scopes = append(p.Scopes, views.Tick{Name: "scope", Value: string(may), Label: may.Does(), Checked: t.May(may)})
		}
	}
	return web.Page(c, views.KeyForm(p), w.Status)
}

// formTextMost bounds a list of addresses or devices in the form, in characters.
const formTextMost = 10_000

// expiryPick are the choices of an expiry.
func (k keyPages) expiryPick(v *page.Visitor, t keyTyped) views.Pick {
	choices := []views.Choice{page.Choice("never", "Never"), page.Choice("30", "In 30 days"), page.Choice("90", "In 90 days"),
		page.Choice("date", "On a date")}
	if t.Last4 != "" && !t.ExpiresAt.IsZero() {
		choices = append(choices, page.Choice("keep", "As now: "+v.At(t.ExpiresAt).Text))
	}
	return views.Pick{Name: "expires", Label: "Expires", Choices: page.Choose(t.expires, choices...), Help: expiresHelp}
}

// addKey makes a key and shows its secret. It is kept as a hash, so that this page is the only one
// that ever holds it.
func (k keyPages) addKey(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	base := tenants.Key{ID: tenants.NewID[tenants.KeyID](k.Now()), Tenant: v.Tenant.ID, CreatedAt: k.Now(), MadeBy: v.User.ID,
		Maker: v.User.Name}
	t, err := k.read(ctx, page.FormOf(c), v, base)
	if w, ok := page.WrongOf(err); ok {
		return k.keyPage(ctx, c, v, t, w)
	}
	secret := newKeySecret(&t.Key)
	if err == nil {
		err = v.Scope.Keys().Add(ctx, t.Key, secret.Hash())
	}
	if w, ok := page.WrongOf(err); ok {
		t.Last4 = ""
		return k.keyPage(ctx, c, v, t, w)
	}
	if err != nil {
		return err
	}
	return k.showKey(ctx, c, v, t.Key, secret, nil)
}

// newKeySecret makes the secret of a key.
func newKeySecret(key *tenants.Key) tenants.Secret {
	prefix := tenants.LivePrefix
	if key.Test {
		prefix = tenants.TestPrefix
	}
	secret := tenants.NewSecret(prefix)
	key.Last4 = string(secret[len(secret)-4:])
	return secret
}

// setKey changes what a key may do.
func (k keyPages) setKey(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	key, err := k.live(ctx, c, v)
	if err != nil {
		return err
	}
	t, err := k.read(ctx, page.FormOf(c), v, key)
	if err == nil {
		err = v.Scope.Keys().Change(ctx, t.Key)
	}
	if w, ok := page.WrongOf(err); ok {
		t.Key.ExpiresAt = key.ExpiresAt
		return k.keyPage(ctx, c, v, t, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.KeyPath(string(key.ID)))
}

// read reads the form over a key. A kind that is none is refused: a key that rings real phones must
// be asked for by name. Every fault is said at once.
func (k keyPages) read(ctx context.Context, f page.Form, v *page.Visitor, key tenants.Key) (keyTyped, error) {
	t := keyTyped{Key: key, kind: f.Text("kind"), rate: f.Text("per_second"), expires: f.Text("expires"), until: f.Text("until"),
		networks: f.Text("networks"), devices: f.Text("devices")}
	t.Name, t.Permissions, t.PerSecond = f.Text("name"), nil, 0
	for _, s := range f.All("scope") {
		if !t.May(tenants.Permission(s)) {
			t.Permissions = append(t.Permissions, tenants.Permission(s))
		}
	}
	var beyond []tenants.Permission // what the key did not have and the person cannot give
	for _, p := range t.Permissions {
		if p.Does() != "" && !v.Role.May(p) && !key.May(p) {
			beyond = append(beyond, p)
		}
	}
	refused := &tenants.Error{Kind: tenants.Unprocessable, Code: "invalid", Msg: keyRefused}
	fault := func(name, message string) {
		refused.Fields = append(refused.Fields, tenants.Field{Name: name, Message: message})
	}
	for _, p := range beyond {
		fault("scopes", "your role cannot give "+string(p))
	}
	if key.Last4 == "" { // a new one
		if t.Test = t.kind == "test"; !t.Test && t.kind != "live" {
			fault("kind", "choose live or test")
		}
	}
	if t.rate != "" {
		n, err := strconv.Atoi(t.rate)
		if err != nil || n < 0 || n > 1000 {
			fault("per_second", "enter a whole number up to 1000, or leave empty")
		} else {
			t.PerSecond = n
		}
	}
	wrong := ""
	if t.ExpiresAt, wrong = k.expiryOf(t, v); wrong != "" {
		fault("expires", wrong)
	}
	if t.Networks, wrong = tenants.ParseNetworks(t.networks); wrong != "" {
		fault("networks", "“"+page.Shown(wrong, 60)+"” is no address and no range such as 203.0.113.0/24")
	}
	only, wrong, err := k.onlyOf(ctx, v, t.devices)
	if err != nil {
		return t, err
	}
	if t.Only = only; wrong != "" {
		fault("devices", wrong)
	}
	var more *tenants.Error
	if errors.As(t.Check(), &more) {
		if len(refused.Fields) == 0 {
			return t, more
		}
		refused.Fields = append(refused.Fields, more.Fields...)
	}
	if len(refused.Fields) > 0 {
		return t, refused
	}
	return t, nil
}

// expiryOf is the moment that the form chooses; zero is never. A date is the last day on which the
// key works, in the tenant's time zone.
func (k keyPages) expiryOf(t keyTyped, v *page.Visitor) (at time.Time, wrong string) {
	now := k.Now()
	switch t.expires {
	case "", "never":
		return time.Time{}, ""
	case "30":
		return now.AddDate(0, 0, 30), ""
	case "90":
		return now.AddDate(0, 0, 90), ""
	case "keep":
		return t.Key.ExpiresAt, ""
	case "date":
		day, err := time.ParseInLocation(time.DateOnly, t.until, v.Zone)
		if err != nil {
			return time.Time{}, "choose the last day on which the key works"
		}
		if at = day.AddDate(0, 0, 1); !at.After(now) || day.Year() > now.Year()+50 {
			return time.Time{}, "choose a day from today on, within 50 years"
		}
		return at, ""
	}
	return time.Time{}, "choose when the key expires"
}

// onlyOf reads devices and people, one on each line. Each must exist: a slip of the pen would make
// a key that rings nobody.
func (k keyPages) onlyOf(ctx context.Context, v *page.Visitor, text string) (l tenants.DeviceList, wrong string, err error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' || r == '\t' })
	if len(words) > tenants.KeyDevicesMost {
		return l, "at most 200 devices and people", nil
	}
	var ids []tenants.DeviceID
	for _, w := range words {
		if id, ok := tenants.ParseID[tenants.DeviceID](w); ok {
			ids = append(ids, id)
		}
	}
	devices, err := v.Scope.Devices().ByID(ctx, ids)
	if err != nil {
		return l, "", err
	}
	for _, w := range words {
		id, _ := tenants.ParseID[tenants.DeviceID](w)
		if _, ok := devices[id]; ok {
			if !slices.Contains(l.Devices, id) {
				l.Devices = append(l.Devices, id)
			}
			continue
		}
		if slices.Contains(l.People, w) {
			continue
		}
		known, err := k.hasDevice(ctx, v, w)
		if err != nil {
			return l, "", err
		}
		if !known {
			return l, "there is no device and no person with a device that is called “" + page.Shown(w, 64) + "”", nil
		}
		l.People = append(l.People, w)
	}
	return l, "", nil
}

// hasDevice reports whether a person has a device.
func (k keyPages) hasDevice(ctx context.Context, v *page.Visitor, person string) (bool, error) {
	if !tenants.ValidReference(person) {
		return false, nil
	}
	targets, err := v.Scope.Rings().Targets(ctx, tenants.To{Person: person})
	return len(targets) > 0, err
}

// showKey shows the secret, this once.
func (k keyPages) showKey(ctx context.Context, c *fiber.Ctx, v *page.Visitor, key tenants.Key, secret tenants.Secret,
	more []views.Row) error {
	rows := []views.Row{{Name: "Name", Text: key.Name}, {Name: "May", Text: joined(", ",
		append(mapped(key.Permissions, scopeWord), rateOf(key))...)}}
	if !key.ExpiresAt.IsZero() {
		rows = append(rows, views.Row{Name: "Expires", When: v.At(key.ExpiresAt)})
	}
	rows = append(rows, views.Row{Name: "Later shown as", Text: keyShown(key), Mono: true})
	return k.showOnce(ctx, c, v, views.NavKeys, views.Secret{
		Title: newKeyTitle, Text: string(secret), Next: views.KeyPath(string(key.ID)), Note: newKeyNote, Rows: append(rows, more...),
	})
}
