package tenants

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// maxFaults bounds what readStrict reports of one text.
const maxFaults = 40

// readStrict reads a JSON text into a struct and returns every fault, each with its path: unknown,
// missing and repeated fields, wrong types, text after the end. A field is optional if its tag says
// omitempty. Unlike package json it tells the case of letters.
func readStrict(text []byte, into any) []error {
	r := strictReader{}
	if !json.Valid(text) {
		return []error{whereBroken(text)}
	}
	r.read(text, reflect.ValueOf(into).Elem(), "")
	return r.faults
}

// whereBroken says at which line a text stops being JSON.
func whereBroken(text []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(text, &raw)
	if syntax, ok := err.(*json.SyntaxError); ok {
		line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
		return fmt.Errorf("line %d: not JSON: %w", line, err)
	}
	return fmt.Errorf("not JSON: %w", err)
}

type strictReader struct{ faults []error }

func (r *strictReader) fault(path, format string, args ...any) {
	if len(r.faults) == maxFaults {
		return
	}
	if path == "" {
		path = "the file"
	}
	r.faults = append(r.faults, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (r *strictReader) read(text json.RawMessage, v reflect.Value, path string) {
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
		if err := u.UnmarshalJSON(text); err != nil {
			r.fault(path, "%v", err)
		}
		return
	}
	if string(text) == "null" && v.Kind() != reflect.Pointer {
		r.fault(path, "is null; give %s", kindWords(v.Kind()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if string(text) != "null" {
			v.Set(reflect.New(v.Type().Elem()))
			r.read(text, v.Elem(), path)
		}
	case reflect.Struct:
		r.object(text, v, path)
	case reflect.Map:
		r.table(text, v, path)
	case reflect.Slice:
		r.list(text, v, path)
	default:
		if err := json.Unmarshal(text, v.Addr().Interface()); err != nil {
			r.fault(path, "is %s; give %s", cutText(string(text), 40), kindWords(v.Kind()))
		}
	}
}

func kindWords(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return `a text in "…"`
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list in […]"
	}
	return "an object in {…}"
}

// member is a name with its value in an object.
type member struct {
	name  string
	value json.RawMessage
}

// members lists an object's members; a name that comes again is a fault. ok is false for what is no
// object.
func (r *strictReader) members(text json.RawMessage, path string) (all []member, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		r.fault(path, "is %s; give an object in {…}", cutText(string(text), 40))
		return nil, false
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, _ := t.(string)
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			break // the text was valid
		}
		if seen[name] {
			r.fault(below(path, name), "is in the file twice")
			continue
		}
		seen[name] = true
		all = append(all, member{name, value})
	}
	return all, true
}

func below(path, name string) string { return strings.TrimPrefix(path+"."+cutText(name, 60), ".") }

func (r *strictReader) object(text json.RawMessage, v reflect.Value, path string) {
	all, ok := r.members(text, path)
	if !ok {
		return
	}
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		at := slices.IndexFunc(all, func(m member) bool { return m.name == name })
		if at < 0 {
			if options != "omitempty" {
				r.fault(below(path, name), "is missing")
			}
			continue
		}
		r.read(all[at].value, v.Field(i), below(path, name))
		all = slices.Delete(all, at, at+1)
	}
	for _, m := range all {
		r.fault(below(path, m.name), "there is no such field")
	}
}

func (r *strictReader) table(text json.RawMessage, v reflect.Value, path string) {
	all, ok := r.members(text, path)
	if !ok {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, m := range all {
		value := reflect.New(v.Type().Elem()).Elem()
		r.read(m.value, value, below(path, m.name))
		v.SetMapIndex(reflect.ValueOf(m.name).Convert(v.Type().Key()), value)
	}
}

func (r *strictReader) list(text json.RawMessage, v reflect.Value, path string) {
	var all []json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		r.fault(path, "is %s; give a list in […]", cutText(string(text), 40))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(all), len(all)))
	for i, one := range all {
		r.read(one, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}
