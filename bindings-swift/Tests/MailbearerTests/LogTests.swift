import Foundation
import Mailbearer
import MailbearerSandbox
import Testing

/// The log of the whole process: one suite, one after the other.
@Suite(.serialized, .timeLimit(.minutes(1))) struct LogTests {
    private func sendOne() async throws -> (Sandbox, [String]) {
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
        let to = [Address(address: sandbox.facts.bob.address)]
        try await mailbearer.send(Message(account: "billing", to: to, subject: "Due", text: "Now.\n"))
        return (sandbox, try await sandbox.secrets())
    }

    @Test func reachesWhoListensWithoutSecrets() async throws {
        let (records, continuation) = AsyncStream.makeStream(of: LogRecord.self)
        try Mailbearer.log(level: .trace) { record in continuation.yield(record) }
        let (_, secrets) = try await sendOne()
        Mailbearer.stopLog()
        var shown = ""
        for await record in records {
            #expect(record.target.hasPrefix("mailbearer"))
            #expect(record.atUnixMs > 1_700_000_000_000)
            shown += "\(record)"
            if record.level == .info { break }
        }
        #expect(!shown.isEmpty)
        #expect(secrets.filter(shown.contains) == [])
    }

    @Test func noWorkWaitsForWhoListens() async throws {
        let gate = DispatchSemaphore(value: 0)
        try Mailbearer.log(level: .trace) { _ in gate.wait() }
        _ = try await sendOne()
        Mailbearer.stopLog()
        for _ in 0..<100_000 { gate.signal() }
    }

    @Test func goesToOneReceiverAfterTheOther() async throws {
        let (records, continuation) = AsyncStream.makeStream(of: LogRecord.self)
        try Mailbearer.log(level: .trace) { _ in }
        try Mailbearer.log { record in continuation.yield(record) }
        _ = try await sendOne()
        Mailbearer.stopLog()
        for await record in records {
            #expect([.info, .warn, .error].contains(record.level))
            if record.level == .info { break }
        }
    }
}
