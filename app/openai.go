package app

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"carillon/app/outbound"
)

// OpenAI is where the models are that agents of the kind openai use.
type OpenAI struct {
	OpenAIURL string `name:"openai-url" help:"OpenAI's API, or a stand-in." default:"https://api.openai.com/v1" env:"CARILLON_OPENAI_URL"`
}

const openAIURL = "https://api.openai.com/v1"

func (o OpenAI) url() string { return strings.TrimRight(cmp.Or(o.OpenAIURL, openAIURL), "/") }

func (o OpenAI) check() error {
	if u, err := url.Parse(o.url()); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%q is not an address such as %s; leave it out to use OpenAI's, or give that of a stand-in", o.url(), openAIURL)
	}
	return nil
}

// dialer connects to OpenAI. A stand-in may be anywhere, and plain on this machine: the operator
// chose its address, and no tenant can.
func (o OpenAI) dialer() *outbound.Dialer {
	if o.url() == openAIURL {
		return outbound.New(nil)
	}
	return outbound.New([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")})
}
