package notify

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Failed is a mail that was given up. It is kept in memory until it is sent again, 100 newer ones
// failed, or the process ends.
type Failed struct {
	ID          string
	To, Subject string
	At          time.Time // of the last try
	Tries       int
	Why         string // without whom it was to, which To says

	mail Mail
}

// failedMost is how many mails that failed are kept, and failedFor how long: most mails hold a link
// that works for a day at most.
const (
	failedMost = 100
	failedFor  = 24 * time.Hour
)

func (m *Mailer) keepFailed(r retry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serial++
	m.failed = append(m.failed, Failed{ID: strconv.Itoa(m.serial), To: r.To, Subject: r.Subject, At: m.Now(), Tries: r.tried,
		Why: whyFailed(err), mail: r.Mail})
	m.failed = m.failed[max(0, len(m.failed)-failedMost):]
}

// whyFailed is why a mail failed. The mail library repeats the recipients behind what the server
// said.
func whyFailed(err error) string {
	why, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "notify: "), ", affected recipient(s)")
	return why
}

// Failed are the mails of the last day that were given up, the newest first.
func (m *Mailer) Failed() []Failed {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	m.failed = slices.DeleteFunc(m.failed, func(f Failed) bool { return now.Sub(f.At) > failedFor })
	all := slices.Clone(m.failed)
	slices.Reverse(all)
	return all
}

// ErrNotFailed is the error of Resend for a mail that is not kept, or no longer.
var ErrNotFailed = errors.New("notify: there is no such mail any more")

// Resend queues a mail that was given up once more.
func (m *Mailer) Resend(id string) (Failed, error) {
	m.mu.Lock()
	at := slices.IndexFunc(m.failed, func(f Failed) bool { return f.ID == id })
	if at < 0 {
		m.mu.Unlock()
		return Failed{}, ErrNotFailed
	}
	f := m.failed[at]
	m.failed = slices.Delete(m.failed, at, at+1)
	m.mu.Unlock()
	err := m.Send(f.mail)
	if err != nil { // it did not leave: it is kept as before
		m.mu.Lock()
		m.failed = append(m.failed, f)
		m.mu.Unlock()
	}
	return f, err
}
