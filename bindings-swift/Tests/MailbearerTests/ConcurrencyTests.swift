import Mailbearer
import MailbearerSandbox
import Testing

/// Many calls at once, calls that are given up, and events that nobody may lose.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ConcurrencyTests {
    let sandbox: Sandbox
    let mailbearer: Mailbearer

    init() async throws {
        sandbox = try await Sandbox.start()
        mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
    }

    private var invoice: Message {
        Message(account: "billing", to: [Address(address: sandbox.facts.bob.address)], subject: "Due", text: "Now.\n")
    }

    /// A blocked pool would have no time for a single beat.
    @Test func othersGoOnWhileAThousandMailsAreSent() async throws {
        let heart = Task {
            var beats = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(2))
                beats += 1
            }
            return beats
        }
        let (mailbearer, invoice) = (mailbearer, invoice)
        let kinds = await withTaskGroup(of: [ProblemKind?].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var kinds: [ProblemKind?] = []
                    for _ in 0..<125 {
                        do {
                            try await mailbearer.send(invoice)
                            kinds.append(nil)
                        } catch {
                            kinds.append((error as? MailbearerError)?.kind ?? .internal)
                        }
                    }
                    return kinds
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        heart.cancel()
        // A mailbox may have three connections at once: the others are throttled.
        #expect(Set(kinds).isSubset(of: [nil, .throttled]))
        #expect(kinds.count == 1_000)
        let sent = kinds.count { $0 == nil }
        #expect(sent > 0)
        #expect(try await sandbox.takeMails().count == sent)
        #expect(await heart.value > 100)
    }

    /// The server never answers, and closing waits for every delivery: it ends only because the given up one is gone.
    @Test func aCallThatIsGivenUpIsGoneAtOnce() async throws {
        try await sandbox.injectFault(at: "data-end", effect: "stall", times: nil)
        let (mailbearer, invoice) = (mailbearer, invoice)
        let sends = (0..<3).map { _ in Task { try await mailbearer.send(invoice) } }
        try await Task.sleep(for: .milliseconds(50))
        for send in sends { send.cancel() }
        for send in sends {
            await #expect(throws: CancellationError.self) { try await send.value }
        }
        try await mailbearer.close()
    }

    @Test func aTaskThatIsAlreadyCancelledSendsNothing() async throws {
        let (mailbearer, invoice) = (mailbearer, invoice)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let send = Task {
            for await _ in gate {}
            return try await mailbearer.send(invoice)
        }
        send.cancel()
        open.finish()
        await #expect(throws: CancellationError.self) { try await send.value }
        #expect(try await sandbox.mails().isEmpty)
    }

    @Test func noEventIsLostWhenReadersGiveUp() async throws {
        let (mailbearer, invoice, events) = (mailbearer, invoice, mailbearer.events())
        let sending = Task {
            var ids: [String] = []
            for _ in 0..<30 { ids.append(try await mailbearer.send(invoice).id) }
            return ids
        }
        var (seen, givenUp) = ([String](), 0)
        while seen.count < 20 {
            let reading = Task {
                var iterator = events.makeAsyncIterator()
                return await iterator.next()
            }
            await Task.yield()
            reading.cancel()
            let event = await reading.value
            if event == nil { givenUp += 1 }
            if case .mailAccepted(_, _, let id, _, _) = event { seen.append(id) }
        }
        #expect(givenUp > 0)
        let sent = try await sending.value
        try await mailbearer.close()
        for await case .mailAccepted(_, _, let id, _, _) in events { seen.append(id) }
        #expect(seen == sent)
    }

    @Test func eventsEndWithAHandleThatNobodyHolds() async throws {
        var handle: Mailbearer? = try await Mailbearer.open()
        let events = try #require(handle?.events())
        handle = nil
        for await event in events { Issue.record("\(event)") }
    }

    @Test func twoReadersSeeTheSame() async throws {
        let (first, second) = (mailbearer.events(), mailbearer.events())
        let delivery = try await mailbearer.send(invoice)
        try await mailbearer.close()
        for events in [first, second] {
            var ids: [String] = []
            for await case .mailAccepted(_, _, let id, _, _) in events { ids.append(id) }
            #expect(ids == [delivery.id])
        }
    }
}
