package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"carillon/app/outbound"
	"carillon/gateway"
	"carillon/tenants"
)

const (
	// pipecatPing is how often a bot hears that we are there: it takes three seconds of silence on
	// the data channel for the end.
	pipecatPing = time.Second
	// pipecatBack is how long the connection may be lost before the bot gets another one.
	pipecatBack = 3 * time.Second
	// pipecatAgain is how long making another one may take.
	pipecatAgain = 5 * time.Second
	// pipecatOffers bounds the offers of a call: a bot that asks for one without an end is lost.
	pipecatOffers = 50
)

// pipecat is a bot of pipecat's SmallWebRTC transport in one call.
// https://docs.pipecat.ai/server/services/transport/small-webrtc
type pipecat struct {
	*dialled
	settings tenants.PipecatAgent
	headers  map[string]string
	asked    chan struct{} // holds one token: the bot wants a new offer

	mu     sync.Mutex // guards the rest
	id     string     // pc_id of the bot's connection; "" = none
	offers int
}

// pipecat opens the agent of one call. secret is the JSON of its headers, or nothing.
func (d *Dialled) pipecat(a tenants.Agent, secret string, c Call) (Agent, error) {
	if a.Pipecat == nil {
		return nil, &Failure{Cause: "the agent has no address"}
	}
	headers, err := tenants.ReadHeaders(secret)
	if err != nil {
		return nil, &Failure{Cause: "the agent's headers cannot be read; save them again", Err: err}
	}
	made := &pipecat{settings: *a.Pipecat, headers: headers, asked: make(chan struct{}, 1)}
	made.dialled = &dialled{owner: d, service: made, channel: "carillon", within: a.AttachWithin(), rejoin: pipecatBack, call: c}
	return made, nil
}

// offer sends our offer. The first one makes a connection of the bot; another one replaces it.
func (a *pipecat) offer(ctx context.Context, sdp string) (string, error) {
	return a.send(ctx, sdp, true)
}

// send sends an offer for a new connection, or one that changes the present one.
func (a *pipecat) send(ctx context.Context, sdp string, restart bool) (string, error) {
	a.mu.Lock()
	id := a.id
	a.offers++
	many := a.offers > pipecatOffers
	a.mu.Unlock()
	if many {
		return "", &Failure{Cause: "the bot asks for a new connection again and again; look into its log"}
	}
	ask := map[string]any{"sdp": sdp, "type": "offer", "request_data": a.data()}
	if id != "" {
		ask["pc_id"] = id
		if restart {
			ask["restart_pc"] = true
		}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return "", &Failure{Cause: "the offer cannot be sent", Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.settings.URL, bytes.NewReader(body))
	if err != nil {
		return "", &Failure{Cause: "the bot's address cannot be used; check it", Err: withoutURL(err)}
	}
	for name, value := range a.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	res, text, err := post(a.owner.bots, r)
	if err != nil {
		return "", &Failure{Cause: "the bot's server could not be reached: " + outbound.Cause(err), Err: withoutURL(err)}
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return "", pipecatRefused(res.StatusCode)
	}
	var answer struct {
		SDP string `json:"sdp"`
		ID  string `json:"pc_id"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.SDP == "" {
		return "", &Failure{Err: err,
			Cause: "the bot's server sent no SDP answer; check that the address is that of a pipecat bot, such as …/api/offer"}
	}
	a.mu.Lock()
	a.id = answer.ID
	a.mu.Unlock()
	return answer.SDP, nil
}

// data is what the bot learns about the call, as the runner's request data.
func (a *pipecat) data() map[string]string {
	all := map[string]string{}
	for name, value := range map[string]string{
		"ring_id": string(a.call.Ring), "reference": a.call.Reference, "person": a.call.Person, "agent": a.call.Agent,
		"caller": a.call.Caller,
	} {
		if value != "" {
			all[name] = value
		}
	}
	return all
}

// pipecatRefused says why a bot gave no connection.
func pipecatRefused(status int) *Failure {
	said := answered("the bot's server", status)
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		said += "a header with a key is missing or wrong; check the agent's headers"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		said += "check the path of the address, such as /api/offer"
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		said += "it takes no offers of SmallWebRTC, or it has a call and takes only one"
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		said += "it is at its limit; give it more capacity"
	case status >= 500:
		said += "look into its log"
	case status >= 300 && status < 400:
		said += outbound.ErrRedirect.Error()
	default:
		said += "it takes no offers at this address"
	}
	return &Failure{Cause: said}
}

// clientReady is the message of a client that can hear. https://docs.pipecat.ai/client/rtvi-standard
const clientReady = `{"label":"rtvi-ai","type":"client-ready","id":"1","data":{"version":"1.0.0","about":{"library":"carillon"}}}`

// tend pings, says once that the person can hear, and makes new offers when the bot asks for them.
func (a *pipecat) tend(ctx context.Context, p *gateway.Peer, l gateway.Line) {
	tick := time.NewTicker(pipecatPing)
	defer tick.Stop()
	var told sync.WaitGroup
	defer told.Wait()
	told.Go(func() {
		a.guard(func() {
			select {
			case <-l.Audible():
				// A bot of the RTVI standard greets now. Others do not know the message.
				sendWhenOpen(ctx, p, clientReady)
			case <-ctx.Done():
			}
		})
	})
	sendWhenOpen(ctx, p, "ping")
	for {
		select {
		case <-tick.C:
			_ = p.Text("ping") // the connection's own state says when it is lost
		case <-a.asked:
			a.renegotiate(ctx, p)
		case <-ctx.Done():
			return
		}
	}
}

// renegotiate makes a new offer over the same connection. When it fails the sound goes on as it is.
func (a *pipecat) renegotiate(ctx context.Context, p *gateway.Peer) {
	ctx, cancel := context.WithTimeout(ctx, pipecatAgain)
	defer cancel()
	offer, err := p.Renegotiate(ctx)
	if err == nil {
		var answer string
		if answer, err = a.send(ctx, offer, false); err == nil {
			err = p.Accept(ctx, answer)
		}
	}
	if err != nil && ctx.Err() == nil {
		a.owner.cfg.Log.Warn("a bot asked for an offer, and it failed", "ring", a.call.Ring, "error", err)
	}
}

// text reads the bot's signalling. Its other messages are for apps.
func (a *pipecat) text(message string) {
	var m struct {
		Type    string `json:"type"`
		Message struct {
			Type string `json:"type"`
		} `json:"message"`
	}
	if json.Unmarshal([]byte(message), &m) != nil || m.Type != "signalling" {
		return
	}
	switch m.Message.Type {
	case "peerLeft":
		a.hangUp()
	case "renegotiate":
		select {
		case a.asked <- struct{}{}:
		default: // it has asked already
		}
	}
}

func (a *pipecat) again() (time.Duration, bool) { return pipecatAgain, true }

// bye does nothing: a bot sees that its connection is closed.
func (a *pipecat) bye() {}
