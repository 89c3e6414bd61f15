package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// maxDepth bounds how deep objects and arrays may nest; ours need three.
const maxDepth = 8

// JSON reads the request's body into dst, a pointer to a struct with json tags. It refuses another
// media type, more than MaxBody bytes, text that is not UTF-8, anything after the object, a field
// that dst does not have in exactly this case, a repeated field and a value of a wrong type. The
// refusal names the field.
func JSON(c *fiber.Ctx, dst any) error { return LargeJSON(c, MaxBody, dst) }

// LargeJSON is JSON for a body of at most this many bytes, which ReadDocument has read.
func LargeJSON(c *fiber.Ctx, most int, dst any) error {
	kind, _, err := mime.ParseMediaType(string(c.Request().Header.ContentType()))
	if err != nil || kind != fiber.MIMEApplicationJSON {
		return tenants.Refuse(tenants.Unsupported, "unsupported", "Send the body as application/json.")
	}
	return decode(c.Request().Body(), most, dst)
}

// ReadJSON is JSON for text that is not the body of a request of its own, such as the arguments of
// a tool in a message. The refusals call it the body.
func ReadJSON(text []byte, dst any) error { return decode(text, MaxBody, dst) }

// Plain is a dst that reads the usual form of its body by itself, which is faster. ReadPlain is
// false, and has done nothing, for any body that JSON might refuse.
type Plain interface{ ReadPlain(body []byte) bool }

// decode is JSON without the request.
func decode(body []byte, most int, dst any) error {
	if p, ok := dst.(Plain); ok && len(body) <= most && p.ReadPlain(body) {
		return nil
	}
	switch {
	case len(body) > most:
		return tenants.Refuse(tenants.TooLarge, "too_large", "The body is larger than %d KiB.", most>>10)
	case len(body) == 0:
		return malformed("The body is empty; send a JSON object.")
	case !utf8.Valid(body):
		return malformed("The body is not UTF-8.")
	case halfPair(body):
		return malformed("The body has half of a surrogate pair, a \\ud800 to \\udfff alone, which is not a character.")
	case !json.Valid(body):
		return malformed("The body is not JSON, or something follows the JSON object.")
	}
	s := scanner{text: body}
	if s.peek() != '{' {
		return malformed("The body must be a JSON object.")
	}
	if err := s.value("", reflect.TypeOf(dst).Elem(), 0); err != nil {
		return err
	}
	err := json.Unmarshal(body, dst)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return wrongField(wrong.Field, "must be "+typeName(wrong.Type))
	}
	if err != nil { // a type's own UnmarshalJSON or UnmarshalText
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "A field has a value that cannot be read.", Err: err}
	}
	if composable(body) {
		compose(reflect.ValueOf(dst))
	}
	return nil
}

// halfPair reports whether an escape is half of a surrogate pair (RFC 8259, 8.2), which the decoder
// would silently read as U+FFFD.
func halfPair(body []byte) bool {
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		first := escape(body[i:])
		switch {
		case first < 0:
			i++ // another escape, of one character
		case !utf16.IsSurrogate(first):
			i += 5
		case utf16.DecodeRune(first, escape(body[i+6:])) == utf8.RuneError:
			return true
		default:
			i += 11
		}
	}
	return false
}

// escape is the number of a \uXXXX at the beginning of text, -1 when there is none.
func escape(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

func malformed(msg string) error { return tenants.Refuse(tenants.Invalid, "malformed_json", "%s", msg) }

func wrongField(name, message string) error {
	if name == "" {
		name = "body"
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
		Fields: []tenants.Field{{Name: name, Message: message}}}
}

// typeName describes a Go type in JSON's terms.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// scanner walks JSON that json.Valid has accepted and looks for what encoding/json allows and we do
// not: unknown and repeated fields, fields in another case, and deep nesting.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) peek() byte {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t' || s.text[s.at] == '\n' || s.text[s.at] == '\r') {
		s.at++
	}
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// value skips one value. t is the type it will be decoded into, or nil if it is not checked.
func (s *scanner) value(path string, t reflect.Type, depth int) error {
	if depth > maxDepth {
		return malformed(fmt.Sprintf("The body nests deeper than %d levels.", maxDepth))
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch s.peek() {
	case '{':
		return s.object(path, t, depth)
	case '[':
		return s.list(path, t, depth)
	case '"':
		s.word()
	default: // a number, true, false or null
		for s.at < len(s.text) && strings.IndexByte(" \t\r\n,]}", s.text[s.at]) < 0 {
			s.at++
		}
	}
	return nil
}

func (s *scanner) object(path string, t reflect.Type, depth int) error {
	s.at++ // {
	seen := make([]string, 0, 8)
	for s.peek() != '}' {
		name := s.word()
		where := name
		if path != "" {
			where = path + "." + name
		}
		for _, n := range seen {
			if n == name {
				return wrongField(where, "given twice")
			}
		}
		if seen = append(seen, name); len(seen) > 256 {
			return malformed("An object has more than 256 fields.")
		}
		s.peek()
		s.at++ // :
		inner, known := fieldOf(t, name)
		if !known {
			return wrongField(where, "unknown field")
		}
		if err := s.value(where, inner, depth+1); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.at++
			s.peek()
		}
	}
	s.at++ // }
	return nil
}

func (s *scanner) list(path string, t reflect.Type, depth int) error {
	s.at++ // [
	var inner reflect.Type
	if t != nil && t.Kind() == reflect.Slice {
		inner = t.Elem()
	}
	for s.peek() != ']' {
		if err := s.value(path, inner, depth+1); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.at++
		}
	}
	s.at++ // ]
	return nil
}

// word skips a string and returns it unescaped.
func (s *scanner) word() string {
	from, escaped := s.at, false
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	s.at++
	if !escaped {
		return string(s.text[from+1 : s.at-1])
	}
	var out string
	if json.Unmarshal(s.text[from:s.at], &out) != nil {
		return "" // valid JSON strings unmarshal
	}
	return out
}

// fieldOf returns the field of struct type t with this JSON name. For other types every name is
// accepted; the decoder reports what is wrong.
func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, true
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			if inner, ok := fieldOf(f.Type, name); ok {
				return inner, true
			}
			continue
		}
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name && tag != "" && tag != "-" {
			return f.Type, true
		}
	}
	return nil, false
}
