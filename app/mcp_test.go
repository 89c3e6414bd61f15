package app

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// stage is a server with one key and two tools, one of which waits.
type stage struct {
	*httptest.Server
	came, left chan struct{}
	refuses    atomic.Bool
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{came: make(chan struct{}, 1), left: make(chan struct{}, 1)}
	far := mcp.NewServer(&mcp.Implementation{Name: "carillon", Version: "1"}, &mcp.ServerOptions{Instructions: "Ring once."})
	schema := json.RawMessage(`{"type":"object"}`)
	tool := func(name string, do mcp.ToolHandler) { far.AddTool(&mcp.Tool{Name: name, InputSchema: schema}, do) }
	tool("echo", func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(r.Params.Arguments)}}}, nil
	})
	tool("wait", func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		s.came <- struct{}{}
		<-ctx.Done()
		s.left <- struct{}{}
		return nil, ctx.Err()
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return far },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, PropagateRequestCancellation: true})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		status, detail := http.StatusUnauthorized, "This key does not exist."
		if s.refuses.Load() {
			status, detail = http.StatusTooManyRequests, "Too many rings."
		} else if q.Header.Get("Authorization") == "Bearer right" && q.URL.Path == "/mcp" {
			handler.ServeHTTP(w, q)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "/docs/errors#x", "title": "x", "status": status, "detail": detail})
	}))
	t.Cleanup(s.Close)
	return s
}

// bridge runs `carillon mcp` between pipes. lines are those that it writes to standard output.
func bridge(t *testing.T, url string) (near mcp.Transport, in *io.PipeWriter, lines *strings.Builder, ended chan error) {
	t.Helper()
	fromNear, toFar := io.Pipe()
	fromFar, toNear := io.Pipe()
	lines, ended = &strings.Builder{}, make(chan error, 1)
	read, write := io.Pipe()
	copied := make(chan struct{})
	go func() { // what the client reads is kept too
		defer close(copied)
		defer write.Close()
		for s := bufio.NewScanner(fromFar); s.Scan(); {
			lines.WriteString(s.Text() + "\n")
			_, _ = write.Write(append(s.Bytes(), '\n')) // the client may have left
		}
	}()
	go func() {
		m := &mcpCmd{apiFlags: apiFlags{URL: url, Key: "right"}, in: fromNear}
		err := m.Run(t.Context(), terminal{toNear, io.Discard, time.Now})
		toNear.Close()
		<-copied
		ended <- err
	}()
	return &mcp.IOTransport{Reader: read, Writer: toFar}, toFar, lines, ended
}

// TestMCPBridge speaks to a server through the pipes of `carillon mcp`, as a desktop client does.
func TestMCPBridge(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	transport, in, lines, ended := bridge(t, s.URL)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "desk", Version: "1"}, nil).Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	if hello := session.InitializeResult(); hello.ServerInfo.Name != "carillon" || hello.Instructions != "Ring once." {
		t.Errorf("hello: %+v", hello)
	}
	list, err := session.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 2 {
		t.Fatalf("tools: %+v, %v", list, err)
	}
	call := func(tool, arguments string) (string, bool) {
		t.Helper()
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(arguments)})
		if err != nil {
			t.Fatal(err)
		}
		return result.Content[0].(*mcp.TextContent).Text, result.IsError
	}
	if text, failed := call("echo", `{"a":1}`); failed || text != `{"a":1}` {
		t.Errorf("echo: %q %v", text, failed)
	}
	_, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "nothing"})
	if err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an unknown tool: %v", err)
	}
	s.refuses.Store(true)
	if text, failed := call("echo", `{}`); !failed || text != "Too many rings." {
		t.Errorf("a refusal: %q %v", text, failed)
	}
	s.refuses.Store(false)
	if text, failed := call("echo", `{"b":2}`); failed || text != `{"b":2}` {
		t.Errorf("after a refusal: %q %v", text, failed)
	}

	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "wait"})
		left <- err
	}()
	<-s.came
	cancel()
	if err := <-left; err == nil {
		t.Error("a cancelled call was answered")
	}
	<-s.left

	in.Close()
	if err := <-ended; err != nil {
		t.Errorf("after the end of its input: %v", err)
	}
	for line := range strings.Lines(lines.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("standard output has %q", line)
		}
	}
}

// TestMCPBridgeRefusesToStart: the reason is on standard error, and standard output stays empty.
func TestMCPBridgeRefusesToStart(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no key":         {[]string{"--url", s.URL}, 2, "--key"},
		"no address":     {[]string{"--url", "ring.example", "--key", "right"}, 2, "not the address of a server"},
		"a wrong key":    {[]string{"--url", s.URL, "--key", "wrong"}, 3, "does not exist. Give it with --key or CARILLON_API_KEY."},
		"no server":      {[]string{"--url", gone.URL, "--key", "right"}, 5, "no server answers at " + gone.URL},
		"another server": {[]string{"--url", s.URL + "/other", "--key", "right"}, 3, "This key does not exist."},
	} {
		var out, errs strings.Builder
		if code := run(t.Context(), append([]string{"mcp"}, c.args...), terminal{&out, &errs, time.Now}); code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}
		if !strings.Contains(errs.String(), c.says) || out.String() != "" {
			t.Errorf("%s: %q on standard error, %q on standard output, want %q", name, errs.String(), out.String(), c.says)
		}
	}
}
