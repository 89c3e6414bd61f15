// Package pagetest holds what the tests of console and site share: a store with a clock, a browser,
// tenants and the mails that went out.
package pagetest

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/web/webtest"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// Canary stands in every text of a tenant whom strangers try to read. It is markup too: a page that
// does not escape it is found.
const Canary = `"'><img src=x onerror=CANARY>`

// Secret is everybody's password, and phc its hash, made once.
const Secret = "a long enough passphrase"

var phc = sync.OnceValue(func() string {
	p, err := page.NewPasswords(0)
	if err != nil {
		panic(err)
	}
	hash, err := p.Hash(context.Background(), false, Secret)
	if err != nil {
		panic(err)
	}
	return hash
})

// Server is what tests of pages share: a real store, a clock, the mails that went out, and an
// address.
type Server struct {
	testing.TB
	Dir    string
	Clock  *Clock
	Store  *store.Store
	Mails  *Mails
	Common *page.Common
	App    *fiber.App
	url    string
	Phc    string // hash of secret, made once
	Serial int

	work    work
	looking sync.Once // fills what Dump needs
	db      *sql.DB
	names   []string        // of the tables
	owned   map[string]bool // the tables with a tenant's rows
}

// NewServer makes a server without pages, whose public URL is public.
func NewServer(t testing.TB, public string) *Server {
	t.Helper()
	s := &Server{TB: t, Dir: t.TempDir(), Clock: &Clock{at: time.Now().Truncate(time.Second)}, Mails: &Mails{}, Phc: phc()}
	s.Store = storetest.OpenConfig(t, store.Config{Dir: s.Dir, Now: s.Clock.Now, Observe: s.work.note})
	_, err := s.Store.AuditKey(t.Context()) // as a server does at start
	Must(t, err)
	s.Common, err = page.NewCommon(page.CommonConfig{Store: s.Store, PublicURL: public, Now: s.Clock.Now,
		Log: slog.New(slog.DiscardHandler)})
	Must(t, err)
	return s
}

// Serve serves the pages of app until the test ends.
func (s *Server) Serve(app *fiber.App) {
	s.Helper()
	s.App, s.url = app, webtest.Serve(s, app)
}

// Clock is a time that tests move.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Mails are the mails that went out.
type Mails struct {
	mu  sync.Mutex
	All []notify.Mail
}

func (l *Mails) Send(m notify.Mail) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.All = append(l.All, m)
	return nil
}

// Deliver takes a mail at once.
func (l *Mails) Deliver(_ context.Context, m notify.Mail) error { return l.Send(m) }

// To returns the mails to an address.
func (l *Mails) To(address string) (out []notify.Mail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.All {
		if m.To == address {
			out = append(out, m)
		}
	}
	return out
}

func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Account is a tenant with an owner; word is in all of its texts.
type Account struct {
	s          *Server
	Id         tenants.TenantID
	Slug, Word string
	Owner      tenants.User
}

func (t *Account) Scope() *store.Scope {
	return t.s.Store.For(t.Id).By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-00000000000a",
		Name: t.Word + " program"}, IP: "192.0.2.7", RequestID: "r"})
}

// Tag is the tenant's word where only letters may stand.
func (t *Account) Tag() string {
	if t.Word == Canary {
		return "CANARY"
	}
	return t.Slug
}

// Bare makes a customer with an owner and nothing else.
func (s *Server) Bare(slug, word string) *Account {
	s.Helper()
	now := s.Clock.Now()
	t := &Account{s: s, Id: tenants.NewID[tenants.TenantID](now), Slug: slug, Word: word}
	Must(s, s.Store.Tenants().Add(s.Context(), store.Who{Actor: tenants.System}, tenants.Tenant{
		ID: t.Id, Slug: slug, Name: word + " Homes", Industry: tenants.RealEstate, State: tenants.TenantActive, TimeZone: "Europe/Berlin",
		RingTTL: tenants.DefaultTTL, CreatedAt: now,
	}))
	t.Owner = t.Person(tenants.Owner)
	return t
}

// Person adds somebody with a role; everybody's password is secret.
func (t *Account) Person(r tenants.Role) tenants.User {
	t.s.Helper()
	t.s.Serial++
	now := t.s.Clock.Now()
	u := tenants.User{
		ID: tenants.NewID[tenants.UserID](now), Email: fmt.Sprintf("%s-%d@%s.example", r, t.s.Serial, t.Slug), Name: t.Word + " " +
			string(r),
		Password: t.s.Phc, Theme: "auto", CreatedAt: now,
	}
	Must(t.s, t.s.Store.Users().Add(t.s.Context(), u))
	Must(t.s, t.Scope().Members().Add(t.s.Context(), tenants.Member{Tenant: t.Id, User: u.ID, Role: r, CreatedAt: now}))
	return u
}

// Link is the address in the last mail to somebody, and what the mail says.
func (s *Server) Link(email string) (path, text string) {
	s.Helper()
	all := s.Mails.To(email)
	if len(all) == 0 {
		s.Fatalf("no mail went to %s", email)
	}
	text = all[len(all)-1].Text
	for word := range strings.FieldsSeq(text) {
		if strings.HasPrefix(word, s.Common.PublicURL) {
			return strings.TrimPrefix(word, s.Common.PublicURL), text
		}
	}
	s.Fatalf("no link in %q", text)
	return "", ""
}

// Tenants returns every tenant.
func (s *Server) Tenants() []tenants.Tenant {
	all, err := s.Store.Tenants().List(s.Context())
	Must(s, err)
	return all
}

// look opens the database beside the store, at the first Dump, until the test ends: each opening
// reads the whole schema.
func (s *Server) look() (db *sql.DB, names []string, owned map[string]bool) {
	s.Helper()
	s.looking.Do(func() {
		var err error
		s.db, err = sql.Open("sqlite", filepath.Join(s.Dir, "carillon.db"))
		Must(s, err)
		s.Cleanup(func() { Must(s, s.db.Close()) })
		tables, err := s.db.Query("SELECT m.name, (SELECT COUNT(*) FROM pragma_table_info(m.name) WHERE name = 'tenant_id') FROM " +
			"sqlite_master m " +
			"WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1")
		Must(s, err)
		s.owned = map[string]bool{}
		for tables.Next() {
			var name string
			var n int
			Must(s, tables.Scan(&name, &n))
			s.names, s.owned[name] = append(s.names, name), n > 0
		}
		Must(s, tables.Err())
	})
	return s.db, s.names, s.owned
}

// Dump is every row of the database, or of one tenant, as text.
func (s *Server) Dump(tenant tenants.TenantID) string {
	s.Helper()
	db, names, owned := s.look()
	var out strings.Builder
	for _, name := range names {
		if tenant != "" && !owned[name] || tenant != "" && name == "sign_ins" {
			continue
		}
		query, args := "SELECT * FROM "+name, []any{}
		if tenant != "" {
			query, args = query+" WHERE tenant_id = ?", []any{BytesOf(s, string(tenant))}
		}
		rows, err := db.Query(query, args...)
		Must(s, err)
		columns, err := rows.Columns()
		Must(s, err)
		for rows.Next() {
			values, at := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				at[i] = &values[i]
			}
			Must(s, rows.Scan(at...))
			for i, v := range values {
				if id, ok := v.([]byte); ok && len(id) == 16 {
					values[i] = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
				}
			}
			fmt.Fprintln(&out, name, values)
		}
		Must(s, rows.Err())
	}
	return out.String()
}

// BytesOf is an id as SQLite's rows have it.
func BytesOf(t testing.TB, id string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	Must(t, err)
	return b
}
