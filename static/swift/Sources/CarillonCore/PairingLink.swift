import Foundation

/// The content of a pairing QR code: `https://ring.example/pair#ABCDE-FGHJK`. The code is behind the
/// #, so that browsers do not send it.
public struct PairingLink: Equatable, Sendable {
    /// Everything before /pair: where the server is.
    public let server: URL
    /// Ten letters and digits with a dash in the middle. It works once, for ten minutes.
    public let code: String

    /// Reads a link. It is nil if the text is not the address of a pairing code, or if the address
    /// is not protected by TLS. Plain http is accepted for this machine only, for development.
    public init?(_ text: String) {
        let trimmed: String = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard var parts = URLComponents(string: trimmed), let host = parts.host, !host.isEmpty else {
            return nil
        }
        let scheme: String = (parts.scheme ?? "").lowercased()
        let isLocal: Bool = host == "127.0.0.1" || host == "localhost"
        guard scheme == "https" || (scheme == "http" && isLocal) else {
            return nil
        }
        var path: String = parts.path
        while path.hasSuffix("/") {
            path.removeLast()
        }
        guard path.hasSuffix("/pair"), let code = PairingLink.normalize(parts.fragment ?? "") else {
            return nil
        }
        parts.path = String(path.dropLast("/pair".count))
        parts.fragment = nil
        parts.query = nil
        guard let server = parts.url else {
            return nil
        }
        self.server = server
        self.code = code
    }

    /// For a person who types the code. `server` is the address of the console.
    public init?(server: URL, code: String) {
        guard let normal = PairingLink.normalize(code) else {
            return nil
        }
        self.server = server
        self.code = normal
    }

    /// The letters of codes. Those that are easily confused are left out: 0 O 1 I L.
    private static let letters: String = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

    /// Codes are accepted in either case, with or without dash and blanks.
    static func normalize(_ text: String) -> String? {
        var out: String = ""
        for letter in text.uppercased() {
            if letter == "-" || letter == " " {
                continue
            }
            guard letters.contains(letter) else {
                return nil
            }
            if out.count == 5 {
                out.append("-")
            }
            out.append(letter)
        }
        return out.count == 11 ? out : nil
    }
}
