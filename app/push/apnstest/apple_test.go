package apnstest_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push/apnstest"

	"github.com/sideshow/apns2"
)

const (
	team    = "TEAM123456"
	kid     = "KEY1234567"
	topic   = "com.example.clinic.voip"
	payload = `{"v":1,"call_id":"0198c0de-0000-7000-8000-000000000001","iat":1,"exp":9999999999}`
	pushID  = "0198c0de-0000-7000-8000-0000000000aa"
)

var token = strings.Repeat("ab", 32)

func start(t testing.TB, cfg apnstest.Config) *apnstest.Apple {
	t.Helper()
	a, err := apnstest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// signer is a registered key and a way to make tokens with it.
type signer struct {
	private *ecdsa.PrivateKey
	p8      []byte
}

func register(t testing.TB, a *apnstest.Apple, edit func(*apnstest.Key)) signer {
	t.Helper()
	k, p8, err := apnstest.NewKey(team, kid)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(&k)
	}
	if err := a.Register(k); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(p8)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return signer{private: private.(*ecdsa.PrivateKey), p8: p8}
}

func (s signer) token(team, kid string, at time.Time) string {
	text := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"ES256","kid":%q}`, kid)) + "." +
		base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iss":%q,"iat":%d}`, team, at.Unix()))
	sum := sha256.Sum256([]byte(text))
	r, ss, err := ecdsa.Sign(rand.Reader, s.private, sum[:])
	if err != nil {
		panic(err)
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	ss.FillBytes(raw[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(raw)
}

func client(t testing.TB, a *apnstest.Apple, cert ...tls.Certificate) *http.Client {
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: a.CAPool(), Certificates: cert},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

type answer struct {
	Status    int
	Reason    string
	Timestamp int64
	ID        string
	Raw       string
}

func request(t testing.TB, base string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", base+"/3/device/"+token, strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"apns-topic": topic, "apns-push-type": "voip", "apns-priority": "10", "apns-expiration": "0", "apns-id": pushID,
	} {
		r.Header.Set(name, value)
	}
	return r
}

func do(t testing.TB, c *http.Client, r *http.Request) answer {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	w := answer{Status: resp.StatusCode, ID: resp.Header.Get("apns-id"), Raw: string(raw)}
	_ = json.Unmarshal(raw, &w)
	return w
}

func setBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.GetBody = nil
}

