package notify

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Outbox replaces a Mailer in dev mode: it writes mails into a folder and the log, and sends
// nothing. Start at NewOutbox.
type Outbox struct {
	dir string
	now func() time.Time
	log *slog.Logger

	mu sync.Mutex // guards n
	n  int
}

// NewOutbox creates the folder if it is missing.
func NewOutbox(dir string, now func() time.Time, log *slog.Logger) (*Outbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Outbox{dir: dir, now: now, log: log}, nil
}

// Deliver writes the mail into the folder.
func (o *Outbox) Deliver(_ context.Context, l Mail) error { return o.Send(l) }

// Send writes the mail into the folder.
func (o *Outbox) Send(l Mail) error {
	o.mu.Lock()
	o.n++
	name := fmt.Sprintf("%s-%03d.txt", o.now().UTC().Format("20060102-150405"), o.n)
	o.mu.Unlock()
	o.log.Info("mail", "to", l.To, "subject", l.Subject, "file", name)
	text := strings.Join([]string{"To: " + l.To, "Subject: " + l.Subject, "", l.Text}, "\n")
	return os.WriteFile(filepath.Join(o.dir, name), []byte(text), 0o600)
}
