package gateway

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// sdpLines splits an offer or a fragment into lines as a strict parser wants them. Phones send SDP
// through editors, templates and mail: lines end with CRLF, LF or CR, the last one with nothing,
// and have blanks or tabs before, within or after. None of this carries a meaning in the lines that
// we read. Empty lines are dropped.
func sdpLines(text string) []string {
	text = strings.TrimPrefix(text, "\ufeff")
	if !strings.ContainsAny(text, "\r\n") { // one line: written with the escapes of a string literal
		text = strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(text)
	}
	var lines []string
	for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\r' || c == '\n' }) {
		if line = normalLine(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// normalLine writes one line with single blanks between its fields and none around '=' and ':'.
func normalLine(line string) string {
	line = strings.Join(strings.Fields(line), " ")
	kind, value, ok := strings.Cut(line, "=")
	if kind = strings.TrimSuffix(kind, " "); !ok || len(kind) != 1 {
		return line
	}
	value = strings.TrimPrefix(value, " ")
	switch kind {
	case "s":
		if value == "" {
			value = "-" // RFC 8866 5.3: a session without a name is written "s= " or "s=-"
		}
	case "a":
		if key, of, ok := strings.Cut(value, ":"); ok {
			value = strings.TrimSuffix(key, " ") + ":" + strings.TrimPrefix(of, " ")
		}
	}
	return kind + "=" + value
}

// parseOffer reads the attributes and media sections of an offer (RFC 8866 5). Other lines say
// nothing that we need, so they may be anything. Its refusals name the line at fault.
func parseOffer(text string) (*sdp.SessionDescription, error) {
	lines := sdpLines(text)
	switch {
	case len(lines) == 0:
		return nil, refuse(BadOffer, "The offer is empty.")
	case lines[0][0] == '{':
		return nil, refuse(BadOffer, "The offer is JSON; send only the text of its field \"sdp\".")
	case len(lines) == 1 && !strings.ContainsAny(text, "\r\n"):
		return nil, refuse(BadOffer,
			"The offer is a single line; either its line ends were lost, or it is no session description (RFC 8866).")
	case lines[0] != "v=0":
		return nil, refuse(BadOffer, "The offer does not begin with v=0, as a session description does (RFC 8866).")
	}
	desc := new(sdp.SessionDescription)
	to := &desc.Attributes
	for n, line := range lines {
		fault := func(what string) error {
			return refuse(BadOffer, fmt.Sprintf("Line %d of the offer, %q, %s (RFC 8866).", n+1, shorten(line), what))
		}
		kind, value, ok := strings.Cut(line, "=")
		switch {
		case !ok || len(kind) != 1:
			return nil, fault("is not written as a letter, '=' and a value")
		case value == "":
			return nil, fault("has no value")
		case kind == "a":
			key, value, _ := strings.Cut(value, ":")
			*to = append(*to, sdp.NewAttribute(key, value))
		case kind == "m":
			name, ok := parseMediaName(value)
			if !ok {
				return nil, fault("is not written as m=<media> <port> <protocol> <formats>")
			}
			m := &sdp.MediaDescription{MediaName: name}
			desc.MediaDescriptions = append(desc.MediaDescriptions, m)
			to = &m.Attributes
		}
	}
	return desc, nil
}

// parseMediaName reads the value of an m= line (RFC 8866 5.14).
func parseMediaName(value string) (name sdp.MediaName, ok bool) {
	fields := strings.Split(value, " ")
	if len(fields) < 3 {
		return name, false
	}
	first, _, _ := strings.Cut(fields[1], "/") // a number of ports may follow; WebRTC has one
	port, err := strconv.ParseUint(first, 10, 16)
	return sdp.MediaName{
		Media: fields[0], Port: sdp.RangedPort{Value: int(port)}, Protos: strings.Split(fields[2], "/"), Formats: fields[3:],
	}, err == nil
}

// shorten cuts a line for an error sentence. A line may hold a password, so only its start is
// shown.
func shorten(line string) string {
	const most = 24
	for at := range line {
		if at >= most {
			return line[:at] + "…"
		}
	}
	return line
}
