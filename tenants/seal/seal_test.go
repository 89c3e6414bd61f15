package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"carillon/tenants/seal"
)

func keyring(t testing.TB, file string) *seal.Keyring {
	t.Helper()
	k, err := seal.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOnlyItsOwnRowOpensABlob(t *testing.T) {
	t.Parallel()
	k := keyring(t, seal.Generate())
	secret := []byte("-----BEGIN PRIVATE KEY-----")
	row := []string{"tenant-a", "credentials", "row-1"}
	blob, err := k.Seal(secret, row...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Open(blob, row...)
	if err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("got %q, %v", got, err)
	}
	if bytes.Contains(blob, secret) {
		t.Error("the secret is in the blob")
	}
	for name, aad := range map[string][]string{
		"another tenant": {"tenant-b", "credentials", "row-1"}, "another table": {"tenant-a", "webhooks", "row-1"},
		"another row": {"tenant-a", "credentials", "row-2"}, "no row": {}, "parts run together": {"tenant-acredentials", "row-1"},
		"parts cut elsewhere": {"tenant-", "acredentials", "row-1"}, "a part more": {"tenant-a", "credentials", "row-1", ""},
	} {
		if _, err := k.Open(blob, aad...); !errors.Is(err, seal.ErrTamper) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := keyring(t, seal.Generate()).Open(blob, row...); !errors.Is(err, seal.ErrKey) {
		t.Errorf("another installation's keys: %v", err)
	}
	again, err := k.Seal(secret, row...)
	if err != nil || bytes.Equal(again, blob) {
		t.Errorf("the same secret twice gives the same blob (%v)", err)
	}
	for _, plain := range [][]byte{nil, {0}, bytes.Repeat([]byte("x"), 1<<16)} {
		blob, err := k.Seal(plain, row...)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(blob, row...); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
	}
}

func TestAnyChangedBitIsDetected(t *testing.T) {
	t.Parallel()
	k := keyring(t, seal.Generate())
	blob, err := k.Seal([]byte("secret"), "t", "credentials", "1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range blob {
		for bit := range 8 {
			bad := bytes.Clone(blob)
			bad[i] ^= 1 << bit
			if plain, err := k.Open(bad, "t", "credentials", "1"); err == nil {
				t.Fatalf("byte %d, bit %d flipped: opened as %q", i, bit, plain)
			}
		}
		if _, err := k.Open(blob[:i], "t", "credentials", "1"); err == nil {
			t.Fatalf("cut to %d bytes: opened", i)
		}
	}
	if _, err := k.Open(append(bytes.Clone(blob), 0), "t", "credentials", "1"); err == nil {
		t.Fatal("a byte more: opened")
	}
}

// Parts of two blobs of one row must not make a third: the wrap of one with the secret of the
// other.
func TestBlobsDoNotMix(t *testing.T) {
	t.Parallel()
	k := keyring(t, seal.Generate())
	one, _ := k.Seal([]byte("secret one"), "t")
	two, _ := k.Seal([]byte("secret two"), "t")
	for cut := range one {
		mixed := append(bytes.Clone(one[:cut]), two[cut:]...)
		if bytes.Equal(mixed, one) || bytes.Equal(mixed, two) { // at either end one byte differs, and in 1 of 256 pairs none
			continue
		}
		if plain, err := k.Open(mixed, "t"); err == nil {
			t.Fatalf("cut at %d: opened as %q", cut, plain)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	first, second := seal.Generate(), seal.Generate()
	old, both, fresh := keyring(t, first), keyring(t, second+first), keyring(t, second)
	row := []string{"t", "credentials", "1"}
	blob, err := old.Seal([]byte("secret"), row...)
	if err != nil {
		t.Fatal(err)
	}
	if old.KeyOf(blob) != old.Current() || both.Current() != fresh.Current() || both.KeyOf(blob) == both.Current() {
		t.Fatalf("key ids: blob %q, old %q, both %q", old.KeyOf(blob), old.Current(), both.Current())
	}
	if plain, err := both.Open(blob, row...); err != nil || string(plain) != "secret" {
		t.Fatalf("under both keys: %q %v", plain, err)
	}
	again, changed, err := both.Rewrap(blob, row...)
	if err != nil || !changed || both.KeyOf(again) != fresh.Current() {
		t.Fatalf("rewrapped: %v %v %q", changed, err, both.KeyOf(again))
	}
	if plain, err := fresh.Open(again, row...); err != nil || string(plain) != "secret" {
		t.Fatalf("under the new key alone: %q %v", plain, err)
	}
	if _, err := old.Open(again, row...); !errors.Is(err, seal.ErrKey) {
		t.Errorf("under the old key: %v", err)
	}
	if same, changed, err := fresh.Rewrap(again, row...); err != nil || changed || !bytes.Equal(same, again) {
		t.Errorf("rewrapped twice: %v %v", changed, err)
	}
	if _, _, err := both.Rewrap(blob, "t", "credentials", "2"); !errors.Is(err, seal.ErrTamper) {
		t.Errorf("another row's blob: %v", err)
	}
	if _, _, err := fresh.Rewrap(blob, row...); !errors.Is(err, seal.ErrKey) {
		t.Errorf("without the old key: %v", err)
	}
}

// TestMarks: a mark is found again under the keys that are there, says nothing without them, and is
// one for each purpose.
func TestMarks(t *testing.T) {
	t.Parallel()
	first, second := seal.Generate(), seal.Generate()
	marks := func(file, purpose, text string) [][]byte {
		t.Helper()
		m, err := keyring(t, file).Marks(purpose, text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	old, both := marks(first, "card", "x"), marks(second+first, "card", "x")
	if len(old) != 1 || len(both) != 2 || !bytes.Equal(both[1], old[0]) || bytes.Equal(both[0], old[0]) {
		t.Errorf("old %x, both %x", old, both)
	}
	for _, other := range [][][]byte{
		marks(first, "card", "y"), marks(first, "mail", "x"), marks(second, "card", "x"), marks(first, "car", "dx"),
	} {
		if bytes.Equal(other[0], old[0]) {
			t.Error("two different inputs have the same mark")
		}
	}
	if m := marks(first, "card", "x"); !bytes.Equal(m[0], old[0]) {
		t.Error("the same mark is not found again")
	}
	var none *seal.Keyring
	if _, err := none.Marks("card", "x"); err == nil {
		t.Error("without keys there is a mark")
	}
}

// A command that handles no secrets has no keys; it must fail rather than write in the clear.
func TestSealingWithoutKeysFails(t *testing.T) {
	t.Parallel()
	var none *seal.Keyring
	if blob, err := none.Seal([]byte("secret"), "t"); err == nil {
		t.Errorf("sealed as %x", blob)
	}
	blob, err := keyring(t, seal.Generate()).Seal([]byte("secret"), "t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Open(blob, "t"); err == nil {
		t.Error("opened")
	}
	if _, _, err := none.Rewrap(blob, "t"); err == nil {
		t.Error("rewrapped")
	}
}

func TestParseNamesEveryFault(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	short := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 31))
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"empty":   {"", []string{"no key"}},
		"remarks": {"# mine\n\n", []string{"no key"}},
		"no key":  {"just words", []string{"line 1: the key is not standard base64"}},
		"bad id":  {"A B:" + key, []string{"line 1: the key id"}},
		"many": {"a:" + key + "\nb:" + short + "\na:" + key + "\nc:!!\n:" + key, []string{
			"line 2: the key has 31 bytes", "line 3: the key id \"a\" appears twice",
			"line 4: the key is not standard base64", "line 5: the key id",
		}},
	} {
		k, err := seal.Parse([]byte(c.file))
		if err == nil || k != nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
		if strings.Contains(err.Error(), key) || strings.Contains(err.Error(), short) {
			t.Errorf("%s: the error contains a key", name)
		}
	}
	old := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32))
	k, err := seal.Parse([]byte("# current\r\nnew:" + key + "\r\n\r\n old:" + old + "\r\n"))
	if err != nil || k.Current() != "new" {
		t.Errorf("a file as Windows writes it: %v", err)
	}
	// What `openssl rand -base64 32` prints is a key file; its key is named the same each time, and
	// opens what it sealed.
	one, two := keyring(t, key+"\n"), keyring(t, "new:"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32))+"\n"+key)
	blob, err := one.Seal([]byte("x"), "t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Open(blob, "t"); err != nil || !strings.HasPrefix(one.Current(), "h") {
		t.Errorf("a key without a name (%s): %v", one.Current(), err)
	}
}

