package web

import (
	"bytes"
	"reflect"
	"unicode/utf8"

	"carillon/app/language"
)

// compose brings every text in a decoded body into one form, see language.Composed: so names that
// look the same are the same, whichever way a program wrote their accents.
func compose(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			compose(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				compose(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			compose(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if one := v.MapIndex(key); one.Kind() == reflect.String && one.CanInterface() {
				v.SetMapIndex(key, reflect.ValueOf(language.Composed(one.String())).Convert(one.Type()))
			}
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(language.Composed(v.String()))
		}
	}
}

// composable reports whether a body may hold letters other than ASCII, as they are or escaped.
func composable(body []byte) bool {
	return bytes.Contains(body, []byte(`\u`)) || bytes.ContainsFunc(body, func(r rune) bool { return r >= utf8.RuneSelf })
}
