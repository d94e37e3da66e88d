import Foundation
import Mailbearer
import MailbearerSandbox
import Testing

/// The example of README.md is a program of the package: it is what README.md says, and it sends.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ReadmeTests {
    private let package = URL(filePath: #filePath).appending(path: "../../..").standardized

    @Test func showsTheExampleAsItIsCompiled() throws {
        let example = try String(contentsOf: package.appending(path: "Examples/Send/main.swift"), encoding: .utf8)
        let readme = try String(contentsOf: package.appending(path: "README.md"), encoding: .utf8)
        #expect(readme.contains("```swift\n\(example)```\n"))
    }

    @Test func sendsWithTheExample() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let passphrase = "correct horse battery staple"
        let vault = folder.appending(path: "mailbearer.vault").path()
        let settings = VaultSettings.file(path: vault, passphrase: .text(text: SecretText(passphrase)))
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open(Config(vault: settings))
        try await mailbearer.addAccount(sandbox.billing)
        try await mailbearer.close()
        let environment = ["MAILBEARER_PASSPHRASE": passphrase]
        let ending = try await Program(name: "send", folder: folder, environment: environment).run()
        #expect(ending.status == 0)
        #expect(ending.output == "ada@fabrikam.example accepted \n")
        #expect(try await sandbox.mails().count == 1)
    }
}
