package notify_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/app/notify"
	"carillon/app/notify/notifytest"
)

// Deliver waits until the server has accepted the mail; Send would only queue it.
func ExampleMailer_Deliver() {
	server, err := notifytest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	m, err := notify.New(notify.Config{URL: server.URL(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	err = m.Deliver(context.Background(), notify.Mail{To: "ana@clinic.example", Subject: "Your trial", Text: "Hello Ana"})
	got := <-server.Mails()
	fmt.Print(err, " ", got.To, ": ", got.Text)
	// Output: <nil> ana@clinic.example: Hello Ana
}
