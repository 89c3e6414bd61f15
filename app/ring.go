package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ringCmd places a ring through the API and follows it in the terminal.
type ringCmd struct {
	To     string `required:"" help:"Id of the device, or with --person your name of a person."`
	Person bool   `help:"--to is a person: ring all of their devices."`
	Caller string `help:"Label that the phone shows."`
	TTL    int    `name:"ttl" help:"Seconds to ring, 5 to 60."`
	URL    string `help:"Address of the server." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
	Key    string `help:"API key of the tenant." required:"" env:"CARILLON_API_KEY"`
}

// Validate refuses flags that cannot work, before any request.
func (r *ringCmd) Validate() error {
	if u, err := url.Parse(r.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url: %q is not the address of a server; give one such as https://ring.example.com", r.URL)
	}
	return nil
}

// Run places the ring and prints each fact as it is recorded, until the ring has ended.
func (r *ringCmd) Run(ctx context.Context, c terminal) error {
	to := map[string]string{"device": r.To}
	if r.Person {
		to = map[string]string{"person": r.To}
	}
	body := map[string]any{"to": to}
	if r.Caller != "" {
		body["caller"] = r.Caller
	}
	if r.TTL != 0 {
		body["ttl_s"] = r.TTL
	}
	var ring struct {
		ID        string     `json:"id"`
		State     string     `json:"state"`
		EndDetail string     `json:"end_detail"`
		EndedAt   *time.Time `json:"ended_at"`
	}
	if err := r.call(ctx, "POST", "/v1/rings", body, &ring); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "ring %s\n", ring.ID)
	for last := ""; ring.EndedAt == nil; { // a server may end a stream before the ring has ended
		var err error
		if last, err = r.follow(ctx, c.out, ring.ID, last); err != nil {
			return err
		}
		if err := r.call(ctx, "GET", "/v1/rings/"+ring.ID, nil, &ring); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "%s: %s\n", ring.State, ring.EndDetail)
	return nil
}

func (r *ringCmd) request(ctx context.Context, method, path string, body any, last string) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.URL, "/")+path, reader)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+r.Key)
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if last != "" {
		q.Header.Set("Last-Event-ID", last)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("no server answers at %s; start one, or give its --url: %w", r.URL, err)
	}
	if err != nil {
		return nil, err
	}
	if a.StatusCode < 300 {
		return a, nil
	}
	defer a.Body.Close()
	return nil, refusal(a)
}

// refusal reads a problem document (RFC 9457) and names the flag to change.
func refusal(a *http.Response) error {
	var p struct {
		Title, Detail string
		Errors        []struct{ Field, Message string }
	}
	if err := json.NewDecoder(io.LimitReader(a.Body, 64<<10)).Decode(&p); err != nil {
		return fmt.Errorf("the server answered %s, but not as Carillon does; check --url", a.Status)
	}
	text := p.Detail
	for _, e := range p.Errors {
		text += fmt.Sprintf("\n  %s: %s", e.Field, e.Message)
	}
	switch a.StatusCode {
	case http.StatusUnauthorized:
		text += " Give it with --key or CARILLON_API_KEY."
	case http.StatusNotFound:
		text += " Look up its id under Devices in the console, or ring all devices of a person with --person."
	}
	return fmt.Errorf("%s: %s", a.Status, text)
}

func (r *ringCmd) call(ctx context.Context, method, path string, body, into any) error {
	a, err := r.request(ctx, method, path, body, "")
	if err != nil {
		return err
	}
	defer a.Body.Close()
	return json.NewDecoder(a.Body).Decode(into)
}

// follow prints the ring's facts after the event last from its event stream (text/event-stream, one
// data line an event). It returns the id of the last event that it printed.
func (r *ringCmd) follow(ctx context.Context, out io.Writer, id, last string) (string, error) {
	a, err := r.request(ctx, "GET", "/v1/rings/"+id+"/events", nil, last)
	if err != nil {
		return last, err
	}
	defer a.Body.Close()
	lines := bufio.NewScanner(a.Body)
	for lines.Scan() {
		if seq, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			last = seq
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var f struct {
			Kind, Device, Detail string
			At                   time.Time
		}
		if err := json.Unmarshal([]byte(data), &f); err != nil {
			return last, err
		}
		fmt.Fprintf(out, "%s  %-14s %s %s\n", f.At.Local().Format("15:04:05.000"), f.Kind, f.Device, f.Detail)
	}
	return last, lines.Err()
}