// TestRefusals breaks one rule in each row.
func TestRefusals(t *testing.T) {
	t.Parallel()
	bad, gone, expired, elsewhere := strings.Repeat("cd", 32), strings.Repeat("ce", 32), strings.Repeat("cf", 32), strings.Repeat("da", 32)
	rows := []struct {
		reason string
		status int
		breaks func(*http.Request)
	}{
		{"", 200, func(*http.Request) {}},
		{"BadDeviceToken", 400, func(r *http.Request) { r.URL.Path = "/3/device/nothex" }},
		{"BadDeviceToken", 400, func(r *http.Request) { r.URL.Path = "/3/device/" + bad }},
		{"DeviceTokenNotForTopic", 400, func(r *http.Request) { r.URL.Path = "/3/device/" + elsewhere }},
		{"Unregistered", 410, func(r *http.Request) { r.URL.Path = "/3/device/" + gone }},
		{"ExpiredToken", 410, func(r *http.Request) { r.URL.Path = "/3/device/" + expired }},
		{"MissingDeviceToken", 400, func(r *http.Request) { r.URL.Path = "/3/device/" }},
		{"BadPath", 404, func(r *http.Request) { r.URL.Path = "/2/device/" + token }},
		{"MethodNotAllowed", 405, func(r *http.Request) { r.Method = "PUT" }},
		{"MissingProviderToken", 403, func(r *http.Request) { r.Header.Del("authorization") }},
		{"InvalidProviderToken", 403, func(r *http.Request) { r.Header.Set("authorization", "bearer x.y.z") }},
		{"InvalidProviderToken", 403, func(r *http.Request) { r.Header.Set("authorization", "basic abc") }},
		{"MissingTopic", 400, func(r *http.Request) { r.Header.Del("apns-topic") }},
		{"BadTopic", 400, func(r *http.Request) { r.Header.Set("apns-topic", "com.example.clinic") }},
		{"BadTopic", 400, func(r *http.Request) { r.Header.Set("apns-topic", "a b.voip") }},
		{"TopicDisallowed", 400, func(r *http.Request) { r.Header.Set("apns-topic", "com.stranger.voip") }},
		{"InvalidPushType", 400, func(r *http.Request) { r.Header.Set("apns-push-type", "ring") }},
		{"BadPriority", 400, func(r *http.Request) { r.Header.Set("apns-priority", "7") }},
		{"BadExpirationDate", 400, func(r *http.Request) { r.Header.Set("apns-expiration", "soon") }},
		{"BadMessageId", 400, func(r *http.Request) { r.Header.Set("apns-id", "1234") }},
		{"BadCollapseId", 400, func(r *http.Request) { r.Header.Set("apns-collapse-id", strings.Repeat("x", 65)) }},
		{"DuplicateHeaders", 400, func(r *http.Request) { r.Header["Apns-Topic"] = []string{topic, topic} }},
		{"PayloadEmpty", 400, func(r *http.Request) { setBody(r, "") }},
		{"", 200, func(r *http.Request) { setBody(r, strings.Repeat("x", 5120)) }},
		{"PayloadTooLarge", 413, func(r *http.Request) { setBody(r, strings.Repeat("x", 5121)) }},
		{"PayloadTooLarge", 413, func(r *http.Request) { setBody(r, strings.Repeat("x", 200_000)) }},
		{"PayloadTooLarge", 413, func(r *http.Request) {
			r.Header.Set("apns-push-type", "alert")
			r.Header.Set("apns-topic", "com.example.clinic")
			setBody(r, strings.Repeat("x", 4097))
		}},
	}
	a := start(t, apnstest.Config{})
	a.AddToken(bad, "", apnstest.Sandbox)
	a.AddToken(elsewhere, "com.example.salon.voip", apnstest.Production)
	a.Retire(gone, time.UnixMilli(1_700_000_000_123))
	a.Expire(expired, time.UnixMilli(1_700_000_000_123))
	s := register(t, a, func(k *apnstest.Key) { k.Topics = []string{"com.example.clinic"} })
	c, bearer := client(t, a), "bearer "+s.token(team, kid, time.Now())
	for _, row := range rows {
		r := request(t, a.URL(apnstest.Production))
		r.Header.Set("authorization", bearer)
		row.breaks(r)
		w := do(t, c, r)
		if w.Status != row.status || w.Reason != row.reason {
			t.Errorf("want %d %s, got %+v", row.status, row.reason, w)
		}
		if w.Status == 410 && w.Timestamp != 1_700_000_000_123 {
			t.Errorf("410 with timestamp %d", w.Timestamp)
		}
		if row.reason != "BadMessageId" && w.ID != pushID {
			t.Errorf("%s: apns-id %q is not the one sent", row.reason, w.ID)
		}
	}
	if n := a.Total(); n != 2 {
		t.Errorf("%d pushes delivered, want 2", n)
	}
}

func TestKnownTokensOnly(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{KnownTokensOnly: true})
	s := register(t, a, nil)
	push := func(env string) answer {
		r := request(t, a.URL(env))
		r.Header.Set("authorization", "bearer "+s.token(team, kid, time.Unix(time.Now().Unix(), 0)))
		return do(t, client(t, a), r)
	}
	if w := push(apnstest.Production); w.Reason != "BadDeviceToken" {
		t.Errorf("unknown token: %+v", w)
	}
	a.AddToken(token, topic, apnstest.Sandbox)
	if w := push(apnstest.Sandbox); w.Status != 200 {
		t.Errorf("known token: %+v", w)
	}
}

