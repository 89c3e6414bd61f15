package web

import (
	"bufio"
	"context"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"
)

// downloadTime is how long a file may take to be sent.
const downloadTime = 5 * time.Minute

// DownloadBounds says how many large files are sent at once in this process.
func DownloadBounds() SlotBounds {
	return SlotBounds{
		Code: "too_many_downloads", What: "recordings on their way", Cure: "Wait until one is complete and try again.",
		After: 5 * time.Second, Each: map[string]int{KindPerson: 4, KindKey: 8}, Tenant: 12, Network: 16, All: 64,
	}
}

// Download sends a file as it is written, after the handler has returned: write must not touch the
// request. Its error cuts the file off, and goes to ended, which is called in any case.
func Download(c *fiber.Ctx, write func(context.Context, io.Writer) error, ended func(error)) {
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithTimeout(context.Background(), downloadTime)
		defer cancel()
		err := Recovered(func() error { return write(ctx, w) })
		if err == nil {
			err = w.Flush()
		}
		ended(err)
	})
}
