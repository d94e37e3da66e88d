import MailbearerNative

/// Whatever can send a mail. Packages that send mail take `any MailSender`, so that their users decide how it travels and
/// their tests send nothing: ``Mailbearer`` is one, and `RecordingSender` of the product MailbearerSandbox another.
public protocol MailSender: Sendable {
    /// Sends a mail and waits for the verdict on each recipient. See ``Mailbearer/send(_:)`` for what it throws.
    @discardableResult
    func send(_ message: Message) async throws -> Delivery
}

/// Whatever has access tokens for mail servers: for mail libraries that speak SMTP or IMAP themselves.
public protocol AccessTokenProvider: Sendable {
    /// A token that is valid now, with the mailbox to name beside it. It is a secret.
    func accessToken(_ account: String) async throws -> RevealedAccessToken
    /// A token in place of one that a server refused before its end. See ``Mailbearer/accessTokenAfter(_:refused:)``.
    func accessTokenAfter(_ account: String, refused: String) async throws -> RevealedAccessToken
}

extension Mailbearer: MailSender, AccessTokenProvider {}
