package agentstest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"

	"carillon/gateway/phonetest"
)

// OpenAIConfig says what an OpenAI accepts. The zero Config takes one key and the present models.
type OpenAIConfig struct {
	Keys   []string      // API keys; nil = "sk-test"
	Models []string      // nil = gpt-realtime and gpt-realtime-mini
	Delay  time.Duration // how long after it heard a packet the agent says it

	Greeting  func(codec string) [][]byte // nil = that of the built-in agent
	Interrupt bool                        // it stops its greeting when the caller speaks, as the real one does
}

// OpenAI is a running stand-in of the Realtime API, of its calls over WebRTC only.
type OpenAI struct {
	server
	cfg      OpenAIConfig
	sessions map[string]Session // server.mu guards it, and the next
	hungUp   []string
}

// Session is what a client asks for. https://developers.openai.com/api/reference/resources/realtime
type Session struct {
	Type             string   `json:"type"`
	Model            string   `json:"model"`
	Instructions     string   `json:"instructions"`
	OutputModalities []string `json:"output_modalities"`
	Audio            struct {
		Input *struct {
			TurnDetection  json.RawMessage `json:"turn_detection"`
			NoiseReduction json.RawMessage `json:"noise_reduction"`
			Transcription  json.RawMessage `json:"transcription"`
		} `json:"input"`
		Output struct {
			Voice string  `json:"voice"`
			Speed float64 `json:"speed"`
		} `json:"output"`
	} `json:"audio"`
}

var voices = []string{"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"}

// NewOpenAI starts a stand-in.
func NewOpenAI(cfg OpenAIConfig) (*OpenAI, error) {
	if cfg.Keys == nil {
		cfg.Keys = []string{"sk-test"}
	}
	if cfg.Greeting == nil {
		cfg.Greeting = Greeting
	}
	if cfg.Models == nil {
		cfg.Models = []string{"gpt-realtime", "gpt-realtime-mini"}
	}
	o := &OpenAI{cfg: cfg, sessions: map[string]Session{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/realtime/calls", o.create)
	mux.HandleFunc("POST /v1/realtime/calls/{id}/hangup", o.hangUp)
	return o, o.serve(mux)
}

// URL is the address of the API, which for the real one is https://api.openai.com/v1.
func (o *OpenAI) URL() string { return "http://" + o.ln.Addr().String() + "/v1" }

// Session returns what the client of a call asked for.
func (o *OpenAI) Session(id string) Session {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sessions[id]
}

// HungUp returns the calls that the client ended with a request.
func (o *OpenAI) HungUp() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.hungUp)
}

func (o *OpenAI) authorized(w http.ResponseWriter, r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok:
		refuse(w, http.StatusUnauthorized, "", "You didn't provide an API key.")
	case !slices.Contains(o.cfg.Keys, key):
		refuse(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: "+key)
	default:
		return true
	}
	return false
}

