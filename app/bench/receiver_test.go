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
	"time"

	"carillon/app/bench"
)

// TestReceiver: the receiver of events knows each by its id, and refuses what is none.
func TestReceiver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- bench.Receive(ctx, out) }()
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, addr, _ := strings.Cut(strings.TrimSpace(line), " on ")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := func(method, path, id, body string, status int) string {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("webhook-id", id)
		res, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != status {
			t.Errorf("%s %s: %d, %v", method, path, res.StatusCode, err)
		}
		return string(text)
	}
	event := fmt.Sprintf(`{"type":"ring.placed","timestamp":%q,"data":{}}`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano))
	for _, id := range []string{"a", "b", "a"} {
		ask("POST", "/0", id, event, http.StatusOK)
	}
	ask("POST", "/0", "c", "{}", http.StatusBadRequest)
	ask("POST", "/elsewhere", "d", event, http.StatusOK) // not of the server
	var got struct {
		Events, Repeated int
		P50              float64 `json:"p50_ms"`
	}
	if err := json.Unmarshal([]byte(ask("GET", "/times", "", "", http.StatusOK)), &got); err != nil || got.Events != 2 ||
		got.Repeated != 1 || got.P50 < 60_000 {
		t.Errorf("%+v, %v", got, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
