package views

import (
	"testing"

	"github.com/a-h/templ"
)

// TestZeroFront draws each public page from its zero struct.
func TestZeroFront(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]templ.Component{
		"home": Home(HomePage{}), "pricing": Pricing(PricingPage{}), "industries": Industries(IndustriesPage{}),
		"industry": Industry(IndustryPage{}),
		"security": Security(SecurityPage{}), "docs": Docs(DocPage{}), "status": Status(StatusPage{}), "legal": Legal(LegalPage{}),
		"demo":  Demo(DemoPage{}),
		"trial": Trial(TrialPage{}), "sent": TrialSent(TrialSentPage{}), "confirm": TrialConfirm(TrialConfirmPage{}),
		"affiliate": Affiliate(AffiliatePage{}), "partner sent": PartnerSent(PartnerSentPage{}),
		"partner enter": PartnerEnter(PartnerEnterPage{}), "partner": Partner(PartnerPage{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draw(t, page)
		})
	}
}
