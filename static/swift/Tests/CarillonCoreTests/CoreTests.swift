import Foundation
import XCTest
@testable import CarillonCore

/// A server that answers as the test says, one answer for each request.
final class ScriptedTransport: Transport, @unchecked Sendable {
    private let lock = NSLock()
    private var answers: [WireAnswer?]
    private var streams: [[StreamPart]]
    private var sent: [WireRequest] = []

    /// A nil answer is a connection that fails.
    init(_ answers: [WireAnswer?], streams: [[StreamPart]] = []) {
        self.answers = answers
        self.streams = streams
    }

    var requests: [WireRequest] {
        lock.lock()
        defer { lock.unlock() }
        return sent
    }

    func send(_ request: WireRequest, to server: URL) async throws -> WireAnswer {
        guard let answer = take(request) else {
            throw CarillonError.unreachable("scripted")
        }
        return answer
    }

    private func take(_ request: WireRequest) -> WireAnswer? {
        lock.lock()
        defer { lock.unlock() }
        sent.append(request)
        return answers.isEmpty ? nil : answers.removeFirst()
    }

    private func takeStream(_ request: WireRequest) -> [StreamPart] {
        lock.lock()
        defer { lock.unlock() }
        sent.append(request)
        return streams.isEmpty ? [] : streams.removeFirst()
    }

    func open(_ request: WireRequest, to server: URL) -> AsyncThrowingStream<StreamPart, Error> {
        let parts: [StreamPart] = takeStream(request)
        return AsyncThrowingStream { (continuation: AsyncThrowingStream<StreamPart, Error>.Continuation) in
            for part in parts {
                continuation.yield(part)
            }
            continuation.finish()
        }
    }
}

final class CoreTests: XCTestCase {
    private let quick = RetryPolicy(first: 0.001, longest: 0.002, tries: 3)
    private let ring: UUID = UUID(uuidString: "0198C0DE-0000-7000-8000-000000000001")!

    private func account() throws -> Account {
        let server: URL = try XCTUnwrap(URL(string: "https://ring.example"))
        return Account(server: server, device: UUID(), credential: "crl_device_x")
    }

    private func client(_ transport: ScriptedTransport) throws -> CarillonClient {
        return CarillonClient(transport: transport, accounts: MemoryAccountStore(try account()), policy: quick)
    }

    private func ok(_ body: String = "{}", status: Int = 200) -> WireAnswer {
        return WireAnswer(status: status, headers: [:], body: Data(body.utf8))
    }

    func testPairingLinks() {
        XCTAssertEqual(PairingLink("https://ring.example/pair#abcdefghjk")?.code, "ABCDE-FGHJK")
        XCTAssertEqual(
            PairingLink(" https://ring.example/pair#ABCDE-FGHJK\n")?.server.absoluteString, "https://ring.example")
        XCTAssertEqual(
            PairingLink("https://example.com/ring/pair#ABCDE-FGHJK")?.server.absoluteString, "https://example.com/ring")
        XCTAssertNotNil(PairingLink("http://127.0.0.1:8080/pair#ABCDE-FGHJK"))
        for wrong in [
            "", "ABCDE-FGHJK", "https://ring.example/pair", "https://ring.example/pair#ABCDE",
            "https://ring.example/pair#ABCDE-FGHJ0", "http://ring.example/pair#ABCDE-FGHJK",
            "https://ring.example/other#ABCDE-FGHJK", "https://ring.example/pair#ABCDE-FGHJK-M",
        ] {
            XCTAssertNil(PairingLink(wrong), wrong)
        }
    }

