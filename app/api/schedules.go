package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// timeSpan is a part of a day: 08:00 to 16:00. 24:00 is the end of the day.
type timeSpan struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type scheduleException struct {
	Date  string     `json:"date"`
	Spans []timeSpan `json:"spans"`
	Note  string     `json:"note"`
}

// scheduleChange is the body of PATCH /v1/schedules/{id}: omitted fields stay. It is that of POST
// too.
type scheduleChange struct {
	Name       *string               `json:"name"`
	TimeZone   *string               `json:"time_zone"`
	Weekly     map[string][]timeSpan `json:"weekly"`
	Exceptions *[]scheduleException  `json:"exceptions"`
	Calendar   *string               `json:"calendar"`
}

// weekdayNames are the days as the API calls them, in the order of time.Weekday.
var weekdayNames = [7]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func (q scheduleChange) apply(s *tenants.Schedule) error {
	var faults []tenants.Field
	label(&s.Name, q.Name)
	set(&s.Zone, q.TimeZone)
	if q.Weekly != nil {
		s.Weekly = [7][]tenants.Span{}
	}
	for name, spans := range q.Weekly {
		known := false
		for day, is := range weekdayNames {
			if is == name {
				known = true
				s.Weekly[day] = spansOf(spans, "weekly", &faults)
			}
		}
		if !known {
			faults = append(faults, tenants.Field{Name: "weekly", Message: "the days are monday to sunday"})
		}
	}
	if q.Exceptions != nil {
		s.Exceptions = nil
		for _, e := range *q.Exceptions {
			s.Exceptions = append(s.Exceptions, tenants.Exception{Date: e.Date, Spans: spansOf(e.Spans, "exceptions", &faults),
				Note: tenants.TrimLabel(e.Note)})
		}
	}
	if q.Calendar != nil {
		id, ok := tenants.ParseID[tenants.ConnectionID](*q.Calendar)
		if s.Calendar = id; !ok && *q.Calendar != "" {
			faults = append(faults, tenants.Field{Name: "calendar", Message: "a connection id: a UUID, or empty for none"})
		}
	}
	if len(faults) > 0 {
		return invalid(faults, "Please correct the fields of the schedule.")
	}
	return s.Check()
}

func spansOf(list []timeSpan, field string, faults *[]tenants.Field) (spans []tenants.Span) {
	for _, s := range list {
		from, ok := minuteOf(s.From)
		to, good := minuteOf(s.To)
		if !ok || !good {
			*faults = append(*faults, tenants.Field{Name: field, Message: "a span is from and to, written like 08:00; 24:00 ends a day"})
			return nil
		}
		spans = append(spans, tenants.Span{From: from, To: to})
	}
	return spans
}

// minuteOf reads a time of the day such as 08:00.
func minuteOf(s string) (int, bool) {
	hour, minute, ok := strings.Cut(s, ":")
	h, err := strconv.Atoi(hour)
	m, e := strconv.Atoi(minute)
	if !ok || err != nil || e != nil || len(hour) != 2 || len(minute) != 2 || h < 0 || m < 0 || m > 59 || h*60+m > tenants.DayMinutes {
		return 0, false
	}
	return h*60 + m, true
}

func timeSpansOf(spans []tenants.Span) []timeSpan {
	shown := []timeSpan{}
	for _, s := range spans {
		shown = append(shown, timeSpan{clockOf(s.From), clockOf(s.To)})
	}
	return shown
}

func clockOf(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

type schedule struct {
	ID         string                `json:"id"`
	Name       string                `json:"name"`
	TimeZone   string                `json:"time_zone"`
	Weekly     map[string][]timeSpan `json:"weekly"`
	Exceptions []scheduleException   `json:"exceptions"`
	Calendar   *string               `json:"calendar"`
	CreatedAt  string                `json:"created_at"`
}

func scheduleOf(s tenants.Schedule) schedule {
	shown := schedule{ID: string(s.ID), Name: s.Name, TimeZone: s.Zone, Weekly: map[string][]timeSpan{},
		Exceptions: []scheduleException{}, Calendar: opt(string(s.Calendar)), CreatedAt: stamp(s.CreatedAt)}
	for day, spans := range s.Weekly {
		shown.Weekly[weekdayNames[day]] = timeSpansOf(spans)
	}
	for _, e := range s.Exceptions {
		shown.Exceptions = append(shown.Exceptions, scheduleException{e.Date, timeSpansOf(e.Spans), e.Note})
	}
	return shown
}

// addSchedule: POST /v1/schedules.
func (a groupAPI) addSchedule(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body scheduleChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	now := a.Now()
	made := tenants.Schedule{ID: tenants.NewID[tenants.ScheduleID](now), Tenant: k.Tenant.ID, Zone: k.Tenant.TimeZone, CreatedAt: now}
	if err := body.apply(&made); err != nil {
		return err
	}
	if err := k.scope.Schedules().Add(ctx, made); err != nil {
		return err
	}
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/schedules/"+string(made.ID))
	return reply(c, fiber.StatusCreated, scheduleOf(made))
}

// listSchedules: GET /v1/schedules.
func (a groupAPI) listSchedules(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := page(c)
	if err != nil {
		return err
	}
	rows, next, err := k.scope.Schedules().List(ctx, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, scheduleOf))
}

