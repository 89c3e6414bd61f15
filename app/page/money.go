package page

import (
	"strconv"
	"strings"

	"carillon/tenants"
	"carillon/views"
)

// signs of currencies that are written before the number.
var signs = map[string]string{"usd": "$", "eur": "€", "gbp": "£"}

// Money is cents as people read them: "$1,499", "$0.04", "CHF 12.50".
func Money(cents int64, currency string) string {
	minus := ""
	if cents < 0 {
		minus, cents = "−", -cents
	}
	sign, ok := signs[strings.ToLower(currency)]
	if !ok {
		sign = strings.ToUpper(currency) + " "
	}
	whole := tenants.FormatCount(cents / 100)
	if rest := cents % 100; rest != 0 {
		whole += "." + strconv.FormatInt(100+rest, 10)[1:]
	}
	return minus + sign + whole
}

// Keeps is how long a plan keeps recordings and notes.
func Keeps(p tenants.Plan) string {
	switch p.Retention {
	case 0:
		return "as long as the call"
	case 1:
		return "1 day"
	}
	return tenants.FormatCount(p.Retention) + " days"
}

// Saving is what a plan costs less by the year, in whole months: "2 months free". Empty = nothing,
// or no whole months.
func Saving(p tenants.Plan) string {
	if p.MonthCents <= 0 || p.YearCents >= 12*p.MonthCents {
		return ""
	}
	if free := 12*p.MonthCents - p.YearCents; free%p.MonthCents == 0 {
		return views.Plural(int(free/p.MonthCents), "month", "months") + " free"
	}
	return ""
}

// Savings is the Saving that all plans have; empty = they differ, or have none.
func Savings(plans []tenants.Plan) (all string) {
	for i, p := range plans {
		if s := Saving(p); i == 0 {
			all = s
		} else if s != all {
			return ""
		}
	}
	return all
}

// Cents2 is money with its cents, also when there are none: sums in a column.
func Cents2(cents int64, currency string) string {
	s := Money(cents, currency)
	if cents%100 == 0 {
		s += ".00"
	}
	return s
}
