//lint:file-ignore SA1019 this is apns2's client as it ships, and apns2 ships http2.Transport

package apnstest

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"
	"golang.org/x/net/http2"
)

// Bare returns an apns2 client set up as its README says, with a .p8 file, for one of our hosts.
// Carillon's sender is compared with it. It has no pool, no retry and no apns-expiration.
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
