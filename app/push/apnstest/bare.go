package apnstest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"
	"golang.org/x/net/http2"
)

// Bare is apns2 as its README says to use it, with a .p8 file, against one of our hosts: the loop that Carillon's sender
// is measured against. It has no pool, no retry and no apns-expiration.
func Bare(url string, roots *x509.CertPool, team, keyID string, p8 []byte) (*apns2.Client, error) {
	key, err := token.AuthKeyFromBytes(p8)
	if err != nil {
		return nil, err
	}
	client := apns2.NewTokenClient(&token.Token{AuthKey: key, KeyID: keyID, TeamID: team})
	client.Host = url
	client.HTTPClient = &http.Client{
		Transport: &http2.Transport{
			DialTLS:         apns2.DialTLS,
			ReadIdleTimeout: apns2.ReadIdleTimeout,
			TLSClientConfig: &tls.Config{RootCAs: roots},
		},
		Timeout: apns2.HTTPClientTimeout,
	}
	return client, nil
}

// Loop is Bare for packages that do not know apns2.
type Loop struct{ client *apns2.Client }

// NewLoop makes a Loop; Close it.
func NewLoop(url string, roots *x509.CertPool, team, keyID string, p8 []byte) (*Loop, error) {
	client, err := Bare(url, roots, team, keyID, p8)
	if err != nil {
		return nil, err
	}
	return &Loop{client}, nil
}

// Push sends one VoIP push as plain apns2 does: without apns-expiration. Apple's refusal is an error.
func (l *Loop) Push(ctx context.Context, token, topic string, payload []byte) error {
	w, err := l.client.PushWithContext(ctx, &apns2.Notification{
		DeviceToken: token, Topic: topic, PushType: apns2.PushTypeVOIP, Priority: apns2.PriorityHigh, Payload: payload,
	})
	if err == nil && !w.Sent() {
		err = fmt.Errorf("apnstest: Apple says %d %s", w.StatusCode, w.Reason)
	}
	return err
}

// Close closes its connections once they are idle.
func (l *Loop) Close() { l.client.CloseIdleConnections() }
