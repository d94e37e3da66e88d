import Foundation
import Mailbearer

/// Sends nothing and remembers everything: for the tests of code that takes `any MailSender`.
public actor RecordingSender: MailSender {
    /// The mails that would have been sent, oldest first.
    public private(set) var messages: [Message] = []
    private var failures: [any Error] = []

    /// Nothing has been sent yet.
    public init() {}

    /// Lets the next mail that has no failure yet fail with this error.
    public func fail(with error: any Error) {
        failures.append(error)
    }

    /// Remembers the mail, and answers that every recipient was accepted.
    @discardableResult
    public func send(_ message: Message) throws -> Delivery {
        guard failures.isEmpty else { throw failures.removeFirst() }
        messages.append(message)
        let reply = SmtpReply(code: 250, enhancedStatus: "2.0.0", text: "recorded, not sent")
        let recipients = (message.to + message.cc + message.bcc).map { address in
            RecipientVerdict(
                address: address.address, verdict: .accepted, reply: reply, code: "", fix: "", retry: .never)
        }
        let identity = SenderIdentity(login: "", mailFrom: "", headerFrom: message.sender?.address ?? "", kind: .mailbox)
        return Delivery(
            id: "\(messages.count)",
            account: message.account,
            messageId: message.messageId ?? "\(messages.count)@recorded.invalid",
            reply: reply,
            recipients: recipients,
            trail: Trail(identity: identity, server: "none", sizeBytes: 0, notOffered: [], steps: []))
    }
}
