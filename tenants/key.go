package tenants

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Key is an API key without its secret.
type Key struct {
	ID          KeyID
	Tenant      TenantID
	Name        string
	Test        bool   // rings sandbox devices only, unmetered
	Last4       string // the last four characters of the secret, to recognize the key
	Permissions []Permission
	PerSecond   int            // rings a second that it may place; 0 = the tenant's limit
	ExpiresAt   time.Time      // it is refused from then on; zero = never
	Networks    []netip.Prefix // addresses that it is taken from; none = every address
	Only        DeviceList     // devices that it may ring; empty = every device
	CreatedAt   time.Time
	MadeBy      UserID    // empty = nobody in the console
	Maker       string    // that person's name on that day
	ReplacedBy  KeyID     // what a rotation made; until ExpiresAt both work
	LastUsedAt  time.Time // to the minute
	LastIP      string    // where its latest request came from
	LastClient  string    // and its User-Agent
	RevokedAt   time.Time // zero while it works
}

// The bounds of a key's lists.
const (
	KeyNetworksMost = 50
	KeyDevicesMost  = 200 // devices and people together
	KeyRequestsKept = 100 // of its latest requests
)

// May reports whether the key has the permission. Keys with agents:write or credentials:write may
// read the same things: most are older than the scopes that only read.
func (k Key) May(p Permission) bool {
	switch p {
	case AgentsRead:
		return k.has(AgentsRead) || k.has(AgentsWrite)
	case CredentialsRead:
		return k.has(CredentialsRead) || k.has(CredentialsWrite)
	}
	return k.has(p)
}

func (k Key) has(p Permission) bool { return slices.Contains(k.Permissions, p) }

// Ended reports whether the key is refused at now, because it was revoked or has expired.
func (k Key) Ended(now time.Time) bool {
	return !k.RevokedAt.IsZero() || !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// TakenFrom refuses a request from an address that is not on the key's list. ip is what the
// trusted proxies say; where they say nothing readable, a key with a list is refused.
func (k Key) TakenFrom(ip string) error {
	if len(k.Networks) == 0 {
		return nil
	}
	at, err := netip.ParseAddr(ip)
	if err != nil {
		return Refuse(Forbidden, "address_not_allowed",
			"This key is limited to some addresses, and the address of this request cannot be read. Check the proxies in front of the "+
				"server.")
	}
	at = at.Unmap().WithZone("")
	for _, n := range k.Networks {
		if n.Contains(at) {
			return nil
		}
	}
	return Refuse(Forbidden, "address_not_allowed",
		"This key may not be used from %s. Add the address to the key, under API keys, or send the request from an address on its "+
			"list.", at)
}

// DeviceList is what a key may ring: these devices, and every device of these people.
type DeviceList struct {
	Devices []DeviceID
	People  []string
}

// Empty reports that the list limits nothing.
func (l DeviceList) Empty() bool { return len(l.Devices)+len(l.People) == 0 }

// Allows reports whether a device may be rung.
func (l DeviceList) Allows(d Device) bool {
	return l.Empty() || slices.Contains(l.Devices, d.ID) || d.Person != "" && slices.Contains(l.People, d.Person)
}

// KeyRequest is one request that a key made.
type KeyRequest struct {
	Tenant    TenantID
	Key       KeyID
	At        time.Time
	RequestID string
	Method    string
	Route     string // the pattern, such as /v1/rings/:id
	Status    int
	IP        string
	Client    string // its User-Agent; kept for the latest request only
	Took      time.Duration
}

// KeyExpirySteps are the days before a key expires on which people are warned, the last first.
var KeyExpirySteps = []int{3, 14}

// KeyExpiryStep returns the last warning that is due of a key that works: 14 or 3 days. A key that
// a rotation replaced has its end by purpose and is never warned of, nor is one that lives for less
// than a step.
func KeyExpiryStep(k Key, now time.Time) (days int, ok bool) {
	if k.ExpiresAt.IsZero() || k.ReplacedBy != "" || k.Ended(now) {
		return 0, false
	}
	for _, d := range KeyExpirySteps {
		step := time.Duration(d) * 24 * time.Hour
		if k.ExpiresAt.Sub(now) <= step && k.ExpiresAt.Sub(k.CreatedAt) > step {
			return d, true
		}
	}
	return 0, false
}

// KeyExpiryWarning is the warning in a sentence or two.
func KeyExpiryWarning(k Key, zone *time.Location) string {
	return "The API key “" + k.Name + "” expires on " + k.ExpiresAt.In(zone).Format("2 January 2006, 15:04 MST") +
		". Rotate it, and give the new key to the program that uses it, or give it a later date."
}

// Check refuses a key whose fields break a rule.
func (k Key) Check() error {
	var f faults
	f.add(ValidText(k.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	ok := len(k.Permissions) > 0
	for _, p := range k.Permissions {
		ok = ok && slices.Contains(Scopes(), p)
	}
	f.add(ok, "scopes", "at least one of "+scopeNames())
	f.add(k.PerSecond >= 0 && k.PerSecond <= 1000, "per_second", "0 to 1000 rings a second; 0 = as many as the account")
	f.add(k.ExpiresAt.IsZero() || k.ExpiresAt.After(k.CreatedAt), "expires", "a moment of the future")
	f.add(len(k.Networks) <= KeyNetworksMost, "networks", "at most 50 addresses")
	f.add(len(k.Only.Devices)+len(k.Only.People) <= KeyDevicesMost, "devices", "at most 200 devices and people")
	for _, p := range k.Only.People {
		if !ValidReference(p) {
			f.add(false, "devices", "a person is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
			break
		}
	}
	return f.err()
}

// ParseNetworks reads addresses and CIDRs, as in 203.0.113.7 and 2001:db8::/32, separated by
// blanks, commas or lines. The host part of a CIDR counts for nothing. wrong is the first that is
// neither.
func ParseNetworks(s string) (networks []netip.Prefix, wrong string) {
	split := func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }
	for _, one := range strings.FieldsFunc(s, split) {
		p, err := netip.ParsePrefix(one)
		if at, bad := netip.ParseAddr(one); bad == nil && at.Zone() == "" {
			p, err = netip.PrefixFrom(at, at.BitLen()), nil
		}
		if err != nil {
			return nil, one
		}
		if at := p.Addr(); at.Is4In6() {
			if p.Bits() < 96 {
				return nil, one
			}
			p = netip.PrefixFrom(at.Unmap(), p.Bits()-96)
		}
		if p = p.Masked(); !slices.Contains(networks, p) {
			networks = append(networks, p)
		}
	}
	return networks, ""
}
