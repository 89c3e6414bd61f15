import Foundation

/// Waits for the end of a ring over the app's own connection. Apple forbids a second VoIP push for
/// this: iOS would demand another call on the screen.
public struct RingWatcher: Sendable {
    private let client: CarillonClient
    private let policy: RetryPolicy

    public init(client: CarillonClient, policy: RetryPolicy = RetryPolicy(first: 0.5, longest: 5, tries: 1000)) {
        self.client = client
        self.policy = policy
    }

    /// Returns why the ring is over for this phone; nil if the task was cancelled. It connects again
    /// as often as needed: it is the caller who knows when the ring expires. `isAnswered` says
    /// whether this phone is in the call.
    public func watch(_ id: UUID, isAnswered: @escaping @Sendable () -> Bool) async -> CallEnd? {
        var last: String?
        var number: Int = 1
        while !Task.isCancelled {
            do {
                for try await event in client.events(id, after: last) {
                    if let end = CallEnd(event: event, answered: isAnswered()) {
                        return end
                    }
                    last = event.id ?? last
                    number = 1
                }
            } catch {
                if RingWatcher.isGone(error) {
                    return .failed
                }
            }
            // The stream ended without an event: the connection was lost, or it was old.
            do {
                let ring: PhoneRing = try await client.ring(id)
                if let end = CallEnd(ring: ring, answered: isAnswered()) {
                    return end
                }
            } catch {
                if RingWatcher.isGone(error) {
                    return .failed
                }
            }
            do {
                try await policy.wait(after: number, retryAfter: nil)
            } catch {
                return nil
            }
            number += 1
        }
        return nil
    }

    /// The device was removed, or the ring is not this device's.
    private static func isGone(_ error: Error) -> Bool {
        guard let known = error as? CarillonError else {
            return false
        }
        switch known {
        case .notPaired:
            return true
        case .refused(let problem):
            return problem.status == 401 || problem.status == 404
        default:
            return false
        }
    }
}
