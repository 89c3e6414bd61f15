package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"carillon/app/api/client"
)

// mcpCmd connects a program that speaks the Model Context Protocol over standard input and output,
// as desktop clients do, with /mcp of a server. It passes lists and calls of tools on and adds none
// of its own. Only the protocol is written to standard output.
type mcpCmd struct {
	apiFlags
	in io.Reader // nil = standard input
}

// Run connects to the server and refuses to start if it does not answer or refuses the key. Then it
// lasts until standard input ends.
func (m *mcpCmd) Run(ctx context.Context, c terminal) error {
	far := &farTools{address: strings.TrimSuffix(m.URL, "/") + "/mcp",
		http: &http.Client{Transport: keyTransport{http.DefaultTransport, m.Key}}}
	defer far.close()
	session, err := far.open(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return m.cure(err)
	}
	hello := session.InitializeResult()
	server := mcp.NewServer(hello.ServerInfo, &mcp.ServerOptions{
		Instructions: hello.Instructions, Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
	})
	server.AddReceivingMiddleware(far.pass)
	in := m.in
	if in == nil {
		in = os.Stdin
	}
	err = server.Run(ctx, &mcp.IOTransport{Reader: io.NopCloser(in), Writer: unclosed{c.out}})
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// unclosed is standard output, which the process closes.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// keyTransport sends the key with each request, and turns a refusal of the server into a
// *client.Problem: the SDK would only name the status.
type keyTransport struct {
	http.RoundTripper
	key string
}

func (k keyTransport) RoundTrip(q *http.Request) (*http.Response, error) {
	q = q.Clone(q.Context())
	q.Header.Set("Authorization", "Bearer "+k.key)
	q.Header.Set("User-Agent", "carillon-mcp")
	a, err := k.RoundTripper.RoundTrip(q)
	if err != nil || q.Method != http.MethodPost || a.StatusCode < 300 ||
		strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		return a, err
	}
	defer a.Body.Close()
	return nil, client.ProblemOf(a)
}

// farTools are the tools of the server. The connection is opened again after it broke.
type farTools struct {
	address string
	http    *http.Client

	mu      sync.Mutex // guards session
	session *mcp.ClientSession
}

func (f *farTools) open(ctx context.Context) (*mcp.ClientSession, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session != nil {
		return f.session, nil
	}
	near := mcp.NewClient(&mcp.Implementation{Name: "carillon-mcp", Version: "1"}, nil)
	// Connect keeps ctx's values only: the session outlives the call that opened it.
	session, err := near.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: f.address, HTTPClient: f.http, MaxRetries: -1, DisableStandaloneSSE: true}, nil)
	if err != nil {
		return nil, err
	}
	f.session = session
	return session, nil
}

// drop forgets a session that failed.
func (f *farTools) drop(s *mcp.ClientSession) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session == s {
		f.session = nil
		_ = s.Close() // it is broken
	}
}

func (f *farTools) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session != nil {
		_ = f.session.Close() // the server keeps no session
	}
}

// pass sends lists and calls of tools to the server. Everything else is answered here.
func (f *farTools) pass(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		switch q := req.(type) {
		case *mcp.ListToolsRequest:
			return far(ctx, f, func(s *mcp.ClientSession) (mcp.Result, error) { return s.ListTools(ctx, q.Params) })
		case *mcp.CallToolRequest:
			p := &mcp.CallToolParams{Name: q.Params.Name}
			if len(q.Params.Arguments) > 0 {
				p.Arguments = json.RawMessage(q.Params.Arguments)
			}
			result, err := far(ctx, f, func(s *mcp.ClientSession) (mcp.Result, error) { return s.CallTool(ctx, p) })
			if err == nil || ctx.Err() != nil || isAnswer(err) {
				return result, err
			}
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: farText(err)}}}, nil
		}
		return next(ctx, method, req)
	}
}

// far asks the server. After a failure that is no answer the next question opens a new session.
func far(ctx context.Context, f *farTools, ask func(*mcp.ClientSession) (mcp.Result, error)) (mcp.Result, error) {
	s, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	result, err := ask(s)
	if err == nil {
		return result, nil
	}
	if ctx.Err() == nil && !isAnswer(err) && !errors.As(err, new(*client.Problem)) {
		f.drop(s)
	}
	return nil, err
}

// isAnswer reports whether err is the server's answer in the protocol. The SDK also gives failures
// to send the type of such answers; those have a cause.
func isAnswer(err error) bool {
	return errors.As(err, new(*jsonrpc.Error)) && !errors.As(err, new(*url.Error))
}

// farText is what a model reads of a failed call.
func farText(err error) string {
	var refused *client.Problem
	if errors.As(err, &refused) {
		return refused.Error()
	}
	return fmt.Sprintf("The server of Carillon did not answer (%v). It is not known whether the call was carried out. "+
		"Try again; with the same idempotency_key nobody is rung twice.", err)
}
