import Foundation

/// The sound of one call. WebRTC implementations adapt to it; Examples/ has an adapter for the
/// binary build of WebRTC by stasel. The two asynchronous methods may run on any thread, the others
/// are called on the main queue.
public protocol AudioEngine: AnyObject {
    /// Makes an SDP offer with one audio track in both directions. Wait until the ICE candidates
    /// are gathered: the server gets no later ones. The engine must not start the microphone here.
    func makeOffer(iceServers: [ICEServer]) async throws -> String

    /// Takes the server's SDP answer.
    func accept(answer: String) async throws

    /// Starts microphone and speaker. CallKit has activated the audio session; before that moment
    /// an engine that starts gets no sound for the whole call.
    func startAudio()

    /// Stops both. CallKit has deactivated the audio session.
    func stopAudio()

    func setMuted(_ muted: Bool)

    /// Sends keys as telephone events (RFC 4733).
    func sendDigits(_ digits: String)

    /// Set by CarillonKit. Call it when the connection has failed; the call is then answered again.
    var onConnectionLost: (() -> Void)? { get set }

    /// Ends the connection.
    func close()
}
