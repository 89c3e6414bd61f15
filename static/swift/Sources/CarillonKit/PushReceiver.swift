#if os(iOS)
import Foundation
import PushKit

/// Receives PushKit's calls on the main queue and passes them on before they return.
final class PushReceiver: NSObject, PKPushRegistryDelegate {
    /// The token of this launch; nil if iOS has withdrawn it.
    var onToken: ((Data?) -> Void)?
    /// A push. `mustReport` is false only if iOS allows the app not to show a call.
    var onPush: ((_ payload: [AnyHashable: Any], _ mustReport: Bool, _ completion: @escaping () -> Void) -> Void)?

    private var registry: PKPushRegistry?

    /// Registers for pushes. Do it on every launch: the token can change, and a push that started
    /// the app is delivered only after this.
    func start() {
        if registry != nil {
            return
        }
        let registry = PKPushRegistry(queue: DispatchQueue.main)
        registry.delegate = self
        registry.desiredPushTypes = [.voIP]
        self.registry = registry
    }

    func pushRegistry(_ registry: PKPushRegistry, didUpdate pushCredentials: PKPushCredentials, for type: PKPushType) {
        if type == .voIP {
            onToken?(pushCredentials.token)
        }
    }

    func pushRegistry(_ registry: PKPushRegistry, didInvalidatePushTokenFor type: PKPushType) {
        if type == .voIP {
            onToken?(nil)
        }
    }

    func pushRegistry(
        _ registry: PKPushRegistry, didReceiveIncomingPushWith payload: PKPushPayload, for type: PKPushType,
        completion: @escaping () -> Void
    ) {
        guard type == .voIP, let onPush = onPush else {
            completion()
            return
        }
        onPush(payload.dictionaryPayload, true, completion)
    }

    // iOS 26.4 calls this one instead. It compiles with the SDK of Xcode 26.4, which has Swift 6.3.
    #if compiler(>=6.3)
    @available(iOS 26.4, macCatalyst 26.4, *)
    func pushRegistry(
        _ registry: PKPushRegistry, didReceiveIncomingVoIPPushWith payload: PKPushPayload, metadata: PKVoIPPushMetadata,
        withCompletionHandler completion: @escaping () -> Void
    ) {
        guard let onPush = onPush else {
            completion()
            return
        }
        onPush(payload.dictionaryPayload, metadata.mustReport, completion)
    }
    #endif
}
#endif
