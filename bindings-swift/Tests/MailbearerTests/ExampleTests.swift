import Mailbearer
import MailbearerSandbox
import Testing

@Test func anInvoiceWaitsWhileTheMailboxIsThrottled() async throws {
    let sandbox = try await Sandbox.start()
    let mailbearer = try await Mailbearer.open()
    try await mailbearer.addAccount(sandbox.billing)
    try await sandbox.injectFault(at: "data-end", effect: ["named": "throttle-rate"])
    let message = Message(account: "billing", to: ["ada@fabrikam.example"], subject: "Your invoice", text: "It is due.\n")
    do {
        try await mailbearer.send(message)
        Issue.record("the mail was sent")
    } catch MailbearerError.throttled(let problem) {
        #expect(problem.retry != .never)
    }
    #expect(try await sandbox.takeMails().isEmpty)
}
