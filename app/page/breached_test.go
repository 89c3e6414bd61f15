package page

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// rangeServer speaks the protocol of Have I Been Pwned and knows these passwords.
func rangeServer(t *testing.T, known ...string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix := strings.TrimPrefix(r.URL.Path, "/range/")
		if len(prefix) != 5 || strings.ToUpper(prefix) != prefix || r.Header.Get("User-Agent") == "" {
			http.Error(w, "The hash prefix was not in a valid format", http.StatusBadRequest)
			return
		}
		for i := range 800 { // of other passwords
			fmt.Fprintf(w, "%035X:%d\r\n", i, i+1)
		}
		for _, p := range known {
			sum := sha1.Sum([]byte(p))
			if digits := strings.ToUpper(hex.EncodeToString(sum[:])); digits[:5] == prefix {
				fmt.Fprintf(w, "%s:17\r\n", digits[5:])
			}
		}
		if sum := sha1.Sum([]byte("only padding is like this")); r.Header.Get("Add-Padding") == "true" {
			fmt.Fprintf(w, "%s:0\r\n", strings.ToUpper(hex.EncodeToString(sum[:]))[5:])
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestBreachedPasswords(t *testing.T) {
	t.Parallel()
	s := rangeServer(t, "heron under the bridge")
	var log strings.Builder
	ask := func(address string) *Common {
		t.Helper()
		b, err := NewBreaches(address)
		if err != nil {
			t.Fatal(err)
		}
		return &Common{CommonConfig: CommonConfig{Breached: b, Log: slog.New(slog.NewTextHandler(&log, nil))}}
	}
	m := ask(s.URL + "/range/")
	for password, want := range map[string]string{"heron under the bridge": breachedPassword, "herons under the bridge": "",
		"only padding is like this": "", "short": "Use at least 12 characters. A short sentence is easy to remember."} {
		if got := m.CheckPassword(t.Context(), password, About{}); got != want {
			t.Errorf("%q: %q", password, got)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log has %s", log.String())
	}
	// Without the service the password passes, and the log says so without a part of the hash.
	for _, broken := range []string{s.URL + "/elsewhere", "http://127.0.0.1:1"} {
		log.Reset()
		if got := ask(broken).CheckPassword(t.Context(), "heron under the bridge", About{}); got != "" {
			t.Errorf("%s: %q", broken, got)
		}
		if text := log.String(); !strings.Contains(text, "not compared with breaches") || strings.Contains(text, "/range/") {
			t.Errorf("%s: the log has %q", broken, text)
		}
	}
	for _, bad := range []string{"", "api.example", "http://api.example/range", "https://api.example/range?x=1"} {
		if _, err := NewBreaches(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestCommonPasswords(t *testing.T) {
	t.Parallel()
	if n := len(commonPasswords()); n < 40_000 {
		t.Fatalf("the list has %d passwords", n)
	}
	for password, refused := range map[string]bool{
		"leavemealone": true, "FinalFantasy": true, "counterstrike2": true, "!!contortionist1987": true, "c0unterstr1ke2000": true,
		"needforspeed2024!": true, "heron under the bridge": false, "contortionist on a bicycle": false, "zwölf Buchstaben": false,
	} {
		if got := NewPassword(password, About{}); (got != "") != refused {
			t.Errorf("%q: %q", password, got)
		}
	}
}