// TestProviderTokens checks each rule for provider tokens, on separate connections.
func TestProviderTokens(t *testing.T) {
	t.Parallel()
	var skew atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
	a := start(t, apnstest.Config{Now: now})
	s := register(t, a, nil)
	stranger := signer{private: mustKey(t)}
	push := func(c *http.Client, bearer string) string {
		r := request(t, a.URL(apnstest.Production))
		r.Header.Set("authorization", "bearer "+bearer)
		return do(t, c, r).Reason
	}
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	first := s.token(team, kid, now())
	one := client(t, a)
	expect("valid", push(one, first), "")
	expect("stranger's key under the same ids", push(client(t, a), stranger.token(team, kid, now())), "InvalidProviderToken")
	expect("unknown key id", push(client(t, a), s.token(team, "OTHER12345", now())), "InvalidProviderToken")
	expect("unknown team", push(client(t, a), s.token("OTHER12345", kid, now())), "InvalidProviderToken")
	expect("an hour old", push(client(t, a), s.token(team, kid, now().Add(-61*time.Minute))), "ExpiredProviderToken")
	expect("from the future", push(client(t, a), s.token(team, kid, now().Add(10*time.Minute))), "ExpiredProviderToken")
	second := s.token(team, kid, now().Add(-time.Second))
	wedged := client(t, a)
	expect("second token at once", push(wedged, second), "TooManyProviderTokenUpdates")
	expect("the good token on that connection", push(wedged, first), "TooManyProviderTokenUpdates")
	expect("the first again", push(client(t, a), first), "")
	skew.Store(int64(21 * time.Minute))
	expect("second token after the interval", push(client(t, a), second), "")
	expect("the first is still known", push(one, first), "")
	a.Unregister(team, kid)
	expect("revoked", push(one, first), "InvalidProviderToken")
}

func mustKey(t testing.TB) *ecdsa.PrivateKey {
	_, p8, err := apnstest.NewKey(team, kid)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(p8)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*ecdsa.PrivateKey)
}

func TestOneTeamAndOneKeyPerConnection(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{TokenInterval: -1})
	s := register(t, a, nil)
	for _, other := range []apnstest.Key{{Team: team, KeyID: "SECOND1234"}, {Team: "SECONDTEAM", KeyID: kid}} {
		other.Public = &s.private.PublicKey
		if err := a.Register(other); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t, a)
	for _, row := range []struct{ team, kid, want string }{
		{team, kid, ""}, {team, "SECOND1234", "UnrelatedKeyIdInToken"}, {"SECONDTEAM", kid, "InvalidProviderToken"}, {team, kid, ""},
	} {
		r := request(t, a.URL(apnstest.Production))
		r.Header.Set("authorization", "bearer "+s.token(row.team, row.kid, time.Now()))
		if w := do(t, c, r); w.Reason != row.want {
			t.Errorf("%s/%s: %+v, want %q", row.team, row.kid, w, row.want)
		}
	}
	if v := rules(a); !v["second team on a connection"] || !v["second key on a connection"] {
		t.Errorf("violations: %v", v)
	}
	if err := a.Register(apnstest.Key{Team: team, KeyID: kid, Public: &mustKey(t).PublicKey}); err == nil {
		t.Error("a stranger's key replaced a registered one")
	}
}

func TestKeyOfOneEnvironment(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{})
	s := register(t, a, func(k *apnstest.Key) { k.Environments = []string{apnstest.Sandbox} })
	bearer := "bearer " + s.token(team, kid, time.Now())
	for env, want := range map[string]string{apnstest.Production: "BadEnvironmentKeyIdInToken", apnstest.Sandbox: ""} {
		r := request(t, a.URL(env))
		r.Header.Set("authorization", bearer)
		if w := do(t, client(t, a), r); w.Reason != want {
			t.Errorf("%s: %+v, want %q", env, w, want)
		}
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{})
	other := start(t, apnstest.Config{})
	issue := func(from *apnstest.Apple, ends time.Time, envs ...string) tls.Certificate {
		cert, err := from.IssueCertificate("com.example.clinic", ends, envs...)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	revoked := issue(a, time.Time{})
	a.RevokeCertificate(revoked.Leaf)
	known := issue(other, time.Time{})
	a.RegisterCertificate(known.Leaf)
	for _, row := range []struct {
		what string
		cert tls.Certificate
		edit func(*http.Request)
		want string
	}{
		{"good", issue(a, time.Time{}), nil, ""},
		{"registered", known, nil, ""},
		{"wrong topic", issue(a, time.Time{}), func(r *http.Request) { r.Header.Set("apns-topic", "com.other.voip") }, "TopicDisallowed"},
		{"no topic", issue(a, time.Time{}), func(r *http.Request) { r.Header.Del("apns-topic") }, "MissingTopic"},
		{"expired", issue(a, time.Now().Add(-time.Minute)), nil, "BadCertificate"},
		{"revoked", revoked, nil, "BadCertificate"},
		{"stranger's", issue(other, time.Time{}), nil, "BadCertificate"},
		{"sandbox only", issue(a, time.Time{}, apnstest.Sandbox), nil, "BadCertificateEnvironment"},
	} {
		r := request(t, a.URL(apnstest.Production))
		if row.edit != nil {
			row.edit(r)
		}
		if w := do(t, client(t, a, row.cert), r); w.Reason != row.want {
			t.Errorf("%s: %+v, want %q", row.what, w, row.want)
		}
	}
}

