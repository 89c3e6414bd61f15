package tenants

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_123)
	a, b := NewID[RingID](now), NewID[RingID](now.Add(time.Millisecond))
	if a >= b {
		t.Errorf("%s does not sort before %s", a, b)
	}
	if a[14] != '7' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("%s is no UUIDv7", a)
	}
	upper, ok := ParseID[RingID](strings.ToUpper(string(a)))
	if !ok || upper != a {
		t.Errorf("upper case read as %q, %v", upper, ok)
	}
	for _, bad := range []string{"", "x", string(a) + "0", strings.Replace(string(a), "-", "0", 1),
		strings.Replace(string(a), "7", "g", 1), string(a[:35])} {
		if _, ok := ParseID[RingID](bad); ok {
			t.Errorf("%q taken for an id", bad)
		}
	}
}

// TestIDsSortByTheirMicrosecond: a list by id is a list by age, and a moment is a bound of it.
func TestIDsSortByTheirMicrosecond(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_700_000_000_122)
	last := NewID[RingID](start)
	for us := 1; us <= 3000; us++ {
		at := start.Add(time.Duration(us) * time.Microsecond)
		first, next := FirstID[RingID](at), NewID[RingID](at.Add(999))
		if last >= first || next < first || !ValidID(string(first)) {
			t.Fatalf("%d µs on: %s, bound %s, %s", us, last, first, next)
		}
		last = next
	}
	if got := FirstID[RingID](time.Time{}); got != "00000000-0000-7000-8000-000000000000" {
		t.Errorf("the first id of no time is %s", got)
	}
}

func TestPhoneTime(t *testing.T) {
	t.Parallel()
	received := time.Unix(1_700_000_000, 0)
	lie := time.Unix(946_684_800, 0) // a phone that thinks it is the year 2000
	for name, c := range map[string]struct {
		at, sent time.Time
		want     time.Time
	}{
		"wrong clock":    {lie, lie.Add(3 * time.Second), received.Add(-3 * time.Second)},
		"no times":       {time.Time{}, time.Time{}, received},
		"sent before at": {lie.Add(time.Second), lie, received},
		"absurd age":     {lie, lie.Add(24*time.Hour + 1), received},
		"a day old":      {lie, lie.Add(24 * time.Hour), received.Add(-24 * time.Hour)},
		"no time of it":  {time.Time{}, lie, received},
		"never sent":     {lie, time.Time{}, received},
	} {
		if got := PhoneTime(received, c.at, c.sent); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		byArrival := name == "never sent"
		if got := (Fact{RawAt: c.at, RawSent: c.sent}).ByArrival(); got != byArrival {
			t.Errorf("%s: dated by its arrival: %t", name, got)
		}
	}
	for code, want := range map[int]string{0: "unknown", 1: "unentitled", 2: "call_uuid_exists", 3: "do_not_disturb", 4: "block_list",
		5: "restricted_sharing", 6: "protected", 7: "sensitive_participants", 8: "code_8", MaxCallKitCode: "code_63"} {
		if got := CallKitCode(code); got != want {
			t.Errorf("CallKit's code %d is %q, want %q", code, got, want)
		}
	}
}

