package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// setting is a value read from text. A text that cannot be read is kept as a fault for check, which
// reports all faults together; the parser would report only this one.
type setting[T float64 | time.Duration | bool] struct {
	is    T
	wrong error
}

// Decode reads the text behind a flag, in a variable or in a default. It never fails.
func (s *setting[T]) Decode(ctx *kong.DecodeContext) error {
	text := "true" // a flag that needs no text behind it
	if _, bare := any(s.is).(bool); !bare || ctx.Scan.Peek().Type == kong.FlagValueToken {
		text = ctx.Scan.Pop().String()
	}
	var err error
	cure := ""
	switch is := any(&s.is).(type) {
	case *float64:
		*is, err = strconv.ParseFloat(text, 64)
		cure = "a number such as 20"
	case *time.Duration:
		*is, err = time.ParseDuration(text)
		cure = "a time with its unit, such as 500ms or 2s"
	case *bool:
		*is, err = strconv.ParseBool(text)
		cure = "true or false"
	}
	if s.wrong = nil; err != nil {
		s.wrong = fmt.Errorf("%q cannot be read; give %s", text, cure)
	}
	return nil
}

// optional is a flag that needs no value: --stripe-tax.
type optional struct{ setting[bool] }

// IsBool tells the parser that no value is needed.
func (optional) IsBool() bool { return true }

// within refuses a value outside its bounds, or one that could not be read.
func within[T float64 | time.Duration](s setting[T], low, high T, cure string) error {
	if s.wrong != nil {
		return s.wrong
	}
	if !(s.is >= low && s.is <= high) { // so that NaN is refused too
		return errors.New("must be " + cure)
	}
	return nil
}

func addr(s string) error {
	host, port, err := net.SplitHostPort(s)
	if n, e := strconv.Atoi(port); err != nil || e != nil || n < 0 || n > 65535 || strings.ContainsAny(host, " /@?#") {
		return fmt.Errorf("%q is not host:port; give one such as 127.0.0.1:8080, or :8080 for every address of this machine", s)
	}
	return nil
}

// publicURL must be https, because device credentials are sent over it. Only loopback may use http.
func publicURL(s string) error {
	if s == "" {
		return errors.New("is missing; give the https:// address that people and phones use")
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is not a plain address; give one such as https://ring.example.com", s)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	if u.Scheme != "https" {
		return fmt.Errorf("%q must start with https://: API keys and device credentials are sent over it", s)
	}
	return nil
}

func secureURL(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not an https:// address; leave it out to use Apple's, or give the address of a stand-in", s)
	}
	return nil
}

func network(s string) error {
	if _, err := netip.ParsePrefix(s); err == nil {
		return nil
	}
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Errorf("%q is not an address or network; give those of the proxies, such as 127.0.0.1 or "+
			"10.0.0.0/8, separated by commas", s)
	}
	return nil
}

func publicIP(s string) error {
	if ip, err := netip.ParseAddr(s); err != nil || ip.IsUnspecified() || ip.Zone() != "" {
		return fmt.Errorf("%q is not an IP address that a phone can reach; give the addresses of this server, such "+
			"as 203.0.113.7, separated by commas", s)
	}
	return nil
}

// folder refuses a path that cannot be the data folder, or that other users can read. It changes
// nothing: a missing folder is made later, if its parent allows it.
func folder(dir string) error {
	if dir == "" {
		return errors.New("is missing; give the folder for the SQLite database")
	}
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		switch info, err := os.Stat(at); {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is a file; give a folder", at)
		case err == nil && !writable(at):
			return fmt.Errorf("this user may not write into %s; give it to the user who runs carillon, or name another folder", at)
		case err == nil:
			return privateFolder(dir)
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
		default:
			return unread(at, err)
		}
	}
}

// unread explains why a file cannot be read, with the cure.
func unread(file string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s; check the path", file)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not read %s; give it to the user who runs carillon", file)
	}
	return fmt.Errorf("%s cannot be read: %w", file, err)
}

// contents reads a file; an error explains itself.
func contents(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, unread(file, err)
	}
	return b, nil
}
