package store

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"carillon/tenants"
)

func TestUUIDsAreSixteenBytes(t *testing.T) {
	t.Parallel()
	const text = "0190abcd-ef01-7234-8567-89abcdef0123"
	raw := []byte{0x01, 0x90, 0xab, 0xcd, 0xef, 0x01, 0x72, 0x34, 0x85, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23}
	for _, written := range []uuid{text, uuid(strings.ToUpper(text))} {
		if v, err := written.Value(); err != nil || !bytes.Equal(v.([]byte), raw) {
			t.Errorf("%s is bound as %x, %v", written, v, err)
		}
	}
	for want, sources := range map[uuid][]any{
		text: {raw, [16]byte(raw), text},
		"":   {nil, []byte{}, [16]byte{}, nilUUID, make([]byte, 16)},
	} {
		for _, src := range sources {
			got := uuid("before")
			if err := got.Scan(src); err != nil || got != want {
				t.Errorf("%v is read as %q, %v", src, got, err)
			}
		}
	}
	if v, err := uuid("").Value(); err != nil || v.([]byte) == nil || len(v.([]byte)) != 0 {
		t.Errorf("the empty id is bound as %v, %v", v, err)
	}
}

// A bad id from outside is an unknown row; a bad id in a row is an Internal error.
func TestBadUUIDs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"x", "0190abcd-ef01-7234-8567-89abcdef012", "0190abcd-ef01-7234-8567-89abcdef012g",
		"0190abcd_ef01-7234-8567-89abcdef0123",
		"0190abcdef01-7234-8567-89abcdef0123-0", strings.Repeat("é", 18)} {
		if _, err := uuid(bad).Value(); !errors.Is(err, errNotUUID) || tenants.KindOf(translate(err)) != tenants.Unknown {
			t.Errorf("%q is bound: %v", bad, err)
		}
		var got uuid
		for _, src := range []any{bad, []byte(bad), int64(7)} {
			if err := translate(got.Scan(src)); err == nil || tenants.KindOf(err) != tenants.Internal {
				t.Errorf("%v is read as %q: %v", src, got, err)
			}
		}
	}
}

func TestBeginningOfUUIDs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"019":                                  "01900000-0000-0000-0000-000000000000 019fffff-ffff-ffff-ffff-ffffffffffff",
		"0190abcd-ef01-7234-8567-89abcdef0123": "0190abcd-ef01-7234-8567-89abcdef0123 0190abcd-ef01-7234-8567-89abcdef0123",
		"0190abcd-":                            "0190abcd-0000-0000-0000-000000000000 0190abcd-ffff-ffff-ffff-ffffffffffff",
		"0190abcde":                            "", "lead": "", strings.Repeat("0", 40): "",
	} {
		low, high, ok := beginning(text)
		if got := string(low + " " + high); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %s, %v", text, got, ok)
		}
	}
}
