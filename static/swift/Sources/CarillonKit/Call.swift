#if os(iOS)
import CarillonCore
import Foundation

/// One call on this phone. It is used on the main queue only, except for `isAnswering`.
final class Call: @unchecked Sendable {
    let id: UUID
    let expires: Date
    var caller: String
    var iceServers: [ICEServer]?
    var engine: AudioEngine?
    /// The server has given the call to this phone.
    var isAnswered: Bool = false
    /// It is no longer on the screen.
    var isOver: Bool = false
    /// How often the connection was replaced.
    var replacements: Int = 0
    var tasks: [Task<Void, Never>] = []

    private let lock = NSLock()
    private var accepted: Bool = false

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

    /// The person has pressed Accept. From then on this phone wants the call: if the server says
    /// that it is answered, it may be this phone that answered.
    var isAnswering: Bool {
        get {
            lock.lock()
            defer { lock.unlock() }
            return accepted
        }
        set {
            lock.lock()
            defer { lock.unlock() }
            accepted = newValue
        }
    }
}
#endif
