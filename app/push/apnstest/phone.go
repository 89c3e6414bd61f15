package apnstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Step is one fact that a phone reports.
type Step struct {
	Kind  string        // woke, shown, failed_to_show, silenced, declined, busy
	Code  *int          // CXErrorCodeIncomingCallError, for failed_to_show and silenced
	After time.Duration // since the step before, or since the push
}

// Script is how a phone reacts to a push: its steps in order.
type Script struct {
	Steps []Step
	Clock time.Duration // how far the phone's clock is ahead; negative = behind
}

// Wakes is a phone that works: it wakes and shows the call.
func Wakes() Script { return Script{Steps: []Step{{Kind: "woke"}, {Kind: "shown"}}} }

// Declines is a phone whose user declines the call some time after it is shown.
func Declines(after time.Duration) Script { return Wakes().then(Step{Kind: "declined", After: after}) }

// Busy is a phone in another call.
func Busy() Script { return WakesOnly().then(Step{Kind: "busy"}) }

// Silent is a phone that is off, or whose app iOS does not wake any more: Apple answers 200, and
// the phone reports nothing.
func Silent() Script { return Script{} }

// WakesOnly is an app that wakes and never reports the call to CallKit.
func WakesOnly() Script { return Script{Steps: []Step{{Kind: "woke"}}} }

// FailsToShow is a phone whose CallKit refuses the call with a CXErrorCodeIncomingCallError.
func FailsToShow(code int) Script {
	return WakesOnly().then(Step{Kind: "failed_to_show", Code: &code})
}

// Silenced is a phone in a Focus: Do Not Disturb is code 3.
func Silenced() Script {
	doNotDisturb := 3
	return WakesOnly().then(Step{Kind: "silenced", Code: &doNotDisturb})
}

// LiesAboutTime returns s on a phone whose clock is ahead by d.
func (s Script) LiesAboutTime(d time.Duration) Script {
	s.Clock = d
	return s
}

// After returns s with every step d later than the one before.
func (s Script) After(d time.Duration) Script {
	steps := make([]Step, len(s.Steps))
	for i, step := range s.Steps {
		step.After += d
		steps[i] = step
	}
	s.Steps = steps
	return s
}

func (s Script) then(step Step) Script {
	s.Steps = append(append([]Step{}, s.Steps...), step)
	return s
}

// Phone is one scripted device.
type Phone struct {
	Token      string // device token, hex
	Credential string // its bearer for the phone API
	Script     Script
}

// PhonesConfig says where the phone API is.
type PhonesConfig struct {
	APIURL  string           // base address, without /v1
	Client  *http.Client     // nil = a new one
	Now     func() time.Time // nil = the Apple's
	Workers int              // reports sent at the same time; 0 = 16
	Keep    int              // reports remembered, newest kept; 0 = 100,000
}

// Report is one fact that a phone sent to the API, and the answer.
type Report struct {
	Token  string
	CallID string
	Kind   string
	Code   *int
	At     time.Time // by the phone's clock
	SentAt time.Time // by the phone's clock
	Status int       // 0 = no answer
	Body   string
	Err    error
}

// Phones simulates devices: when a push is delivered to one of them, it reports the facts of its
// script to the phone API.
type Phones struct {
	cfg     PhonesConfig
	own     *http.Transport // of the client that NewPhones made
	stop    func()          // no more pushes
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	tasks   chan task

	mu        sync.Mutex // guards all below
	phones    map[string]Phone
	seen      map[string]bool // token and call: a phone reacts once, because CallKit knows the call's UUID
	due       []task          // a heap by time
	pending   int             // tasks that are not finished
	idle      chan struct{}   // closed when pending falls to 0
	reports   []Report
	late      int
	again     int
	taskAdded chan struct{}
}

// task is a phone's next step for one call.
type task struct {
	phone Phone
	call  string
	step  int
	at    time.Time
	tries int
}

// NewPhones starts phones that receive the pushes that a delivers from now on.
func NewPhones(a *Apple, cfg PhonesConfig) (*Phones, error) {
	if a == nil || cfg.APIURL == "" {
		return nil, errors.New("apnstest: phones need an Apple and the API's address")
	}
	p := &Phones{
		phones: map[string]Phone{}, seen: map[string]bool{},
		taskAdded: make(chan struct{}, 1), idle: make(chan struct{}), tasks: make(chan task),
	}
	if cfg.Now == nil {
		cfg.Now = a.cfg.Now
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 16
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 100_000
	}
	if cfg.Client == nil {
		p.own = &http.Transport{MaxIdleConns: cfg.Workers, MaxIdleConnsPerHost: cfg.Workers}
		cfg.Client = &http.Client{Transport: p.own, Timeout: 10 * time.Second}
	}
	cfg.APIURL = strings.TrimSuffix(cfg.APIURL, "/")
	p.cfg = cfg
	close(p.idle)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Add(1 + cfg.Workers)
	go p.schedule()
	for range cfg.Workers {
		go p.work()
	}
	p.stop = a.OnPush(p.receivePush)
	return p, nil
}

// Add adds a phone, or changes its credential and script.
func (p *Phones) Add(phone Phone) {
	phone.Token = strings.ToLower(phone.Token)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phones[phone.Token] = phone
}

// Close stops the phones and waits until they have stopped.
func (p *Phones) Close() error {
	p.stop()
	p.cancel()
	p.running.Wait()
	if p.own != nil {
		p.own.CloseIdleConnections()
	}
	return nil
}

// Reports lists the reports that are still remembered, oldest first.
func (p *Phones) Reports() []Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Report{}, p.reports...)
}

// Late counts pushes that came after their exp: nothing is shown for them.
func (p *Phones) Late() int { return p.count(&p.late) }

// Again counts pushes of a call that the phone knew already.
func (p *Phones) Again() int { return p.count(&p.again) }

func (p *Phones) count(n *int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *n
}

// Wait returns when no phone has a step left to do, or with an error when ctx ends.
func (p *Phones) Wait(ctx context.Context) error {
	p.mu.Lock()
	quiet := p.idle
	p.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// postFact sends one fact (contract: the phone API).
func (p *Phones) postFact(t task) Report {
	step, now := t.phone.Script.Steps[t.step], p.cfg.Now()
	r := Report{
		Token: t.phone.Token, CallID: t.call, Kind: step.Kind, Code: step.Code,
		At: t.at.Add(t.phone.Script.Clock).UTC(), SentAt: now.Add(t.phone.Script.Clock).UTC(),
	}
	body, err := json.Marshal(struct {
		Kind   string `json:"kind"`
		At     string `json:"at"`
		SentAt string `json:"sent_at"`
		Code   *int   `json:"code,omitempty"`
	}{r.Kind, r.At.Format(time.RFC3339Nano), r.SentAt.Format(time.RFC3339Nano), r.Code})
	if err != nil {
		r.Err = err
		return r
	}
	url := p.cfg.APIURL + "/v1/phone/rings/" + t.call + "/facts"
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		r.Err = err
		return r
	}
	req.Header.Set("Authorization", "Bearer "+t.phone.Credential)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.cfg.Client.Do(req)
	if err != nil {
		r.Err = err
		return r
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	r.Status, r.Body, r.Err = resp.StatusCode, string(raw), err
	return r
}
