#if os(iOS)
import AVFoundation
import CarillonCore
import Combine
import UIKit

/// How the app wants its calls.
public struct CarillonConfiguration {
    /// Which screen of the system shows calls.
    public enum CallScreen {
        case callKit
        /// From iOS 17.4; CallKit before.
        case liveCommunicationKit
    }

    public var callScreen: CallScreen = .callKit
    /// What the screen shows while there is no caller's name. Pushes of confidential tenants never
    /// bring one: the app reads it from the server after the call is on the screen.
    public var unknownCaller: String
    /// A sound file of the app's bundle.
    public var ringtone: String?
    /// A template image of 40 points.
    public var icon: UIImage?
    /// Whether calls appear in the phone's list of recent calls, where others may read them.
    public var includesCallsInRecents: Bool = false
    /// Makes the sound of one call.
    public var makeAudioEngine: () -> AudioEngine

    public init(unknownCaller: String, makeAudioEngine: @escaping () -> AudioEngine) {
        self.unknownCaller = unknownCaller
        self.makeAudioEngine = makeAudioEngine
    }
}

/// Lets a server of Carillon ring this phone. Make one object, and call `start` in
/// `application(_:didFinishLaunchingWithOptions:)` on every launch. Use it on the main queue.
public final class Carillon: NSObject, ObservableObject, @unchecked Sendable {
    /// Whether this phone has a credential.
    @Published public private(set) var isPaired: Bool = false
    /// Who is on the line; nil if nobody is.
    @Published public private(set) var caller: String?

    private let configuration: CarillonConfiguration
    private let accounts: any AccountStore
    private let client: CarillonClient
    private let watcher: RingWatcher
    private let facts: FactQueue
    private let pushes = PushReceiver()
    private let reporter: CallReporter
    private var calls: [UUID: Call] = [:]
    private var token: String?
    private var isAudioActive: Bool = false
    private var isStarted: Bool = false

    /// How often a lost connection is replaced in one call.
    private static let mostReplacements: Int = 5

    public init(
        configuration: CarillonConfiguration, accounts: any AccountStore = KeychainAccountStore(),
        transport: any Transport = URLSessionTransport()
    ) {
        let client = CarillonClient(transport: transport, accounts: accounts)
        self.configuration = configuration
        self.accounts = accounts
        self.client = client
        self.watcher = RingWatcher(client: client)
        self.facts = FactQueue(file: Carillon.factFile()) { (fact: Fact) in
            try await client.send(fact)
        }
        self.reporter = Carillon.makeReporter(configuration)
        super.init()
        reporter.events = self
        pushes.onToken = { [weak self] (token: Data?) in
            self?.tokenChanged(token)
        }
        pushes.onPush = { [weak self] (payload, mustReport, completion) in
            guard let self = self else {
                completion()
                return
            }
            self.receive(payload, mustReport: mustReport, completion: completion)
        }
    }

