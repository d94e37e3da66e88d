import Mailbearer
import MailbearerSandbox
import Testing

@Test func anInvoiceWaitsWhileTheMailboxIsThrottled() async throws {
    let sandbox = try await Sandbox.start()
    let mailbearer = try await Mailbearer.open()
    try await mailbearer.addAccount(sandbox.billing)
    try await sandbox.injectFault(at: "data-end", effect: ["named": "throttle-concurrency"])
    let to = [Address(address: "ada@fabrikam.example")]
    do {
        try await mailbearer.send(Message(account: "billing", to: to, subject: "Your invoice", text: "It is due.\n"))
        Issue.record("the mail was sent")
    } catch MailbearerError.throttled(let problem) {
        #expect(problem.retry != .never)
    }
    #expect(try await sandbox.takeMails().isEmpty)
}
