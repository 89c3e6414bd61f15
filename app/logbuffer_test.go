package app

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes counts how often it is written to.
type writes struct {
	mu sync.Mutex // guards both
	b  bytes.Buffer
	n  int
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	return w.b.Write(p)
}

func (w *writes) read() (text string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String(), w.n
}

func TestLogIsWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		b := newLogBuffer(&out)
		log := Config{}.logger(b).With("part", "x")
		for range 100 {
			log.Info("request")
		}
		if _, n := out.read(); n != 0 {
			t.Errorf("%d writes at once", n)
		}
		time.Sleep(logWait)
		synctest.Wait()
		if text, n := out.read(); n != 1 || strings.Count(text, "msg=request part=x\n") != 100 {
			t.Errorf("%d writes after a while: %s", n, text)
		}
		log.Info("before")
		log.Warn("trouble")
		if text, n := out.read(); n != 2 || !strings.Contains(text, "msg=before") || !strings.HasSuffix(text, "msg=trouble part=x\n") {
			t.Errorf("%d writes after a warning: %s", n, text)
		}
		log.Info(strings.Repeat("x", logFull))
		if _, n := out.read(); n != 3 {
			t.Errorf("%d writes after a full buffer", n)
		}
		log.Info("last")
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if text, _ := out.read(); !strings.HasSuffix(text, "msg=last part=x\n") {
			t.Errorf("Close left something: %s", text)
		}
	})
}

func TestLogKeepsItsFormat(t *testing.T) {
	t.Parallel()
	var out writes
	b := newLogBuffer(&out)
	slog.New(Config{LogFormat: "json"}.logger(b).Handler().WithGroup("g")).Info("a", "k", 1)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if text, _ := out.read(); !strings.Contains(text, `"g":{"k":1}`) {
		t.Error(text)
	}
}
