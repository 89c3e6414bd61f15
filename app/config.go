package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/seal"
)

// Database says where the rows are.
type Database struct {
	Data string `help:"Folder of the SQLite database and of keys made by dev mode." default:"data" env:"CARILLON_DATA" type:"path"`
	URL  string `name:"database-url" help:"postgres://… ; empty = SQLite in the data folder." env:"CARILLON_DATABASE_URL"`
}

// Config is everything a server is told from outside. Check finds every fault at once.
type Config struct {
	Addr              string   `help:"Address to listen on; plain HTTP, TLS is the proxy's." default:"127.0.0.1:8080" env:"CARILLON_ADDR"`
	PublicURL         string   `help:"The https:// address that people and phones use." env:"CARILLON_PUBLIC_URL"`
	MasterKeyFile     string   `help:"File with the master key that seals secrets at rest." env:"CARILLON_MASTER_KEY_FILE" type:"path"`
	APNsProductionURL string   `name:"apns-production-url" help:"Apple's production host, or a stand-in." default:"https://api.push.apple.com" env:"CARILLON_APNS_PRODUCTION_URL"`
	APNsSandboxURL    string   `name:"apns-sandbox-url" help:"Apple's sandbox host, or a stand-in." default:"https://api.sandbox.push.apple.com" env:"CARILLON_APNS_SANDBOX_URL"`
	APNsCAFile        string   `name:"apns-ca-file" help:"Certificate authority of an APNs stand-in." env:"CARILLON_APNS_CA_FILE" type:"path"`
	RTCUDPAddr        string   `name:"rtc-udp-addr" help:"One UDP port for all voice." default:":3478" env:"CARILLON_RTC_UDP_ADDR"`
	RTCTCPAddr        string   `name:"rtc-tcp-addr" help:"One TCP port for voice where UDP is blocked; empty = none." env:"CARILLON_RTC_TCP_ADDR"`
	RTCPublicIPs      []string `name:"rtc-public-ips" help:"Addresses that phones reach this server by; empty = those of its interfaces." env:"CARILLON_RTC_PUBLIC_IPS"`
	TrustedProxies    []string `help:"Addresses or networks of the proxies in front; only they may say who the client is." env:"CARILLON_TRUSTED_PROXIES"`
	LogFormat         string   `help:"text or json." default:"text" enum:"text,json" env:"CARILLON_LOG_FORMAT"`
	MetricsAddr       string   `help:"Address of the metrics listener, a private one: it asks for no key; empty = none." env:"CARILLON_METRICS_ADDR"`

	RingsPerSecond float64       `help:"Rings a second that one tenant may place, and twice as many at once; more are refused with 429. 0 = no limit." default:"20" env:"CARILLON_RINGS_PER_SECOND"`
	DeviceSpacing  time.Duration `help:"Time between two pushes to one device; the later one waits. 0 = none." default:"500ms" env:"CARILLON_DEVICE_SPACING"`
	PlansFile
	Stripe `embed:""`
	Post
	Tracing
	Database
}

// checked is a Config found good, with its files read.
type checked struct {
	Config
	logTo io.Writer // nil = standard error
	seal  *seal.Keyring
	roots *x509.CertPool // of an APNs stand-in; nil = the system's
	plans tenants.Plans
}

// check reads the files and names every fault at once, each with its cure.
func (c Config) check() (checked, error) {
	var faults []error
	fault := func(name string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	fault("CARILLON_ADDR", addr(c.Addr))
	fault("CARILLON_PUBLIC_URL", publicURL(c.PublicURL))
	fault("CARILLON_APNS_PRODUCTION_URL", secureURL(c.APNsProductionURL))
	fault("CARILLON_APNS_SANDBOX_URL", secureURL(c.APNsSandboxURL))
	fault("CARILLON_RTC_UDP_ADDR", addr(c.RTCUDPAddr))
	if c.RTCTCPAddr != "" {
		fault("CARILLON_RTC_TCP_ADDR", addr(c.RTCTCPAddr))
	}
	if c.MetricsAddr != "" {
		fault("CARILLON_METRICS_ADDR", addr(c.MetricsAddr))
	}
	if c.RingsPerSecond < 0 || c.RingsPerSecond > 1e6 {
		fault("CARILLON_RINGS_PER_SECOND", errors.New("must be from 0 (no limit) to 1000000"))
	}
	if c.DeviceSpacing < 0 || c.DeviceSpacing > 5*time.Second {
		fault("CARILLON_DEVICE_SPACING", errors.New("must be from 0 (none) to 5s: a ring lasts 30 seconds"))
	}
	for _, ip := range c.RTCPublicIPs {
		_, err := netip.ParseAddr(ip)
		fault("CARILLON_RTC_PUBLIC_IPS", err)
	}
	for _, p := range c.TrustedProxies {
		fault("CARILLON_TRUSTED_PROXIES", network(p))
	}
	fault("CARILLON_DATABASE_URL", c.Database.check())
	c.Stripe.check(fault)
	fault("CARILLON_SMTP_URL", c.Post.check())
	c.Tracing.check(fault)
	out := checked{Config: c}
	var err error
	out.plans, err = c.PlansFile.read()
	fault("CARILLON_PLANS_FILE", err)
	out.seal, err = masterKey(c.MasterKeyFile)
	fault("CARILLON_MASTER_KEY_FILE", err)
	out.roots, err = roots(c.APNsCAFile)
	fault("CARILLON_APNS_CA_FILE", err)
	return out, errors.Join(faults...)
}

func (d Database) check() error {
	if d.URL == "" {
		return nil
	}
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("must be a postgres:// address, or empty for SQLite in the data folder")
	}
	return nil
}

func addr(s string) error {
	if _, _, err := net.SplitHostPort(s); err != nil {
		return fmt.Errorf("%q is no host:port", s)
	}
	return nil
}

// publicURL must be https: a device credential goes over it. Only a machine's own loopback may do without.
func publicURL(s string) error {
	if s == "" {
		return errors.New("is missing; give the https:// address that people and phones use")
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%q is no plain address such as https://ring.example.com", s)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	if u.Scheme != "https" {
		return fmt.Errorf("%q must start with https://", s)
	}
	return nil
}

func secureURL(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is no https:// address", s)
	}
	return nil
}

func network(s string) error {
	if _, err := netip.ParsePrefix(s); err == nil {
		return nil
	}
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Errorf("%q is no address or network", s)
	}
	return nil
}

func masterKey(file string) (*seal.Keyring, error) {
	if file == "" {
		return nil, errors.New("is missing; make one with `openssl rand -base64 32 > master.key` and keep a copy off this machine: without it no stored credential can be opened")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return seal.Parse(b)
}

func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return pool, nil
}

// logger writes to w in the form asked for.
func (c Config) logger(w io.Writer) *slog.Logger {
	if w == nil {
		w = os.Stderr
	}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}
