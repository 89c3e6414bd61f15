#if os(iOS) && canImport(LiveCommunicationKit)
import AVFoundation
import CarillonCore
import Foundation
import LiveCommunicationKit

/// Shows calls with LiveCommunicationKit, for apps that may not use CallKit, such as apps sold in
/// mainland China. Its report is asynchronous only, while PushKit wants it made before the delegate
/// method returns. It is therefore started on another thread at once; prefer CallKit where you may.
@available(iOS 17.4, *)
final class LiveCommunicationReporter: NSObject, CallReporter, ConversationManagerDelegate {
    weak var events: CallReporterEvents?
    private let manager: ConversationManager
    private var conversations: [UUID: Conversation] = [:]
    /// What was asked for before the system told of the conversation.
    private var waitingCallers: [UUID: String] = [:]
    private var waitingEnds: [UUID: CallEnd] = [:]

    init(ringtone: String?, iconData: Data?, includesCallsInRecents: Bool) {
        manager = ConversationManager(
            configuration: ConversationManager.Configuration(
                ringtoneName: ringtone,
                iconTemplateImageData: iconData,
                maximumConversationGroups: 1,
                maximumConversationsPerConversationGroup: 1,
                includesConversationInRecents: includesCallsInRecents,
                supportsVideo: false,
                supportedHandleTypes: [.generic]))
        super.init()
        manager.delegate = self
    }

    func reportIncoming(_ id: UUID, caller: String, result: @escaping ReportResult) {
        let update: Conversation.Update = LiveCommunicationReporter.details(caller)
        let manager: ConversationManager = self.manager
        Task.detached(priority: .userInitiated) {
            var failed: Bool = false
            do {
                try await manager.reportNewIncomingConversation(uuid: id, update: update)
            } catch {
                failed = true
            }
            let didFail: Bool = failed
            DispatchQueue.main.async {
                result(didFail, didFail ? 0 : nil) // its errors have no documented codes
            }
        }
    }

    func update(_ id: UUID, caller: String) {
        guard let conversation = conversations[id] else {
            waitingCallers[id] = caller
            return
        }
        let update: Conversation.Update = LiveCommunicationReporter.details(caller)
        manager.reportConversationEvent(.conversationUpdated(update), for: conversation)
    }

    func end(_ id: UUID, reason: CallEnd) {
        guard let conversation = conversations.removeValue(forKey: id) else {
            waitingEnds[id] = reason
            return
        }
        let ended: Conversation.EndedReason = LiveCommunicationReporter.reason(reason)
        manager.reportConversationEvent(.conversationEnded(Date(), ended), for: conversation)
    }

    private static func details(_ caller: String) -> Conversation.Update {
        let handle = Handle(type: .generic, value: caller, displayName: caller)
        return Conversation.Update(members: [handle])
    }

    private static func reason(_ end: CallEnd) -> Conversation.EndedReason {
        switch end {
        case .remoteEnded:
            return .remoteEnded
        case .unanswered:
            return .unanswered
        case .answeredElsewhere:
            return .joinedElsewhere
        case .declinedElsewhere:
            return .declinedElsewhere
        case .failed:
            return .failed
        }
    }

    // MARK: - ConversationManagerDelegate. The thread is not documented, so each call goes to the main queue.

    func conversationManagerDidBegin(_ manager: ConversationManager) {}

    func conversationManagerDidReset(_ manager: ConversationManager) {
        DispatchQueue.main.async {
            self.conversations.removeAll()
            self.waitingCallers.removeAll()
            self.waitingEnds.removeAll()
            self.events?.didReset()
        }
    }

    func conversationManager(_ manager: ConversationManager, conversationChanged conversation: Conversation) {
        DispatchQueue.main.async {
            self.changed(conversation)
        }
    }

    private func changed(_ conversation: Conversation) {
        let id: UUID = conversation.uuid
        if conversation.state == .left {
            conversations[id] = nil
            return
        }
        conversations[id] = conversation
        if let caller = waitingCallers.removeValue(forKey: id) {
            update(id, caller: caller)
        }
        if let reason = waitingEnds.removeValue(forKey: id) {
            end(id, reason: reason)
        }
    }

    func conversationManager(_ manager: ConversationManager, perform action: ConversationAction) {
        DispatchQueue.main.async {
            self.perform(action)
        }
    }

    private func perform(_ action: ConversationAction) {
        guard let events = events else {
            action.fail()
            return
        }
        let id: UUID = action.conversationUUID
        if let join = action as? JoinConversationAction {
            events.didAnswer(id) { (connected: Bool) in
                if connected {
                    join.fulfill(dateConnected: Date())
                } else {
                    join.fail()
                }
            }
        } else if let end = action as? EndConversationAction {
            events.didEnd(id)
            conversations[id] = nil
            end.fulfill(dateEnded: Date())
        } else if let mute = action as? MuteConversationAction {
            events.didMute(id, muted: mute.isMuted)
            mute.fulfill()
        } else {
            action.fail()
        }
    }

    func conversationManager(_ manager: ConversationManager, timedOutPerforming action: ConversationAction) {}

    func conversationManager(_ manager: ConversationManager, didActivate audioSession: AVAudioSession) {
        DispatchQueue.main.async {
            self.events?.didActivateAudio()
        }
    }

    func conversationManager(_ manager: ConversationManager, didDeactivate audioSession: AVAudioSession) {
        DispatchQueue.main.async {
            self.events?.didDeactivateAudio()
        }
    }
}
#endif
