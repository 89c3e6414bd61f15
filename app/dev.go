package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"carillon/app/billing"
	"carillon/app/billing/stripetest"
	"carillon/app/dev"
	"carillon/app/operator"
	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/tenants/store"
)

// devCmd runs everything on one machine with nothing installed.
type devCmd struct {
	Addr    string `help:"Address to listen on." default:"127.0.0.1:8080"`
	Data    string `help:"Folder to keep the data in; empty = a fresh one that is removed at the end." type:"path"`
	Public  bool   `help:"Answer under any host name, and listen on an address that other machines reach. All of them see the sign-in."`
	JSON    bool   `help:"Print one JSON line once it is ready."`
	Log     bool   `help:"Write the log to standard error."`
	Nodes   int    `help:"Run so many nodes on one PostgreSQL and NATS behind a balancer, 1 to 9; they start afresh each time." default:"1"`
	History bool   `help:"Begin with thirty days of made-up rings." default:"true" negatable:""`

	OperatorAddr string `help:"Address of the operator console." default:"127.0.0.1:0"`
	IndustryFolder
}

// ready is what dev prints with --json.
type ready struct {
	URL   string `json:"url"`
	Login struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	} `json:"login"`
	APIKey           string           `json:"api_key"`
	TenantID         tenants.TenantID `json:"tenant_id"`
	DeviceID         tenants.DeviceID `json:"device_id"`
	DeviceCredential string           `json:"device_credential"`
	PhoneURL         string           `json:"phone_url"`
	OperatorURL      string           `json:"operator_url"`
	APNsURL          string           `json:"apns_url"`
	Nodes            []string         `json:"nodes,omitempty"` // addresses of several nodes
}

// Validate refuses a number of nodes that is too high, and a folder that several would not keep.
func (d *devCmd) Validate() error {
	err := check(bound[int]{"--nodes", d.Nodes, 1, devNodesMost})
	if err == nil && d.Nodes > 1 && d.Data != "" {
		err = errors.New("--data: several nodes start on a fresh PostgreSQL and keep nothing; leave out --data or --nodes")
	}
	return err
}

// Run serves until ctx is done.
func (d *devCmd) Run(ctx context.Context, c terminal) (err error) {
	if !d.Public && !web.LoopbackName(d.Addr) {
		return fmt.Errorf("--addr: other machines reach %s, and dev mode shows its sign-in to all of them; "+
			"use 127.0.0.1, or add --public", d.Addr)
	}
	if !web.LoopbackName(d.OperatorAddr) {
		return fmt.Errorf("--operator-addr: other machines reach %s, and dev mode shows its sign-in; use 127.0.0.1", d.OperatorAddr)
	}
	dir := d.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "carillon-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err := ownFolder(dir); err != nil {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	apple, err := apnstest.New(apnstest.Config{Now: c.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, apple.Close()) }()
	stripe, err := stripetest.New(stripetest.Config{Tick: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stripe.Close()) }()
	good, err := d.config(dir, apple)
	if err != nil {
		return err
	}
	far, err := dev.NewFarEnds()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, far.Close()) }()
	good.now = c.now
	good.OpenAI = OpenAI{OpenAIURL: far.OpenAI.URL()}
	good.Stripe = Stripe{Key: stripetest.Key, Secrets: []string{stripetest.Secret}, API: stripe.URL()}
	if d.Log {
		good.logTo = c.err
	}
	world := dev.NewWorld(apple)
	all, err := d.openNodes(ctx, good, world, far)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, all.Close()) }()
	n, base := all.list[0], "http://"+all.addr.String()
	stripe.Hook(base + billing.HookPath)
	if _, err := n.billing.SyncPlans(ctx); err != nil {
		return err
	}
	notes, err := dev.Seed(ctx, n.store, n.creds, dir, c.now, d.History)
	if err != nil {
		return err
	}
	if err := dev.AddOperator(ctx, n.store, c.now()); err != nil {
		return err
	}
	if err := n.roll(ctx); err != nil { // pages count the history from the first look on
		return err
	}
	sample, stopSample, err := sampleForDev(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopSample()) }()
	if err := far.AddAgents(ctx, n.store, notes, base, sample, c.now()); err != nil {
		return err
	}
	receiver := dev.NewReceiver()
	defer receiver.Close()
	if err := receiver.Connect(ctx, n.store, notes, c.now()); err != nil {
		return err
	}
	if err := world.Start(ctx, n.store, n.creds, notes, base, c.now); err != nil {
		return err
	}
	defer world.Close()
	if err := d.greet(c, all, notes, apple); err != nil {
		return err
	}
	return all.Run(ctx)
}

