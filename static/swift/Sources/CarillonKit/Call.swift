#if os(iOS)
import CarillonCore
import Foundation

/// One call on this phone. It is used on the main queue only, except for `isAnswered`.
final class Call: @unchecked Sendable {
    let id: UUID
    let expires: Date
    var caller: String
    var iceServers: [ICEServer]?
    var engine: AudioEngine?
    /// The person has pressed Accept.
    var isAnswering: Bool = false
    /// It is no longer on the screen.
    var isOver: Bool = false
    /// How often the connection was replaced.
    var replacements: Int = 0
    var tasks: [Task<Void, Never>] = []

    private let lock = NSLock()
    private var answered: Bool = false

    init(id: UUID, caller: String, expires: Date) {
        self.id = id
        self.caller = caller
        self.expires = expires
    }

    /// Ends the sound. An engine that closes must not ask for a new connection.
    func closeEngine() {
        engine?.onConnectionLost = nil
        engine?.close()
        engine = nil
    }

    /// The server has given the call to this phone.
    var isAnswered: Bool {
        get {
            lock.lock()
            defer { lock.unlock() }
            return answered
        }
        set {
            lock.lock()
            defer { lock.unlock() }
            answered = newValue
        }
    }
}
#endif
