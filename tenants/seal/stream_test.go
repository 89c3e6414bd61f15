package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// TestStream: a stream opens as it was sealed, and not when it was cut, changed, reordered or is
// another row's.
func TestStream(t *testing.T) {
	t.Parallel()
	key, err := KeyOf(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, streamChunk, streamChunk + 1, 3*streamChunk + 7} {
		plain := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		var sealed, opened bytes.Buffer
		w := key.Writer(&sealed, "tenant", "exports", "id")
		if _, err := io.Copy(w, bytes.NewReader(plain)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := key.Unseal(&opened, bytes.NewReader(sealed.Bytes()), "tenant", "exports", "id"); err != nil ||
			!bytes.Equal(opened.Bytes(), plain) {
			t.Errorf("%d bytes: %d opened, %v", size, opened.Len(), err)
		}
		bad := func(what string, b []byte, aad ...string) {
			if err := key.Unseal(io.Discard, bytes.NewReader(b), aad...); !errors.Is(err, ErrTamper) && !errors.Is(err, ErrBlob) {
				t.Errorf("%d bytes, %s: %v", size, what, err)
			}
		}
		whole := sealed.Bytes()
		bad("of another row", whole, "tenant", "exports", "other")
		bad("cut", whole[:len(whole)-1], "tenant", "exports", "id")
		bad("empty", nil, "tenant", "exports", "id")
		if size > streamChunk {
			bad("without its last chunk", whole[:4+chunkMost], "tenant", "exports", "id")
			bad("without its first chunk", whole[4+chunkMost:], "tenant", "exports", "id")
		}
		whole[len(whole)/2] ^= 1
		bad("changed", whole, "tenant", "exports", "id")
	}
}
