import Foundation
import Mailbearer
import MailbearerSandbox
import Testing

/// The package against the sandbox: what goes in and out, errors, events, and cancellation.
@Suite(.serialized, .timeLimit(.minutes(1))) struct MailbearerTests {
    let sandbox: Sandbox
    let mailbearer: Mailbearer

    init() async throws {
        sandbox = try await Sandbox.start()
        mailbearer = try await Mailbearer.open()
    }

    private func invoice(to address: String? = nil, attachments: [Attachment] = []) -> Message {
        Message(
            account: "billing",
            to: [Address(address: address ?? sandbox.facts.bob.address)],
            subject: "Your invoice",
            text: "It is due.\n",
            attachments: attachments)
    }

    /// The problem that a call throws.
    private func problem<Value>(_ call: () async throws -> Value) async -> Problem? {
        do {
            _ = try await call()
            return nil
        } catch {
            return (error as? MailbearerError)?.problem
        }
    }

    @Test func storesAccountsWithoutTheirSecrets() async throws {
        let added = try await mailbearer.addAccount(sandbox.billing)
        #expect(added.grant == .clientSecret)
        #expect(try await mailbearer.accounts() == [added])
        try await mailbearer.removeAccount("billing")
        #expect(try await mailbearer.accounts().isEmpty)
    }

    @Test func signsAPersonIn() async throws {
        try await mailbearer.addAccount(sandbox.alice)
        #expect(try await mailbearer.tokenStatus("alice").state == .signInNeeded)
        let prompt = try await mailbearer.beginSignIn("alice")
        try await sandbox.approveDevice(prompt.userCode)
        let status = try await mailbearer.finishSignIn(prompt)
        #expect(status.state == .valid)
        #expect(status.origin == .deviceCode)
    }

    @Test func deliversWithTheVerdictOnEachRecipient() async throws {
        try await mailbearer.addAccount(sandbox.billing)
        let octets = Data([0, 1, 2, 253, 254, 255])
        let attachment = Attachment(name: "invoice.bin", content: .data(data: octets))
        let delivery = try await mailbearer.send(invoice(attachments: [attachment]))
        #expect(delivery.recipients.map(\.verdict) == [.accepted])
        let mails = try await sandbox.mails()
        let text = String(decoding: try #require(mails.first).mime, as: UTF8.self)
        #expect(text.contains("\r\nSubject: Your invoice\r\n"))
        #expect(text.contains(octets.base64EncodedString()))
    }

    @Test func sendsFinishedOctetsAsTheyAre() async throws {
        try await mailbearer.addAccount(sandbox.billing)
        let mime = Data("From: \(sandbox.facts.sharedMailbox)\r\nSubject: raw\r\n\r\nas it is\r\n".utf8)
        let envelope = Envelope(account: "billing", recipients: [sandbox.facts.bob.address])
        try await mailbearer.sendRaw(envelope, mime: mime)
        #expect(try await sandbox.mails().map(\.mime) == [mime])
    }

    @Test func throwsOneCaseForEachThingToDo() async throws {
        do {
            _ = try await mailbearer.tokenStatus("nobody")
            Issue.record("an unknown account was found")
        } catch MailbearerError.misuse(let problem) {
            #expect(problem.operation == "token_status")
            #expect(problem.retry == .never)
            #expect(!problem.fix.isEmpty)
            let error = MailbearerError(problem)
            #expect(error.localizedDescription == problem.text)
            #expect((error.kind, error.code, error.operation) == (.misuse, "account-unknown", "token_status"))
            #expect((error.retry, error.fix, error.text) == (.never, problem.fix, problem.text))
            #expect(error.recipients.isEmpty)
        }
    }

    @Test func holdsTheVerdictsWhenNobodyWasAccepted() async throws {
        try await mailbearer.addAccount(sandbox.billing)
        let problem = await problem { try await mailbearer.send(invoice(to: "gone@contoso.example")) }
        #expect(problem?.kind == .rejected)
        #expect(problem?.recipients.map(\.code) == ["recipient-not-found"])
    }

    @Test func refusesWorkWhenClosed() async throws {
        try await mailbearer.close()
        try await mailbearer.close()
        #expect(await problem { try await mailbearer.accounts() }?.code == "handle-closed")
    }

    @Test func handsOutEventsInOrderAndEndsThemWithTheHandle() async throws {
        try await mailbearer.addAccount(sandbox.billing)
        let events = mailbearer.events()
        let delivery = try await mailbearer.send(invoice())
        try await mailbearer.close()
        var seen: [Event] = []
        for await event in events { seen.append(event) }
        guard case .tokenObtained = seen.first, case .mailAccepted(_, _, let id, _, _) = seen.last else {
            Issue.record("\(seen)")
            return
        }
        #expect(seen.count == 2)
        #expect(id == delivery.id)
    }

    @Test func endsEventsWhenTheReadingTaskIsCancelled() async throws {
        let events = mailbearer.events()
        let reading = Task {
            var count = 0
            for await _ in events { count += 1 }
            return count
        }
        reading.cancel()
        #expect(await reading.value == 0)
    }

    /// The person never signs in: only the cancellation ends the wait, and the sign-in goes on afterwards.
    @Test func endsACallWhenItsTaskIsCancelled() async throws {
        try await mailbearer.addAccount(sandbox.alice)
        let prompt = try await mailbearer.beginSignIn("alice")
        let waiting = Task { try await mailbearer.finishSignIn(prompt) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        try await sandbox.approveDevice(prompt.userCode)
        #expect(try await mailbearer.finishSignIn(prompt).state == .valid)
    }

    @Test func showsNoSecret() async throws {
        let account = sandbox.billing
        try await mailbearer.addAccount(account)
        let token = try await mailbearer.accessToken("billing")
        var dumped = ""
        dump(account, to: &dumped)
        dump(token, to: &dumped)
        let shown = "\(account) \(String(reflecting: account)) \(token) \(String(reflecting: token)) \(dumped)"
        let secrets = try await sandbox.secrets()
        #expect(secrets.contains(token.token))
        #expect(secrets.filter(shown.contains) == [])
        #expect(shown.contains(sandbox.facts.sharedMailbox))
    }

    @Test func hasTheDefaultsOfTheCore() {
        #expect(Timeouts() == Timeouts(connectMs: 30_000, replyMs: 120_000, verdictMs: 600_000, tokenMs: 30_000))
        #expect(Config().vault == .memory)
        #expect(Message() == Message(account: "", to: [], subject: ""))
    }

    @Test func explainsAFailureSeenElsewhere() {
        let text = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
        let evidence = Evidence(evidence: [EvidenceItem(kind: .smtpReply, text: text)])
        #expect(mailbearer.explain(evidence).first?.code == "smtp-auth-disabled-tenant")
    }
}