    /// Registers for pushes and sends what waits. Call it on every launch, also when iOS launches
    /// the app in the background: the push that woke the app comes only after this.
    public func start() {
        if isStarted {
            return
        }
        isStarted = true
        pushes.start()
        readAccount()
        sendFacts()
        NotificationCenter.default.addObserver(
            self, selector: #selector(didBecomeActive), name: UIApplication.didBecomeActiveNotification, object: nil)
    }

    /// Registers this phone with a pairing code. `person` is your own ID of the user; leave it out
    /// if the code was made for a person.
    @MainActor
    public func pair(_ link: PairingLink, person: String? = nil) async throws {
        guard let token = token else {
            throw CarillonError.noPushToken
        }
        var device = DeviceDescription(token: token, bundleID: Bundle.main.bundleIdentifier ?? "")
        device.name = UIDevice.current.name
        device.model = UIDevice.current.model
        device.osVersion = Carillon.osVersion()
        device.appVersion = Carillon.appVersion()
        device.timeZone = TimeZone.current.identifier
        device.phoneID = KeychainPhoneID().value()
        device.person = person
        _ = try await client.pair(link, device: device)
        isPaired = true
    }

    /// Forgets this phone's credential. Remove the device in the console too.
    public func unpair() throws {
        try accounts.remove()
        isPaired = false
    }

    /// Ends the call that is on the line.
    public func hangUp() {
        for call in calls.values {
            let id: UUID = call.id
            didEnd(id)
            reporter.end(id, reason: .remoteEnded)
        }
    }

    // MARK: - Pushes

    /// Reports the call of a push. Everything that needs the network comes after the report: iOS
    /// ends an app that does not report in time, and stops waking one that fails repeatedly.
    func receive(_ payload: [AnyHashable: Any], mustReport: Bool, completion: @escaping () -> Void) {
        let arrived = Date()
        let push: IncomingPush? = IncomingPush(payload)
        if !mustReport && skip(push, arrived: arrived) {
            completion()
            return
        }
        // A push that cannot be read is shown too, and taken from the screen again.
        let id: UUID = push?.ring ?? UUID()
        let caller: String = push?.from ?? configuration.unknownCaller
        reporter.reportIncoming(id, caller: caller) { [weak self] (failed: Bool, code: Int?) in
            self?.reported(id, push: push, arrived: arrived, failed: failed, code: code)
            completion()
        }
        if let push = push, calls[id] == nil {
            let call = Call(id: id, caller: caller, expires: push.expires)
            calls[id] = call
            follow(call)
        }
    }

    /// Whether a push that need not be reported is left out: one that is not ours, one that is too
    /// late, and one that comes during another call.
    private func skip(_ push: IncomingPush?, arrived: Date) -> Bool {
        guard let push = push else {
            return true
        }
        let isBusy: Bool = calls.values.contains { (call: Call) -> Bool in
            return call.id != push.ring && call.isAnswering
        }
        guard isBusy || push.isExpired(at: arrived) else {
            return false
        }
        note(.woke, of: push.ring, at: arrived)
        if isBusy {
            note(.busy, of: push.ring, at: arrived)
        }
        return true
    }

    /// The system has answered the report.
    private func reported(_ id: UUID, push: IncomingPush?, arrived: Date, failed: Bool, code: Int?) {
        let now = Date()
        guard let push = push else {
            reporter.end(id, reason: .failed)
            return
        }
        note(.woke, of: id, at: arrived)
        if let kind = FactKind.ofReport(code: failed ? (code ?? 0) : nil) {
            note(kind, of: id, at: now, code: kind == .shown ? nil : code)
            if kind != .shown {
                finish(id)
                return
            }
        }
        if push.isExpired(at: arrived) {
            end(id, .unanswered)
        }
    }

    // MARK: - The ring

    /// Reads the ring, waits for its end, and ends it when its time is up.
    private func follow(_ call: Call) {
        let client: CarillonClient = self.client
        let watcher: RingWatcher = self.watcher
        let id: UUID = call.id
        let reading: Task<Void, Never> = Task { @MainActor [weak self] in
            let ring: PhoneRing? = try? await client.ring(id)
            if let ring = ring {
                self?.learned(ring)
            }
        }
        let watching: Task<Void, Never> = Task { @MainActor [weak self] in
            let reason: CallEnd? = await watcher.watch(id) { () -> Bool in
                return call.isAnswering
            }
            if let reason = reason {
                self?.end(id, reason)
            }
        }
        let seconds: TimeInterval = max(0, call.expires.timeIntervalSinceNow) + 3
        let expiring: Task<Void, Never> = Task { @MainActor [weak self] in
            do {
                try await Task.sleep(nanoseconds: UInt64(seconds * 1_000_000_000))
            } catch {
                return
            }
            if !call.isAnswering {
                self?.end(id, .unanswered)
            }
        }
        call.tasks += [reading, watching, expiring]
    }

    /// The server has described the ring: the caller's name, which the push may not bring.
    private func learned(_ ring: PhoneRing) {
        guard let call = calls[ring.id], !call.isOver else {
            return
        }
        call.iceServers = ring.iceServers
        if let reason = CallEnd(ring: ring, answered: call.isAnswering) {
            end(ring.id, reason)
            return
        }
        if let name = ring.caller, name != call.caller {
            call.caller = name
            reporter.update(ring.id, caller: name)
            if call.isAnswered {
                caller = name
            }
        }
    }

    /// Takes a call from the screen.
    private func end(_ id: UUID, _ reason: CallEnd) {
        if calls[id] != nil {
            reporter.end(id, reason: reason)
            finish(id)
        }
    }

    /// Frees what belongs to a call.
    private func finish(_ id: UUID) {
        guard let call = calls.removeValue(forKey: id) else {
            return
        }
        call.isOver = true
        call.closeEngine()
        for task in call.tasks {
            task.cancel()
        }
        call.tasks.removeAll()
        if call.isAnswering {
            caller = nil
        }
    }

    // MARK: - Answering

    /// Connects the sound; true if the call is connected.
    @MainActor
    private func connect(_ call: Call) async -> Bool {
        call.isAnswering = true
        Carillon.prepareAudioSession()
        do {
            try await exchange(call)
            caller = call.caller
            return true
        } catch CarillonError.refused(let problem) where problem.status == 409 {
            end(call.id, .answeredElsewhere)
        } catch CarillonError.refused(let problem) where problem.status == 410 {
            end(call.id, .remoteEnded)
        } catch {
            if !call.isOver { // the server may have given the call to this phone, and its answer was lost
                leave(call.id)
                end(call.id, .failed)
            }
        }
        return false
    }

    /// Sends an offer and takes the answer. The person may have hung up meanwhile.
    @MainActor
    private func exchange(_ call: Call) async throws {
        let engine: AudioEngine = configuration.makeAudioEngine()
        call.closeEngine()
        call.engine = engine
        engine.onConnectionLost = { [weak self] in
            DispatchQueue.main.async {
                self?.connectAgain(call)
            }
        }
        var servers: [ICEServer]? = call.iceServers
        if servers == nil {
            servers = try? await client.ring(call.id).iceServers
        }
        let offer: String = try await engine.makeOffer(iceServers: servers ?? [])
        let leg: AnsweredLeg = try await client.answer(call.id, offer: offer)
        if call.isOver {
            leave(call.id)
            throw CancellationError()
        }
        call.isAnswered = true
        try await engine.accept(answer: leg.sdp)
        if isAudioActive && !call.isOver {
            engine.startAudio()
        }
    }

    /// The connection has failed, such as at a change from Wi-Fi to mobile: answer again. The
    /// server gives the same call a new leg.
    private func connectAgain(_ call: Call) {
        if call.isOver || !call.isAnswered {
            return
        }
        call.replacements += 1
        if call.replacements > Carillon.mostReplacements {
            leave(call.id)
            end(call.id, .failed)
            return
        }
        let replacing: Task<Void, Never> = Task { @MainActor [weak self] in
            guard let self = self else {
                return
            }
            do {
                try await self.exchange(call)
            } catch {
                if !call.isOver {
                    self.leave(call.id)
                    self.end(call.id, .failed)
                }
            }
        }
        call.tasks.append(replacing)
    }

    /// Tells the server that this phone has left the call.
    private func leave(_ id: UUID) {
        let client: CarillonClient = self.client
        inBackground("carillon.leave") {
            _ = try? await client.hangUp(id)
        }
    }

    /// Sets the kind of session. CallKit activates it; an app that does so itself gets no sound.
    private static func prepareAudioSession() {
        try? AVAudioSession.sharedInstance().setCategory(.playAndRecord, mode: .voiceChat, options: [.allowBluetooth])
    }

    // MARK: - Token and facts

    private func tokenChanged(_ data: Data?) {
        self.token = data.map { (bytes: Data) -> String in
            return bytes.map { (byte: UInt8) -> String in
                return String(format: "%02x", byte)
            }.joined()
        }
        guard let token = self.token else {
            return
        }
        let client: CarillonClient = self.client
        let update = TokenUpdate(token: token, appVersion: Carillon.appVersion(), osVersion: Carillon.osVersion())
        inBackground("carillon.token") {
            _ = try? await client.send(update) // and at the next launch again
        }
    }

    private func note(_ kind: FactKind, of ring: UUID, at: Date = Date(), code: Int? = nil) {
        let facts: FactQueue = self.facts
        let fact = Fact(ring: ring, kind: kind, at: at, code: code)
        inBackground("carillon.facts") {
            await facts.add(fact)
            await facts.settle()
        }
    }

    /// The keychain cannot be read before the first unlock, so it is read again when the app is on
    /// the screen.
    private func readAccount() {
        let account: Account? = try? accounts.load()
        isPaired = account != nil
    }

    private func sendFacts() {
        let facts: FactQueue = self.facts
        inBackground("carillon.facts") {
            await facts.start()
            await facts.settle()
        }
    }

    @objc private func didBecomeActive() {
        readAccount()
        sendFacts()
    }

    /// Runs work that iOS should let finish after the app has left the screen.
    private func inBackground(_ name: String, _ work: @escaping @Sendable () async -> Void) {
        Task { @MainActor in
            let time = BackgroundTime()
            time.begin(name)
            await work()
            time.end()
        }
    }

    // MARK: - Parts

    private static func makeReporter(_ configuration: CarillonConfiguration) -> CallReporter {
        #if canImport(LiveCommunicationKit)
        if configuration.callScreen == .liveCommunicationKit, #available(iOS 17.4, macCatalyst 17.4, *) {
            return LiveCommunicationReporter(
                ringtone: configuration.ringtone, iconData: configuration.icon?.pngData(),
                includesCallsInRecents: configuration.includesCallsInRecents)
        }
        #endif
        return CallKitReporter(
            ringtone: configuration.ringtone, icon: configuration.icon,
            includesCallsInRecents: configuration.includesCallsInRecents)
    }

