package agentstest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"carillon/gateway/phonetest"
)

// PipecatConfig says what a Pipecat accepts.
type PipecatConfig struct {
	Headers map[string]string // without them a request is answered 401
	Delay   time.Duration     // how long after it heard a packet the agent says it
	Single  bool              // it takes one connection at a time, as a bot in its SINGLE mode
	Within  time.Duration     // how long after a ping the next one must come, 3 s with real bots; 0 = for ever

	Greeting  func(codec string) [][]byte // nil = that of the built-in agent
	Interrupt bool                        // it stops its greeting when the caller speaks, as real bots do
}

// Pipecat is a running stand-in of a bot of pipecat's SmallWebRTC transport. It greets when the
// client says that it is ready, as a bot of the RTVI standard.
type Pipecat struct {
	server
	cfg   PipecatConfig
	pings map[string]int // server.mu guards it, and the next
	beats map[*phonetest.Bot]chan struct{}
}

// NewPipecat starts a stand-in.
func NewPipecat(cfg PipecatConfig) (*Pipecat, error) {
	if cfg.Greeting == nil {
		cfg.Greeting = Greeting
	}
	p := &Pipecat{cfg: cfg, pings: map[string]int{}, beats: map[*phonetest.Bot]chan struct{}{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/offer", p.offer)
	mux.HandleFunc("PATCH /api/offer", p.patch)
	return p, p.serve(p.guard(mux))
}

// URL is where offers go.
func (p *Pipecat) URL() string { return "http://" + p.ln.Addr().String() + "/api/offer" }

// Pings returns how many pings of a call have come on its data channel.
func (p *Pipecat) Pings(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pings[id]
}

// Leave makes the bot say that it leaves, and close its connection.
func (p *Pipecat) Leave(id string) {
	if b := p.Bot(id); b != nil {
		_ = b.Say(`{"type":"signalling","message":{"type":"peerLeft"}}`)
		b.Close()
	}
}

// Renegotiate makes the bot ask for a new offer.
func (p *Pipecat) Renegotiate(id string) error {
	return p.Bot(id).Say(`{"type":"signalling","message":{"type":"renegotiate"}}`)
}

func (p *Pipecat) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range p.cfg.Headers {
			if r.Header.Get(name) != value {
				reply(w, http.StatusUnauthorized, map[string]string{"detail": "Not authenticated"})
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// read decodes a JSON body. As pydantic does, it refuses wrong types with 422.
func (p *Pipecat) read(w http.ResponseWriter, r *http.Request, into any) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if kind == "application/json" && err == nil {
		return true
	}
	p.violate("%s %s: %v", r.Method, kind, err)
	reply(w, http.StatusUnprocessableEntity, map[string]string{"detail": "Unprocessable"})
	return false
}

func (p *Pipecat) offer(w http.ResponseWriter, r *http.Request) {
	var q struct {
		SDP     string          `json:"sdp"`
		Type    string          `json:"type"`
		ID      *string         `json:"pc_id"`
		Restart *bool           `json:"restart_pc"`
		Data    json.RawMessage `json:"request_data"`
	}
	if !p.read(w, r, &q) {
		return
	}
	if q.Type != "offer" || !strings.Contains(q.SDP, "m=audio") {
		p.violate("an offer of the type %q", q.Type)
		reply(w, http.StatusUnprocessableEntity, map[string]string{"detail": "Unprocessable"})
		return
	}
	id := "SmallWebRTCConnection#" + rand.Text()
	var bot *phonetest.Bot
	if q.ID != nil {
		if bot = p.Bot(*q.ID); bot != nil {
			id = *q.ID
		}
	}
	if bot != nil && q.Restart != nil && *q.Restart {
		p.drop(id, bot)
		bot = nil
	}
	if bot == nil && p.cfg.Single && p.Running() > 0 {
		reply(w, http.StatusBadRequest, map[string]string{"detail": "Cannot create new connection with existing connection active"})
		return
	}
	if bot == nil {
		var err error
		bot, err = phonetest.NewBot(p.bot(id))
		if err != nil {
			reply(w, http.StatusInternalServerError, map[string]string{"detail": err.Error()})
			return
		}
	}
	answer, err := p.answer(r, id, bot, q.SDP)
	if err != nil {
		bot.Close()
		p.violate("offer: %v", err)
		reply(w, http.StatusInternalServerError, map[string]string{"detail": err.Error()})
		return
	}
	reply(w, http.StatusOK, map[string]string{"sdp": answer, "type": "answer", "pc_id": id})
}

// bot is how the bot of one call behaves.
func (p *Pipecat) bot(id string) phonetest.BotConfig {
	c := phonetest.BotConfig{Greeting: p.cfg.Greeting, Delay: p.cfg.Delay,
		Text: func(b *phonetest.Bot, text string) { p.message(id, b, text) }}
	if p.cfg.Interrupt {
		c.Interrupted = func(b *phonetest.Bot) {
			_ = b.Say(`{"label":"rtvi-ai","type":"user-started-speaking"}`)
			_ = b.Say(`{"label":"rtvi-ai","type":"bot-stopped-speaking"}`)
		}
	}
	return c
}

// drop ends the connection of a call that gets another one.
func (p *Pipecat) drop(id string, b *phonetest.Bot) {
	p.mu.Lock()
	delete(p.bots, id)
	p.mu.Unlock()
	b.Close()
}

func (p *Pipecat) patch(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID         string `json:"pc_id"`
		Candidates []struct {
			Candidate string `json:"candidate"`
			MID       string `json:"sdp_mid"`
			Index     int    `json:"sdp_mline_index"`
		} `json:"candidates"`
	}
	if !p.read(w, r, &q) {
		return
	}
	bot := p.Bot(q.ID)
	if bot == nil {
		reply(w, http.StatusNotFound, map[string]string{"detail": "Peer connection not found"})
		return
	}
	for _, c := range q.Candidates {
		if err := bot.Trickle(c.Candidate, c.MID); err != nil {
			p.violate("candidate: %v", err)
		}
	}
	reply(w, http.StatusOK, map[string]string{"status": "success"})
}

// message reads what the client sends on the data channel: pings, or JSON with a type.
func (p *Pipecat) message(id string, b *phonetest.Bot, text string) {
	if strings.HasPrefix(text, "ping") {
		p.ping(id, b)
		return
	}
	var m struct {
		Label string `json:"label"`
		Type  string `json:"type"`
		ID    string `json:"id"`
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Type == "" {
		p.violate("message %.40q: %v", text, err)
		return
	}
	if m.Label == "rtvi-ai" && m.Type == "client-ready" {
		if m.ID == "" {
			p.violate("client-ready without an id")
		}
		b.Greet()
	}
}

// ping counts a ping of a call. From the first one on, a connection without pings is over: the bot
// takes its client for gone.
func (p *Pipecat) ping(id string, b *phonetest.Bot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pings[id]++
	beat := p.beats[b]
	if beat != nil || p.closed || p.cfg.Within == 0 {
		select {
		case beat <- struct{}{}:
		default:
		}
		return
	}
	beat = make(chan struct{}, 1)
	p.beats[b] = beat
	p.running.Go(func() {
		silence := time.NewTimer(p.cfg.Within)
		defer silence.Stop()
		for {
			select {
			case <-beat:
				silence.Reset(p.cfg.Within)
				continue
			case <-silence.C:
				b.Close()
			case <-b.Closed():
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.beats, b)
			return
		}
	})
}
