import Foundation

/// One server-sent event.
public struct ServerEvent: Equatable, Sendable {
    public var id: String?
    public var name: String
    public var data: String

    public init(id: String?, name: String, data: String) {
        self.id = id
        self.name = name
        self.data = data
    }
}

/// Reads a stream of server-sent events piece by piece (HTML standard, section 9.2.6). Lines end
/// with LF, CR or both. A line of more than 64 KiB is cut there.
public struct EventParser: Sendable {
    private static let longestLine: Int = 65_536

    private var line: [UInt8] = []
    private var lastWasCR: Bool = false
    private var id: String?
    private var name: String = ""
    private var data: [String] = []

    public init() {}

    /// Takes the next piece and returns the events that it completes.
    public mutating func push(_ piece: Data) -> [ServerEvent] {
        var events: [ServerEvent] = []
        for byte in piece {
            if byte == 10 && lastWasCR {
                lastWasCR = false
                continue
            }
            lastWasCR = byte == 13
            if byte == 10 || byte == 13 {
                if let event = endLine() {
                    events.append(event)
                }
            } else if line.count < EventParser.longestLine {
                line.append(byte)
            }
        }
        return events
    }

    private mutating func endLine() -> ServerEvent? {
        let text = String(decoding: line, as: UTF8.self)
        line.removeAll(keepingCapacity: true)
        if text.isEmpty {
            return endEvent()
        }
        if text.hasPrefix(":") { // a comment keeps the connection alive
            return nil
        }
        var field: String = text
        var value: String = ""
        if let colon = text.firstIndex(of: ":") {
            field = String(text[..<colon])
            value = String(text[text.index(after: colon)...])
            if value.hasPrefix(" ") {
                value.removeFirst()
            }
        }
        switch field {
        case "id":
            id = value
        case "event":
            name = value
        case "data":
            data.append(value)
        default:
            break
        }
        return nil
    }

    private mutating func endEvent() -> ServerEvent? {
        defer {
            name = ""
            data.removeAll()
        }
        if data.isEmpty {
            return nil
        }
        return ServerEvent(id: id, name: name.isEmpty ? "message" : name, data: data.joined(separator: "\n"))
    }
}
