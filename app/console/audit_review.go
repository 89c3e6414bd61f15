package console

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// reviewEvery is how often the audit log must be reviewed where the data of patients is.
const reviewEvery = 7 * 24 * time.Hour

// review shows the chain, what is new since the last review, and the reviews.
func (k auditPages) review(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.reviewPage(ctx, c, v, "", page.Wrong{Status: fiber.StatusOK})
}

func (k auditPages) reviewPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, note string, w page.Wrong) error {
	s, err := k.shell(ctx, c, v, at("Verify and review", views.NavAudit, views.Link{Text: "Audit log", Href: views.PathAudit}))
	if err != nil {
		return err
	}
	key, _, err := k.Store.AuditPublicKey(ctx) // made at start: a page only reads
	if err != nil {
		return err
	}
	audits := v.Scope.Audits()
	signed, _, err := audits.List(ctx, store.AuditQuery{Action: "audit.review", Limit: 20})
	if err != nil {
		return err
	}
	fresh, err := audits.Since(ctx, reviewedTo(signed))
	if err != nil {
		return err
	}
	verified, _, err := audits.List(ctx, store.AuditQuery{Action: "audit.verify", Limit: 1})
	if err != nil {
		return err
	}
	today := v.Midnight(k.Now())
	p := views.AuditReviewPage{
		Shell: s, MaySign: v.Role.May(tenants.AuditReview), New: fresh.Entries > 0, Upto: strconv.FormatInt(fresh.Last, 10),
		Fresh: freshRows(fresh), Chain: chainRows(fresh, key), Due: k.dueReview(v, signed),
		Note: views.Field{Name: "note", Label: "What you found", Value: note, Max: reviewNoteMost, Error: w.Fields["note"],
			Help: reviewNoteHelp},
		From:    views.Field{Name: "from", Label: "From", Type: "date", Value: today.AddDate(0, -1, 0).Format(time.DateOnly)},
		To:      views.Field{Name: "to", Label: "To", Type: "date", Value: today.Format(time.DateOnly)},
		Command: "carillon audit verify --file rows.jsonl --key " + base64.StdEncoding.EncodeToString(key.Public),
	}
	p.State, p.Running = k.chainState(v, verified)
	for _, a := range signed {
		p.Signed = append(p.Signed, views.AuditReviewRow{At: v.At(a.At), Who: a.Actor.Name, Entries: "up to entry " + countOf(a.Target),
			Note: a.Detail})
	}
	return web.Page(c, views.AuditReview(p), w.Status)
}

// reviewNoteMost bounds the note of a review, in characters.
const reviewNoteMost = 1000

// reviewedTo is the newest entry that a review covers.
func reviewedTo(signed []tenants.Audit) (last int64) {
	for _, a := range signed {
		n, _ := strconv.ParseInt(a.Target, 10, 64)
		last = max(last, n)
	}
	return last
}

// signReview signs off what is new.
func (k auditPages) signReview(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	note := f.Text("note")
	upto, _ := strconv.ParseInt(f.Text("upto"), 10, 64)
	if err := v.Scope.Audits().Review(ctx, upto, note); err != nil {
		w, ok := page.WrongOf(err)
		if !ok || len(w.Fields) == 0 {
			return err
		}
		return k.reviewPage(ctx, c, v, note, w)
	}
	return k.Done(c, page.FlashReviewed, views.PathAuditReview)
}

// evidence sends a zip of the entries of some days with everything that verifies it. Its manifest
// names the hash of each file and is signed by the key of the chain.
func (k auditPages) evidence(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	from, err1 := time.ParseInLocation(time.DateOnly, f.Text("from"), v.Zone)
	to, err2 := time.ParseInLocation(time.DateOnly, f.Text("to"), v.Zone)
	if err1 != nil || err2 != nil || to.Before(from) {
		return tenants.Refuse(tenants.Invalid, "invalid", wrongEvidenceDays)
	}
	p, err := v.Scope.Audits().Period(ctx, from, to.AddDate(0, 0, 1))
	if err != nil {
		return err
	}
	if p.Upto <= p.After {
		return tenants.Refuse(tenants.Unknown, "no_entries", noEvidence)
	}
	rows := strconv.FormatInt(p.After+1, 10) + "-" + strconv.FormatInt(p.Upto, 10)
	if err := v.Scope.Audits().Add(ctx, "audit.evidence", rows, ""); err != nil {
		return err
	}
	if err := v.Scope.Audits().Sign(ctx, p); err != nil {
		return err
	}
	e := evidence{store: k.Store, scope: v.Scope, period: p, tenant: v.Tenant, at: k.Now()}
	return k.SendFile(c, "application/zip", "audit-evidence", "zip", e.write)
}

// export sends the entries of some days as JSON lines with their proofs.
func (k auditPages) export(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	from, to := q.Span(v, k.Now())
	if err := q.Err(); err != nil {
		return err
	}
	p, err := v.Scope.Audits().Period(ctx, from, to)
	if err != nil {
		return err
	}
	return k.SendFile(c, "application/x-ndjson", "audit", "jsonl", func(ctx context.Context, w io.Writer) error {
		return v.Scope.Audits().Export(ctx, w, p)
	})
}

// evidence is what a file of evidence is made of.
type evidence struct {
	store  *store.Store
	scope  *store.Scope
	period store.AuditPeriod
	tenant tenants.Tenant
	at     time.Time
}

// manifest says what is in the file; its bytes are what is signed.
type manifest struct {
	Tenant    tenants.TenantID  `json:"tenant"`
	Name      string            `json:"name"`
	First     int64             `json:"first"`
	Last      int64             `json:"last"`
	MadeAt    time.Time         `json:"made_at"`
	PublicKey string            `json:"public_key"`
	Files     map[string]string `json:"files"` // SHA-256 of each
}

func (e evidence) write(ctx context.Context, w io.Writer) error {
	key, err := e.store.AuditKey(ctx)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	m := manifest{Tenant: e.tenant.ID, Name: e.tenant.Name, First: e.period.After + 1, Last: e.period.Upto, MadeAt: e.at.UTC(),
		PublicKey: base64.StdEncoding.EncodeToString(key.Public), Files: map[string]string{}}
	add := func(name string, write func(io.Writer) error) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: e.at.UTC()})
		if err != nil {
			return err
		}
		sum := sha256.New()
		if err := write(io.MultiWriter(f, sum)); err != nil {
			return err
		}
		m.Files[name] = hex.EncodeToString(sum.Sum(nil))
		return nil
	}
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	err = errors.Join(
		add("rows.jsonl", func(w io.Writer) error {
			b := bufio.NewWriter(w)
			return errors.Join(e.scope.Audits().Export(ctx, b, e.period), b.Flush())
		}),
		add("public-key.txt", text(m.PublicKey+"\n")),
		add("README.txt", text(evidenceReadme)),
	)
	if err != nil {
		return err
	}
	signed, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	signature, err := e.store.SignEvidence(ctx, signed)
	if err != nil {
		return err
	}
	return errors.Join(add("manifest.json", text(string(signed))),
		add("manifest.sig", text(base64.StdEncoding.EncodeToString(signature)+"\n")), z.Close())
}
