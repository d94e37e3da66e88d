import Mailbearer

/// Reminds customers of what they owe. How a mail travels is the business of whoever makes this.
public struct Reminders: Sendable {
    private let sender: any MailSender
    private let account: String

    public init(from account: String, through sender: any MailSender) {
        self.account = account
        self.sender = sender
    }

    /// Returns whether the customer's server took the reminder. Other failures are thrown.
    public func remind(_ customer: String, of invoice: String) async throws -> Bool {
        let message = Message(
            account: account,
            to: [Address(address: customer)],
            subject: "Reminder: \(invoice)",
            text: "Your invoice \(invoice) is due.\n")
        do {
            return try await sender.send(message).recipients.allSatisfy { $0.verdict == .accepted }
        } catch MailbearerError.rejected {
            return false
        }
    }
}
