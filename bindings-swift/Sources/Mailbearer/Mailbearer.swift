import Foundation
import MailbearerNative

/// A handle on everything Mailbearer does. It may be shared between tasks.
///
/// Every method throws a ``MailbearerError``. When the surrounding task is cancelled, the work ends and
/// `CancellationError` is thrown: a cancelled ``send(_:)`` has either been taken by the server or not been sent.
public final class Mailbearer: Sendable {
    private let handle: Handle

    private init(_ handle: Handle) {
        self.handle = handle
    }

    /// Opens a handle. Kinds of errors: `config`, `storage`.
    public static func open(_ config: Config = Config()) async throws -> Mailbearer {
        Mailbearer(try await cancellable { try await Handle.open(config: config, cancellation: $0) })
    }

    /// Waits for the deliveries in flight, refuses new work, and ends the sequences of events. May be called twice.
    public func close() async throws {
        try await cancellable { try await self.handle.close(cancellation: $0) }
    }

    /// Validates and stores an account.
    @discardableResult
    public func addAccount(_ account: NewAccount) async throws -> Account {
        try await cancellable { try await self.handle.addAccount(account: account, cancellation: $0) }
    }

    /// All accounts, by name.
    public func accounts() async throws -> [Account] {
        try await cancellable { try await self.handle.accounts(cancellation: $0) }
    }

    /// Removes an account with its secrets and tokens.
    public func removeAccount(_ account: String) async throws {
        try await cancellable { try await self.handle.removeAccount(account: account, cancellation: $0) }
    }

    /// Begins a person's sign-in and returns what to show them.
    public func beginSignIn(_ account: String, flow: SignInFlow = .deviceCode) async throws -> SignInPrompt {
        try await cancellable { try await self.handle.beginSignIn(account: account, flow: flow, cancellation: $0) }
    }

    /// Waits until the person has signed in, has declined, or the code has ended.
    @discardableResult
    public func finishSignIn(_ prompt: SignInPrompt) async throws -> TokenStatus {
        try await cancellable { try await self.handle.finishSignIn(prompt: prompt, cancellation: $0) }
    }

    /// A valid access token, for other mail libraries. It is a secret.
    public func accessToken(_ account: String) async throws -> RevealedAccessToken {
        try await cancellable { try await self.handle.accessToken(account: account, cancellation: $0) }
    }

    /// What is known of an account's tokens; asks no server.
    public func tokenStatus(_ account: String) async throws -> TokenStatus {
        try await cancellable { try await self.handle.tokenStatus(account: account, cancellation: $0) }
    }

    /// Sends a mail and waits for the verdict on each recipient.
    ///
    /// Returns when the server took it for at least one; otherwise the error's problem holds the verdicts.
    @discardableResult
    public func send(_ message: Message) async throws -> Delivery {
        try await cancellable { try await self.handle.send(message: message, cancellation: $0) }
    }

    /// Sends a finished message (RFC 5322) as it is, but for line ends.
    @discardableResult
    public func sendRaw(_ envelope: Envelope, mime: Data) async throws -> Delivery {
        try await cancellable { try await self.handle.sendRaw(envelope: envelope, mime: mime, cancellation: $0) }
    }

    /// What is in the vault: every record by account with its size and date, never what it says.
    public func vaultRecords() async throws -> [VaultRecord] {
        try await cancellable { try await self.handle.vaultRecords(cancellation: $0) }
    }

    /// Opens every record of the vault, and says what is wrong and how to mend it. Changes nothing.
    public func checkVault() async throws -> VaultReport {
        try await cancellable { try await self.handle.checkVault(cancellation: $0) }
    }

    /// Seals everything in the vault with a new key, made from another passphrase.
    public func rotateVault(_ passphrase: Passphrase) async throws {
        try await cancellable { try await self.handle.rotateVault(passphrase: passphrase, cancellation: $0) }
    }

    /// Moves everything to another vault, and returns what was moved. Afterwards this handle has no accounts.
    @discardableResult
    public func moveVault(to: VaultSettings) async throws -> [VaultRecord] {
        try await cancellable { try await self.handle.moveVault(to: to, cancellation: $0) }
    }

    /// Everything that happens from now on. Ends when the handle is closed or the reading task is cancelled.
    public func events() -> Events {
        Events(reader: handle.events())
    }

    /// The possible causes of a failure seen anywhere, best first. Asks no server.
    public func explain(_ evidence: Evidence) -> [Diagnosis] {
        handle.explain(evidence: evidence)
    }
}

/// Events as they happen. Each event goes to one iterator: make a sequence for each reader.
public struct Events: AsyncSequence, Sendable {
    public typealias Element = Event

    let reader: EventReader

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(reader: reader)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let reader: EventReader

        public mutating func next() async -> Event? {
            let (reader, cancellation) = (reader, Cancellation())
            return await withTaskCancellationHandler {
                await reader.next(cancellation: cancellation)
            } onCancel: {
                cancellation.request()
            }
        }
    }
}

/// Runs a call that ends when the surrounding task is cancelled.
private func cancellable<Value: Sendable>(
    _ call: @Sendable (Cancellation) async throws -> Value
) async throws -> Value {
    let cancellation = Cancellation()
    do {
        return try await withTaskCancellationHandler {
            try await call(cancellation)
        } onCancel: {
            cancellation.request()
        }
    } catch Failure.Cancelled {
        throw CancellationError()
    } catch Failure.Problem(let problem) {
        throw MailbearerError(problem)
    }
}
