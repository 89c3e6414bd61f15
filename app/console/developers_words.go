package console

import "carillon/views"

const (
	tryKeyName     = "Developer page"
	noSandboxPhone = "A test key rings devices of Apple’s sandbox only, and none is registered. Start your app from Xcode and pair it."

	tryBody = `{
  "to": {"device": "DEVICE"},
  "reference": "try-1",
  "ttl_s": 30
}`
)

// codeSamples are the same ring in each language, and for Swift the app that it rings. BASE, DEVICE
// and BUNDLE are filled in.
var codeSamples = []views.DocExample{
	{Name: "curl", Text: `curl BASE/v1/rings \
  -H "Authorization: Bearer $CARILLON_API_KEY" \
  -H "Idempotency-Key: $(uuidgen)" \
  -H "Content-Type: application/json" \
  -d '{"to": {"device": "DEVICE"}, "reference": "try-1", "ttl_s": 30}'`},
	{Name: "Go", Text: `ctx := context.Background()
carillon, err := client.New("BASE", os.Getenv("CARILLON_API_KEY"))
if err != nil {
	log.Fatal(err)
}
ring, err := carillon.Rings.Place(ctx, client.RingRequest{To: client.To{Device: new("DEVICE")}})
if err != nil {
	log.Fatal(err)
}
for fact, err := range carillon.Rings.Follow(ctx, ring.ID) {
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(fact.At, fact.Kind)
}`},
	{Name: "TypeScript", Text: `import {Carillon} from "carillon";

const carillon = new Carillon({url: "BASE", key: process.env.CARILLON_API_KEY});

const ring = await carillon.rings.place({to: {device: "DEVICE"}});
for await (const fact of carillon.rings.follow(ring.id)) {
	console.log(fact.at, fact.kind, fact.detail ?? "");
}`},
	{Name: "Python", Text: `import os
from carillon import Carillon

carillon = Carillon("BASE", os.environ["CARILLON_API_KEY"])

ring = carillon.rings.place({"to": {"device": "DEVICE"}})
for fact in carillon.rings.follow(ring["id"]):
    print(fact["at"], fact["kind"], fact["detail"] or "")`},
	{Name: "Swift", Text: `// The app with the bundle id BUNDLE, which is rung.
import CarillonKit

final class AppDelegate: NSObject, UIApplicationDelegate {
    let carillon = Carillon(configuration: CarillonConfiguration(unknownCaller: "Your name") {
        return WebRTCEngine() // Examples/CarillonExample/Sources/WebRTCEngine.swift
    })

    func application(
        _ application: UIApplication,
        didFinishLaunchingWithOptions launchOptions: [UIApplication.LaunchOptionsKey: Any]? = nil
    ) -> Bool {
        carillon.start() // on every launch
        return true
    }
}

// Pair once, with the text of the QR code from BASE:
if let link = PairingLink(scanned) {
    try await carillon.pair(link)
}`},
}
