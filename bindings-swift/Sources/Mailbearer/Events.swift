import MailbearerNative

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
