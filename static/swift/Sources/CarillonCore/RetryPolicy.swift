import Foundation

/// How long to wait between tries: 0.5 s, 1 s, 2 s … up to 30 s, each shortened by chance to no less
/// than half, so that phones that failed together do not come back together.
public struct RetryPolicy: Equatable, Sendable {
    public var first: TimeInterval
    public var longest: TimeInterval
    public var tries: Int

    public init(first: TimeInterval = 0.5, longest: TimeInterval = 30, tries: Int = 6) {
        self.first = first
        self.longest = longest
        self.tries = tries
    }

    /// The pause after failed try number `number`, which counts from 1. `chance` is from 0 to 1.
    /// What the server asks for in Retry-After is the least, up to ten minutes.
    public func pause(after number: Int, retryAfter: TimeInterval?, chance: Double) -> TimeInterval {
        var pause: TimeInterval = first
        var n: Int = 1
        while n < number && pause < longest {
            pause *= 2
            n += 1
        }
        pause = min(pause, longest) * (0.5 + 0.5 * chance)
        if let asked = retryAfter {
            pause = max(pause, min(asked, 600))
        }
        return pause
    }

    func wait(after number: Int, retryAfter: TimeInterval?) async throws {
        let seconds: TimeInterval = pause(after: number, retryAfter: retryAfter, chance: Double.random(in: 0...1))
        try await Task.sleep(nanoseconds: UInt64(seconds * 1_000_000_000))
    }
}