// create: an SDP offer and a session in, an SDP answer out.
func (o *OpenAI) create(w http.ResponseWriter, r *http.Request) {
	if !o.authorized(w, r) {
		return
	}
	offer, session, err := o.read(r)
	if err != nil {
		o.violate("%v", err)
		refuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	if !slices.Contains(o.cfg.Models, session.Model) {
		refuse(w, http.StatusBadRequest, "model_not_found", "The model `"+session.Model+"` does not exist or you do not have access to it.")
		return
	}
	if v := session.Audio.Output.Voice; v != "" && !slices.Contains(voices, v) {
		refuse(w, http.StatusBadRequest, "invalid_value", "Invalid value: '"+v+"'.")
		return
	}
	bot, err := phonetest.NewBot(o.bot())
	if err != nil {
		refuse(w, http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	id := "rtc_" + strings.ToLower(rand.Text())
	o.mu.Lock()
	o.sessions[id] = session
	o.mu.Unlock()
	answer, err := o.answer(r, id, bot, offer)
	if err != nil {
		bot.Close()
		o.violate("offer: %v", err)
		refuse(w, http.StatusBadRequest, "invalid_offer", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/v1/realtime/calls/"+id)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer)
}

// bot is how the model of one call behaves.
func (o *OpenAI) bot() phonetest.BotConfig {
	c := phonetest.BotConfig{
		Greeting: o.cfg.Greeting, Delay: o.cfg.Delay, Text: o.event, Takes: o.takes,
		Opened: func(b *phonetest.Bot) { o.tell(b, `{"type":"session.created"}`) },
	}
	if o.cfg.Interrupt {
		// Of a call over WebRTC, OpenAI itself knows what was played, and cuts the rest off.
		c.Interrupted = func(b *phonetest.Bot) {
			o.tell(b, `{"type":"input_audio_buffer.speech_started","audio_start_ms":0,"item_id":"item_2"}`)
			o.tell(b, `{"type":"output_audio_buffer.cleared","response_id":"resp_1"}`)
			o.tell(b, `{"type":"response.done","response":{"id":"resp_1","status":"cancelled",`+
				`"status_details":{"type":"cancelled","reason":"turn_detected"}}}`)
		}
	}
	return c
}

// read reads both forms of the request: multipart, and the offer alone with the model in the query.
func (o *OpenAI) read(r *http.Request) (offer string, s Session, err error) {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", s, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return "", s, err
	}
	switch kind {
	case "application/sdp":
		offer, s = string(body), Session{Type: "realtime", Model: r.URL.Query().Get("model")}
	case "multipart/form-data":
		offer, s, err = readForm(body, parameters["boundary"])
	default:
		err = errors.New("unsupported content type " + kind)
	}
	switch {
	case err != nil:
	case !strings.HasPrefix(offer, "v=0") || !strings.Contains(offer, "m=audio"):
		err = errors.New("sdp is no offer with audio")
	case strings.Contains(offer, "a=ice-options:trickle") && !strings.Contains(offer, "a=candidate:"):
		err = errors.New("sdp has no candidates, and there is no trickle")
	case s.Type != "realtime":
		err = errors.New("session.type must be realtime")
	}
	return offer, s, err
}

func readForm(body []byte, boundary string) (offer string, s Session, err error) {
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return offer, s, nil
		}
		if err != nil {
			return "", s, err
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return "", s, err
		}
		switch part.FormName() {
		case "sdp":
			offer = string(text)
		case "session":
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(&s); err != nil {
				return "", s, err
			}
		default:
			return "", s, errors.New("unknown field " + part.FormName())
		}
	}
}

// takes says whether events go over a data channel: the documentation gives its name.
func (o *OpenAI) takes(label string) bool {
	if label != "oai-events" {
		o.violate("data channel with the label %q", label)
	}
	return label == "oai-events"
}

// event reads a client's event of the data channel.
func (o *OpenAI) event(b *phonetest.Bot, text string) {
	var e struct{ Type string }
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		o.violate("event: %v", err)
		o.tell(b, `{"type":"error","error":{"type":"invalid_request_error","code":"invalid_json"}}`)
		return
	}
	switch e.Type {
	case "response.create":
		o.tell(b, `{"type":"response.created"}`)
		b.Greet()
	case "session.update", "response.cancel", "conversation.item.create", "input_audio_buffer.clear", "output_audio_buffer.clear":
	default:
		o.violate("event of the type %q", e.Type)
		o.tell(b, `{"type":"error","error":{"type":"invalid_request_error","code":"unknown_event"}}`)
	}
}

func (o *OpenAI) tell(b *phonetest.Bot, text string) { _ = b.Say(text) } // the client may be gone

func (o *OpenAI) hangUp(w http.ResponseWriter, r *http.Request) {
	if !o.authorized(w, r) {
		return
	}
	id := r.PathValue("id")
	o.mu.Lock()
	_, known := o.sessions[id]
	if known {
		o.hungUp = append(o.hungUp, id)
	}
	o.mu.Unlock()
	if !known {
		refuse(w, http.StatusNotFound, "call_id_not_found", "No session found for call.")
		return
	}
	o.HangUp(id)
	w.WriteHeader(http.StatusOK)
}
