package api

import (
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"
)

// reply answers with v as JSON.
func reply(c *fiber.Ctx, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return replyRaw(c, status, body)
}

// replyRaw answers with ready JSON. The answer keeps body: do not reuse it.
func replyRaw(c *fiber.Ctx, status int, body []byte) error {
	c.Status(status)
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(body)
	return nil
}

// opt is s, or null when there is none.
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// stampLayout is RFC 3339 in UTC to the millisecond.
const stampLayout = "2006-01-02T15:04:05.000Z"

// stamp is a time in JSON.
func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// optStamp is a time in JSON, or null if it is zero.
func optStamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return opt(stamp(t))
}
