import Foundation
import Mailbearer
import MailbearerSandbox
import Testing

/// The local Microsoft 365, as users' tests see it.
@Suite struct SandboxTests {
    private func invoice(_ sandbox: Sandbox) -> Message {
        Message(account: "billing", to: [Address(address: sandbox.facts.bob.address)], subject: "Due", text: "Now.\n")
    }

    @Test func handsOutTheMailsOnce() async throws {
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
        try await mailbearer.send(invoice(sandbox))
        let mails = try await sandbox.takeMails()
        #expect(mails.map(\.sender) == [sandbox.facts.sharedMailbox])
        #expect(mails.map(\.recipients) == [[sandbox.facts.bob.address]])
        #expect(mails.first?.source.contains("Subject: Due\r\n") == true)
        #expect(try await sandbox.mails().isEmpty)
    }

    @Test func letsThingsGoWrongAsOftenAsAsked() async throws {
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
        try await sandbox.injectFault(at: "data-end", effect: "cut", times: 2)
        for _ in 0..<2 {
            await #expect(throws: MailbearerError.self) { try await mailbearer.send(invoice(sandbox)) }
        }
        try await mailbearer.send(invoice(sandbox))
        try await sandbox.injectFault(at: "mail", effect: ["named": "throttle-rate"], times: nil)
        for _ in 0..<2 {
            do {
                try await mailbearer.send(invoice(sandbox))
                Issue.record("it was sent")
            } catch {
                #expect((error as? MailbearerError)?.kind == .throttled)
            }
        }
    }

    @Test func saysWhatItRefuses() async throws {
        let sandbox = try await Sandbox.start()
        do {
            try await sandbox.injectFault(at: "nowhere", effect: "cut")
            Issue.record("it was taken")
        } catch let refusal as Sandbox.Refusal {
            #expect(refusal.description.hasPrefix("POST /sandbox/faults: "))
            #expect(refusal.description.contains("nowhere"))
        }
    }

    @Test func isTheSameForTheSameSeed() async throws {
        let first = try await Sandbox.start(randomSeed: 7)
        let second = try await Sandbox.start(randomSeed: 7)
        #expect(first.facts.tenantId == second.facts.tenantId)
        #expect(first.url != second.url)
    }

    @Test func endsWhenStopped() async throws {
        let sandbox = try await Sandbox.start()
        let caFile = sandbox.facts.caFile
        #expect(FileManager.default.fileExists(atPath: caFile))
        await sandbox.stop()
        await sandbox.stop()
        #expect(!FileManager.default.fileExists(atPath: caFile))
        await #expect(throws: (any Error).self) { try await sandbox.mails() }
    }

    @Test func endsWhenNobodyHoldsIt() async throws {
        var sandbox: Sandbox? = try await Sandbox.start()
        let caFile = try #require(sandbox?.facts.caFile)
        sandbox = nil
        #expect(!FileManager.default.fileExists(atPath: caFile))
    }
}
