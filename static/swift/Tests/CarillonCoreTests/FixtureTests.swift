import Foundation
import XCTest
@testable import CarillonCore

/// Compares every request with its file in Fixtures/. A test of the server replays the same files.
final class FixtureTests: XCTestCase {
    private let credential: String = "crl_device_00000000000000000000000000000000000000"
    private let code: String = "ABCDE-FGHJK"
    private let token: String = String(repeating: "a1", count: 32)
    private let ring: UUID = UUID(uuidString: "0198C0DE-0000-7000-8000-000000000001")!
    private let stranger: UUID = UUID(uuidString: "0198C0DE-0000-7000-8000-000000000002")!
    private let device: UUID = UUID(uuidString: "0198C0DE-0000-7000-8000-000000000003")!
    private let offer: String = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"

    func testRequestsAreThoseOfTheFixtures() throws {
        let names: [String] = try fixtureNames()
        XCTAssertEqual(names.count, 19)
        for name in names {
            let wanted: [String: Any] = try fixture(name)["request"] as? [String: Any] ?? [:]
            let request: WireRequest = try build(name)
            XCTAssertEqual(request.method, wanted["method"] as? String, name)
            XCTAssertEqual(request.path, wanted["path"] as? String, name)
            XCTAssertEqual(request.headers, wanted["headers"] as? [String: String] ?? [:], name)
            if let body = wanted["body"] {
                let sent: Any = try JSONSerialization.jsonObject(with: request.body ?? Data())
                XCTAssertEqual(try sorted(sent), try sorted(body), name)
            } else if let text = wanted["text"] as? String {
                XCTAssertEqual(String(decoding: request.body ?? Data(), as: UTF8.self), text, name)
            } else {
                XCTAssertNil(request.body, name)
            }
        }
    }

    /// JSON with its fields in order.
    private func sorted(_ value: Any) throws -> String {
        let data: Data = try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }

    func testAnswersAreRead() throws {
        let pairing: [String: Any] = try answer("01-pair")
        let body: [String: Any] = pairing["body"] as? [String: Any] ?? [:]
        XCTAssertEqual(body["credential"] as? String, credential)

        var shown: [String: Any] = try answer("03-ring")["body"] as? [String: Any] ?? [:]
        shown["expires_at"] = "2026-11-24T08:00:30.000Z"
        let data: Data = try JSONSerialization.data(withJSONObject: shown)
        let read: PhoneRing = try JSONDecoder().decode(PhoneRing.self, from: data)
        XCTAssertEqual(read.id, ring)
        XCTAssertTrue(read.rings)
        XCTAssertEqual(read.caller, "Elm Dental")
    }

    /// The request that belongs to a fixture.
    private func build(_ name: String) throws -> WireRequest {
        switch name {
        case "01-pair":
            var described = DeviceDescription(token: token, bundleID: "com.example.elm")
            described.appVersion = "4.1"
            described.model = "iPhone"
            described.name = "Ada's iPhone"
            described.osVersion = "26.4"
            described.timeZone = "Europe/Berlin"
            described.phoneID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
            return try Requests.pair(code: code, device: described)
        case "02-token":
            let update = TokenUpdate(token: token, appVersion: "4.1", osVersion: "26.4")
            return try Requests.token(update, credential: credential)
        case "03-ring", "16-over":
            return Requests.ring(ring, credential: credential)
        case "04-woke":
            return try fact(.woke, at: "2026-11-24T08:00:00.250Z", sent: "2026-11-24T08:00:00.310Z")
        case "05-shown":
            return try fact(.shown, at: "2026-11-24T08:00:00.290Z", sent: "2026-11-24T08:00:00.330Z")
        case "06-events":
            return Requests.events(ring, after: nil, credential: credential)
        case "07-answer", "08-answer-again", "17-too-late":
            return Requests.answer(ring, offer: offer, credential: credential)
        case "09-hang-up", "10-hang-up-again":
            return Requests.hangUp(ring, credential: credential)
        case "11-repeated":
            return try fact(.shown, at: "2026-11-24T08:00:00.290Z", sent: "2026-11-24T08:05:00.000Z")
        case "12-late":
            return try fact(.declined, at: "2026-11-24T08:00:09.000Z", sent: "2026-11-24T09:12:00.500Z")
        case "13-silenced":
            return try fact(.silenced, at: "2026-11-24T08:00:00.250Z", sent: "2026-11-24T08:00:00.310Z", code: 3)
        case "14-failed-to-show":
            return try fact(.failedToShow, at: "2026-11-24T08:00:00.250Z", sent: "2026-11-24T08:00:00.310Z", code: 1)
        case "15-busy":
            return try fact(.busy, at: "2026-11-24T08:00:00.250Z", sent: "2026-11-24T08:00:00.310Z")
        case "18-unknown-ring":
            return Requests.ring(stranger, credential: credential)
        case "19-code-used":
            return try Requests.pair(code: code, device: DeviceDescription(token: token, bundleID: "com.example.elm"))
        default:
            XCTFail("no request for \(name)")
            return Requests.ring(ring, credential: credential)
        }
    }

    private func fact(_ kind: FactKind, at: String, sent: String, code: Int? = nil) throws -> WireRequest {
        let happened: Date = try XCTUnwrap(Timestamp.date(from: at))
        let sentAt: Date = try XCTUnwrap(Timestamp.date(from: sent))
        return try Requests.fact(
            Fact(ring: ring, kind: kind, at: happened, code: code), sentAt: sentAt, credential: credential)
    }

    // MARK: - Files

    private func folder() -> URL {
        return URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures")
    }

    private func fixtureNames() throws -> [String] {
        let files: [URL] = try FileManager.default.contentsOfDirectory(at: folder(), includingPropertiesForKeys: nil)
        var names: [String] = []
        for file in files where file.pathExtension == "json" {
            names.append(file.deletingPathExtension().lastPathComponent)
        }
        return names.sorted()
    }

    private func fixture(_ name: String) throws -> [String: Any] {
        let file: URL = folder().appendingPathComponent(name + ".json")
        var text: String = try String(contentsOf: file, encoding: .utf8)
        let values: [String: String] = [
            "{code}": code, "{token}": token, "{credential}": credential,
            "{ring}": ring.uuidString.lowercased(), "{stranger}": stranger.uuidString.lowercased(),
            "{device}": device.uuidString.lowercased(),
            "{offer}": offer.replacingOccurrences(of: "\r\n", with: "\\r\\n"), "{answer}": "v=0",
        ]
        for (name, value) in values {
            text = text.replacingOccurrences(of: name, with: value)
        }
        return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
    }

    private func answer(_ name: String) throws -> [String: Any] {
        return try fixture(name)["answer"] as? [String: Any] ?? [:]
    }
}