// Older files open what they sealed and never seal; the same key in both counts once.
func TestOlderFiles(t *testing.T) {
	t.Parallel()
	old, fresh := seal.Generate(), seal.Generate()
	one := keyring(t, old)
	blob, err := one.Seal([]byte("x"), "t")
	if err != nil {
		t.Fatal(err)
	}
	both, err := seal.Parse([]byte(fresh+old), []byte(old))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Open(blob, "t"); err != nil || both.Current() == one.Current() || !both.Old() || one.Old() {
		t.Errorf("both files: %v", err)
	}
	id, _, _ := strings.Cut(old, ":")
	_, rest, _ := strings.Cut(fresh, ":")
	if _, err := seal.Parse([]byte(fresh), []byte("A:x")); err == nil || !strings.Contains(err.Error(), "old master key file, line 1") {
		t.Errorf("a fault in an older file: %v", err)
	}
	if _, err := seal.Parse([]byte(old), []byte(id+":"+rest)); err == nil || !strings.Contains(err.Error(), "belongs to another key") {
		t.Errorf("two keys of one name: %v", err)
	}
	before, err := one.Marks("p", "text")
	if err != nil {
		t.Fatal(err)
	}
	kept := both.MarkKeys()[one.Current()]
	after, err := keyring(t, fresh).Marks("p", "text", kept)
	if err != nil || len(after) != 2 || !bytes.Equal(after[1], before[0]) {
		t.Errorf("a mark under a removed key: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	k, err := seal.Parse([]byte("k:" + base64.StdEncoding.EncodeToString(make([]byte, 32))))
	if err != nil {
		f.Fatal(err)
	}
	good, err := k.Seal([]byte("secret"), "t", "credentials", "1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte{1, 255})
	f.Add([]byte{1, 1, 'k'})
	f.Fuzz(func(t *testing.T, blob []byte) {
		plain, err := k.Open(blob, "t", "credentials", "1")
		if err == nil && string(plain) != "secret" {
			t.Fatalf("forged: %x opens as %q", blob, plain)
		}
		if _, _, again := k.Rewrap(blob, "t", "credentials", "1"); (again == nil) != (err == nil) {
			t.Fatalf("Open says %v, Rewrap says %v", err, again)
		}
		k.KeyOf(blob)
	})
}

// A Key opens what it sealed for the same row, and nothing else.
func TestKey(t *testing.T) {
	t.Parallel()
	one, err := seal.KeyOf(seal.NewKey())
	other, err2 := seal.KeyOf(seal.NewKey())
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	blob := one.Seal([]byte("secret"), "tenant", "1")
	if got, err := one.Open(blob, "tenant", "1"); err != nil || string(got) != "secret" {
		t.Errorf("%q %v", got, err)
	}
	changed := append([]byte{}, blob...)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another row": func() ([]byte, error) { return one.Open(blob, "tenant", "2") },
		"another key": func() ([]byte, error) { return other.Open(blob, "tenant", "1") },
		"changed":     func() ([]byte, error) { return one.Open(changed, "tenant", "1") },
	} {
		if _, err := open(); !errors.Is(err, seal.ErrTamper) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := one.Open(blob[:10]); !errors.Is(err, seal.ErrBlob) {
		t.Error(err)
	}
	if _, err := seal.KeyOf([]byte("short")); err == nil {
		t.Error("a short key was accepted")
	}
}
