package page

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/views"
)

func ThemeOf(c *fiber.Ctx) views.Theme {
	switch t := views.Theme(c.Cookies(ThemeCookie)); t {
	case views.ThemeLight, views.ThemeDark:
		return t
	}
	return views.ThemeAuto
}

// Flash is what is said once after a change. It travels by its code: a text in a cookie could be
// anybody's.
type Flash string

const (
	FlashSaved        Flash = "saved"
	FlashSignedOut    Flash = "signed-out"
	FlashRemoved      Flash = "removed"
	FlashAdded        Flash = "added"
	FlashRevoked      Flash = "revoked"
	FlashCancelled    Flash = "cancelled"
	FlashRole         Flash = "role"
	FlashPassword     Flash = "password"
	FlashSignInsEnded Flash = "sign-ins"
	FlashPaired       Flash = "paired"
	FlashReplaced     Flash = "replaced"
	FlashRolledBack   Flash = "rolled-back"
	FlashHedging      Flash = "hedging"
	FlashProfile      Flash = "profile"
	FlashClosed       Flash = "closed"
	FlashPlan         Flash = "plan"
	FlashPlanEnds     Flash = "plan-ends"
	FlashPlanGoesOn   Flash = "plan-goes-on"
	FlashInvited      Flash = "invited"
	FlashReset        Flash = "reset"
	FlashEmailSent    Flash = "email-sent"
	FlashEmailChanged Flash = "email-changed"
	FlashErased       Flash = "erased"
	FlashPaused       Flash = "paused"
	FlashResumed      Flash = "resumed"
	FlashSent         Flash = "sent"
	FlashTransferred  Flash = "transferred"
	FlashView         Flash = "view"
	FlashTagged       Flash = "tagged"
	FlashMerged       Flash = "merged"
	FlashKeysRevoked  Flash = "keys"
	FlashAlertsClosed Flash = "alerts"
	FlashReviewed     Flash = "reviewed"
	FlashVerified     Flash = "verified"
	FlashExporting    Flash = "exporting"
	FlashErasing      Flash = "erasing"
	FlashDeleting     Flash = "deleting"
	FlashKept         Flash = "kept"
	FlashVerifying    Flash = "verifying"
	FlashRinging      Flash = "ringing"
	FlashSuspended    Flash = "suspended"
	FlashTenantBack   Flash = "tenant-back"
	FlashPlanGiven    Flash = "plan-given"
	FlashPaidOut      Flash = "paid-out"
	FlashReplayed     Flash = "replayed"
	FlashResent       Flash = "resent"
	FlashLookEnded    Flash = "look-ended"
	FlashRead         Flash = "read"
	FlashWithdrawn    Flash = "withdrawn"
	FlashTested       Flash = "tested"
	FlashRulePaused   Flash = "rule-paused"
	FlashRuleResumed  Flash = "rule-resumed"
)

var flashes = map[Flash]string{
	FlashSuspended:  "Suspended. Its people and programs are refused, and they read the reason.",
	FlashTenantBack: "Resumed. Everything works again.",
	FlashPlanGiven:  "The plan was changed.",
	FlashPaidOut:    "The payout is recorded.",
	FlashReplayed:   "The event was processed again.",
	FlashLookEnded:  "You do not look at this console any more.",
	FlashResent:     "The email was sent again.",
	FlashSaved:      "Saved.", FlashSignedOut: "You are signed out.", FlashRemoved: "Removed.", FlashAdded: "Added.",
	FlashRevoked:   "The key is revoked.",
	FlashReviewed:  "The review is signed off.",
	FlashVerified:  "Verified.",
	FlashErasing:   "The person is being erased. The audit log says when it is done.",
	FlashDeleting:  "The organisation will be deleted. You can still keep it.",
	FlashKept:      "The organisation is kept.",
	FlashExporting: "The export begins. We write to you when it is ready.",
	FlashVerifying: "Verifying. Look again in a moment.",
	FlashCancelled: "Stopped.", FlashRole: "The role is changed.",
	FlashPassword:     "Your password was changed. You are signed out on all other devices.",
	FlashSignInsEnded: "The other session is signed out.", FlashPaired: "The phone is paired. Start a test ring to check it.",
	FlashReplaced:     "Added and in use. The previous credential is kept. To return to it, choose “Roll back” on this page.",
	FlashRolledBack:   "This credential is in use again. The newer one is kept.",
	FlashHedging:      "Saved. It applies from the next ring.",
	FlashProfile:      "Saved. Pushes have the new fields from the next ring.",
	FlashClosed:       "The alert is closed. If the problem happens again, the alert opens again.",
	FlashPlan:         "Your plan was changed.",
	FlashErased:       "Erased. The rings are still in the list.",
	FlashPaused:       "Paused. Nothing is sent until you turn it on again.",
	FlashResumed:      "Turned on. New events are sent.",
	FlashWithdrawn:    "The consent is withdrawn.",
	FlashRead:         "The calendar was read. This page shows what came of it.",
	FlashSent:         "The events are being sent. The list shows what came of them.",
	FlashTested:       "The test was sent. “Delivery” says what the far end answered.",
	FlashRulePaused:   "The rule is paused. It raises no alert until you turn it on again.",
	FlashRuleResumed:  "The rule watches again.",
	FlashTransferred:  "The call is being transferred. The timeline shows each step.",
	FlashView:         "The view is saved.",
	FlashTagged:       "The tags are changed.",
	FlashMerged:       "Merged. The rings of the old entry are now those of this phone.",
	FlashKeysRevoked:  "The keys are revoked.",
	FlashAlertsClosed: "The alerts are closed. If a problem happens again, its alert opens again.",
	FlashRinging:      "The phones ring. The list shows what came of it.",
	FlashInvited:      "The invitation was sent by email.",
	FlashEmailSent:    "If the address is free, we sent a link to it. Open the link within 24 hours.",
	FlashEmailChanged: "Your email address was changed. Sign in with the new one.",
	FlashReset:        "Your password was changed. You are signed out everywhere. Sign in with the new password.",
	FlashPlanEnds:     "Your subscription is cancelled. Everything works until it ends.", FlashPlanGoesOn: "Your subscription continues.",
}

// flashName is the cookie of Done.
func (m *Common) flashName() string {
	if m.Cookie != "" {
		return m.Cookie + "-flash"
	}
	return FlashCookie
}

// Done leads on after a change and says so there.
func (m *Common) Done(c *fiber.Ctx, f Flash, to string) error {
	m.SetCookie(c, m.flashName(), string(f), time.Minute, false)
	return c.Redirect(to, fiber.StatusSeeOther)
}

// Flash is what there is to say on this page, once.
func (m *Common) Flash(c *fiber.Ctx) *views.Flash {
	code := c.Cookies(m.flashName())
	if code == "" {
		return nil
	}
	m.SetCookie(c, m.flashName(), "", 0, false)
	if text, ok := flashes[Flash(code)]; ok {
		return &views.Flash{Tone: views.ToneGood, Text: text}
	}
	return nil
}
