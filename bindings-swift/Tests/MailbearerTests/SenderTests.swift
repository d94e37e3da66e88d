import Mailbearer
import MailbearerSandbox
import Testing

/// What other packages adopt: they send through `any MailSender`.
@Suite struct SenderTests {
    private let message = Message(account: "billing", to: ["ada@fabrikam.example"], subject: "Due")

    @Test func recordsInsteadOfSending() async throws {
        let recording = RecordingSender()
        let sender: any MailSender = recording
        let delivery = try await sender.send(message)
        #expect(await recording.messages == [message])
        #expect(delivery.recipients.map(\.address) == ["ada@fabrikam.example"])
        #expect(delivery.recipients.map(\.verdict) == [.accepted])
    }

    @Test func failsAsItIsTold() async throws {
        let recording = RecordingSender()
        await recording.fail(with: CancellationError())
        await #expect(throws: CancellationError.self) { try await recording.send(message) }
        #expect(await recording.messages.isEmpty)
        try await recording.send(message)
        #expect(await recording.messages == [message])
    }

    @Test func theHandleIsOne() async throws {
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
        let sender: any MailSender & AccessTokenProvider = mailbearer
        #expect(try await sender.accessToken("billing").mailbox == sandbox.facts.sharedMailbox)
        var message = message
        message.text = "It is due.\n"
        try await sender.send(message)
        #expect(try await sandbox.mails().map(\.recipients) == [["ada@fabrikam.example"]])
    }
}
