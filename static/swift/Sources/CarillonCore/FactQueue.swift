import Foundation

/// Facts that wait to be sent, in the order in which they happened. They are on disk before the
/// first try, so that they survive the end of the app. The server accepts late and repeated facts.
public actor FactQueue {
    /// How many facts wait at most. The oldest is dropped first: nobody waits for it any more.
    public static let bound: Int = 200
    /// How long a fact waits at most.
    public static let longest: TimeInterval = 7 * 24 * 3600

    private let file: URL?
    private let policy: RetryPolicy
    private let send: @Sendable (Fact) async throws -> Void
    private var waiting: [Fact] = []
    private var loaded: Bool = false
    private var worker: Task<Void, Never>?

    /// - Parameters:
    ///   - file: where the facts are kept; nil keeps them in memory only.
    ///   - send: sends one fact once, such as `CarillonClient.send`.
    public init(
        file: URL?, policy: RetryPolicy = RetryPolicy(), send: @escaping @Sendable (Fact) async throws -> Void
    ) {
        self.file = file
        self.policy = policy
        self.send = send
    }

    /// Keeps a fact and starts to send. The same kind of the same ring is kept once.
    public func add(_ fact: Fact) {
        load()
        let isKnown: Bool = waiting.contains { (other: Fact) -> Bool in
            return other.ring == fact.ring && other.kind == fact.kind
        }
        if !isKnown {
            waiting.append(fact)
            if waiting.count > FactQueue.bound {
                waiting.removeFirst(waiting.count - FactQueue.bound)
            }
            save()
        }
        start()
    }

    /// Sends what waits. Call it at launch and when the network is back.
    public func start() {
        load()
        if worker == nil && !waiting.isEmpty {
            worker = Task {
                await self.work()
            }
        }
    }

    /// Waits until everything was sent, or until sending has paused for now.
    public func settle() async {
        await worker?.value
    }

    /// The facts that were not sent yet.
    public func pending() -> [Fact] {
        load()
        return waiting
    }

    private func work() async {
        var number: Int = 1
        while let next = waiting.first {
            do {
                try await send(next)
                remove(next)
                number = 1
            } catch {
                let why: CarillonError? = error as? CarillonError
                if let why = why, !why.isTemporary, why != CarillonError.notPaired {
                    remove(next) // it would be refused each time: another device's ring, or a removed device
                    continue
                }
                if number >= policy.tries || why == CarillonError.notPaired {
                    break // the facts stay on disk for the next start
                }
                do {
                    try await policy.wait(after: number, retryAfter: why?.retryAfter)
                } catch {
                    break
                }
                number += 1
            }
        }
        worker = nil
    }

    /// Removes a fact by value, because `add` may have changed the list while it was sent.
    private func remove(_ fact: Fact) {
        if let index = waiting.firstIndex(of: fact) {
            waiting.remove(at: index)
            save()
        }
    }

    private func load() {
        if loaded {
            return
        }
        loaded = true
        guard let file = file, let data = try? Data(contentsOf: file) else {
            return
        }
        let kept: [Fact] = (try? JSONDecoder().decode([Fact].self, from: data)) ?? []
        let oldest = Date().addingTimeInterval(-FactQueue.longest)
        waiting = kept.filter { (fact: Fact) -> Bool in
            return fact.at > oldest
        } + waiting
    }

    private func save() {
        guard let file = file, let data = try? JSONEncoder().encode(waiting) else {
            return
        }
        #if os(iOS)
        // Readable on a locked phone, like the credential.
        try? data.write(to: file, options: [.atomic, .completeFileProtectionUntilFirstUserAuthentication])
        #else
        try? data.write(to: file, options: [.atomic])
        #endif
    }
}
