import Foundation

/// How requests reach the server. Tests put their own in its place.
public protocol Transport: Sendable {
    /// Sends one request. It throws `CarillonError.unreachable` if there is no answer; an answer
    /// with an error status is an answer.
    func send(_ request: WireRequest, to server: URL) async throws -> WireAnswer

    /// Opens a stream: first its status, then its bytes as they come. The end of the stream closes
    /// the connection.
    func open(_ request: WireRequest, to server: URL) -> AsyncThrowingStream<StreamPart, Error>
}

/// A part of an answer that arrives piece by piece.
public enum StreamPart: Equatable, Sendable {
    case start(status: Int, headers: [String: String])
    case bytes(Data)
}
