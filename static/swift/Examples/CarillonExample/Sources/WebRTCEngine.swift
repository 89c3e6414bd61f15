#if canImport(WebRTC)
import AVFoundation
import CarillonCore
import Foundation
import WebRTC

/// The sound of a call with WebRTC, in the binary build of https://github.com/stasel/WebRTC.
final class WebRTCEngine: NSObject, AudioEngine {
    var onConnectionLost: (() -> Void)?

    private static let factory: RTCPeerConnectionFactory = {
        RTCInitializeSSL()
        return RTCPeerConnectionFactory()
    }()
    private let constraints = RTCMediaConstraints(mandatoryConstraints: nil, optionalConstraints: nil)
    private var peer: RTCPeerConnection?
    private var track: RTCAudioTrack?

    struct Failure: Error {
        var what: String
    }

    override init() {
        super.init()
        // Before the first track: WebRTC must not start the microphone before CallKit says so.
        RTCAudioSession.sharedInstance().useManualAudio = true
        RTCAudioSession.sharedInstance().isAudioEnabled = false
    }

    func makeOffer(iceServers: [ICEServer]) async throws -> String {
        let configuration = RTCConfiguration()
        configuration.sdpSemantics = .unifiedPlan
        configuration.bundlePolicy = .maxBundle
        configuration.rtcpMuxPolicy = .require
        var servers: [RTCIceServer] = []
        for server in iceServers {
            servers.append(RTCIceServer(
                urlStrings: server.urls, username: server.username, credential: server.credential))
        }
        configuration.iceServers = servers
        guard let peer = WebRTCEngine.factory.peerConnection(
            with: configuration, constraints: constraints, delegate: self)
        else {
            throw Failure(what: "no peer connection")
        }
        self.peer = peer
        let source: RTCAudioSource = WebRTCEngine.factory.audioSource(with: constraints)
        let track: RTCAudioTrack = WebRTCEngine.factory.audioTrack(with: source, trackId: "microphone")
        self.track = track
        peer.add(track, streamIds: ["phone"])

        let offer: RTCSessionDescription = try await createOffer(peer)
        try await setLocal(peer, offer)
        var waited: Int = 0
        while peer.iceGatheringState != .complete && waited < 10 { // one second at most
            try await Task.sleep(nanoseconds: 100_000_000)
            waited += 1
        }
        guard let description = peer.localDescription else {
            throw Failure(what: "no local description")
        }
        return description.sdp
    }

    func accept(answer: String) async throws {
        guard let peer = peer else {
            throw Failure(what: "the call is over")
        }
        let description = RTCSessionDescription(type: .answer, sdp: answer)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, Error>) in
            peer.setRemoteDescription(description) { (error: Error?) in
                if let error = error {
                    continuation.resume(throwing: error)
                } else {
                    continuation.resume()
                }
            }
        }
    }

    func startAudio() {
        RTCAudioSession.sharedInstance().audioSessionDidActivate(AVAudioSession.sharedInstance())
        RTCAudioSession.sharedInstance().isAudioEnabled = true
    }

    func stopAudio() {
        RTCAudioSession.sharedInstance().isAudioEnabled = false
        RTCAudioSession.sharedInstance().audioSessionDidDeactivate(AVAudioSession.sharedInstance())
    }

    func setMuted(_ muted: Bool) {
        track?.isEnabled = !muted
    }

    func sendDigits(_ digits: String) {
        for sender in peer?.senders ?? [] {
            _ = sender.dtmfSender?.insertDtmf(digits, duration: 0.1, interToneGap: 0.07)
        }
    }

    func close() {
        peer?.close()
        peer = nil
        track = nil
    }

    private func createOffer(_ peer: RTCPeerConnection) async throws -> RTCSessionDescription {
        typealias Waiting = CheckedContinuation<RTCSessionDescription, Error>
        return try await withCheckedThrowingContinuation { (continuation: Waiting) in
            peer.offer(for: constraints) { (offer: RTCSessionDescription?, error: Error?) in
                if let offer = offer {
                    continuation.resume(returning: offer)
                } else {
                    continuation.resume(throwing: error ?? Failure(what: "no offer"))
                }
            }
        }
    }

    private func setLocal(_ peer: RTCPeerConnection, _ offer: RTCSessionDescription) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, Error>) in
            peer.setLocalDescription(offer) { (error: Error?) in
                if let error = error {
                    continuation.resume(throwing: error)
                } else {
                    continuation.resume()
                }
            }
        }
    }
}

extension WebRTCEngine: RTCPeerConnectionDelegate {
    func peerConnection(_ peerConnection: RTCPeerConnection, didChange newState: RTCIceConnectionState) {
        if newState == .failed {
            onConnectionLost?()
        }
    }

    func peerConnection(_ peerConnection: RTCPeerConnection, didChange stateChanged: RTCSignalingState) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didChange newState: RTCIceGatheringState) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didAdd stream: RTCMediaStream) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didRemove stream: RTCMediaStream) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didGenerate candidate: RTCIceCandidate) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didRemove candidates: [RTCIceCandidate]) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didOpen dataChannel: RTCDataChannel) {}
    func peerConnectionShouldNegotiate(_ peerConnection: RTCPeerConnection) {}
}
#endif
