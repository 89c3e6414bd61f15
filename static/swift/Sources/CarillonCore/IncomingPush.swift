import Foundation

/// The body of a VoIP push: `{"v":1,"call_id":"…","iat":…,"exp":…,"from":"…"?}`.
public struct IncomingPush: Equatable, Sendable {
    /// The ring, which is also the UUID of the call in CallKit.
    public let ring: UUID
    public let issued: Date
    public let expires: Date
    /// The caller's label. Tenants whose calls are confidential never send one: read the ring for it.
    public let from: String?

    /// Reads a payload of PushKit. It is nil if the push is not Carillon's. Report it as a call even
    /// so, or iOS stops waking the app.
    public init?(_ payload: [AnyHashable: Any]) {
        guard let text = payload["call_id"] as? String, let ring = UUID(uuidString: text) else {
            return nil
        }
        self.ring = ring
        let issued: Date = IncomingPush.date(payload["iat"]) ?? Date()
        self.issued = issued
        self.expires = IncomingPush.date(payload["exp"]) ?? issued.addingTimeInterval(30)
        let from: String? = payload["from"] as? String
        self.from = (from ?? "").isEmpty ? nil : from
    }

    /// Unix seconds. JSON of different sources brings them as different types.
    private static func date(_ value: Any?) -> Date? {
        if let whole = value as? Int {
            return Date(timeIntervalSince1970: TimeInterval(whole))
        }
        if let fraction = value as? Double {
            return Date(timeIntervalSince1970: fraction)
        }
        return nil
    }

    /// Whether the ring is surely over. Phone clocks are seconds off, so it errs on the side of ringing.
    public func isExpired(at now: Date) -> Bool {
        return now.timeIntervalSince(expires) > 5
    }
}
