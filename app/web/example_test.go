package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

// A handler reads its body with JSON and returns errors. The edge turns each error into a problem
// document.
func ExampleNew() {
	app := web.New(web.Config{})
	app.Post("/v1/greetings", func(c *fiber.Ctx) error {
		var body struct {
			Name string `json:"name"`
		}
		if err := web.JSON(c, &body); err != nil {
			return err
		}
		if body.Name == "" {
			return tenants.Refuse(tenants.Unprocessable, "no_name", "Say whom to greet.")
		}
		return c.SendString("Hello " + body.Name)
	})
	for _, body := range []string{`{"name":"Ana"}`, `{"name":""}`, `{"nom":"Ana"}`} {
		r := httptest.NewRequest("POST", "/v1/greetings", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		resp, err := app.Test(r, -1)
		if err != nil {
			fmt.Println(err)
			return
		}
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			fmt.Println(err)
			return
		}
		var p struct{ Type, Detail string }
		if json.Unmarshal(answer, &p) == nil {
			answer = []byte(p.Type + ": " + p.Detail)
		}
		fmt.Println(resp.StatusCode, string(answer))
	}
	// Output:
	// 200 Hello Ana
	// 422 /docs/errors#no_name: Say whom to greet.
	// 400 /docs/errors#invalid: Please correct the fields below.
}
