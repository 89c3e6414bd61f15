package views

import "strings"

// docSections are the parts of the developers' page, by anchor.
var docSections = []struct{ id, title string }{
	{"values", "Your values"},
	{"ring", "Ring a phone"},
	{"agent", "Connect your agent"},
	{"pair", "Pair a phone"},
	{"register", "Register for pushes"},
	{"report", "Report every push to CallKit"},
	{"facts", "Report what happened"},
	{"answer", "Connect the audio"},
	{"privacy", "Protect private data"},
	{"mistakes", "Common problems"},
}

var docFacts = []Row{
	{Name: "woke", Text: "The push arrived and your code started."},
	{Name: "shown", Text: "CallKit called the completion handler without an error."},
	{Name: "silenced", Text: "CallKit refused the call with code 3 (Focus) or 4 (blocked number). Include the code."},
	{Name: "failed_to_show", Text: "CallKit refused the call with another error. Include the code."},
	{Name: "declined", Text: "The person pressed Decline."},
	{Name: "busy", Text: "The person was in another call and did not answer."},
}

var docMistakes = []Row{
	{Name: "BadDeviceToken", Text: "The token belongs to the other Apple environment. Register with “auto”, and send the token each " +
		"time the app starts."},
	{Name: "DeviceTokenNotForTopic", Text: "The credential and the app have different bundle IDs."},
	{Name: "Accepted, but never woke", Text: "The phone is off or offline, or iOS blocks pushes to your app because it did not report " +
		"earlier ones."},
	{Name: "Rings, but no sound", Text: "The app started the microphone before CallKit’s didActivate, or it has no permission to use " +
		"the microphone."},
	{Name: "Works in Xcode only", Text: "An app from Xcode uses the sandbox. An app from TestFlight or the App Store uses production. " +
		"Add a credential for both."},
}

// fill writes the tenant's values into a snippet.
func (p DevelopersPage) fill(snippet string) string {
	return strings.NewReplacer("{base}", p.BaseURL, "{bundle}", p.Bundle, "{device}", p.Device, "{key}", p.KeyShown).Replace(snippet)
}

func (p DevelopersPage) curlRing() string {
	return p.fill(`curl {base}/v1/rings \
  -H "Authorization: Bearer $CARILLON_API_KEY" \
  -H "Idempotency-Key: appt-20418" \
  -H "Content-Type: application/json" \
  -d '{"to": {"device": "{device}"}, "reference": "appt-20418", "ttl_s": 30}'`)
}

func (p DevelopersPage) curlFollow() string {
	return p.fill(`curl -N {base}/v1/rings/RING_ID/events \
  -H "Authorization: Bearer $CARILLON_API_KEY"`)
}

func (p DevelopersPage) swiftPair() string {
	return p.fill(`struct Paired: Decodable { let id: UUID; let credential: String }

func pair(code: String, token: Data) async throws {
    let paired: Paired = try await Carillon.shared.post("/v1/phone/devices", bearer: code, json:
        ["token": token.map { String(format: "%02x", $0) }.joined(), "bundle_id": "{bundle}",
         "environment": "auto", "name": UIDevice.current.name, "time_zone": TimeZone.current.identifier])
    try Keychain.keep(paired.credential)   // shown only once; send it with every later request
}`)
}

func (p DevelopersPage) swiftRegister() string {
	return p.fill(`import PushKit

final class Pushes: NSObject, PKPushRegistryDelegate {
    private let registry = PKPushRegistry(queue: .main)

    func start() {                       // call this in didFinishLaunching, every time
        registry.delegate = self
        registry.desiredPushTypes = [.voIP]
    }

    func pushRegistry(_ registry: PKPushRegistry,
                      didUpdate credentials: PKPushCredentials, for type: PKPushType) {
        let token = credentials.token.map { String(format: "%02x", $0) }.joined()
        Task { try await Carillon.shared.put("/v1/phone/token",
            ["token": token, "environment": "auto",
             "app_version": Bundle.main.version, "os_version": UIDevice.current.systemVersion]) }
    }
}`)
}

func (p DevelopersPage) swiftReport() string {
	return p.fill(`func pushRegistry(_ registry: PKPushRegistry,
                  didReceiveIncomingPushWith payload: PKPushPayload,
                  for type: PKPushType, completion: @escaping () -> Void) {
    let push = payload.dictionaryPayload
    let ring = UUID(uuidString: push["call_id"] as? String ?? "") ?? UUID()
    let update = CXCallUpdate()
    update.remoteHandle = CXHandle(type: .generic, value: push["from"] as? String ?? "Carillon")
    update.hasVideo = false

    let woke = Date()
    provider.reportNewIncomingCall(with: ring, update: update) { error in
        Facts.send(.woke, of: ring, at: woke)
        switch (error as? CXErrorCodeIncomingCallError)?.code {
        case nil where error == nil:  Facts.send(.shown, of: ring)
        case .filteredByDoNotDisturb: Facts.send(.silenced, of: ring, code: 3)
        case .filteredByBlockList:    Facts.send(.silenced, of: ring, code: 4)
        default:                      Facts.send(.failedToShow, of: ring, code: (error as NSError?)?.code)
        }
        completion()
    }
    Rings.listen(to: ring)   // cancelled and answered_elsewhere arrive over your own connection
}`)
}

func (p DevelopersPage) swiftFacts() string {
	return p.fill(`enum Facts {
    enum Kind: String { case woke, shown, silenced, declined, busy, failedToShow = "failed_to_show" }

    static func send(_ kind: Kind, of ring: UUID, at: Date = .now, code: Int? = nil) {
        var fact: [String: Any] = ["kind": kind.rawValue, "at": at.rfc3339, "sent_at": Date.now.rfc3339]
        if let code { fact["code"] = code }
        Outbox.keep(fact, path: "/v1/phone/rings/\(ring.uuidString.lowercased())/facts")
    }   // the outbox repeats it until the answer is 200, even after a restart
}`)
}

func (p DevelopersPage) swiftAnswer() string {
	return p.fill(`func provider(_ provider: CXProvider, perform action: CXAnswerCallAction) {
    Task {
        let offer = try await peer.offerWithOneAudioTrack()
        let answer = try await Carillon.shared.post(
            "/v1/phone/rings/\(action.callUUID.uuidString.lowercased())/answer",
            body: offer.sdp, type: "application/sdp")          // 201: the SDP answer
        switch answer.status {
        case 201: try await peer.setAnswer(answer.text); leg = answer.location; action.fulfill()
        case 409: end(action.callUUID, .answeredElsewhere);     action.fail()
        default:  end(action.callUUID, .failed);                action.fail()
        }
    }
}

func provider(_ provider: CXProvider, didActivate session: AVAudioSession) {
    peer.startAudio()                    // not before
}

func provider(_ provider: CXProvider, perform action: CXEndCallAction) {
    Task { await Carillon.shared.delete(leg); peer.close(); action.fulfill() }
}`)
}