// showSchedule: GET /v1/schedules/{id}.
func (a groupAPI) showSchedule(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ScheduleID](c, "schedule")
	if err != nil {
		return err
	}
	found, err := k.scope.Schedules().Get(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, scheduleOf(found))
}

// changeSchedule: PATCH /v1/schedules/{id}.
func (a groupAPI) changeSchedule(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ScheduleID](c, "schedule")
	if err != nil {
		return err
	}
	var body scheduleChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	found, err := k.scope.Schedules().Get(ctx, id)
	if err != nil {
		return err
	}
	if err := body.apply(&found); err != nil {
		return err
	}
	if err := k.scope.Schedules().Set(ctx, found); err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, scheduleOf(found))
}

// removeSchedule: DELETE /v1/schedules/{id}.
func (a groupAPI) removeSchedule(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ScheduleID](c, "schedule")
	if err != nil {
		return err
	}
	if err := k.scope.Schedules().Remove(ctx, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

type consentRequest struct {
	Person   string `json:"person"`
	Kind     string `json:"kind"`
	GivenAt  string `json:"given_at"`
	Evidence string `json:"evidence"`
}

func (q consentRequest) agreement(now time.Time) (tenants.Agreement, error) {
	made := tenants.Agreement{ID: tenants.NewID[tenants.ConsentID](now), Person: q.Person, Kind: tenants.AgreementKind(q.Kind),
		GivenAt: now, Evidence: strings.TrimSpace(q.Evidence), CreatedAt: now}
	if q.Kind == "" {
		made.Kind = tenants.AgreedCalls
	}
	if q.GivenAt != "" {
		made.GivenAt, _ = moment(q.GivenAt) // no time is refused by Check
	}
	return made, made.Check(now)
}

type consent struct {
	ID          string  `json:"id"`
	Person      string  `json:"person"`
	Kind        string  `json:"kind"`
	GivenAt     string  `json:"given_at"`
	By          *string `json:"by"`
	Evidence    string  `json:"evidence"`
	WithdrawnAt *string `json:"withdrawn_at"`
	CreatedAt   string  `json:"created_at"`
}

func consentOf(a tenants.Agreement) consent {
	return consent{ID: string(a.ID), Person: a.Person, Kind: string(a.Kind), GivenAt: stamp(a.GivenAt), By: opt(a.By.Name),
		Evidence: a.Evidence, WithdrawnAt: optStamp(a.WithdrawnAt), CreatedAt: stamp(a.CreatedAt)}
}

// addConsent: POST /v1/consents.
func (a groupAPI) addConsent(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body consentRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	made, err := body.agreement(a.Now())
	if err != nil {
		return err
	}
	if err := k.scope.Consents().Add(ctx, made); err != nil {
		return err
	}
	made.By = k.Actor
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/consents/"+string(made.ID))
	return reply(c, fiber.StatusCreated, consentOf(made))
}

// listConsents: GET /v1/consents.
func (a groupAPI) listConsents(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := page(c)
	if err != nil {
		return err
	}
	rows, next, err := k.scope.Consents().List(ctx, store.ConsentQuery{Page: q})
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, consentOf))
}

// showConsent: GET /v1/consents/{id}.
func (a groupAPI) showConsent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConsentID](c, "consent")
	if err != nil {
		return err
	}
	found, err := k.scope.Consents().Get(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, consentOf(found))
}

// withdrawConsent: DELETE /v1/consents/{id}. It stays on record, as withdrawn.
func (a groupAPI) withdrawConsent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConsentID](c, "consent")
	if err != nil {
		return err
	}
	if err := k.scope.Consents().Withdraw(ctx, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
