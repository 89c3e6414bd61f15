package api

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// form makes a multipart body with fields, and files by name.
func form(t testing.TB, words map[string]string, files ...[3]string) (body, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range words {
		must(t, w.WriteField(name, value))
	}
	for _, f := range files {
		part, err := w.CreateFormFile(f[0], f[1])
		must(t, err)
		_, err = io.WriteString(part, f[2])
		must(t, err)
	}
	must(t, w.Close())
	return b.String(), w.FormDataContentType()
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	file := string(newP8(t))
	body, kind := form(t, map[string]string{"bundle_id": "com.example.two", "environment": "sandbox", "team_id": "TEAM123456"},
		[3]string{"file", `C:\Users\anna\AuthKey_ABCDE12345.p8`, file})
	var c credential
	made := h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind}).want(201)
	made.into(&c)
	if c.Kind != "p8" || *c.KeyID != "ABCDE12345" || *c.Team != "TEAM123456" || c.Environment != "sandbox" ||
		len(c.Fingerprint) != 64 || c.NotAfter != nil {
		t.Errorf("%s", made.body)
	}
	if strings.Contains(made.body, "PRIVATE") || strings.Contains(made.body, strings.Split(file, "\n")[1]) {
		t.Error("the secret was shown")
	}
	var p list[credential]
	h.do(ask{method: "GET", path: "/v1/credentials", key: a.key}).want(200).into(&p)
	if len(p.Data) != 2 {
		t.Errorf("%+v", p)
	}
	h.do(ask{method: "GET", path: "/v1/credentials/" + c.ID, key: a.key}).want(200)
	h.do(ask{method: "DELETE", path: "/v1/credentials/" + c.ID, key: a.key}).want(204)
	h.do(ask{method: "GET", path: "/v1/credentials/" + c.ID, key: a.key}).want(404)
}

// TestHedgingCanBeTurnedOff checks that one credential can turn hedging off, and that its
// replacement keeps the setting.
func TestHedgingCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	address := "/v1/credentials/" + string(a.credential)
	change := func(body string) answer { return h.do(ask{method: "PATCH", path: address, key: a.key, body: body}) }
	pushed := func(want bool) {
		t.Helper()
		n := h.apple.count()
		a.ring("")
		h.pushes(n + 1)
		if got := h.apple.last(); got.NoHedge != want {
			t.Errorf("no hedge %v, want %v", got.NoHedge, want)
		}
	}
	var c credential
	change(`{}`).want(200).into(&c)
	if !c.Hedging {
		t.Error("off from the start")
	}
	pushed(false)
	change(`{"hedging":false}`).want(200).into(&c)
	if c.Hedging {
		t.Error("still on")
	}
	pushed(true)
	change(`{"hedging":"no"}`).want(400)
	change(`{"state":"active"}`).want(400)
	body, kind := form(t, map[string]string{"bundle_id": "com.example.lakeside", "team_id": "TEAM123456",
		"key_id": "KEY7654321"}, [3]string{"file", "a.p8", string(newP8(t))})
	h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind}).want(201).into(&c)
	if c.Hedging {
		t.Error("the answer does not say what the replacement inherits")
	}
	pushed(true)
	change(`{"hedging":true}`).want(200)
	h.do(ask{method: "POST", path: address + "/rollback", key: a.key}).want(200)
	pushed(false)
}

// TestPayloadProfiles: a credential names the fields of its pushes, and its replacement keeps them
// unless it names others.
func TestPayloadProfiles(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	address := "/v1/credentials/" + string(a.credential)
	change := func(body string) answer { return h.do(ask{method: "PATCH", path: address, key: a.key, body: body}) }
	pushed := func(want string) {
		t.Helper()
		n := h.apple.count()
		a.ring("")
		h.pushes(n + 1)
		if got := string(h.apple.last().Payload); !strings.Contains(got, want) {
			t.Errorf("pushed %s, without %s", got, want)
		}
	}
	add := func(keyID, profile string) answer {
		words := map[string]string{"bundle_id": "com.example.lakeside", "team_id": "TEAM123456", "key_id": keyID}
		if profile != "" {
			words["payload_profile"] = profile
		}
		body, kind := form(t, words, [3]string{"file", "a.p8", string(newP8(t))})
		return h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind})
	}
	var c credential
	change(`{}`).want(200).into(&c)
	if c.Profile != "carillon" {
		t.Errorf("at first %s", c.Profile)
	}
	change(`{"hedging":false,"payload_profile":"twilio"}`).want(400)
	change(`{}`).want(200).into(&c)
	if !c.Hedging {
		t.Error("a refused change was made in part")
	}
	change(`{"payload_profile":"callkeep"}`).want(200).into(&c)
	if c.Profile != "callkeep" {
		t.Errorf("then %s", c.Profile)
	}
	pushed(`,"handle":"Lakeside","callerName":"Lakeside"}`)
	add("KEY7654321", "").want(201).into(&c)
	if c.Profile != "callkeep" {
		t.Errorf("the replacement has %s", c.Profile)
	}
	add("KEY7654322", "flutter_callkit_incoming").want(201)
	pushed(`,"nameCaller":"Lakeside","handle":"Lakeside","isVideo":false}`)
	add("KEY7654323", "twilio").want(400)
}

func TestInvalidUploadsAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	words := map[string]string{"bundle_id": "com.example.two", "team_id": "TEAM123456", "key_id": "KEY1234567"}
	key := string(newP8(t))
	before := a.dump()
	for name, tc := range map[string]struct {
		words  map[string]string
		files  [][3]string
		status int
		fields []string
	}{
		"no file":      {words, nil, 400, []string{"file"}},
		"two files":    {words, [][3]string{{"file", "a.p8", key}, {"file", "b.p8", key}}, 400, []string{"file"}},
		"unknown file": {words, [][3]string{{"file", "a.p8", key}, {"logo", "b.png", "x"}}, 400, []string{"logo"}},
		"unknown word": {map[string]string{"tenant_id": "x"}, [][3]string{{"file", "a.p8", key}}, 400, []string{"tenant_id"}},
		"a long word": {map[string]string{"bundle_id": strings.Repeat("x", 300)}, [][3]string{{"file", "a.p8", key}},
			400, []string{"bundle_id"}},
		"a zero byte":  {map[string]string{"password": "a\x00b"}, [][3]string{{"file", "a.p12", key}}, 400, []string{"password"}},
		"rubbish":      {words, [][3]string{{"file", "a.p8", "rubbish"}}, 400, nil},
		"rubbish .p12": {words, [][3]string{{"file", "a.p12", "rubbish"}}, 400, nil},
		"empty file":   {words, [][3]string{{"file", "a.p8", ""}}, 400, nil},
		"no team": {map[string]string{"bundle_id": "com.example.two"},
			[][3]string{{"file", "AuthKey_KEY1234567.p8", key}}, 400, []string{"team_id"}},
		"a large file":  {words, [][3]string{{"file", "a.p8", strings.Repeat("x", 65<<10)}}, 413, nil},
		"a larger file": {words, [][3]string{{"file", "a.p8", strings.Repeat("x", 1<<20)}}, 413, nil},
		"an environment": {map[string]string{"bundle_id": "com.example.two", "team_id": "TEAM123456",
			"key_id": "KEY1234567", "environment": "both"}, [][3]string{{"file", "a.p8", key}}, 400, []string{"environment"}},
	} {
		body, kind := form(t, tc.words, tc.files...)
		got := h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind})
		_, fields := got.code()
		if got.status != tc.status || tc.fields != nil && !slices.Equal(fields, tc.fields) {
			t.Errorf("%s: %d %s, want %d %v", name, got.status, got.body, tc.status, tc.fields)
		}
	}
	for name, a := range map[string]ask{
		"no form": {method: "POST", path: "/v1/credentials", key: a.key, body: "{}"},
		"url-encoded": {method: "POST", path: "/v1/credentials", key: a.key, body: url.Values{"file": {key}}.Encode(),
			kind: "application/x-www-form-urlencoded"},
		"no boundary": {method: "POST", path: "/v1/credentials", key: a.key, body: "x", kind: "multipart/form-data"},
		"broken": {method: "POST", path: "/v1/credentials", key: a.key, body: "--x\r\nContent-Disp",
			kind: "multipart/form-data; boundary=x"},
		"a word twice": {method: "POST", path: "/v1/credentials", key: a.key, kind: "multipart/form-data; boundary=x",
			body: strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"bundle_id\"\r\n\r\na.b\r\n", 2) + "--x--\r\n"},
		"file as words": {method: "POST", path: "/v1/credentials", key: a.key, kind: "multipart/form-data; boundary=x",
			body: "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\na.b\r\n--x--\r\n"},
	} {
		if got := h.do(a); got.status != 400 && got.status != 415 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if after := a.dump(); after != before {
		t.Errorf("something was written:\n%s\nwas\n%s", after, before)
	}
}

