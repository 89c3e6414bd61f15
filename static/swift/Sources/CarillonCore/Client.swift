import Foundation

/// The calls of /v1/phone. Each method sends one request and repeats it where that is safe.
public final class CarillonClient: Sendable {
    private let transport: any Transport
    private let accounts: any AccountStore
    private let policy: RetryPolicy

    public init(transport: any Transport, accounts: any AccountStore, policy: RetryPolicy = RetryPolicy()) {
        self.transport = transport
        self.accounts = accounts
        self.policy = policy
    }

    /// The account of this phone. It throws `notPaired` if there is none.
    public func account() throws -> Account {
        guard let account = try accounts.load() else {
            throw CarillonError.notPaired
        }
        return account
    }

    /// Exchanges a pairing code for this phone's credential, and keeps it. It is not repeated after
    /// a lost answer: the code works once.
    public func pair(_ link: PairingLink, device: DeviceDescription) async throws -> Account {
        let answer: WireAnswer = try await once(Requests.pair(code: link.code, device: device), link.server)
        let made: Registered = try decode(answer)
        let account = Account(server: link.server, device: made.id, credential: made.credential)
        try accounts.save(account)
        return account
    }

    /// Sends the push token of this launch.
    public func send(_ update: TokenUpdate) async throws {
        let account: Account = try self.account()
        _ = try await repeating(Requests.token(update, credential: account.credential), account.server)
    }

    public func ring(_ id: UUID) async throws -> PhoneRing {
        let account: Account = try self.account()
        return try decode(try await once(Requests.ring(id, credential: account.credential), account.server))
    }

    /// Sends a fact once; `FactQueue` repeats it. The time of sending is that of this try.
    public func send(_ fact: Fact) async throws {
        let account: Account = try self.account()
        _ = try await once(Requests.fact(fact, sentAt: Date(), credential: account.credential), account.server)
    }

    /// Answers the ring with an SDP offer. Repeating is safe: the server replaces the leg.
    public func answer(_ id: UUID, offer: String) async throws -> AnsweredLeg {
        let account: Account = try self.account()
        let request: WireRequest = Requests.answer(id, offer: offer, credential: account.credential)
        let short = RetryPolicy(first: policy.first, longest: 2, tries: 3)
        let answer: WireAnswer = try await repeating(request, account.server, policy: short)
        return AnsweredLeg(
            sdp: String(decoding: answer.body, as: UTF8.self), location: answer.headers["location"],
            etag: answer.headers["etag"])
    }

    /// Hangs up. A call that is already over is no error.
    public func hangUp(_ id: UUID) async throws {
        let account: Account = try self.account()
        _ = try await repeating(Requests.hangUp(id, credential: account.credential), account.server)
    }

    /// The events of a ring until the connection ends.
    public func events(_ id: UUID, after lastEventID: String?) -> AsyncThrowingStream<ServerEvent, Error> {
        return AsyncThrowingStream { (continuation: AsyncThrowingStream<ServerEvent, Error>.Continuation) in
            let reading: Task<Void, Never> = Task {
                do {
                    let account: Account = try self.account()
                    let request: WireRequest = Requests.events(id, after: lastEventID, credential: account.credential)
                    var parser = EventParser()
                    for try await part in self.transport.open(request, to: account.server) {
                        switch part {
                        case .start(let status, let headers):
                            if status != 200 {
                                throw CarillonClient.problem(WireAnswer(status: status, headers: headers, body: Data()))
                            }
                        case .bytes(let data):
                            for event in parser.push(data) {
                                continuation.yield(event)
                            }
                        }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in
                reading.cancel()
            }
        }
    }

    // MARK: - Sending

    private func once(_ request: WireRequest, _ server: URL) async throws -> WireAnswer {
        let answer: WireAnswer = try await transport.send(request, to: server)
        if answer.status < 200 || answer.status > 299 {
            throw CarillonClient.problem(answer)
        }
        return answer
    }

    private func repeating(
        _ request: WireRequest, _ server: URL, policy given: RetryPolicy? = nil
    ) async throws -> WireAnswer {
        let rules: RetryPolicy = given ?? policy
        var number: Int = 1
        while true {
            do {
                return try await once(request, server)
            } catch let error as CarillonError {
                if !error.isTemporary || number >= rules.tries {
                    throw error
                }
                try await rules.wait(after: number, retryAfter: error.retryAfter)
                number += 1
            }
        }
    }

    private func decode<T: Decodable>(_ answer: WireAnswer) throws -> T {
        do {
            return try JSONDecoder().decode(T.self, from: answer.body)
        } catch {
            throw CarillonError.unreadable("\(T.self)")
        }
    }

    /// Reads an error answer. A proxy in between may answer without problem+json.
    static func problem(_ answer: WireAnswer) -> CarillonError {
        var problem: Problem
        if let said = try? JSONDecoder().decode(Problem.self, from: answer.body) {
            problem = said
        } else {
            problem = Problem(
                type: "about:blank", title: "The server answered \(answer.status).", status: answer.status, detail: nil,
                requestID: nil)
        }
        problem.status = answer.status
        problem.retryAfter = answer.headers["retry-after"].flatMap { (text: String) -> TimeInterval? in
            return TimeInterval(text)
        }
        return CarillonError.refused(problem)
    }

    private struct Registered: Decodable {
        var id: UUID
        var credential: String
    }
}
