import Foundation
import MailbearerNative

/// A server may close a connection that is being written to. Unlike most runtimes, Swift's leaves the signal that comes
/// with it in place, and it would end the process; the error that comes as well is enough.
package let brokenPipesAreErrors: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

/// Runs a call that ends when the surrounding task is cancelled.
func cancellable<Value: Sendable>(
    _ call: @Sendable (Cancellation) async throws -> Value
) async throws -> Value {
    _ = brokenPipesAreErrors
    let cancellation = Cancellation()
    do {
        return try await withTaskCancellationHandler {
            try await call(cancellation)
        } onCancel: {
            cancellation.request()
        }
    } catch let failure as Failure {
        throw failure.asThrown
    }
}

extension Failure {
    /// The error that people see.
    package var asThrown: any Error {
        switch self {
        case .Problem(let problem): MailbearerError(problem)
        case .Cancelled: CancellationError()
        }
    }
}
