import Foundation

/// Why a call is over for this phone. It decides what the list of recent calls shows.
public enum CallEnd: Equatable, Sendable {
    /// The agent cancelled the ring, or hung up.
    case remoteEnded
    /// Nobody answered in time.
    case unanswered
    /// Another phone of this person answered.
    case answeredElsewhere
    /// Another phone of this person declined.
    case declinedElsewhere
    /// Something did not work.
    case failed

    /// Reads an event of the cancel channel. Nil: an event that this version does not know.
    /// `answered` says whether this phone is in the call.
    public init?(event: ServerEvent, answered: Bool) {
        switch event.name {
        case "cancelled":
            self = .remoteEnded
        case "answered_elsewhere":
            self = .answeredElsewhere
        case "ended":
            let said = try? JSONDecoder().decode(EventData.self, from: Data(event.data.utf8))
            self = CallEnd.of(state: said?.state ?? "ended", answered: answered)
        default:
            return nil
        }
    }

    /// Reads the ring itself. Nil: it is not over for this phone.
    public init?(ring: PhoneRing, answered: Bool) {
        if ring.rings {
            return nil
        }
        if ring.state == "answered" {
            if answered {
                return nil
            }
            self = .answeredElsewhere
            return
        }
        self = CallEnd.of(state: ring.state, answered: answered)
    }

    private static func of(state: String, answered: Bool) -> CallEnd {
        switch state {
        case "declined":
            return .declinedElsewhere
        case "failed":
            return .failed
        case "cancelled":
            return .remoteEnded
        default:
            return answered ? .remoteEnded : .unanswered
        }
    }

    private struct EventData: Decodable {
        var state: String
        var reason: String?
        var at: String
    }
}
