import Foundation
#if canImport(Security)
import Security
#endif

/// Where the credential is kept.
public protocol AccountStore: Sendable {
    /// The account, or nil if this phone is not paired. It throws `CarillonError.locked` before the
    /// first unlock after a restart.
    func load() throws -> Account?
    func save(_ account: Account) throws
    func remove() throws
}

/// Keeps the account in memory, for tests.
public final class MemoryAccountStore: AccountStore, @unchecked Sendable {
    private let lock = NSLock()
    private var account: Account?

    public init(_ account: Account? = nil) {
        self.account = account
    }

    public func load() throws -> Account? {
        lock.lock()
        defer { lock.unlock() }
        return account
    }

    public func save(_ account: Account) throws {
        lock.lock()
        defer { lock.unlock() }
        self.account = account
    }

    public func remove() throws {
        lock.lock()
        defer { lock.unlock() }
        account = nil
    }
}

#if canImport(Security)
/// Keeps the account in the keychain. The app reads it when a push wakes it on a locked phone, so
/// the item is accessible after the first unlock, and it does not move to another phone in a backup.
/// An item of the keychain outlives the app: a phone that installs the app again is still paired.
public struct KeychainAccountStore: AccountStore {
    private let service: String

    public init(service: String = "carillon") {
        self.service = service
    }

    private func query() -> [String: Any] {
        return [
            kSecClass as String: kSecClassGenericPassword,
            kSecAttrService as String: service,
            kSecAttrAccount as String: "device",
        ]
    }

    public func load() throws -> Account? {
        var search: [String: Any] = query()
        search[kSecReturnData as String] = true
        search[kSecMatchLimit as String] = kSecMatchLimitOne
        var found: CFTypeRef?
        let status: OSStatus = SecItemCopyMatching(search as CFDictionary, &found)
        switch status {
        case errSecSuccess:
            guard let data = found as? Data else {
                return nil
            }
            return try? JSONDecoder().decode(Account.self, from: data)
        case errSecItemNotFound:
            return nil
        case errSecInteractionNotAllowed:
            throw CarillonError.locked
        default:
            throw CarillonError.unreadable("the keychain says \(status)")
        }
    }

    public func save(_ account: Account) throws {
        var item: [String: Any] = query()
        SecItemDelete(item as CFDictionary)
        item[kSecValueData as String] = try JSONEncoder().encode(account)
        item[kSecAttrAccessible as String] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
        let status: OSStatus = SecItemAdd(item as CFDictionary, nil)
        if status != errSecSuccess {
            throw CarillonError.unreadable("the keychain says \(status)")
        }
    }

    public func remove() throws {
        SecItemDelete(query() as CFDictionary)
    }
}

/// An id of this phone that outlives the app, so that the server knows a phone that pairs again. It
/// is made once. It does not move to another phone in a backup: two phones with one id would be
/// taken for one.
public struct KeychainPhoneID: Sendable {
    private let service: String

    public init(service: String = "carillon") {
        self.service = service
    }

    /// The id, or nil if the keychain cannot be read; a phone can pair without it.
    public func value() -> String? {
        let item: [String: Any] = [
            kSecClass as String: kSecClassGenericPassword,
            kSecAttrService as String: service,
            kSecAttrAccount as String: "phone",
        ]
        var search: [String: Any] = item
        search[kSecReturnData as String] = true
        search[kSecMatchLimit as String] = kSecMatchLimitOne
        var found: CFTypeRef?
        let status: OSStatus = SecItemCopyMatching(search as CFDictionary, &found)
        if status == errSecSuccess, let data = found as? Data {
            return String(decoding: data, as: UTF8.self)
        }
        if status != errSecItemNotFound {
            return nil
        }
        let made: String = UUID().uuidString.lowercased()
        var added: [String: Any] = item
        added[kSecValueData as String] = Data(made.utf8)
        added[kSecAttrAccessible as String] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
        return SecItemAdd(added as CFDictionary, nil) == errSecSuccess ? made : nil
    }
}
#endif
