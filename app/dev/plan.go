package dev

import "carillon/tenants"

// plan is what a seeded tenant is made from. All of it is made up.
type plan struct {
	slug, name string
	industry   tenants.Industry
	bundle     string
	agent      string // the agent's name in the console
	caller     string // the label it shows on a phone
	phone      string // whose phone the browser page plays
	person     string
	phones     []habit
}

// habit is a phone that answers for itself, and how.
type habit struct {
	name, model, os, app, person string
	habit                        string // one of the habits in world.go
}

// plans are the six seeded tenants, one for each industry.
var plans = []plan{
	{"harbor-pine", "Harbor & Pine Realty", tenants.RealEstate, "com.harborpine.ring", "Viewing assistant",
		"Harbor & Pine viewings", "Mara", "agent-mara", []habit{
			{"Jonas's iPhone", "iPhone 17 Pro", "26.4", "2.3.0", "agent-jonas", Declines},
			{"Ines's iPhone", "iPhone 15", "26.3", "2.2.1", "agent-ines", Silent},
			{"Open-house phone", "iPhone SE", "18.7", "2.1.0", "agent-house", Quiet},
		}},
	{"riverbend-clinic", "Riverbend Family Clinic", tenants.Healthcare, "com.riverbend.clinic", "Appointment assistant",
		"Riverbend Clinic", "Front desk", "front-desk", []habit{
			{"Dr. Okafor's iPhone", "iPhone 16", "26.4", "5.1.0", "dr-okafor", Rings},
			{"Ward phone 2", "iPhone 14", "26.2", "5.0.3", "ward-2", Busy},
			{"Night nurse", "iPhone 13", "18.7", "4.9.9", "night-nurse", Dozes},
		}},
	{"stillwater", "Still Water Counseling", tenants.BehavioralHealth, "com.stillwater.care", "Intake assistant",
		"Still Water", "Reception", "reception", []habit{
			{"Lena's iPhone", "iPhone 17", "26.4", "1.8.0", "c-lena", Rings},
			{"On-call phone", "iPhone 15", "26.4", "1.8.0", "on-call", Quiet},
		}},
	{"alder-stone", "Alder & Stone Law", tenants.Legal, "com.alderstone.counsel", "Intake clerk", "Alder & Stone",
		"Front office", "front-office", []habit{
			{"M. Alder's iPhone", "iPhone 17 Pro", "26.4", "3.0.2", "m-alder", Declines},
			{"Duty solicitor", "iPhone 14", "26.1", "2.9.8", "duty", Unshown},
		}},
	{"copper-shears", "Copper Shears Salon", tenants.Salon, "com.coppershears.chair", "Booking assistant",
		"Copper Shears", "Chair one", "chair-1", []habit{
			{"Tess's iPhone", "iPhone 16e", "26.4", "1.2.0", "tess", Rings},
			{"Back room", "iPhone 12", "18.7", "1.1.4", "back-room", Silent},
		}},
	{"northfield", "Northfield Insurance", tenants.Insurance, "com.northfield.claims", "Claims assistant",
		"Northfield claims", "Claims desk", "claims-desk", []habit{
			{"Adjuster Ruiz", "iPhone 17", "26.4", "7.4.0", "ruiz", Rings},
			{"Adjuster Lang", "iPhone 15 Pro", "26.3", "7.3.2", "lang", Liar},
		}},
}
