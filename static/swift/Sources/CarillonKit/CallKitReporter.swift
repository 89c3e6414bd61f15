#if os(iOS)
import AVFoundation
import CallKit
import CarillonCore
import UIKit

/// Shows calls with CallKit.
final class CallKitReporter: NSObject, CallReporter, CXProviderDelegate {
    weak var events: CallReporterEvents?
    private let provider: CXProvider

    init(ringtone: String?, icon: UIImage?, includesCallsInRecents: Bool) {
        let configuration = CXProviderConfiguration()
        configuration.supportsVideo = false
        configuration.maximumCallGroups = 1
        configuration.maximumCallsPerCallGroup = 1
        configuration.supportedHandleTypes = [.generic]
        configuration.includesCallsInRecents = includesCallsInRecents
        if let ringtone = ringtone {
            configuration.ringtoneSound = ringtone
        }
        if let icon = icon {
            configuration.iconTemplateImageData = icon.pngData()
        }
        provider = CXProvider(configuration: configuration)
        super.init()
        provider.setDelegate(self, queue: nil) // nil is the main queue
    }

    func reportIncoming(_ id: UUID, caller: String, result: @escaping ReportResult) {
        provider.reportNewIncomingCall(with: id, update: CallKitReporter.details(caller)) { (error: Error?) in
            DispatchQueue.main.async {
                guard let error = error else {
                    result(false, nil)
                    return
                }
                result(true, CallKitReporter.code(of: error))
            }
        }
    }

    func update(_ id: UUID, caller: String) {
        provider.reportCall(with: id, updated: CallKitReporter.details(caller))
    }

    func end(_ id: UUID, reason: CallEnd) {
        provider.reportCall(with: id, endedAt: Date(), reason: CallKitReporter.reason(reason))
    }

    private static func details(_ caller: String) -> CXCallUpdate {
        let update = CXCallUpdate()
        update.remoteHandle = CXHandle(type: .generic, value: caller)
        update.localizedCallerName = caller
        update.hasVideo = false
        update.supportsHolding = false
        update.supportsGrouping = false
        update.supportsUngrouping = false
        update.supportsDTMF = true
        return update
    }

    /// The code of CXErrorCodeIncomingCallError; 0, unknown, for any other error.
    private static func code(of error: Error) -> Int {
        let known: NSError = error as NSError
        if known.domain == CXErrorCodeIncomingCallError.errorDomain && known.code >= 0 && known.code < 64 {
            return known.code
        }
        return 0
    }

    private static func reason(_ end: CallEnd) -> CXCallEndedReason {
        switch end {
        case .remoteEnded:
            return .remoteEnded
        case .unanswered:
            return .unanswered
        case .answeredElsewhere:
            return .answeredElsewhere
        case .declinedElsewhere:
            return .declinedElsewhere
        case .failed:
            return .failed
        }
    }

    // MARK: - CXProviderDelegate

    func providerDidReset(_ provider: CXProvider) {
        events?.didReset()
    }

    func provider(_ provider: CXProvider, perform action: CXAnswerCallAction) {
        guard let events = events else {
            action.fail()
            return
        }
        events.didAnswer(action.callUUID) { (connected: Bool) in
            if connected {
                action.fulfill()
            } else {
                action.fail()
            }
        }
    }

    func provider(_ provider: CXProvider, perform action: CXEndCallAction) {
        events?.didEnd(action.callUUID)
        action.fulfill()
    }

    func provider(_ provider: CXProvider, perform action: CXSetMutedCallAction) {
        events?.didMute(action.callUUID, muted: action.isMuted)
        action.fulfill()
    }

    func provider(_ provider: CXProvider, perform action: CXPlayDTMFCallAction) {
        events?.didSendDigits(action.callUUID, digits: action.digits)
        action.fulfill()
    }

    func provider(_ provider: CXProvider, didActivate audioSession: AVAudioSession) {
        events?.didActivateAudio()
    }

    func provider(_ provider: CXProvider, didDeactivate audioSession: AVAudioSession) {
        events?.didDeactivateAudio()
    }
}
#endif
