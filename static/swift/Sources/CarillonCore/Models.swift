import Foundation

/// What happened on this phone to one ring. The server accepts exactly these words.
public enum FactKind: String, Codable, CaseIterable, Sendable {
    /// The push arrived and the app's code ran.
    case woke
    /// The system showed the call.
    case shown
    /// The system refused to show the call, with CallKit's error code.
    case failedToShow = "failed_to_show"
    /// Focus or the block list kept the call quiet, with CallKit's error code.
    case silenced
    /// The person pressed Decline.
    case declined
    /// The person was in another call.
    case busy
}

/// One fact, as it waits to be sent. `at` is this phone's clock; the server corrects it with the
/// time of sending.
public struct Fact: Codable, Equatable, Sendable {
    public var ring: UUID
    public var kind: FactKind
    public var at: Date
    /// CallKit's error code, 0 to 63; only with `failedToShow` and `silenced`.
    public var code: Int?

    public init(ring: UUID, kind: FactKind, at: Date, code: Int? = nil) {
        self.ring = ring
        self.kind = kind
        self.at = at
        self.code = code
    }
}

extension FactKind {
    /// The fact that says how the system answered the report of a call: `code` is that of
    /// CXErrorCodeIncomingCallError, or nil if the call was shown. There is no fact for code 2: the
    /// call is already on the screen, because its push came twice.
    public static func ofReport(code: Int?) -> FactKind? {
        guard let code = code else {
            return .shown
        }
        switch code {
        case 2:
            return nil
        case 3, 4: // Focus; the block list
            return .silenced
        default:
            return .failedToShow
        }
    }
}

/// A STUN or TURN server for the peer connection. Credentials are valid for two hours.
public struct ICEServer: Codable, Equatable, Sendable {
    public var urls: [String]
    public var username: String?
    public var credential: String?

    public init(urls: [String], username: String? = nil, credential: String? = nil) {
        self.urls = urls
        self.username = username
        self.credential = credential
    }
}

/// A ring as the server shows it to this phone.
public struct PhoneRing: Codable, Equatable, Sendable {
    public var id: UUID
    /// False: stop ringing.
    public var rings: Bool
    public var state: String
    /// Who calls. Pushes of some tenants carry no name; this is where it comes from.
    public var caller: String?
    public var reference: String?
    public var expiresAt: String
    public var iceServers: [ICEServer]

    enum CodingKeys: String, CodingKey {
        case id
        case rings
        case state
        case caller
        case reference
        case expiresAt = "expires_at"
        case iceServers = "ice_servers"
    }
}

/// This phone, as it registers with a pairing code.
public struct DeviceDescription: Codable, Equatable, Sendable {
    /// The VoIP push token in hexadecimal.
    public var token: String
    /// The app, without ".voip".
    public var bundleID: String
    /// "auto", "sandbox" or "production". "auto" lets the server find out.
    public var environment: String
    public var platform: String
    public var name: String?
    public var model: String?
    public var osVersion: String?
    public var appVersion: String?
    public var timeZone: String?
    /// What the app keeps on this phone, so that the server knows it when it registers again.
    public var phoneID: String?
    /// Your own ID of the user; leave it out if the pairing code was made for a person.
    public var person: String?

    public init(token: String, bundleID: String, environment: String = "auto") {
        self.token = token
        self.bundleID = bundleID
        self.environment = environment
        self.platform = "ios"
    }

    enum CodingKeys: String, CodingKey {
        case token
        case bundleID = "bundle_id"
        case environment
        case platform
        case name
        case model
        case osVersion = "os_version"
        case appVersion = "app_version"
        case timeZone = "time_zone"
        case phoneID = "phone_id"
        case person
    }
}

/// The push token of this launch.
public struct TokenUpdate: Codable, Equatable, Sendable {
    public var token: String
    public var environment: String
    public var appVersion: String?
    public var osVersion: String?

    public init(token: String, environment: String = "auto", appVersion: String? = nil, osVersion: String? = nil) {
        self.token = token
        self.environment = environment
        self.appVersion = appVersion
        self.osVersion = osVersion
    }

    enum CodingKeys: String, CodingKey {
        case token
        case environment
        case appVersion = "app_version"
        case osVersion = "os_version"
    }
}

/// What pairing gives: where the server is, and this phone's credential. Keep it in the keychain.
public struct Account: Codable, Equatable, Sendable {
    public var server: URL
    public var device: UUID
    public var credential: String

    public init(server: URL, device: UUID, credential: String) {
        self.server = server
        self.device = device
        self.credential = credential
    }
}

/// The server's answer to an SDP offer.
public struct AnsweredLeg: Equatable, Sendable {
    public var sdp: String
    public var location: String?
    public var etag: String?
}

/// An error answer of the server (RFC 9457). Show `detail` to people, and let code read `type`.
public struct Problem: Codable, Equatable, Sendable {
    public var type: String
    public var title: String
    public var status: Int
    public var detail: String?
    public var requestID: String?
    /// Seconds to wait before the next try, from the header Retry-After.
    public var retryAfter: TimeInterval? = nil

    enum CodingKeys: String, CodingKey {
        case type
        case title
        case status
        case detail
        case requestID = "request_id"
    }
}

/// Why something did not work.
public enum CarillonError: Error, Equatable, Sendable {
    /// This phone has no credential yet.
    case notPaired
    /// The keychain cannot be read before the first unlock after a restart.
    case locked
    /// This is not the address of a pairing code.
    case badPairingLink
    /// iOS has not given the app a push token yet.
    case noPushToken
    /// There was no answer.
    case unreachable(String)
    /// The server refused.
    case refused(Problem)
    /// The server's answer is not what this version understands.
    case unreadable(String)
}

extension CarillonError: LocalizedError {
    public var errorDescription: String? {
        switch self {
        case .notPaired:
            return "This phone is not paired. Scan a pairing code first."
        case .locked:
            return "The phone was not unlocked since it started. Unlock it once."
        case .badPairingLink:
            return "This is not a pairing code. Scan the code from the console again."
        case .noPushToken:
            return "iOS has not given the app a push token yet. Check the network and try again."
        case .unreachable(let why):
            return "The server cannot be reached: \(why)"
        case .refused(let problem):
            return problem.detail ?? problem.title
        case .unreadable(let what):
            return "The server's answer cannot be read: \(what)"
        }
    }
}

extension CarillonError {
    /// Whether the same request can succeed later.
    public var isTemporary: Bool {
        switch self {
        case .unreachable, .locked:
            return true
        case .refused(let problem):
            return problem.status == 408 || problem.status == 425 || problem.status == 429 || problem.status >= 500
        case .notPaired, .badPairingLink, .noPushToken, .unreadable:
            return false
        }
    }

    /// How long the server asks to wait.
    public var retryAfter: TimeInterval? {
        if case .refused(let problem) = self {
            return problem.retryAfter
        }
        return nil
    }
}
