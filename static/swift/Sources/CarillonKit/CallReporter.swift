#if os(iOS)
import CarillonCore
import Foundation

/// How the system answered the report of a call: nil if it was shown, else CallKit's error code.
/// A code outside 0 to 63 is reported as 0, unknown.
typealias ReportResult = (_ failed: Bool, _ code: Int?) -> Void

/// Shows calls with the system's own screen. CallKit does; LiveCommunicationKit does from iOS 17.4.
/// Everything happens on the main queue.
protocol CallReporter: AnyObject {
    var events: CallReporterEvents? { get set }

    /// Reports a call. It must be called before PushKit's delegate method returns.
    func reportIncoming(_ id: UUID, caller: String, result: @escaping ReportResult)

    /// Changes the caller's name of a call on the screen.
    func update(_ id: UUID, caller: String)

    /// Takes a call from the screen.
    func end(_ id: UUID, reason: CallEnd)
}

/// What people and the system do with a call on the screen.
protocol CallReporterEvents: AnyObject {
    /// The person pressed Accept. `done` says whether the call is connected.
    func didAnswer(_ id: UUID, done: @escaping (Bool) -> Void)
    /// The person pressed Decline or End.
    func didEnd(_ id: UUID)
    func didMute(_ id: UUID, muted: Bool)
    func didSendDigits(_ id: UUID, digits: String)
    func didActivateAudio()
    func didDeactivateAudio()
    /// The system forgot all calls.
    func didReset()
}
#endif