func (d *devCmd) open(ctx context.Context, good checked, world *dev.World, far dev.FarEnds) (*node, error) {
	if _, err := store.Migrate(ctx, good.store(nil)); err != nil {
		return nil, err
	}
	var n *node
	var err error
	n, err = open(ctx, good, extras{
		operator: func() *operator.Seen {
			return &operator.Seen{Email: dev.OperatorEmail, Password: dev.OperatorPassword, Code: dev.OperatorCode(ctx, n.store, n.now())}
		},
		local: true, public: d.Public, dev: world, login: dev.Login, opened: world.Opened, heard: far.Robot,
		changelog: changelogOf(ctx),
		added:     func(c tenants.Credential, k *push.Key) { world.Learn(c, k) },
	})
	return n, err
}

// ownFolder closes a folder to other users if it is empty or dev mode made what is in it. Any other
// folder that they can read is refused: a person may have named their home by mistake.
func ownFolder(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // lock makes it
	}
	if err != nil {
		return fmt.Errorf("--data: %w", unread(dir, err))
	}
	ours := []string{dir}
	if slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() == keyName }) {
		ours = append(ours, filepath.Join(dir, keyName))
	} else if len(files) > 0 {
		ours = nil
	}
	for _, name := range ours {
		if err := closeToOthers(name); err != nil {
			return fmt.Errorf("--data: %w", err)
		}
	}
	if err := privateFolder(dir); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	return nil
}

func closeToOthers(name string) error {
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(name, info.Mode().Perm()&^0o077)
}

// keyName is the file in dev mode's folder that holds its master key.
const keyName = "master.key"

// config is that of a server whose Apple is in this process and whose phones are on this machine.
func (d *devCmd) config(dir string, apple *apnstest.Apple) (checked, error) {
	keyFile := filepath.Join(dir, keyName)
	if _, err := os.Stat(keyFile); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(keyFile, []byte(seal.Generate()), 0o600); err != nil {
			return checked{}, err
		}
	}
	good := checked{Config: Config{
		Addr: d.Addr, MasterKeys: MasterKeys{MasterKeyFile: keyFile}, RTCUDPAddr: ":0", LogFormat: "text",
		RingsPerSecond: setting[float64]{is: 20}, DeviceSpacing: setting[time.Duration]{is: 500 * time.Millisecond},
		APNsProductionURL: apple.URL(apnstest.Production), APNsSandboxURL: apple.URL(apnstest.Sandbox),
		Database: Database{Data: dir}, OperatorConsole: OperatorConsole{OperatorAddr: d.OperatorAddr},
	}, roots: apple.CAPool(), logTo: io.Discard}
	var err error
	if good.industries, err = d.IndustryFolder.read(); err != nil {
		return checked{}, fmt.Errorf("CARILLON_INDUSTRIES: %w", err)
	}
	var faults configFaults
	good.seal = good.MasterKeys.read(&faults)
	err = errors.Join(faults...)
	return good, err
}

func (d *devCmd) greet(c terminal, all *devNodes, notes dev.Notes, apple *apnstest.Apple) error {
	if len(notes.Tenants) == 0 {
		return errors.New("dev.json names no tenant; remove the data folder and start again")
	}
	first := notes.Tenants[0]
	base := "http://" + all.addr.String()
	if _, port, err := net.SplitHostPort(all.addr.String()); err == nil && strings.HasPrefix(d.Addr, "localhost:") {
		base = "http://localhost:" + port
	}
	r := ready{
		URL: base, APIKey: first.APIKey, TenantID: first.Tenant, DeviceID: first.Device, DeviceCredential: first.Credential,
		OperatorURL: all.list[0].operatorURL(), PhoneURL: base + "/phone/" + first.Slug, APNsURL: apple.URL(apnstest.Production),
	}
	r.Login.Email, r.Login.Password = notes.Email, notes.Password
	if all.front != nil {
		for _, n := range all.list {
			r.Nodes = append(r.Nodes, "http://"+n.addr.String())
		}
	}
	if d.JSON {
		return json.NewEncoder(c.out).Encode(r)
	}
	fmt.Fprintf(c.out, `Carillon is ready.

  Console   %s
  Sign in   %s   password: %s
  Phone     %s
  API key   %s
  Operator  %s   sign in: %s, password: %s

Ring the phone:
  curl %s/v1/rings -H "Authorization: Bearer %s" -H "Content-Type: application/json" -d '{"to":{"device":"%s"}}'

Ctrl-C stops it.
`, r.URL, r.Login.Email, r.Login.Password, r.PhoneURL, r.APIKey,
		r.OperatorURL, dev.OperatorEmail, dev.OperatorPassword, r.URL, r.APIKey, r.DeviceID)
	if len(r.Nodes) > 0 {
		fmt.Fprintf(c.out, "\nThe console's address is a balancer. The nodes behind it, on one PostgreSQL and NATS:\n  %s\n",
			strings.Join(r.Nodes, "\n  "))
	}
	return nil
}
