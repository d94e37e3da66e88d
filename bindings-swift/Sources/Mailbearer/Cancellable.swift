import MailbearerNative

/// Runs a call that ends when the surrounding task is cancelled.
func cancellable<Value: Sendable>(
    _ call: @Sendable (Cancellation) async throws -> Value
) async throws -> Value {
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
