package tenants

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The bounds of a file of devices.
const (
	DeviceFileMost = 5 << 20 // bytes
	DeviceFileRows = 10_000
)

// FileFault is what is wrong in a line of a file: where, why, and what to do.
type FileFault struct {
	Line                int // the first one is 1
	Column, Cause, Cure string
}

// FileDevice is a device as a line of a file describes it.
type FileDevice struct {
	Line   int
	Device Device
	Tags   []string
}

// DeviceFile is a file of devices that was read: what can be imported, and what cannot.
type DeviceFile struct {
	Devices []FileDevice
	Faults  []FileFault
	Unused  []string // columns that mean nothing to us
	Rows    int      // lines with something in them, without the head
}

// deviceColumns are the columns of the file, with other words that people use for them.
var deviceColumns = map[string]string{
	"token": "token", "device_token": "token", "voip_token": "token", "push_token": "token",
	"bundle_id": "bundle_id", "bundle": "bundle_id", "app": "bundle_id",
	"environment": "environment", "person": "person", "name": "name", "tags": "tags", "tag": "tags", "groups": "tags",
}

// ReadDeviceFile reads a CSV file with the columns token, bundle_id, environment, person, name and
// tags. Spreadsheets write such files in many ways, so the separator (comma, semicolon, tab), the
// encoding (UTF-8, UTF-16, Latin-1) and the line ends are judged by the content. Of two lines with
// the same token and app the first counts. It refuses a file that is empty, too large or without
// the columns token and bundle_id; what is wrong in one line is a fault of that line.
func ReadDeviceFile(b []byte) (f DeviceFile, err error) {
	if len(b) > DeviceFileMost {
		return f, tooManyDevices()
	}
	text := strings.TrimLeft(decoded(b), "\ufeff\r\n\t ")
	if line, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(strings.ToLower(line), "sep=") { // Excel's
		text = rest
	}
	if strings.TrimSpace(text) == "" {
		return f, Refuse(Unprocessable, "invalid", "The file is empty. It needs a first line with the names of the columns, "+
			"and a line for each device.")
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = separatorOf(text), -1, true, false
	head, err := r.Read()
	if err != nil {
		return f, Refuse(Unprocessable, "invalid", "The first line cannot be read: a quotation mark is not closed. Close it and try again.")
	}
	at, err := f.columns(head)
	if err != nil {
		return f, err
	}
	if err = f.read(r, at); err == nil && f.Rows == 0 {
		err = Refuse(Unprocessable, "invalid", "The file has the names of the columns, and no line with a device.")
	}
	return f, err
}

// columns finds the columns by the names in the first line.
func (f *DeviceFile) columns(head []string) (at map[string]int, err error) {
	at = map[string]int{}
	for i, cell := range head {
		word := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(cell)))
		name, ok := deviceColumns[word]
		if _, twice := at[name]; !ok || twice {
			if word != "" {
				f.Unused = append(f.Unused, strings.TrimSpace(cell))
			}
			continue
		}
		at[name] = i
	}
	for _, needed := range []string{"token", "bundle_id"} {
		if _, ok := at[needed]; !ok {
			return nil, Refuse(Unprocessable, "invalid", "The first line has no column “%s”. Name the columns token, bundle_id, "+
				"environment, person, name and tags; the first two are needed.", needed)
		}
	}
	return at, nil
}

func (f *DeviceFile) read(r *csv.Reader, at map[string]int) error {
	seen := map[string]int{}
	for {
		cells, err := r.Read()
		line, _ := r.FieldPos(0)
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &wrong):
			f.Rows++
			f.Faults = append(f.Faults, FileFault{wrong.StartLine, "", "A quotation mark is not closed, or stands within a cell.",
				"Correct it. The lines behind it were not read."})
			return nil
		case err != nil:
			return err
		case strings.TrimSpace(strings.Join(cells, "")) == "":
			continue
		}
		if f.Rows++; f.Rows > DeviceFileRows {
			return tooManyDevices()
		}
		f.add(line, cells, at, seen)
	}
}

func (f *DeviceFile) add(line int, cells []string, at, seen map[string]int) {
	cell := func(name string) string {
		if i, ok := at[name]; ok && i < len(cells) {
			return strings.TrimSpace(cells[i])
		}
		return ""
	}
	d := Device{Token: strings.NewReplacer(" ", "", "<", "", ">", "").Replace(cell("token")), Bundle: cell("bundle_id"),
		Environment: Environment(strings.ToLower(cell("environment"))), Person: cell("person"), Name: cell("name")}.Clean()
	var tags []string
	for tag := range strings.FieldsFuncSeq(cell("tags"), func(r rune) bool { return r == ',' || r == ';' || r == '|' }) {
		if tag = strings.TrimSpace(tag); tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	faults := len(f.Faults)
	var refused *Error
	if errors.As(d.Check(), &refused) {
		for _, x := range refused.Fields {
			cause := "This value is not allowed."
			if cell(x.Name) == "" {
				cause = "It is missing."
			}
			f.Faults = append(f.Faults, FileFault{line, x.Name, cause, "It must be " + x.Message + "."})
		}
	}
	if len(tags) > int(CapTags.Most) || slices.ContainsFunc(tags, func(tag string) bool { return !ValidTag(tag) }) {
		f.Faults = append(f.Faults, FileFault{line, "tags", "This value is not allowed.",
			"Separate tags with a vertical bar. Each has 1 to 40 characters; a device has at most 20."})
	}
	key := d.Bundle + " " + d.Token
	if first, twice := seen[key]; twice && d.Token != "" {
		f.Faults = append(f.Faults, FileFault{line, "token", "Line " + strconv.Itoa(first) + " has the same token and app.",
			"Remove one of the two lines."})
	} else {
		seen[key] = line
	}
	if len(f.Faults) == faults {
		f.Devices = append(f.Devices, FileDevice{line, d, tags})
	}
}

func tooManyDevices() error {
	return Refuse(TooLarge, "too_large", "The file has more than %s devices or 5 MB, which is the most at once. Split it and import "+
		"the parts one after the other.", FormatCount(DeviceFileRows))
}

// separatorOf is the sign that occurs most in the first line.
func separatorOf(text string) rune {
	line, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, sign := range ";\t" {
		if strings.Count(line, string(sign)) > strings.Count(line, string(best)) {
			best = sign
		}
	}
	return best
}

// decoded is the text of a file: UTF-16 by its mark or by the zero bytes of its first letters, else
// UTF-8, else Latin-1. Line ends become \n.
func decoded(b []byte) string {
	var text string
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}), len(b) > 3 && b[0] != 0 && b[1] == 0 && b[3] == 0:
		text = wide(b, binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}), len(b) > 3 && b[0] == 0 && b[1] != 0 && b[2] == 0:
		text = wide(b, binary.BigEndian)
	case utf8.Valid(b):
		text = string(b)
	default:
		letters := make([]rune, len(b))
		for i, c := range b {
			letters[i] = rune(c)
		}
		text = string(letters)
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

func wide(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