// TestUploadsAreRefusedForTheirReason gives each refusal of an upload its own cause, and checks
// that the answer says that one.
func TestUploadsAreRefusedForTheirReason(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	key := string(newP8(t))
	data := func(name string) string {
		b, err := os.ReadFile("../push/testdata/" + name)
		must(t, err)
		return string(b)
	}
	good := func(changes ...string) map[string]string {
		w := map[string]string{"bundle_id": "com.example.two", "team_id": "TEAM123456", "key_id": "KEY1234567"}
		for i := 0; i < len(changes); i += 2 {
			w[changes[i]] = changes[i+1]
		}
		return w
	}
	part := func(disposition, value string) string {
		return "--x\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n"
	}
	one := func(content string) [][3]string { return [][3]string{{"file", "a.p8", content}} }
	file := part(`name="file"; filename="a.p8"`, key)
	raw := func(parts ...string) string { return strings.Join(parts, "") + "--x--\r\n" }
	for says, x := range map[string]struct {
		words map[string]string
		files [][3]string
		raw   string
		kind  string
	}{
		"Send the file as multipart/form-data":          {raw: "{}", kind: "application/json"},
		"it is cut off, or its boundary is not the one": {raw: "--x\r\nContent-Disp", kind: "multipart/form-data; boundary=x"},
		"the .p8 key or .p12 certificate is missing":    {words: good()},
		"one file only":                                     {words: good(), files: append(one(key), one(key)...)},
		"send it as a file, with a file name":               {words: good("file", key)},
		"unknown field":                                     {words: good("tenant_id", "x"), files: one(key)},
		"send it as text, without a file name":              {files: append(one(key), [3]string{"team_id", "t.txt", "TEAM123456"})},
		"given more than once":                              {raw: raw(part(`name="team_id"`, "A"), part(`name="team_id"`, "B"), file)},
		"longer than 255 bytes":                             {words: good("password", strings.Repeat("x", 256)), files: one(key)},
		"not UTF-8":                                         {words: good("password", "\xff"), files: one(key)},
		"it holds a zero byte":                              {words: good("password", "a\x00"), files: one(key)},
		"auto, sandbox or production":                       {words: good("environment", "both"), files: one(key)},
		"a bundle id such as com.example.app":               {words: good("bundle_id", "nodots"), files: one(key)},
		"the ten characters of your Apple team id":          {words: good("team_id", "x"), files: one(key)},
		"the ten characters of the key id":                  {words: good("key_id", "x"), files: one(key)},
		"The file is empty":                                 {words: good(), files: one("")},
		"The file is larger than 64 KiB":                    {words: good(), files: one(strings.Repeat("x", 64<<10+1))},
		"The body is larger than this address takes":        {words: good(), files: one(strings.Repeat("x", 1<<20))},
		"This text holds neither a key nor a certificate":   {words: good(), files: one("rubbish")},
		"The password does not open this file":              {words: good("password", "x"), files: one(data("modern.p12"))},
		"This file has a password; enter":                   {words: good(), files: one(data("modern.p12"))},
		"The key in this file is protected by a password":   {words: good(), files: one(data("protected.pem"))},
		"leave this field empty for that app":               {words: good(), files: one(data("certkey.pem"))},
		"This credential is here already, for the same app": {words: good(), files: one(data("clean.p8"))},
	} {
		body, kind := x.raw, "multipart/form-data; boundary=x"
		if x.raw == "" {
			body, kind = form(t, x.words, x.files...)
		}
		if x.kind != "" {
			kind = x.kind
		}
		got := h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind})
		if strings.HasPrefix(says, "This credential is here") {
			got.want(201)
			got = h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind})
		}
		if got.status < 400 || got.status >= 500 || !strings.Contains(got.body, says) {
			t.Errorf("%q: %d %s", says, got.status, got.body)
		}
	}
	body, kind := form(t, good("team_id", " team123456 ", "key_id", "key7654321"), [3]string{"file", "a.p8", key})
	var c credential
	h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind}).want(201).into(&c)
	if *c.Team != "TEAM123456" || *c.KeyID != "KEY7654321" {
		t.Errorf("ids as people type them: %+v", c)
	}
}
