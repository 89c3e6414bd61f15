package push

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"carillon/tenants"
)

// inBER writes DER as streaming programs do: each value with an end mark in place of its length,
// and each string of octets in parts.
func inBER(der []byte) []byte {
	var out []byte
	for _, v := range split(der) {
		tag, size, rest, _ := berHead(v)
		content := rest[:size]
		switch {
		case tag[0]&constructed != 0:
			out = append(append(append(out, tag...), 0x80), inBER(content)...)
			out = append(out, 0, 0)
		case tag[0] == tagOctets || tag[0] == 0x80: // 0x80: the content of EncryptedContentInfo
			if tag[0] == tagOctets && len(content) > 0 && content[0] == tagSequence && len(split(content)) == 1 {
				content = inBER(content)
			}
			half := len(content) / 2
			out = append(append(out, tag[0]|constructed, 0x80), derValue([]byte{tagOctets}, content[:half])...)
			out = append(append(out, derValue([]byte{tagOctets}, content[half:])...), 0, 0)
		default:
			out = append(out, v...)
		}
	}
	return out
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBER: a .p12 of a program that streams is the same certificate; DER stays as it is.
func TestBER(t *testing.T) {
	t.Parallel()
	for name, bundle := range map[string]string{"modern.p12": "com.example.bells", "dist-first.p12": "com.example.gongs"} {
		der := readTestdata(t, name)
		if same, ok := toDER(der); !ok || !bytes.Equal(same, der) {
			t.Errorf("%s changes", name)
		}
		ber := inBER(der)
		if back, ok := toDER(append(ber, "more"...)); !ok || !bytes.Equal(back, der) {
			t.Errorf("%s in BER comes out as another file", name)
		}
		if _, about, err := OpenCertificate(ber, "secret"); err != nil || about.Bundle != bundle {
			t.Errorf("%s in BER: %+v %v", name, about, err)
		}
		var e *tenants.Error
		_, _, err := OpenCertificate(ber, "wrong")
		if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Name != "password" || !strings.Contains(e.Error(), "BER") {
			t.Errorf("%s in BER with a wrong password: %v", name, err)
		}
		if _, _, err := OpenCertificate(ber[:len(ber)/2], "secret"); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("half of it: %v", err)
		}
	}
	if _, ok := toDER(bytes.Repeat([]byte{0x30, 0x80}, 1000)); ok {
		t.Error("any depth is read")
	}
}

// FuzzToDER: what is rewritten is DER, which stays as it is, and it is about as large as before.
func FuzzToDER(f *testing.F) {
	for _, name := range []string{"modern.p12", "dist-first.p12"} {
		der := readTestdata(f, name)
		f.Add(der)
		f.Add(inBER(der))
	}
	f.Add([]byte{0x24, 0x80, 4, 1, 'a', 0x24, 0x80, 4, 1, 'b', 0, 0, 0, 0})
	f.Add([]byte{0x30, 0x80, 6, 1, 1, 0x30, 0, 0xa0, 0x80, 4, 1, 'x', 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, ber []byte) {
		der, ok := toDER(ber)
		if !ok {
			return
		}
		if len(der) > 2*len(ber) {
			t.Fatalf("%d bytes from %d", len(der), len(ber))
		}
		if again, ok := toDER(der); !ok || !bytes.Equal(again, der) {
			t.Fatalf("%x\nis rewritten as %x (%v)", der, again, ok)
		}
	})
}