func rules(a *apnstest.Apple) map[string]bool {
	seen := map[string]bool{}
	for _, v := range a.Violations() {
		seen[v.Rule] = true
	}
	return seen
}

func TestViolations(t *testing.T) {
	t.Parallel()
	bad := strings.Repeat("cd", 32)
	rows := map[string]func(*http.Request){
		"apns-expiration is missing":              func(r *http.Request) { r.Header.Del("apns-expiration") },
		"apns-expiration of a VoIP push is not 0": func(r *http.Request) { r.Header.Set("apns-expiration", "30") },
		"apns-priority of a VoIP push is not 10":  func(r *http.Request) { r.Header.Set("apns-priority", "5") },
		"apns-id is missing":                      func(r *http.Request) { r.Header.Del("apns-id") },
		"apns-id is not lower-case":               func(r *http.Request) { r.Header.Set("apns-id", strings.ToUpper(pushID)) },
		"device token is not lower-case":          func(r *http.Request) { r.URL.Path = "/3/device/" + strings.ToUpper(token) },
		"pushed after its exp":                    func(r *http.Request) { setBody(r, strings.Replace(payload, "9999999999", "10", 1)) },
		"payload is not Carillon's": func(r *http.Request) {
			setBody(r, strings.Replace(payload, `"iat"`, `"name":"Ann","iat"`, 1))
		},
		"pushed again after BadDeviceToken": func(r *http.Request) { r.URL.Path = "/3/device/" + bad },
	}
	for rule, breaks := range rows {
		a := start(t, apnstest.Config{})
		a.AddToken(bad, "", apnstest.Sandbox)
		s := register(t, a, nil)
		c, bearer := client(t, a), "bearer "+s.token(team, kid, time.Now())
		clean := request(t, a.URL(apnstest.Production))
		clean.Header.Set("authorization", bearer)
		if do(t, c, clean); len(a.Violations()) != 0 {
			t.Errorf("a clean push left %v", a.Violations())
		}
		for range 2 {
			r := request(t, a.URL(apnstest.Production))
			r.Header.Set("authorization", bearer)
			breaks(r)
			do(t, c, r)
		}
		if v := rules(a); !v[rule] || len(v) != 1 {
			t.Errorf("%s: got %v", rule, v)
		}
	}
}

// TestDelivered pushes with the bare client and reads what arrived.
func TestDelivered(t *testing.T) {
	t.Parallel()
	var seen []apnstest.Delivered
	a := start(t, apnstest.Config{Keep: 5, OnPush: func(d apnstest.Delivered) { seen = append(seen, d) }})
	s := register(t, a, nil)
	bare, err := apnstest.Bare(a.URL(apnstest.Sandbox), a.CAPool(), team, kid, s.p8)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.CloseIdleConnections()
	for i := range 8 {
		n := &apns2.Notification{
			DeviceToken: token, Topic: topic, PushType: apns2.PushTypeVOIP, Priority: 10, Payload: fmt.Sprintf(`{"i":%d}`, i),
		}
		if w, err := bare.Push(n); err != nil || !w.Sent() {
			t.Fatal(w, err)
		}
	}
	if err := apnstest.Loop(bare)(t.Context(), "nothex", topic, []byte("{}")); err == nil {
		t.Error("a refusal is no error")
	}
	got := a.Delivered()
	if len(got) != 5 || len(seen) != 8 || got[4].Serial != 8 || string(got[0].Payload) != `{"i":3}` ||
		got[0].Environment != apnstest.Sandbox {
		t.Fatalf("kept %d, seen %d, first %+v", len(got), len(seen), got[0])
	}
	if !rules(a)["apns-expiration is missing"] {
		t.Error("apns2 cannot send expiration 0, and no violation was recorded")
	}
	if a.OpenConnections(apnstest.Sandbox) != 1 || a.TotalConnections() != 1 {
		t.Errorf("%d open of %d", a.OpenConnections(apnstest.Sandbox), a.TotalConnections())
	}
}
