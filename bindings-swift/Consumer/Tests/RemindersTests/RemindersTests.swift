import Mailbearer
import MailbearerSandbox
import Reminders
import Testing

@Suite(.timeLimit(.minutes(1))) struct RemindersTests {
    @Test func remindsWithoutSending() async throws {
        let sender = RecordingSender()
        let reminders = Reminders(from: "billing", through: sender)
        #expect(try await reminders.remind("ada@fabrikam.example", of: "2026-7"))
        #expect(await sender.messages.map(\.subject) == ["Reminder: 2026-7"])
    }

    @Test func remindsThroughALocalMicrosoft365() async throws {
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
        let reminders = Reminders(from: "billing", through: mailbearer)
        #expect(try await reminders.remind("ada@fabrikam.example", of: "2026-7"))
        #expect(try await reminders.remind("gone@contoso.example", of: "2026-8") == false)
        #expect(try await sandbox.mails().map(\.recipients) == [["ada@fabrikam.example"]])
    }
}
