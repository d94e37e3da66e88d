import Foundation
import Mailbearer
import MailbearerSandbox
import Testing

/// The examples of README.md are programs of the package: they are what README.md says, and they run.
@Suite(.timeLimit(.minutes(1))) struct ReadmeTests {
    private let package = URL(filePath: #filePath).appending(path: "../../..").standardized

    private func text(_ path: String) throws -> String {
        try String(contentsOf: package.appending(path: path), encoding: .utf8)
    }

    @Test(arguments: [
        "Examples/FirstMail/main.swift", "Examples/AddAccount/main.swift", "Examples/Send/main.swift",
        "Examples/SignIn/main.swift", "Examples/Watch/main.swift", "Tests/MailbearerTests/ExampleTests.swift",
    ])
    func showsTheExampleAsItIsCompiled(path: String) throws {
        let isShown = try text("README.md").contains("```swift\n\(try text(path))```\n")
        #expect(isShown)
    }

    @Test func sendsAFirstMail() async throws {
        #expect(try await Program(name: "first-mail").run().output == "accepted 1\n")
    }

    @Test func signsAPersonIn() async throws {
        let output = try await Program(name: "sign-in").run().output
        #expect(output.hasPrefix("Open http"))
        #expect(output.hasSuffix(".\nvalid\n"))
    }

    @Test func watches() async throws {
        let ending = try await Program(name: "watch").run()
        #expect(ending.output == "a new token for billing\n")
        #if !canImport(os)
            #expect(ending.errors.contains(" DEBUG mailbearer::"))
        #endif
    }

    @Test func addsAnAccountThatSends() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let environment = ["MAILBEARER_PASSPHRASE": "correct horse battery staple", "CLIENT_SECRET": "a-secret"]
        let add = Program(name: "add-account", folder: folder, environment: environment)
        #expect(try await add.run().status == 0)

        let vault = folder.appending(path: "mailbearer.vault").path()
        let passphrase = Passphrase.text(text: "correct horse battery staple")
        let mailbearer = try await Mailbearer.open(Config(vault: .file(path: vault, passphrase: passphrase)))
        #expect(try await mailbearer.accounts().map(\.mailbox) == ["billing@contoso.example"])
        try await mailbearer.removeAccount("billing")
        let sandbox = try await Sandbox.start()
        try await mailbearer.addAccount(sandbox.billing)
        try await mailbearer.close()

        let send = Program(name: "send", folder: folder, environment: environment)
        #expect(try await send.run().output == "ada@fabrikam.example accepted \n")
        #expect(try await sandbox.takeMails().count == 1)
        await sandbox.stop()
        #expect(try await send.run().output.hasPrefix("unavailable ("))
    }
}
