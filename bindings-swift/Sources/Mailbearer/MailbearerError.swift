import Foundation
import MailbearerNative

/// A failure with its cause and the next step: one case for each thing the caller must do.
public enum MailbearerError: Error, Hashable, Sendable {
    /// Correct the settings.
    case config(Problem)
    /// Sign in again.
    case signIn(Problem)
    /// Ask an administrator.
    case consent(Problem)
    /// Change the message or its recipients.
    case rejected(Problem)
    /// Wait: `retry` says how long.
    case throttled(Problem)
    /// Wait: network, TLS, or a server's temporary fault.
    case unavailable(Problem)
    /// Repair the disk, the database or the vault.
    case storage(Problem)
    /// Correct the program: a closed handle, an unknown account.
    case misuse(Problem)
    /// Report it: this is a fault of Mailbearer.
    case `internal`(Problem)

    /// The error for a problem.
    public init(_ problem: Problem) {
        switch problem.kind {
        case .config: self = .config(problem)
        case .signIn: self = .signIn(problem)
        case .consent: self = .consent(problem)
        case .rejected: self = .rejected(problem)
        case .throttled: self = .throttled(problem)
        case .unavailable: self = .unavailable(problem)
        case .storage: self = .storage(problem)
        case .misuse: self = .misuse(problem)
        case .internal: self = .internal(problem)
        }
    }

    /// What went wrong, with the cause, the fix, and the verdict on each recipient.
    public var problem: Problem {
        switch self {
        case .config(let problem), .signIn(let problem), .consent(let problem), .rejected(let problem),
            .throttled(let problem), .unavailable(let problem), .storage(let problem), .misuse(let problem),
            .internal(let problem):
            return problem
        }
    }
}

extension MailbearerError {
    /// What the caller must do.
    public var kind: ProblemKind { problem.kind }
    /// The cause as a stable label.
    public var code: String { problem.code }
    /// The next step, for the person who can take it.
    public var fix: String { problem.fix }
    /// Whether and when to try the same again.
    public var retry: Retry { problem.retry }
    /// What Mailbearer was doing.
    public var operation: String { problem.operation }
    /// The verdict on each recipient, where the server gave one.
    public var recipients: [RecipientVerdict] { problem.recipients }
}

extension MailbearerError: LocalizedError {
    public var errorDescription: String? { problem.text }
    public var recoverySuggestion: String? { problem.fix }
}
