package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"
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

// The error of a wrong file says what the file is and what to upload instead.
func ExampleOpenP8() {
	_, err := push.OpenP8("TEAM123456", "KEY1234567", []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"))
	var e *tenants.Error
	if errors.As(err, &e) {
		what, cure, _ := strings.Cut(e.Msg, "; ")
		fmt.Println(e.Fields[0].Name, "-", what)
		fmt.Println(cure)
	}
	// Output:
	// file - This is a public key
	// the private one is in the AuthKey_….p8 file, which Apple lets you download once.
}

func ExamplePayload() {
	issued := time.Unix(1_800_000_000, 0)
	body, err := push.Payload("0198c0de-0000-7000-8000-000000000001", issued, issued.Add(30*time.Second), "")
	fmt.Println(string(body))
	fmt.Println(err)
	// Output:
	// {"v":1,"call_id":"0198c0de-0000-7000-8000-000000000001","iat":1800000000,"exp":1800000030}
	// <nil>
}

func ExampleReactionTo() {
	r := push.ReactionTo(410, "Unregistered")
	fmt.Println(r.Ring, r.Device)
	fmt.Println(r.Cause)
	// Output:
	// fail disable_if_older
	// The app was removed from the phone, or its token was replaced.
}