    func testPushes() throws {
        let push = try XCTUnwrap(IncomingPush([
            "v": 1, "call_id": "0198c0de-0000-7000-8000-000000000001", "iat": 1_800_000_000, "exp": 1_800_000_030,
        ]))
        XCTAssertEqual(push.ring, ring)
        XCTAssertNil(push.from)
        XCTAssertFalse(push.isExpired(at: Date(timeIntervalSince1970: 1_800_000_034)))
        XCTAssertTrue(push.isExpired(at: Date(timeIntervalSince1970: 1_800_000_036)))
        XCTAssertNil(IncomingPush(["call_id": "call-7"]))
        XCTAssertNil(IncomingPush([:]))
        XCTAssertEqual(IncomingPush(["call_id": ring.uuidString, "from": "Front desk"])?.from, "Front desk")
    }

    func testFactsOfCallKitCodes() {
        XCTAssertEqual(FactKind.ofReport(code: nil), .shown)
        XCTAssertNil(FactKind.ofReport(code: 2))
        for code in [3, 4] {
            XCTAssertEqual(FactKind.ofReport(code: code), .silenced)
        }
        for code in [0, 1, 5, 6, 7, 63] {
            XCTAssertEqual(FactKind.ofReport(code: code), .failedToShow)
        }
    }

    func testEventsComeInPieces() {
        let text: String = ": hello\r\n\r\nid: 57\r\nevent: answered_elsewhere\r\n"
            + "data: {\"a\":\r\ndata: 1}\r\n\r\nevent: x\n\n"
        for size in 1...7 {
            var parser = EventParser()
            var events: [ServerEvent] = []
            let bytes: [UInt8] = Array(text.utf8)
            var start: Int = 0
            while start < bytes.count {
                let end: Int = min(start + size, bytes.count)
                events += parser.push(Data(bytes[start..<end]))
                start = end
            }
            XCTAssertEqual(events, [ServerEvent(id: "57", name: "answered_elsewhere", data: "{\"a\":\n1}")])
        }
    }

    func testPausesGrowAndObeyTheServer() {
        let policy = RetryPolicy()
        XCTAssertEqual(policy.pause(after: 1, retryAfter: nil, chance: 1), 0.5)
        XCTAssertEqual(policy.pause(after: 3, retryAfter: nil, chance: 1), 2)
        XCTAssertEqual(policy.pause(after: 3, retryAfter: nil, chance: 0), 1)
        XCTAssertEqual(policy.pause(after: 99, retryAfter: nil, chance: 1), 30)
        XCTAssertEqual(policy.pause(after: 1, retryAfter: 12, chance: 1), 12)
        XCTAssertEqual(policy.pause(after: 1, retryAfter: 90_000, chance: 1), 600)
    }

    func testEndsOfCalls() throws {
        let ended = ServerEvent(id: "1", name: "ended", data: "{\"state\":\"declined\",\"reason\":null,\"at\":\"x\"}")
        XCTAssertEqual(CallEnd(event: ended, answered: false), .declinedElsewhere)
        let over = ServerEvent(id: "1", name: "ended", data: "{\"state\":\"ended\",\"reason\":null,\"at\":\"x\"}")
        XCTAssertEqual(CallEnd(event: over, answered: true), .remoteEnded)
        let cancelled = ServerEvent(id: nil, name: "cancelled", data: "{}")
        XCTAssertEqual(CallEnd(event: cancelled, answered: false), .remoteEnded)
        XCTAssertNil(CallEnd(event: ServerEvent(id: nil, name: "news", data: "{}"), answered: false))
        var shown = PhoneRing(
            id: ring, rings: true, state: "ringing", caller: nil, reference: nil, expiresAt: "", iceServers: [])
        XCTAssertNil(CallEnd(ring: shown, answered: false))
        shown.rings = false
        shown.state = "answered"
        XCTAssertNil(CallEnd(ring: shown, answered: true))
        XCTAssertEqual(CallEnd(ring: shown, answered: false), .answeredElsewhere)
    }

