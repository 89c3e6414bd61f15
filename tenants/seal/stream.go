package seal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
)

// A sealed stream is sealed chunks, each with its length in 4 bytes, big endian. A chunk is bound
// to its number and to whether it is the last one: chunks that were swapped, left out or cut off at
// the end do not open.
const (
	streamChunk = 256 << 10
	chunkMost   = streamChunk + nonceSize + tagSize
)

// StreamWriter seals what is written to it. Close writes the last chunk: without it the stream does
// not open as a whole.
type StreamWriter struct {
	key *Key
	out io.Writer
	aad []string
	n   int
	buf []byte
	err error
}

// Writer seals a stream to w, for the row that aad names.
func (k *Key) Writer(w io.Writer, aad ...string) *StreamWriter {
	return &StreamWriter{key: k, out: w, aad: aad, buf: make([]byte, 0, streamChunk)}
}

func (s *StreamWriter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 && s.err == nil {
		if len(s.buf) == streamChunk {
			s.chunk("more")
		}
		n := min(len(p), streamChunk-len(s.buf))
		s.buf, p = append(s.buf, p[:n]...), p[n:]
	}
	if s.err != nil {
		return 0, s.err
	}
	return written, nil
}

// Close writes the last chunk. It does not close the writer below.
func (s *StreamWriter) Close() error {
	if s.err == nil {
		s.chunk("last")
	}
	if s.err == nil {
		s.err = errors.New("seal: the stream is closed")
		return nil
	}
	return s.err
}

func (s *StreamWriter) chunk(which string) {
	sealed := s.key.Seal(s.buf, chunkOf(s.aad, s.n, which)...)
	_, s.err = s.out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))))
	if s.err == nil {
		_, s.err = s.out.Write(sealed)
	}
	s.n, s.buf = s.n+1, s.buf[:0]
}

func chunkOf(aad []string, n int, which string) []string {
	return append(append([]string{}, aad...), strconv.Itoa(n), which)
}

// Unseal writes to w what a Writer sealed to r for the same row. It returns ErrTamper where a chunk
// was changed, moved or left out, and ErrBlob where the stream ends too early.
func (k *Key) Unseal(w io.Writer, r io.Reader, aad ...string) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var head [4]byte
	sealed := make([]byte, 0, chunkMost)
	for n := 0; ; n++ {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return ErrBlob
		}
		size := binary.BigEndian.Uint32(head[:])
		if size > chunkMost {
			return ErrBlob
		}
		sealed = sealed[:size]
		if _, err := io.ReadFull(in, sealed); err != nil {
			return ErrBlob
		}
		which := "more"
		if _, err := in.Peek(1); err != nil {
			which = "last"
		}
		plain, err := k.Open(sealed, chunkOf(aad, n, which)...)
		if err != nil {
			return err
		}
		if _, err := w.Write(plain); err != nil || which == "last" {
			return err
		}
	}
}
