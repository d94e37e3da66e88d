// What a call costs on Swift's side: `swift run --configuration release cost` in the package that `cargo xtask build swift`
// makes. Each figure is the best of five runs, the core's own share included.

import Foundation
import Mailbearer
import MailbearerSandbox

/// Not top-level code, which runs on the main actor: each call would be measured with two hops between threads.
@main enum Cost {
    static let refusal =
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."

    nonisolated static func main() async throws {
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
        try await measure("accessToken, cached") { _ = try await mailbearer.accessToken("billing") }

        let line = Evidence(evidence: [EvidenceItem(kind: .smtpReply, text: refusal)])
        try await measure("explain, one line", calls: 2_000) { _ = mailbearer.explain(line) }
        // As in the core's own benchmark.
        let noise = "2026-11-25T12:00:00Z worker-7 queue: nothing to do, waiting for the next message\n"
        let text = String(repeating: noise, count: 10 * 1024 / noise.utf8.count) + refusal
        let log = Evidence(evidence: [EvidenceItem(kind: .log, text: text)])
        try await measure("explain, 10 KB", calls: 200) { _ = mailbearer.explain(log) }

        try await mailbearer.close()
        try await measure("a call that does nothing") { try await mailbearer.close() }
        let body = String(repeating: "It is due. ", count: 900)
        let message = Message(account: "billing", to: ["ada@fabrikam.example"], text: body)
        try await measure("a 10 KB mail that a closed handle refuses") { _ = try? await mailbearer.send(message) }
    }

    static func measure(_ what: String, calls: Int = 20_000, _ call: @Sendable () async throws -> Void) async throws {
        var best = Duration.seconds(3_600)
        for _ in 0..<5 {
            let time = try await ContinuousClock().measure { for _ in 0..<calls { try await call() } }
            best = min(best, time / calls)
        }
        let name = what.padding(toLength: 48, withPad: " ", startingAt: 0)
        print(name, best.formatted(.units(allowed: [.microseconds], fractionalPart: .show(length: 1))))
    }
}
