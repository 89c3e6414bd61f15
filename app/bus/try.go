package bus

import (
	"cmp"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// connectWithin is how long one try to connect takes at most where nothing else is set.
	connectWithin = 2 * time.Second
	// explainAfter is how long a connection may take before the log says what is in its way, and
	// explainEvery is when it looks again.
	explainAfter = 2 * time.Second
	explainEvery = 30 * time.Second
)

// Refused is why a NATS server does not take us. Says is a sentence that begins in small letters.
type Refused struct {
	Says string
	Err  error
}

func (r *Refused) Error() string { return r.Says }
func (r *Refused) Unwrap() error { return r.Err }

// Try connects once, as Share does, and closes the connection again. Its error is a *Refused where
// waiting does not help: the certificates or the user must be corrected.
func Try(c SharedConfig) error {
	conn, err := nats.Connect(strings.Join(c.Servers, ","), append(c.options(), nats.NoReconnect())...)
	if err != nil {
		return refused(err)
	}
	conn.Close()
	return nil
}

// options are those of every connection.
func (c SharedConfig) options() []nats.Option {
	all := []nats.Option{nats.Name("carillon " + c.Name), nats.Timeout(cmp.Or(c.Within, connectWithin)),
		func(o *nats.Options) error { o.TLSConfig, o.Secure = c.TLS, c.Secure; return nil }}
	if c.Creds != "" {
		all = append(all, nats.UserCredentials(c.Creds))
	}
	return all
}

func refused(err error) error {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		remote  *net.OpError
	)
	says := ""
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout():
		return err
	case errors.As(err, &unknown):
		says = "its certificate is signed by an authority that is not known here"
	case errors.As(err, &host):
		says = "its certificate is for another name than the one in its address"
	case errors.As(err, &invalid):
		says = "its certificate is not valid: " + invalid.Error()
	case errors.As(err, &remote) && remote.Op == "remote error", errors.Is(err, nats.ErrTLS): // an alert of TLS
		says = "it does not take our certificate, or asks for one and gets none"
	case errors.Is(err, nats.ErrSecureConnWanted):
		says = "it does not speak TLS, which our settings ask for"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		says = "it does not take our user, password or credentials"
	default:
		return err
	}
	return &Refused{says, err}
}

// explain says in the log what is in the way of a connection that does not come, and says it again
// when that has changed. It is tried again all the same: what is wrong may be corrected at the
// server.
func (b *Shared) explain(c SharedConfig) {
	timer := time.NewTimer(explainAfter)
	defer timer.Stop()
	for said := ""; ; timer.Reset(explainEvery) {
		select {
		case <-timer.C:
		case <-b.stop:
			return
		}
		if b.Away().IsZero() {
			return
		}
		if err := Try(c); err != nil && err.Error() != said {
			said = err.Error()
			b.log.Error("no connection to NATS", "err", err)
		}
	}
}
