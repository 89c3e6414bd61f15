package console

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"os"
	"strings"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// recordingUpload is the form of the rule of recordings.
func recordingUpload(t *testing.T, policy, reason string, file []byte) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	pagetest.Must(t, w.WriteField("policy", policy))
	pagetest.Must(t, w.WriteField("reason", reason))
	if file != nil {
		part, err := w.CreateFormFile("file", "hello.ogg")
		pagetest.Must(t, err)
		_, err = part.Write(file)
		pagetest.Must(t, err)
	}
	pagetest.Must(t, w.Close())
	return w.FormDataContentType(), b.String()
}

// Recording cannot be switched on without an announcement, in healthcare without a reason, or by
// somebody who is no owner.
func TestRecordingRule(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	tn.Industry = tenants.Healthcare
	pagetest.Must(t, b.Scope().SetTenant(t.Context(), tn))
	hello, err := os.ReadFile("../../gateway/notice.ogg")
	pagetest.Must(t, err)
	w := b.Quick(b.Owner)
	post := func(w *pagetest.Browser, policy, reason string, file []byte) pagetest.Answer {
		t.Helper()
		kind, body := recordingUpload(t, policy, reason, file)
		return w.Send("POST", "/settings/recording", kind, body)
	}
	rule := func() tenants.RecordingRule {
		t.Helper()
		r, err := b.Scope().Recordings().Rule(t.Context())
		pagetest.Must(t, err)
		return r
	}
	const reason = "Asked for by our insurer"
	w.Get("/settings").Want(200).Has("Recording of calls", "No announcement is uploaded yet", "calls are about patients")
	post(w, "announce", reason, nil).Want(400).Has("pload the sound that people hear")
	post(w, "announce", "because", hello).Want(400).Has("hy these calls must be recorded")
	post(w, "consent", reason, []byte("RIFF....WAVEfmt ")).Want(400).Has("ffmpeg")
	post(w, "loud", reason, hello).Want(400).Has("ff, announce or consent")
	post(w, "consent", reason, bytes.Repeat([]byte("x"), 3<<20)).Want(413)
	admin := b.Quick(b.Person(tenants.Admin))
	admin.Get("/settings").Want(200).Has("Only an owner can change this")
	post(admin, "consent", reason, hello).Want(403)
	if r := rule(); r.Policy != tenants.RecordOff || len(r.Ogg) > 0 {
		t.Errorf("a refused form changed the rule: %+v", r)
	}
	post(w, "consent", reason, hello).Leads("/settings")
	if r := rule(); r.Policy != tenants.RecordConsent || !bytes.Equal(r.Ogg, hello) || len(r.PCMU) == 0 || r.Reason != reason {
		t.Errorf("rule: %s %d %d", r.Policy, len(r.Ogg), len(r.PCMU))
	}
	post(w, "announce", reason, nil).Leads("/settings") // the announcement stays
	w.Get("/settings").Want(200).Has("An announcement of", "Set by ")
	audits, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "recording.policy"})
	pagetest.Must(t, err)
	if len(audits) != 2 || audits[0].Detail != "announce: "+reason {
		t.Errorf("audits: %+v", audits)
	}
}

// The page of a ring plays its recording, and each listening and download is in the audit log.
func TestRecording(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	at := "/rings/" + string(b.ring)
	w.Get(at).Want(200).Has("Recording", "The person", "The agent", at+"/recording?track=person", "1 min 0 s")
	w.Get("/rings/" + string(b.refused)).Want(200).Lacks(`id="recording-title"`)
	w.Get("/rings/" + string(b.refused) + "/recording").Want(404)
	got := w.Get(at + "/recording?track=person").Want(200)
	if got.Header.Get("Content-Type") != "audio/wav" || !strings.HasPrefix(got.Body, "RIFF") ||
		!strings.Contains(got.Body, "CONSENT=Beta") {
		t.Errorf("%s %.40q", got.Header.Get("Content-Type"), got.Body)
	}
	sound := got.Body[strings.Index(got.Body, "data")+8:]
	if len(sound) != 480_000 || sound[:5] != "\xff\xff\x01\x02\xff" {
		t.Errorf("%d bytes of sound, %q", len(sound), sound[:5])
	}
	whole, tag := got.Body, got.Header.Get("ETag")
	for _, row := range []struct {
		asked, known string
		status       int
		has, body    string // Content-Range, and what comes
	}{
		{"bytes=100-199", "", 206, fmt.Sprintf("bytes 100-199/%d", len(whole)), whole[100:200]},
		{"bytes=-50", tag, 206, fmt.Sprintf("bytes %d-%d/%d", len(whole)-50, len(whole)-1, len(whole)), whole[len(whole)-50:]},
		{"bytes=0-", "", 206, fmt.Sprintf("bytes 0-%d/%d", len(whole)-1, len(whole)), whole},
		{"bytes=100-199", `"other"`, 200, "", whole}, // it is not the file that the player knows
		{"bytes=0-1,5-6", "", 200, "", whole},
		{"bytes=9999999-", "", 416, fmt.Sprintf("bytes */%d", len(whole)), ""},
	} {
		w.Headers = map[string]string{"Range": row.asked, "If-Range": row.known}
		part := w.Get(at + "/recording?track=person").Want(row.status)
		if part.Header.Get("Content-Range") != row.has || row.body != "" && part.Body != row.body {
			t.Errorf("%s: %q, %d bytes", row.asked, part.Header.Get("Content-Range"), len(part.Body))
		}
	}
	w.Headers = nil
	got = w.Get(at + "/recording?download=1").Want(200)
	if !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") || len(got.Body) < 960_000 {
		t.Errorf("download: %v, %d bytes", got.Header, len(got.Body))
	}
	audits, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "recording."})
	pagetest.Must(t, err)
	listened := int64(0) // repeats are one row
	for _, a := range audits[1:] {
		if listened += a.Times; a.Action != "recording.listen" || a.Detail != "person" {
			t.Errorf("audit: %+v", a)
		}
	}
	if audits[0].Action != "recording.download" || listened != 7 {
		t.Errorf("%d times listened, and then %s", listened, audits[0].Action)
	}
	w.Get("/audit").Want(200).Has("listened to the recording of", "downloaded the recording of")
}
