package api

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// plainBodies are read without reflection; the others are left to web.JSON.
var plainBodies = map[string]bool{
	`{"to":{"device":"0190b6a8-0000-7000-8000-000000000001"},"caller":"Bench","ttl_s":60}`:       true,
	` { "to" : { "person" : "anna" , "device":"x" } ,` + "\n" + `"agent":"a","reference":"r" } `: true,
	`{"caller":""}`:               true,
	`{"ttl_s":0}`:                 true,
	`{}`:                          false,
	`{"to":{}}`:                   false,
	`{"caller":"a","caller":"b"}`: false,
	`{"caller":"","caller":"b"}`:  false,
	`{"to":{"device":"a"},"to":{"person":"b"}}`: false,
	`{"to":{"device":"a","device":"b"}}`:        false,
	`{"ttl_s":5,"ttl_s":6}`:                     false,
	`{"ttl_s":05}`:                              false,
	`{"ttl_s":-5}`:                              false,
	`{"ttl_s":5.0}`:                             false,
	`{"ttl_s":5e1}`:                             false,
	`{"ttl_s":1234567}`:                         false,
	`{"ttl_s":"5"}`:                             false,
	`{"agent":null}`:                            false,
	`{"Caller":"a"}`:                            false,
	`{"other":"a"}`:                             false,
	`{"caller":"a\u0041"}`:                      false,
	`{"caller":"ä"}`:                            false,
	"{\"caller\":\"a\tb\"}":                     false,
	`{"caller":"a"`:                             false,
	`{"caller":"a",}`:                           false,
	`{"caller":"a"} x`:                          false,
	`{"caller":"a"}{}`:                          false,
	`{"caller":"a`:                              false,
	`{"caller"`:                                 false,
	`["caller"]`:                                false,
	``:                                          false,
}

func TestPlainRingBody(t *testing.T) {
	t.Parallel()
	for body, want := range plainBodies {
		if got := samePlain(t, body); got != want {
			t.Errorf("%s: read plainly %v, want %v", body, got, want)
		}
	}
}

// samePlain checks that what is read plainly is what encoding/json reads, and that nothing is left
// behind of what is not.
func samePlain(t *testing.T, body string) bool {
	t.Helper()
	var q, want ringRequest
	text := []byte(body)
	if !q.ReadPlain(text) {
		if q != (ringRequest{}) {
			t.Errorf("%q left %+v", body, q)
		}
		return false
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Errorf("%q was read: %v", body, err)
	}
	clear(text) // as the server does with its buffer
	if !reflect.DeepEqual(q, want) {
		t.Errorf("%q: %+v, want %+v", body, q, want)
	}
	return true
}

func TestTimesAreWrittenAsStamps(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		time.UnixMicro(1), time.UnixMilli(1772366400007).In(time.FixedZone("", 3600)), time.UnixMicro(1772366400120999),
		time.Date(2026, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		if got, want := string(appendTime(nil, at)), `"`+stamp(at)+`"`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzPlainRingBody(f *testing.F) {
	for body := range plainBodies {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) { samePlain(t, body) })
}
