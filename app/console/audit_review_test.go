package console

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"io"
	"net/url"
	"strings"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestTheAuditLogIsVerifiedAndSignedOff: a person verifies the chain, signs off what is new and
// takes evidence away that verifies without the server.
func TestTheAuditLogIsVerifiedAndSignedOff(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/audit").Want(200).Has("created the organisation", "Verify and review").Lacks("placed the ring")
	w.Get("/audit?action=all").Want(200).Has("placed the ring")
	w.Get("/audit?outcome=refused").Want(200).Lacks("created the organisation")
	w.Get("/audit?who=device").Want(200).Lacks("created the organisation")
	w.Get("/audit/review").Want(200).Has("The audit log has not been verified yet.", "No review yet.")
	done := make(chan error)
	stop := make(chan struct{})
	go func() { // as the node does, again and again
		for {
			select {
			case <-stop:
				close(done)
				return
			default:
				if err := h.k.VerifyAudits(t.Context()); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	w.Post("/audit/verify", url.Values{}).Want(303)
	close(stop)
	pagetest.Must(t, <-done)
	w.Get("/audit/review").Want(200).Has("entries are whole")
	w.Post("/audit/review", url.Values{"upto": {"3"}, "note": {""}}).Want(400).Has("what you found")
	w.Post("/audit/review", url.Values{"upto": {"99999"}, "note": {"x"}}).Want(409)
	w.Post("/audit/review", url.Values{"upto": {"3"}, "note": {"Nothing unusual."}}).Want(303)
	w.Get("/audit/review").Want(200).Has("up to entry 3", "Nothing unusual.", "since entry 3")

	key, err := h.Store.AuditKey(t.Context())
	pagetest.Must(t, err)
	verdict, err := tenants.VerifyAuditExport(strings.NewReader(w.Get("/audit.jsonl").Want(200).Body), key.Public)
	pagetest.Must(t, err)
	if verdict.Fault != nil || verdict.Rows < 5 {
		t.Errorf("the export: %+v %v", verdict, verdict.Fault)
	}
	file := w.Post("/audit/evidence.zip", url.Values{"from": {"2020-01-01"}, "to": {"2099-01-01"}}).Want(200).Body
	z, err := zip.NewReader(strings.NewReader(file), int64(len(file)))
	pagetest.Must(t, err)
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		pagetest.Must(t, err)
		files[f.Name], err = io.ReadAll(r)
		pagetest.Must(t, err)
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(files["manifest.sig"])))
	pagetest.Must(t, err)
	if !ed25519.Verify(key.Public, append([]byte("carillon audit evidence\x00"), files["manifest.json"]...), signature) {
		t.Error("the manifest is not signed")
	}
	verdict, err = tenants.VerifyAuditExport(bytes.NewReader(files["rows.jsonl"]), key.Public)
	pagetest.Must(t, err)
	if verdict.Fault != nil || verdict.SignedTo != verdict.Last {
		t.Errorf("the evidence: %+v %v", verdict, verdict.Fault)
	}
	w.Post("/audit/evidence.zip", url.Values{"from": {"2001-01-01"}, "to": {"2001-01-02"}}).Want(404)
	w.Post("/audit/evidence.zip", url.Values{"from": {"2001-01-03"}, "to": {"2001-01-02"}}).Want(400)
}
