package tenants

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// OpenAIAgent is a model of OpenAI's Realtime API. The tenant's API key is the agent's secret.
type OpenAIAgent struct {
	Model        string `json:"model"`
	Voice        string `json:"voice,omitempty"` // "" = the model's own choice
	Instructions string `json:"instructions,omitempty"`
}

// PipecatAgent is a bot of pipecat that serves the SmallWebRTC transport. The values of its headers
// are the agent's secret: see WriteHeaders.
type PipecatAgent struct {
	URL     string   `json:"url"`               // where offers go: https://…/api/offer
	Headers []string `json:"headers,omitempty"` // the names, sorted
}

const (
	// usualModel is the model of an agent that names none.
	usualModel = "gpt-realtime"
	// maxModel and maxVoice bound names of OpenAI, in characters.
	maxModel, maxVoice = 100, 64
	// maxInstructions bounds the instructions of a model, in characters.
	maxInstructions = 16_000
	// maxHeaders and maxHeader bound the headers of requests to a bot.
	maxHeaders, maxHeader = 10, 1000
)

// clean returns the settings in their stored form. o may be nil.
func (o *OpenAIAgent) clean() *OpenAIAgent {
	made := OpenAIAgent{}
	if o != nil {
		made = *o
	}
	made.Model, made.Voice, made.Instructions = strings.TrimSpace(made.Model), strings.TrimSpace(made.Voice),
		strings.TrimSpace(strings.ReplaceAll(made.Instructions, "\r\n", "\n"))
	if made.Model == "" {
		made.Model = usualModel
	}
	return &made
}

// check refuses settings that break a rule.
func (o *OpenAIAgent) check(f *faults, a Agent) {
	if o == nil {
		return
	}
	f.add(ValidText(o.Model, 1, maxModel), "model", fmt.Sprintf("1 to %d characters, such as %s", maxModel, usualModel))
	f.add(ValidText(o.Voice, 0, maxVoice), "voice", fmt.Sprintf("at most %d characters, such as marin", maxVoice))
	f.add(validInstructions(o.Instructions), "instructions",
		fmt.Sprintf("at most %d characters, no control characters but new lines and tabs", maxInstructions))
	key := a.Secret
	f.add(key == nil && a.HasSecret || key != nil && ValidText(*key, 1, maxAgentSecret) && !strings.ContainsAny(*key, " \t"), "api_key",
		fmt.Sprintf("a key made at OpenAI, 1 to %d characters without spaces", maxAgentSecret))
}

func validInstructions(s string) bool {
	oneLine := strings.NewReplacer("\n", " ", "\t", " ").Replace(s)
	return ValidText(strings.TrimSpace(oneLine), 0, maxInstructions)
}

// clean returns the settings in their stored form. p may be nil.
func (p *PipecatAgent) clean() *PipecatAgent {
	made := PipecatAgent{}
	if p != nil {
		made = *p
	}
	made.URL = strings.TrimSpace(made.URL)
	return &made
}

// check refuses settings that break a rule.
func (p *PipecatAgent) check(f *faults, a Agent) {
	if p == nil {
		return
	}
	u, err := url.Parse(p.URL)
	f.add(len(p.URL) <= maxAgentURL && err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http"), "url",
		"a complete address such as https://bot.example.com/api/offer, at most 2,048 characters")
	if a.Secret == nil {
		return
	}
	headers, err := ReadHeaders(*a.Secret)
	f.add(err == nil && validHeaders(headers), "headers", fmt.Sprintf(
		"at most %d. A name has 1 to 64 letters, digits and -, and is not one that the connection sets itself, such as Host or "+
			"Content-Type. A value has 1 to %d ASCII characters",
		maxHeaders, maxHeader))
}

// ownHeaders are those that an HTTP client sets, and a tenant must not.
var ownHeaders = []string{"host", "connection", "content-length", "content-type", "transfer-encoding", "upgrade", "te", "trailer",
	"keep-alive", "proxy-connection", "accept-encoding", "expect"}

func validHeaders(all map[string]string) bool {
	for name, value := range all {
		if !validParameterName(name) || strings.Contains(name, "_") || slices.Contains(ownHeaders, strings.ToLower(name)) ||
			!ValidText(value, 1, maxHeader) || !isASCII(value) {
			return false
		}
	}
	return len(all) <= maxHeaders
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// WriteHeaders returns headers as a secret of a PipecatAgent, and their names.
func WriteHeaders(all map[string]string) (secret string, names []string) {
	if len(all) == 0 {
		return "", nil
	}
	b, _ := json.Marshal(all) // texts can always be written
	return string(b), slices.Sorted(maps.Keys(all))
}

// ReadHeaders reads what WriteHeaders wrote.
func ReadHeaders(secret string) (map[string]string, error) {
	if secret == "" {
		return nil, nil
	}
	all := map[string]string{}
	if err := json.Unmarshal([]byte(secret), &all); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	return all, nil
}
