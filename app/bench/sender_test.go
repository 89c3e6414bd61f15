package bench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"carillon/app/bench"
)

// served is where a server of the benchmark listens. It ends with the test.
func served(t *testing.T, serve func(context.Context, io.Writer) error) (addr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, addr, _ = strings.Cut(strings.TrimSpace(line), " on ")
	return addr
}

// TestSender: what another process sends is taken, and not counted among what the server sends.
func TestSender(t *testing.T) {
	t.Parallel()
	sender, receiver := served(t, bench.Send), served(t, bench.Receive)
	ask := func(addr, path, body string, into any) {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+path, strings.NewReader(body))
		if body == "" {
			q.Method = http.MethodGet
		}
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d, %v", path, res.StatusCode, err)
		}
	}
	var sent int
	ask(sender, "/", fmt.Sprintf(`{"to":"http://%s/elsewhere","per_second":1000,"for":200000000,"spin":1000}`, receiver), &sent)
	var taken struct{ Events int }
	ask(receiver, "/taken", "", &taken)
	if sent == 0 || taken.Events != 0 {
		t.Errorf("%d sent, %d of them counted for the server", sent, taken.Events)
	}
}