    private static func factFile() -> URL? {
        let manager = FileManager.default
        guard let folder = manager.urls(for: .applicationSupportDirectory, in: .userDomainMask).first else {
            return nil
        }
        try? manager.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.appendingPathComponent("carillon-facts.json")
    }

    private static func osVersion() -> String {
        let version: OperatingSystemVersion = ProcessInfo.processInfo.operatingSystemVersion
        return "\(version.majorVersion).\(version.minorVersion)"
    }

    private static func appVersion() -> String? {
        return Bundle.main.object(forInfoDictionaryKey: "CFBundleShortVersionString") as? String
    }
}

/// The time that iOS gives for work after the app has left the screen.
@MainActor
private final class BackgroundTime {
    private var id: UIBackgroundTaskIdentifier = .invalid

    func begin(_ name: String) {
        id = UIApplication.shared.beginBackgroundTask(withName: name) { [weak self] in
            self?.end()
        }
    }

    func end() {
        if id != .invalid {
            UIApplication.shared.endBackgroundTask(id)
            id = .invalid
        }
    }
}

extension Carillon: CallReporterEvents {
    func didAnswer(_ id: UUID, done: @escaping (Bool) -> Void) {
        guard let call = calls[id] else {
            done(false)
            return
        }
        Task { @MainActor in
            done(await self.connect(call))
        }
    }

    func didEnd(_ id: UUID) {
        guard let call = calls[id] else {
            return
        }
        if call.isAnswered {
            leave(id)
        } else if !call.isAnswering {
            note(.declined, of: id)
        }
        finish(id)
    }

    func didMute(_ id: UUID, muted: Bool) {
        calls[id]?.engine?.setMuted(muted)
    }

    func didSendDigits(_ id: UUID, digits: String) {
        calls[id]?.engine?.sendDigits(digits)
    }

    func didActivateAudio() {
        isAudioActive = true
        for call in calls.values {
            call.engine?.startAudio()
        }
    }

    func didDeactivateAudio() {
        isAudioActive = false
        for call in calls.values {
            call.engine?.stopAudio()
        }
    }

    func didReset() {
        for call in calls.values {
            if call.isAnswered {
                leave(call.id)
            }
            finish(call.id)
        }
    }
}
#endif