// TestIDsHoldTheirTime: the example of RFC 9562, A.6, and that two ids of one moment differ.
func TestIDsHoldTheirTime(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(0x017F22E279B0)
	if got := FirstID[RingID](at); got != "017f22e2-79b0-7000-8000-000000000000" {
		t.Errorf("the first id of %v is %s", at, got)
	}
	if got := NewID[RingID](at); !strings.HasPrefix(string(got), "017f22e2-79b0-7000-") {
		t.Errorf("an id of %v is %s", at, got)
	}
	first, second := NewID[RingID](at), NewRandomID()
	if first == NewID[RingID](at) || second == NewRandomID() {
		t.Error("two ids are the same")
	}
	if id := NewRandomID(); id[14] != '4' || !ValidID(id) {
		t.Errorf("%s is no UUIDv4", id)
	}
	for c, want := range map[byte]bool{'0': true, '9': true, 'a': true, 'f': true, 'A': true, 'F': true,
		'/': false, ':': false, '@': false, 'G': false, '`': false, 'g': false} {
		if ValidID(string(c)+string(FirstID[RingID](at))[1:]) != want {
			t.Errorf("%q is a hexadecimal digit: %t", c, !want)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	s := NewSecret(LivePrefix)
	if !WellFormed(string(s)) {
		t.Fatalf("a fresh secret is not well-formed: %d characters", len(s))
	}
	typo := []byte(s)
	typo[12] ^= 1
	if WellFormed(string(typo)) || WellFormed(string(s)+"a") || WellFormed("") {
		t.Error("a typo passes")
	}
	for _, bad := range []string{LivePrefix, "xyz" + string(s)[3:], string(s)[:len(s)-6], strings.Repeat("0", len(s)),
		"xyz_live_" + string(s)[9:len(s)-6] + checksum("xyz_live_"+string(s)[9:len(s)-6])} {
		if WellFormed(bad) {
			t.Errorf("a text of %d characters passes for a secret", len(bad))
		}
	}
	before := NewCode()
	if NewSecret(LivePrefix) == s || before == NewCode() {
		t.Error("two secrets are the same")
	}
	if top := new(big.Int).Exp(big.NewInt(62), big.NewInt(3), nil); base62(top.Sub(top, big.NewInt(1)), 3) != "zzz" ||
		base62(big.NewInt(0), 3) != "000" || base62(big.NewInt(62), 3) != "010" {
		t.Error("base 62 loses a digit")
	}
	if got := s.String(); got != "***" {
		t.Errorf("prints as %q", got)
	}
	code := NewCode()
	read, ok := ParseCode(" " + strings.ToLower(strings.ReplaceAll(string(code), "-", " ")))
	if !ok || read != code {
		t.Errorf("code read back as %v", ok)
	}
	for _, bad := range []string{"", "ABCDE", "ABCDE-FGHJ0", "ABCDE-FGHJKM"} {
		if _, ok := ParseCode(bad); ok {
			t.Errorf("%q taken for a code", bad)
		}
	}
}

func TestChecksNameEveryWrongField(t *testing.T) {
	t.Parallel()
	err := Device{Token: "zz", Bundle: "x.voip", Environment: "moon", Person: "a b", Name: "a\x00", TimeZone: "Nowhere/At_All",
		Platform: "fax"}.Check()
	var e *Error
	if !errors.As(err, &e) || e.Kind != Invalid || len(e.Fields) != 7 {
		t.Errorf("device: %v", err)
	}
	err = Request{Caller: strings.Repeat("a", 65), Reference: "a b", TTL: 4 * time.Second}.Check()
	if !errors.As(err, &e) || len(e.Fields) != 4 {
		t.Errorf("request: %v", err)
	}
	if err := (Request{To: To{Person: "u-1"}, Caller: "Åsa Öberg", TTL: MinTTL}).Check(); err != nil {
		t.Errorf("good request refused: %v", err)
	}
	if ValidText("a\u202eb", 0, 9) || ValidText("a\u2028b", 0, 9) || ValidText("\xff", 0, 9) {
		t.Error("text that reads as something else passes")
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	good := func() Question {
		return Question{Tenant: Tenant{State: TenantActive}, Now: now,
			Device:     Device{State: DeviceActive, Bundle: "com.example.app", Environment: Production},
			Credential: &Credential{State: CredentialActive}}
	}
	if err := Decide(good()); err != nil {
		t.Fatalf("good question refused: %v", err)
	}
	for code, change := range map[string]func(*Question){
		"tenant_suspended":    func(q *Question) { q.Tenant.State = TenantSuspended },
		"device_disabled":     func(q *Question) { q.Device.State = DeviceDisabled },
		"test_key":            func(q *Question) { q.TestKey = true },
		"credential_missing":  func(q *Question) { q.Credential = nil },
		"credential_missing ": func(q *Question) { q.Credential.State = CredentialPrevious },
		"credential_disabled": func(q *Question) { q.Credential.State = CredentialDisabled },
		"credential_expired":  func(q *Question) { q.Credential.NotAfter = now.Add(-time.Hour) },
	} {
		q := good()
		change(&q)
		var e *Error
		if err := Decide(q); !errors.As(err, &e) || e.Code != strings.TrimSpace(code) || e.Kind != Forbidden {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// A percentile is the smallest value that at least that share of all reaches: it rounds up, never
// down.
func TestPercentileRoundsUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		timed int // one in each of the first buckets
		p     float64
		want  int // the bucket, from 0
	}{
		{1, 0.5, 0}, {1, 0.99, 0}, {2, 0.5, 0}, {3, 0.5, 1}, {10, 0.5, 4}, {10, 0.95, 9}, {20, 0.95, 18}, {21, 0.95, 19},
		{100, 0.5, 49}, {100, 0.95, 94}, {100, 0.99, 98}, {101, 0.95, 95}, {101, 0.99, 99},
	} {
		counts := map[int]int64{-1: 1000, -2: 1000} // without a time
		for b := range c.timed {
			counts[b] = 1
		}
		if got := Percentile(counts, c.p); got != BucketTop(c.want) {
			t.Errorf("p%v of %d = %v, want bucket %d, %v", c.p*100, c.timed, got, c.want, BucketTop(c.want))
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	counts := map[int]int64{}
	for i := range 1000 {
		counts[Bucket(time.Duration(i+1)*time.Millisecond)]++
	}
	for p, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond,
		0.99: 990 * time.Millisecond} {
		got := Percentile(counts, p)
		if off := float64(got-want) / float64(want); off < -0.01 || off > 0.1 {
			t.Errorf("p%v = %v, want about %v", p*100, got, want)
		}
	}
	if Bucket(-time.Second) != 0 || Bucket(1000*time.Hour) != lastBucket || Percentile(nil, 0.5) != 0 {
		t.Error("edges")
	}
	for n := 1; n <= lastBucket; n++ {
		if Bucket(BucketTop(n)) > n || BucketTop(n) <= BucketTop(n-1) {
			t.Fatalf("bucket %d does not hold its own top", n)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("the disk is full")
	err := &Error{Kind: Invalid, Msg: "Please correct this.", Fields: []Field{{Name: "name", Message: "too long"}}, Err: cause}
	if got := err.Error(); got != "Please correct this.; name: too long; the disk is full" {
		t.Errorf("in the log: %s", got)
	}
	if !errors.Is(err, cause) || KindOf(errors.Join(err)) != Invalid || KindOf(cause) != Internal || KindOf(nil) != Internal {
		t.Error("the kind or the cause is lost")
	}
	if e := NoSuch("ring"); e.Kind != Unknown || e.Code != "not_found" || e.Msg != "There is no such ring." {
		t.Errorf("a row that is not there: %#v", e)
	}
}

func TestParseDeviceToken(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		strings.Repeat("aB", 32):            strings.Repeat("ab", 32),
		strings.Repeat("0", 200):            strings.Repeat("0", 200),
		strings.Repeat("0", 202):            "",
		strings.Repeat("a", 63):             "",
		strings.Repeat("a", 65):             "",
		strings.Repeat("g", 64):             "",
		"<" + strings.Repeat("a", 62) + ">": "",
		"":                                  "",
	} {
		if got, ok := ParseDeviceToken(in); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", in, got, ok)
		}
	}
}

func FuzzParseDeviceToken(f *testing.F) {
	f.Add(strings.Repeat("aB", 32))
	f.Add("../../" + strings.Repeat("a", 64))
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := ParseDeviceToken(in)
		if ok && (strings.Trim(got, "0123456789abcdef") != "" || !strings.EqualFold(got, in)) || !ok && got != "" {
			t.Fatalf("%q: %q", in, got)
		}
	})
}
