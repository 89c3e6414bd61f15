package api

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/push"
	"carillon/app/web"
	"carillon/tenants"
)

// probed is Apple's answer about a credential.
type probed struct {
	Credential string    `json:"credential"`
	OK         bool      `json:"ok"`
	Summary    string    `json:"summary"`
	Verdicts   []verdict `json:"verdicts"`
}

// verdict is the answer of one of Apple's hosts.
type verdict struct {
	Environment string  `json:"environment"`
	OK          bool    `json:"ok"`
	Status      *int    `json:"status"` // null = no answer
	Reason      *string `json:"reason"`
	Cause       string  `json:"cause"`
	Cure        *string `json:"cure"`
}

func showVerdict(v push.Verdict) verdict {
	out := verdict{Environment: v.Environment, OK: v.OK, Reason: opt(v.Reason), Cause: v.Cause, Cure: opt(v.Cure)}
	if v.Status != 0 {
		out.Status = &v.Status
	}
	return out
}

// probeCredential: POST /v1/credentials/{id}/probe.
func (a credentialAPI) probeCredential(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	p, err := a.Credentials.Probe(ctx, k.Tenant.ID, k.Who, id)
	if err != nil {
		return err
	}
	out := probed{Credential: string(id), OK: p.OK, Summary: p.Summary, Verdicts: make([]verdict, len(p.Verdicts))}
	for i, v := range p.Verdicts {
		out.Verdicts[i] = showVerdict(v)
	}
	return reply(c, fiber.StatusOK, out)
}

// rollBackCredential: POST /v1/credentials/{id}/rollback.
func (a credentialAPI) rollBackCredential(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	back, err := a.Credentials.Rollback(ctx, k.Tenant.ID, k.Who, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, showCredential(back))
}
