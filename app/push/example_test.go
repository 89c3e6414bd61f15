package push_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// A push from a .p8 file to a phone, against an Apple inside this process.
func ExampleSender_Push() {
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		panic(err)
	}
	defer apple.Close()
	known, file, err := apnstest.NewKey("TEAM123456", "KEY1234567")
	if err != nil {
		panic(err)
	}
	if err := apple.Register(known); err != nil {
		panic(err)
	}

	sender, err := push.New(push.Config{
		ProductionURL: apple.URL(apnstest.Production), SandboxURL: apple.URL(apnstest.Sandbox), RootCAs: apple.CAPool(),
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	defer sender.Close()
	key, err := push.OpenP8("TEAM123456", "KEY1234567", file)
	if err != nil {
		panic(err)
	}
	now := time.Now()
	body, err := push.Payload("0198c0de-0000-7000-8000-000000000001", now, now.Add(30*time.Second), "Front desk")
	if err != nil {
		panic(err)
	}

	answer := sender.Push(context.Background(), key, push.Push{
		APNsID: "0198c0de-0000-7000-8000-0000000000aa", Token: device, Topic: "com.example.clinic.voip",
		Environment: push.Auto, Payload: body, Expires: now.Add(30 * time.Second),
	})
	fmt.Println(answer.Status, answer.Environment, answer.Reaction.Cause)
	// Output: 200 production Apple accepted the push; that does not mean that the phone rang.
}
