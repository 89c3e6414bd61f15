package site

import (
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/views"
)

const (
	trialTaken = "Your company already has a trial, or this address already has an account. Sign in, or ask a colleague to invite you " +
		"under People."
	noIndustry         = "Choose the industry of your company: it decides what a notification may show."
	wrongTrialPassword = "This is not the password you chose when you signed up. Try again."
)

// fillTrialFields sets the fields of the form, with what the applicant typed.
func (s *trials) fillTrialFields(p *views.TrialPage, a applicant) {
	p.Company = views.Field{Name: "company", Label: "Company", Value: page.Shown(a.company, 80), Autocomplete: "organization", Max: 80}
	p.Name = views.Field{Name: "name", Label: "Your name", Value: page.Shown(a.name, 80), Autocomplete: "name", Max: 80}
	p.Email = views.Field{Name: "email", Label: "Work email", Type: "email", Value: page.Shown(a.email, 254), Autocomplete: "username",
		Max: 254}
	p.Password = views.Field{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password",
		Help: "At least 12 characters. A short sentence is easy to remember and hard to guess."}
	p.Zone = views.Field{Name: "time_zone", Label: "Time zone", Value: page.Shown(a.zone, 64), Max: 64, Help: "Example: Europe/Berlin."}
	p.Code = codeField(a.code)
	p.Industries = views.Pick{Name: "industry", Label: "Industry", Required: true,
		Help: "Sets what notifications may show, and what you start with. The industry cannot be changed later; its rules can, " +
			"where no law fixes them.",
		Choices: []views.Choice{page.Choice("", "Choose your industry")}}
	for _, i := range s.Store.Industries().List() {
		p.Industries.Choices = append(p.Industries.Choices, page.Choice(string(i.Slug), i.Name))
	}
	page.Choose(string(a.industry), p.Industries.Choices...)
}

// codeField asks for the code of the partner who referred the applicant.
func codeField(code string) views.Field {
	return views.Field{Name: "code", Label: "Referral code", Value: page.Shown(code, 20), Max: 20, Optional: true, Mono: true,
		Autocomplete: "off", Help: "From the person who told you about Carillon."}
}

func mailLink(to, link string) notify.Mail {
	return notify.Mail{To: to, Subject: "Start your Carillon trial", Text: "Hello,\n\n" +
		"To confirm your email address and start your trial, open this link:\n\n" + link + "\n\n" +
		"The link works once, within 24 hours. If you did not sign up, you can ignore this email.\n"}
}

func mailKnown(to, base string) notify.Mail {
	return notify.Mail{To: to, Subject: "Your Carillon account", Text: "Hello,\n\n" +
		"Someone asked for a trial with your email address. You already have an account. You can sign in here:\n\n" +
		base + views.PathSignIn + "\n\nIf you did not ask for a trial, you can ignore this email. Nothing has changed.\n"}
}

func mailTried(to, base string) notify.Mail {
	return notify.Mail{To: to, Subject: "Your company already has a Carillon trial", Text: "Hello,\n\n" +
		"You asked for a trial. Each company gets one trial, and your company has already had it. Ask a colleague to invite you " +
		"in the console, on the page People. Then sign in here:\n\n" +
		base + views.PathSignIn + "\n\nIf you did not ask for a trial, you can ignore this email. Nothing has changed.\n"}
}
