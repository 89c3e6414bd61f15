package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path"
	"strings"
	"sync"
	"time"

	"carillon/app/outbound"
	"carillon/gateway"
	"carillon/tenants"
)

// openAI is a session of OpenAI's Realtime API in one call.
// https://developers.openai.com/api/docs/guides/realtime-webrtc
type openAI struct {
	*dialled
	settings tenants.OpenAIAgent
	key      string

	mu sync.Mutex // guards id
	id string     // of the session that runs; "" = none
}

// openAI opens the agent of one call.
func (d *Dialled) openAI(a tenants.Agent, key string, c Call) (Agent, error) {
	switch {
	case a.OpenAI == nil:
		return nil, &Failure{Cause: "the agent has no settings; save it again"}
	case key == "":
		return nil, &Failure{Cause: "the agent has no API key; make one at OpenAI and give it to the agent"}
	}
	made := &openAI{settings: *a.OpenAI, key: key}
	made.dialled = &dialled{owner: d, service: made, channel: "oai-events", within: a.AttachWithin(), call: c}
	return made, nil
}

// session is what the model is to be.
func (a *openAI) session() ([]byte, error) {
	type output struct {
		Voice string `json:"voice,omitempty"`
	}
	type audio struct {
		Output output `json:"output"`
	}
	return json.Marshal(struct {
		Type         string `json:"type"`
		Model        string `json:"model"`
		Instructions string `json:"instructions,omitempty"`
		Audio        audio  `json:"audio"`
	}{"realtime", a.settings.Model, a.settings.Instructions, audio{output{a.settings.Voice}}})
}

func (a *openAI) offer(ctx context.Context, sdp string) (string, error) {
	session, err := a.session()
	if err != nil {
		return "", &Failure{Cause: "the agent's settings cannot be sent; save it again", Err: err}
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range []struct{ name, kind, text string }{
		{"sdp", "application/sdp", sdp}, {"session", "application/json", string(session)},
	} {
		w, _ := form.CreatePart(textproto.MIMEHeader{ // a bytes.Buffer takes everything
			"Content-Disposition": {fmt.Sprintf("form-data; name=%q", part.name)}, "Content-Type": {part.kind},
		})
		_, _ = w.Write([]byte(part.text))
	}
	_ = form.Close()
	r, err := a.request(ctx, "", &body)
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	res, answer, err := post(a.owner.openai, r)
	made := res != nil && (res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusOK)
	if made { // also if the answer could not be read: the session runs, and bye has to end it
		a.setID(path.Base(res.Header.Get("Location")))
	}
	if err != nil {
		return "", &Failure{Cause: "OpenAI could not be reached: " + outbound.Cause(err), Err: withoutURL(err)}
	}
	if !made {
		return "", openAIRefused(res.StatusCode, answer)
	}
	return string(answer), nil
}

// request is a POST about calls: "" makes one, "/<id>/hangup" ends it.
func (a *openAI) request(ctx context.Context, about string, body *bytes.Buffer) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.owner.cfg.OpenAIURL+"/realtime/calls"+about, body)
	if err != nil {
		return nil, &Failure{Cause: "the address of OpenAI is wrong (CARILLON_OPENAI_URL); ask the operator", Err: err}
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	return r, nil
}

// openAIRefused says why OpenAI made no session. Of its body only known codes are read.
func openAIRefused(status int, body []byte) *Failure {
	var e struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &e) // a body that is no JSON has no code
	said := answered("OpenAI", status)
	switch {
	case status == http.StatusUnauthorized:
		said += "the API key is wrong or was revoked; give the agent another one"
	case status == http.StatusForbidden:
		said += "the API key may not use this model, or not from this country; check its project and permissions"
	case e.Error.Code == "model_not_found", status == http.StatusNotFound:
		said += "there is no such model for this API key; check the agent's model"
	case e.Error.Code == creditGone:
		said += creditCure
	case status == http.StatusTooManyRequests:
		said += "the account is at its rate limit; call again in a moment, or ask OpenAI for a higher limit"
	case status >= 500:
		said += "it has a fault of its own; see status.openai.com, and let another agent come next"
	case status >= 300 && status < 400:
		said += "that is a redirect, which is not followed; the operator has to correct CARILLON_OPENAI_URL"
	default:
		said += "it does not take the agent's settings; check model and voice"
	}
	return &Failure{Cause: said}
}

const (
	creditGone = "insufficient_quota"
	creditCure = "the account has no credit left; add some at OpenAI"
)

// tend asks the model to speak first, once the person can hear.
func (a *openAI) tend(ctx context.Context, p *gateway.Peer, l gateway.Line) {
	select {
	case <-l.Audible():
		sendWhenOpen(ctx, p, `{"type":"response.create"}`)
	case <-ctx.Done():
	}
}

// text looks for answers that fail: the session stays, but the person would hear nothing. Most
// messages are transcripts and are not decoded.
func (a *openAI) text(message string) {
	if !strings.Contains(message, creditGone) {
		return
	}
	var e struct {
		Type     string `json:"type"`
		Response struct {
			Status string `json:"status"`
		} `json:"response"`
	}
	if json.Unmarshal([]byte(message), &e) == nil && (e.Type == "error" || e.Type == "response.done" && e.Response.Status == "failed") {
		a.fail(&Failure{Cause: "OpenAI stopped answering: " + creditCure})
	}
}

func (a *openAI) again() (time.Duration, bool) { return 0, false } // another session would know nothing

func (a *openAI) setID(id string) (old string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, a.id = a.id, id
	return old
}

// bye ends the session, which OpenAI would otherwise keep, and charge, until it misses us.
func (a *openAI) bye() {
	id := a.setID("")
	if !validCallID(id) {
		return
	}
	a.owner.later(func(ctx context.Context) {
		r, err := a.request(ctx, "/"+id+"/hangup", new(bytes.Buffer))
		if err != nil {
			return
		}
		res, _, err := post(a.owner.openai, r)
		if err == nil && (res.StatusCode < 300 || res.StatusCode == http.StatusNotFound) { // it had ended already
			return
		}
		a.owner.cfg.Log.Warn("a session of OpenAI may not have ended", "ring", a.call.Ring, "error", withoutURL(err))
	})
}

// validCallID reports whether id can be a part of a path.
func validCallID(id string) bool {
	const most = 128
	return id != "" && len(id) <= most &&
		strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
