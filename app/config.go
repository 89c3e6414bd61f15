package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/tenants/store"
)

// Database is where the rows are.
type Database struct {
	Data string `help:"Folder of the SQLite database and of keys made by dev mode." default:"data" env:"CARILLON_DATA" type:"path"`
	URL  string `name:"database-url" help:"postgres://… ; empty = SQLite in the data folder." env:"CARILLON_DATABASE_URL"`
}

// open opens the rows for a verb of the command line. It refuses a data folder that others can
// read.
func (d Database) open(ctx context.Context, c terminal, plans tenants.Plans) (*store.Store, error) {
	if err := d.isPrivate(); err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Config{URL: d.URL, Dir: d.Data, Plans: plans, Now: c.now, Log: quiet(c)})
}

// with opens the rows for as long as do runs.
func (d Database) with(ctx context.Context, c terminal, plans tenants.Plans, do func(*store.Store) error) error {
	s, err := d.open(ctx, c, plans)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// quiet is a log for verbs of the command line: warnings and worse.
func quiet(c terminal) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Config is everything that is set from outside. check finds every fault at once.
type Config struct {
	Addr                string   `help:"Address to listen on; plain HTTP, TLS is the proxy's." default:"127.0.0.1:8080" env:"CARILLON_ADDR"`
	PublicURL           string   `help:"The https:// address that people and phones use." env:"CARILLON_PUBLIC_URL"`
	APNsProductionURL   string   `name:"apns-production-url" help:"Apple's production host, or a stand-in." default:"https://api.push.apple.com" env:"CARILLON_APNS_PRODUCTION_URL"`
	APNsSandboxURL      string   `name:"apns-sandbox-url" help:"Apple's sandbox host, or a stand-in." default:"https://api.sandbox.push.apple.com" env:"CARILLON_APNS_SANDBOX_URL"`
	APNsCAFile          string   `name:"apns-ca-file" help:"CA of an APNs stand-in." env:"CARILLON_APNS_CA_FILE" type:"path"`
	RTCUDPAddr          string   `name:"rtc-udp-addr" help:"One UDP port for all voice." default:":3478" env:"CARILLON_RTC_UDP_ADDR"`
	RTCTCPAddr          string   `name:"rtc-tcp-addr" help:"TCP port for voice without UDP; empty = none." env:"CARILLON_RTC_TCP_ADDR"`
	RTCPublicIPs        []string `name:"rtc-public-ips" help:"Our addresses for phones; empty = all." env:"CARILLON_RTC_PUBLIC_IPS"`
	TrustedProxies      []string `help:"Addresses or networks of trusted proxies in front." env:"CARILLON_TRUSTED_PROXIES"`
	AllowPrivateTargets []string `help:"Private networks that tenants' agents may be in, such as 10.0.0.0/8; empty = public addresses only." env:"CARILLON_ALLOW_PRIVATE_TARGETS"`
	LogFormat           string   `help:"text or json." default:"text" env:"CARILLON_LOG_FORMAT"`
	MetricsAddr         string   `help:"Private address for metrics, without a key; empty = none." env:"CARILLON_METRICS_ADDR"`

	RingsPerSecond setting[float64]       `help:"Limit of a tenant. 0 = none." default:"20" env:"CARILLON_RINGS_PER_SECOND"`
	DeviceSpacing  setting[time.Duration] `help:"Least time between pushes to a device." default:"500ms" env:"CARILLON_DEVICE_SPACING"`
	Drain          setting[time.Duration] `help:"Time for calls to end once the server must stop." default:"10m" env:"CARILLON_DRAIN"`
	MasterKeys
	OperatorConsole
	DemoAgent
	OpenAI
	PlansFile
	IndustryFolder
	Stripe `embed:""`
	Mail
	BreachedPasswords
	Tracing
	Relays
	Cluster
	Database
}

// checked is a Config without faults, with its files read.
type checked struct {
	Config
	logTo io.Writer // nil = standard error
	now   func() time.Time
	seal  *seal.Keyring
	roots *x509.CertPool // of an APNs stand-in; nil = the system's
	plans tenants.Plans

	industries *tenants.Industries
}

// configFaults collects what is wrong, each with the name of its variable.
type configFaults []error

func (f *configFaults) add(name string, err error) {
	if err != nil {
		*f = append(*f, fmt.Errorf("%s: %w", name, err))
	}
}

// check reads the files and names every fault at once, each with its cure. It changes nothing.
func (c Config) check() (checked, error) {
	var f configFaults
	c.addresses(&f)
	c.limits(&f)
	f.add("CARILLON_DATABASE_URL", c.Database.check())
	if c.Database.URL == "" {
		f.add("CARILLON_DATA", folder(c.Data))
	}
	f.add("CARILLON_OPERATOR_URL", c.OperatorConsole.check())
	f.add("CARILLON_DEMO_AGENT", c.DemoAgent.check())
	f.add("CARILLON_OPENAI_URL", c.OpenAI.check())
	c.Stripe.check(f.add)
	f.add("CARILLON_SMTP_URL", c.Mail.check())
	f.add("CARILLON_BREACHED_PASSWORDS_URL", c.BreachedPasswords.check())
	c.Tracing.check(f.add)
	c.Relays.check(f.add)
	c.Cluster.check(f.add, c.Database)
	out := checked{Config: c}
	var err error
	out.plans, err = c.PlansFile.read()
	f.add("CARILLON_PLANS_FILE", err)
	out.industries, err = c.IndustryFolder.read()
	f.add("CARILLON_INDUSTRIES", err)
	out.seal = c.MasterKeys.read(&f)
	out.roots, err = roots(c.APNsCAFile)
	f.add("CARILLON_APNS_CA_FILE", err)
	return out, errors.Join(f...)
}

// addresses checks where the server listens and which servers it connects to.
func (c Config) addresses(f *configFaults) {
	f.add("CARILLON_ADDR", addr(c.Addr))
	f.add("CARILLON_PUBLIC_URL", publicURL(c.PublicURL))
	f.add("CARILLON_APNS_PRODUCTION_URL", secureURL(c.APNsProductionURL))
	f.add("CARILLON_APNS_SANDBOX_URL", secureURL(c.APNsSandboxURL))
	f.add("CARILLON_RTC_UDP_ADDR", addr(c.RTCUDPAddr))
	taken := map[string]string{c.Addr: "CARILLON_ADDR"}
	for _, x := range []struct{ name, at string }{{"CARILLON_RTC_TCP_ADDR", c.RTCTCPAddr}, {"CARILLON_METRICS_ADDR", c.MetricsAddr},
		{"CARILLON_OPERATOR_ADDR", c.OperatorAddr}} {
		if x.at == "" {
			continue
		}
		f.add(x.name, addr(x.at))
		if first, used := taken[x.at]; used && addr(x.at) == nil && !strings.HasSuffix(x.at, ":0") {
			f.add(x.name, fmt.Errorf("%q is also the address of %s; use another port", x.at, first))
		}
		taken[x.at] = x.name
	}
	for _, ip := range c.RTCPublicIPs {
		f.add("CARILLON_RTC_PUBLIC_IPS", publicIP(ip))
	}
	for _, p := range c.AllowPrivateTargets {
		f.add("CARILLON_ALLOW_PRIVATE_TARGETS", network(p))
	}
	for _, p := range c.TrustedProxies {
		f.add("CARILLON_TRUSTED_PROXIES", network(p))
	}
}

// hiddenClients says that all clients will count as one address, or nothing. This program speaks
// plain HTTP, so a public https address means a proxy in front.
func (c Config) hiddenClients() string {
	if len(c.TrustedProxies) > 0 || !strings.HasPrefix(c.PublicURL, "https://") {
		return ""
	}
	return "CARILLON_TRUSTED_PROXIES is empty, and CARILLON_PUBLIC_URL is https, so a proxy is in front: all clients behind it count " +
		"as one address, and one of them can use up the limits of all; give the proxy's address as requests come from it, such as 127.0.0.1"
}

// limits checks rates and the form of the log.
func (c Config) limits(f *configFaults) {
	if c.LogFormat != "text" && c.LogFormat != "json" {
		f.add("CARILLON_LOG_FORMAT", fmt.Errorf("%q is not a log format; use text or json", c.LogFormat))
	}
	f.add("CARILLON_RINGS_PER_SECOND", within(c.RingsPerSecond, 0, 1e6, "from 0 (no limit) to 1000000"))
	f.add("CARILLON_DEVICE_SPACING", within(c.DeviceSpacing, 0, 5*time.Second, "from 0s (none) to 5s: a ring lasts 30 seconds"))
	f.add("CARILLON_DRAIN", within(c.Drain, 0, drainMost, "from 0s (calls end at once) to 1h"))
}

func (d Database) check() error {
	if d.URL == "" {
		return nil
	}
	return store.CheckURL(d.URL)
}

// isPrivate refuses a data folder that others can read; PostgreSQL has none.
func (d Database) isPrivate() error {
	if d.URL != "" {
		return nil
	}
	if err := privateFolder(d.Data); err != nil {
		return fmt.Errorf("CARILLON_DATA: %w", err)
	}
	return nil
}

const makeMasterKey = "make one with `(umask 077; openssl rand -base64 32 > master.key)` and keep a copy off this machine: " +
	"without it no stored credential can be opened"

// MasterKeys are the key files.
type MasterKeys struct {
	MasterKeyFile    string `help:"File with the master key that seals secrets at rest." env:"CARILLON_MASTER_KEY_FILE" type:"path"`
	MasterKeyFileOld string `help:"File with the master key before it, which only opens; while rotating." env:"CARILLON_MASTER_KEY_FILE_OLD" type:"path"`
}

// read reads the key files.
func (m MasterKeys) read(f *configFaults) *seal.Keyring {
	text, err := masterKey(m.MasterKeyFile)
	if err != nil {
		f.add("CARILLON_MASTER_KEY_FILE", err)
		return nil
	}
	var older [][]byte
	if m.MasterKeyFileOld != "" {
		old, err := masterKey(m.MasterKeyFileOld)
		if err != nil {
			f.add("CARILLON_MASTER_KEY_FILE_OLD", err)
			return nil
		}
		older = append(older, old)
	}
	keys, err := seal.Parse(text, older...)
	f.add("CARILLON_MASTER_KEY_FILE", err)
	return keys
}

// masterKey reads a key file. It refuses one that other users can read.
func masterKey(file string) ([]byte, error) {
	if file == "" {
		return nil, errors.New("is missing; " + makeMasterKey)
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w, or %s", unread(file, err), makeMasterKey)
	}
	if err != nil {
		return nil, unread(file, err)
	}
	b, err := contents(file)
	if err != nil {
		return nil, err
	}
	return b, privateKey(file, info, os.Geteuid())
}

func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := contents(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no PEM certificate; it must hold the certificate of the authority that "+
			"signed the stand-in's", file)
	}
	return pool, nil
}

// logger writes to w in the format of LogFormat.
func (c Config) logger(w io.Writer) *slog.Logger {
	if w == nil {
		w = os.Stderr
	}
	var h slog.Handler = slog.NewTextHandler(w, nil)
	if c.LogFormat == "json" {
		h = slog.NewJSONHandler(w, nil)
	}
	if b, ok := w.(*logBuffer); ok {
		h = prompt{h, b}
	}
	return slog.New(h)
}
