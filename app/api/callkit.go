package api

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/health"
	"carillon/tenants"
)

// callKit is how phones and app versions behave.
type callKit struct {
	Since   string        `json:"since"`
	Apps    []appWatch    `json:"apps"`
	Devices []deviceWatch `json:"devices"`
}

type appWatch struct {
	AppVersion   string  `json:"app_version"`
	Devices      int     `json:"devices"`
	Blocked      int     `json:"blocked"`
	NotReporting int     `json:"not_reporting"`
	Registered   int     `json:"registered"`
	Delegate     int     `json:"delegate_devices"`
	Verdict      string  `json:"verdict"`
	Cause        string  `json:"cause"`
	Cure         *string `json:"cure"`
}

type deviceWatch struct {
	Device     string  `json:"device"`
	AppVersion string  `json:"app_version"`
	OSVersion  string  `json:"os_version"`
	Silent     int     `json:"silent"`
	NotShown   int     `json:"not_shown"`
	LastAt     string  `json:"last_at"`
	Verdict    string  `json:"verdict"`
	Cause      string  `json:"cause"`
	Cure       *string `json:"cure"`
}

// maxPhones limits the phones in an answer; the worst come first.
const maxPhones = 200

// callKit: GET /v1/analytics/callkit.
func (a *API) callKit(ctx context.Context, c *fiber.Ctx, k caller) error {
	now := a.Now()
	phones, apps, err := health.Phones(ctx, k.scope, now)
	if err != nil {
		return err
	}
	out := callKit{Since: stamp(now.Add(-health.PhoneSpan)), Apps: make([]appWatch, len(apps)), Devices: []deviceWatch{}}
	for i, x := range apps {
		verdict, cause, cure := x.Describe()
		out.Apps[i] = appWatch{
			AppVersion: x.AppVersion, Devices: x.Devices, Blocked: x.Blocked, NotReporting: x.Unshown, Registered: x.Registered,
			Delegate: x.Delegate, Verdict: string(verdict), Cause: cause, Cure: opt(cure),
		}
	}
	for _, s := range phones[:min(len(phones), maxPhones)] {
		verdict, cause, cure := s.Describe()
		out.Devices = append(out.Devices, deviceWatch{
			Device: string(s.Device), AppVersion: s.AppVersion, OSVersion: s.OSVersion, Silent: s.Silent, NotShown: s.Unshown,
			LastAt: stamp(s.LastAt), Verdict: string(verdict), Cause: cause, Cure: opt(cure),
		})
	}
	return reply(c, fiber.StatusOK, out)
}

// outcomes is why attempts ended as they did, and how late pushes arrived.
type outcomes struct {
	From     string       `json:"from"`
	To       string       `json:"to"`
	Outcomes []outcome    `json:"outcomes"`
	Late     lateArrivals `json:"late"`
}

type outcome struct {
	Fact   string  `json:"fact"`
	Detail *string `json:"detail"`
	Count  int64   `json:"count"`
}

type lateArrivals struct {
	Count     int64      `json:"count"`
	P50       *float64   `json:"p50_ms"`
	P95       *float64   `json:"p95_ms"`
	P99       *float64   `json:"p99_ms"`
	Histogram []lateStep `json:"histogram"`
}

type lateStep struct {
	UpTo  *int64 `json:"up_to_ms"` // null = the rest
	Count int64  `json:"count"`
}

// lateSteps are the upper bounds of the histogram; zero is the rest. Fine buckets end at half an
// hour.
var lateSteps = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 0}

// histogram sums fine buckets into steps.
func histogram(buckets map[int]int64) []lateStep {
	out := make([]lateStep, len(lateSteps))
	for i, s := range lateSteps {
		if ms := s.Milliseconds(); ms > 0 {
			out[i].UpTo = &ms
		}
	}
	for b, n := range buckets {
		for i, s := range lateSteps {
			if s == 0 || b <= tenants.Bucket(s) {
				out[i].Count += n
				break
			}
		}
	}
	return out
}

// outcomes: GET /v1/analytics/outcomes.
func (a *API) outcomes(ctx context.Context, c *fiber.Ctx, k caller) error {
	f := filter{c: c}
	from, to := a.span(&f, "")
	if err := f.err(); err != nil {
		return err
	}
	reasons, late, err := k.scope.Analytics().Reasons(ctx, from, to)
	if err != nil {
		return err
	}
	out := outcomes{From: stamp(from), To: stamp(to), Outcomes: make([]outcome, len(reasons)),
		Late: lateArrivals{Count: late.N, Histogram: histogram(late.Buckets)}}
	out.Late.P50, out.Late.P95, out.Late.P99 = percentiles(late.Buckets)
	for i, r := range reasons {
		out.Outcomes[i] = outcome{Fact: string(r.Fact), Detail: opt(r.Detail), Count: r.N}
	}
	return reply(c, fiber.StatusOK, out)
}