    func testTheWatcherConnectsAgain() async throws {
        let shown: String = "{\"id\":\"\(ring.uuidString)\",\"rings\":true,\"state\":\"ringing\","
            + "\"expires_at\":\"\",\"ice_servers\":[]}"
        let transport = ScriptedTransport(
            [ok(shown)],
            streams: [
                [.start(status: 200, headers: [:]), .bytes(Data(": hello\n\n".utf8))],
                [.start(status: 200, headers: [:]), .bytes(Data("event: cancelled\ndata: {}\n\n".utf8))],
            ])
        let watcher = RingWatcher(client: try client(transport), policy: quick)
        let end: CallEnd? = await watcher.watch(ring) { () -> Bool in
            return false
        }
        XCTAssertEqual(end, .remoteEnded)
        XCTAssertEqual(transport.requests.count, 3)
    }

    func testTheWatcherStopsForARemovedDevice() async throws {
        let transport = ScriptedTransport([], streams: [[.start(status: 401, headers: [:])]])
        let watcher = RingWatcher(client: try client(transport), policy: quick)
        let end: CallEnd? = await watcher.watch(ring) { () -> Bool in
            return false
        }
        XCTAssertEqual(end, .failed)
    }

    func testAnswersAreRepeatedAndRefusalsAreNot() async throws {
        let transport = ScriptedTransport([nil, ok(status: 503), ok("v=0", status: 201)])
        let leg: AnsweredLeg = try await client(transport).answer(ring, offer: "v=0")
        XCTAssertEqual(leg.sdp, "v=0")
        XCTAssertEqual(transport.requests.count, 3)

        let refusal: String = "{\"type\":\"https://ring.example/docs/errors#x\",\"title\":\"t\",\"status\":409,\"detail\":\"d\"}"
        let refusing = ScriptedTransport([ok(refusal, status: 409)])
        do {
            _ = try await client(refusing).answer(ring, offer: "v=0")
            XCTFail("a refusal is no answer")
        } catch CarillonError.refused(let problem) {
            XCTAssertEqual(problem.status, 409)
            XCTAssertEqual(problem.detail, "d")
        }
        XCTAssertEqual(refusing.requests.count, 1)
    }

    func testFactsSurviveARestartAndAreSentInOrder() async throws {
        let file: URL = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        let offline = ScriptedTransport([nil, nil, nil, nil, nil, nil])
        let first: CarillonClient = try client(offline)
        let queue = FactQueue(file: file, policy: quick) { (fact: Fact) in
            try await first.send(fact)
        }
        await queue.add(Fact(ring: ring, kind: .woke, at: Date()))
        await queue.add(Fact(ring: ring, kind: .woke, at: Date()))
        await queue.add(Fact(ring: ring, kind: .shown, at: Date()))
        await queue.settle()
        let left: [Fact] = await queue.pending()
        XCTAssertEqual(left.count, 2)

        let online = ScriptedTransport([ok(), ok()])
        let second: CarillonClient = try client(online)
        let again = FactQueue(file: file, policy: quick) { (fact: Fact) in
            try await second.send(fact)
        }
        await again.start()
        await again.settle()
        let none: [Fact] = await again.pending()
        XCTAssertTrue(none.isEmpty)
        var kinds: [String] = []
        for request in online.requests {
            let body = try JSONSerialization.jsonObject(with: request.body ?? Data()) as? [String: Any]
            kinds.append(body?["kind"] as? String ?? "")
        }
        XCTAssertEqual(kinds, ["woke", "shown"])
    }

    func testARefusedFactIsNotSentForEver() async throws {
        let transport = ScriptedTransport([ok(status: 404), ok()])
        let sender: CarillonClient = try client(transport)
        let queue = FactQueue(file: nil, policy: quick) { (fact: Fact) in
            try await sender.send(fact)
        }
        await queue.add(Fact(ring: UUID(), kind: .woke, at: Date()))
        await queue.add(Fact(ring: ring, kind: .woke, at: Date()))
        await queue.settle()
        let left: [Fact] = await queue.pending()
        XCTAssertTrue(left.isEmpty)
    }
}
