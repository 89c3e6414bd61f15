package sound

import "encoding/binary"

// page is one page of an Ogg file (RFC 3533 6).
type page struct {
	granule int64 // position at its end; -1 = no packet ends in it
	last    bool  // of the stream
}

// pages cuts a file into the packets of its one stream.
type pages struct {
	rest    []byte
	read    int // pages
	serial  uint32
	ended   bool
	page    *page
	lacing  []byte // lengths of the page's segments that were not read yet
	body    []byte
	partial []byte // beginning of a packet that goes on in the next page
	open    bool   // there is one
}

// packet returns the next packet, or the page that ends, or neither at the end of the file.
func (in *pages) packet() ([]byte, *page, error) {
	for {
		n, whole := 0, false
		for len(in.lacing) > 0 && !whole {
			n += int(in.lacing[0])
			whole = in.lacing[0] < 255
			in.lacing = in.lacing[1:]
		}
		part := in.body[:n:n]
		in.body = in.body[n:]
		switch {
		case whole && in.open:
			packet := append(in.partial, part...)
			in.partial, in.open = nil, false
			return packet, nil, nil
		case whole:
			return part, nil, nil
		case n > 0:
			in.partial, in.open = append(in.partial, part...), true
		}
		if p := in.page; p != nil {
			in.page = nil
			return nil, p, nil
		}
		if len(in.rest) == 0 {
			if in.open {
				return nil, nil, bad("The file ends within a packet: it was cut off. Upload the whole file.")
			}
			return nil, nil, nil
		}
		if err := in.next(); err != nil {
			return nil, nil, err
		}
	}
}

// next reads the head of a page and checks it.
func (in *pages) next() error {
	b := in.rest
	if len(b) < 27 || string(b[:4]) != "OggS" || b[4] != 0 {
		return bad("After page %d comes something that is no Ogg page. The file is damaged or was cut off. Upload the whole file.", in.read)
	}
	segments := int(b[26])
	size := 27 + segments
	if len(b) >= size {
		for _, n := range b[27:size] {
			size += int(n)
		}
	}
	if len(b) < size {
		return bad("The file ends within page %d: it was cut off. Upload the whole file.", in.read+1)
	}
	if checksum(b[:size]) != binary.LittleEndian.Uint32(b[22:]) {
		return bad("Page %d of the file is damaged: its checksum is wrong. Upload the file again.", in.read+1)
	}
	flags, serial := b[5], binary.LittleEndian.Uint32(b[14:])
	switch first := in.read == 0; {
	case in.ended:
		return bad("The file holds more than one recording, one after another. %s", cure)
	case first:
		in.serial = serial
	case serial != in.serial || flags&2 != 0:
		return bad("The file holds more than one stream, such as a video or several recordings. %s", cure)
	}
	if number := binary.LittleEndian.Uint32(b[18:]); number != uint32(in.read) {
		return bad("A page is missing before page %d of the file. Upload the file again.", in.read+1)
	}
	if continued := flags&1 != 0; continued != in.open {
		return bad("Page %d does not go on where the page before it ends. Upload the file again.", in.read+1)
	}
	in.read++
	in.ended = flags&4 != 0
	in.page = &page{granule: int64(binary.LittleEndian.Uint64(b[6:])), last: in.ended}
	in.lacing, in.body, in.rest = b[27:27+segments], b[27+segments:size], b[size:]
	return nil
}

// checksum is the CRC of a page, with zeros in the place of the checksum itself (RFC 3533 6.7).
func checksum(page []byte) (crc uint32) {
	for i, b := range page {
		if i >= 22 && i < 26 {
			b = 0
		}
		crc = crc<<8 ^ crcTable[byte(crc>>24)^b]
	}
	return crc
}

var crcTable = func() (t [256]uint32) {
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			if r&0x80000000 != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		t[i] = r
	}
	return t
}()
