package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Do sends a request of the API that has no method here, with the key and the retries of the
// client, and gives the JSON of the answer. path begins with /v1/; body is sent as JSON, nil is
// none. Any answer but success is a *Problem.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body any) (json.RawMessage, error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		text = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Calls.Server, "/")+path, text)
	if err != nil {
		return nil, err
	}
	q.URL.RawQuery = query.Encode()
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if err := c.Calls.applyEditors(ctx, q, nil); err != nil {
		return nil, err
	}
	return read[json.RawMessage](c.Calls.Client.Do(q))
}
