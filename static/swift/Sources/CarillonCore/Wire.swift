import Foundation

/// One request as plain values, so that a test can compare it with a fixture.
public struct WireRequest: Equatable, Sendable {
    public var method: String
    public var path: String
    public var headers: [String: String]
    public var body: Data?
    /// Seconds without a byte after which the request has failed.
    public var timeout: TimeInterval

    public init(
        method: String, path: String, headers: [String: String], body: Data? = nil, timeout: TimeInterval = 10
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

/// One answer. Names of headers are in lower case.
public struct WireAnswer: Equatable, Sendable {
    public var status: Int
    public var headers: [String: String]
    public var body: Data

    public init(status: Int, headers: [String: String], body: Data) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Every request that this package sends. Fixtures/ holds one file for each, and a test of the
/// server replays them.
public enum Requests {
    static let userAgent: String = "CarillonKit/1.0"

    /// Exchanges a pairing code for this phone's credential.
    public static func pair(code: String, device: DeviceDescription) throws -> WireRequest {
        return WireRequest(
            method: "POST", path: "/v1/phone/devices", headers: jsonHeaders(code), body: try json(device))
    }

    /// Sends the push token; on every launch.
    public static func token(_ update: TokenUpdate, credential: String) throws -> WireRequest {
        return WireRequest(
            method: "PUT", path: "/v1/phone/token", headers: jsonHeaders(credential), body: try json(update))
    }

    public static func ring(_ ring: UUID, credential: String) -> WireRequest {
        return WireRequest(method: "GET", path: path(ring), headers: headers(credential))
    }

    public static func fact(_ fact: Fact, sentAt: Date, credential: String) throws -> WireRequest {
        let body = FactBody(
            kind: fact.kind, at: Timestamp.string(from: fact.at), sent_at: Timestamp.string(from: sentAt),
            code: fact.code)
        return WireRequest(
            method: "POST", path: path(fact.ring) + "/facts", headers: jsonHeaders(credential), body: try json(body))
    }

    /// Opens the channel that says when to stop ringing. The server sends a comment every
    /// four seconds, so that a dead connection shows.
    public static func events(_ ring: UUID, after lastEventID: String?, credential: String) -> WireRequest {
        var all: [String: String] = headers(credential)
        all["Accept"] = "text/event-stream"
        if let last = lastEventID {
            all["Last-Event-ID"] = last
        }
        return WireRequest(method: "GET", path: path(ring) + "/events", headers: all, timeout: 20)
    }

    /// Answers the call. The same phone may answer again: the new leg replaces the old one.
    public static func answer(_ ring: UUID, offer: String, credential: String) -> WireRequest {
        var all: [String: String] = headers(credential)
        all["Accept"] = "application/sdp"
        all["Content-Type"] = "application/sdp"
        return WireRequest(
            method: "POST", path: path(ring) + "/answer", headers: all, body: Data(offer.utf8), timeout: 15)
    }

    public static func hangUp(_ ring: UUID, credential: String) -> WireRequest {
        return WireRequest(method: "DELETE", path: path(ring) + "/leg", headers: headers(credential))
    }

    private struct FactBody: Encodable {
        var kind: FactKind
        var at: String
        var sent_at: String
        var code: Int?
    }

    private static func path(_ ring: UUID) -> String {
        return "/v1/phone/rings/" + ring.uuidString.lowercased()
    }

    private static func headers(_ bearer: String) -> [String: String] {
        return ["Authorization": "Bearer " + bearer, "Accept": "application/json", "User-Agent": userAgent]
    }

    private static func jsonHeaders(_ bearer: String) -> [String: String] {
        var all: [String: String] = headers(bearer)
        all["Content-Type"] = "application/json"
        return all
    }

    private static func json<T: Encodable>(_ value: T) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}
