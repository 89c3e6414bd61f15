package client

import (
	"bytes"
	"context"
	"iter"
	"mime/multipart"
)

// Agents keeps the voice agents of a tenant.
type Agents struct{ calls *Calls }

// Add creates an agent.
func (a *Agents) Add(ctx context.Context, agent AgentRequest) (Agent, error) {
	return read[Agent](a.calls.AddAgent(ctx, agent))
}

// Get reads an agent.
func (a *Agents) Get(ctx context.Context, id string) (Agent, error) {
	return read[Agent](a.calls.ShowAgent(ctx, id))
}

// List reads one page of agents.
func (a *Agents) List(ctx context.Context, p ListAgentsParams) (Page[Agent], error) {
	return read[Page[Agent]](a.calls.ListAgents(ctx, &p))
}

// All iterates over the agents of every page.
func (a *Agents) All(ctx context.Context, p ListAgentsParams) iter.Seq2[Agent, error] {
	return all(func(after *string) (Page[Agent], error) {
		if after != nil {
			p.After = after
		}
		return a.List(ctx, p)
	})
}

// Change sets the fields that are not nil.
func (a *Agents) Change(ctx context.Context, id string, change AgentChange) (Agent, error) {
	return read[Agent](a.calls.ChangeAgent(ctx, id, change))
}

// Announce uploads what a built-in agent announces: an Ogg Opus file of at most 2 MiB.
func (a *Agents) Announce(ctx context.Context, id string, ogg []byte) (Agent, error) {
	body, kind, err := form(map[string]string{}, "announcement.ogg", ogg)
	if err != nil {
		return Agent{}, err
	}
	return read[Agent](a.calls.SetAnnouncementWithBody(ctx, id, kind, body))
}

// Remove removes an agent.
func (a *Agents) Remove(ctx context.Context, id string) error {
	return done(a.calls.RemoveAgent(ctx, id))
}

// form is a multipart/form-data body with one file and its content type. Empty fields are left out.
func form(fields map[string]string, name string, file []byte) (body *bytes.Reader, contentType string, err error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for field, value := range fields {
		if value == "" {
			continue
		}
		if err := w.WriteField(field, value); err != nil {
			return nil, "", err
		}
	}
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(file); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return bytes.NewReader(buf.Bytes()), w.FormDataContentType(), nil
}
