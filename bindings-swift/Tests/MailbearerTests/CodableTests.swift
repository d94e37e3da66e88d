import Foundation
import Mailbearer
import Testing

/// The records as JSON: the core's own form, with its defaults, and errors that say where something does not fit.
@Suite struct CodableTests {
    private func read<Value: Decodable>(_ json: String) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(json.utf8))
    }

    /// Where reading a configuration fails, and why.
    private func fault<Value: Decodable>(_ json: String, as _: Value.Type) -> String {
        do {
            let value: Value = try read(json)
            return "read \(value)"
        } catch DecodingError.dataCorrupted(let context), DecodingError.keyNotFound(_, let context),
            DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context)
        {
            return (context.codingPath.map(\.stringValue) + [context.debugDescription]).joined(separator: ": ")
        } catch {
            return "\(error)"
        }
    }

    @Test func readsSettingsWithTheirDefaults() throws {
        #expect(try read("{}") == Config())
        let passphrase = #"{"type": "environment", "variable": "PASSPHRASE"}"#
        let config: Config = try read(
            #"{"vault": {"type": "file", "path": "v", "passphrase": \#(passphrase)}, "timeouts": {"replyMs": 7}}"#)
        let vault = VaultSettings.file(path: "v", passphrase: .environment(variable: "PASSPHRASE"))
        #expect(config == Config(vault: vault, timeouts: Timeouts(replyMs: 7)))
    }

    @Test func readsASecretAndShowsItNowhere() throws {
        let grant: Grant = try read(#"{"type": "clientSecret", "clientSecret": "hunter2"}"#)
        #expect(grant == .clientSecret(clientSecret: "hunter2"))
        #expect(!"\(grant)".contains("hunter2"))
        #expect(!((Config() as Any) is any Encodable))
        #expect(!((grant as Any) is any Encodable))
    }

    @Test func writesTheFormOfTheCore() throws {
        let octets = Data([1, 2, 3])
        let message = Message(
            account: "billing",
            to: ["ada@fabrikam.example"],
            subject: "Your invoice",
            attachments: [Attachment(octets, name: "a.bin")],
            priority: .high)
        let written = try JSON(message)
        #expect(written["to"] == [["address": "ada@fabrikam.example", "name": .null]])
        #expect(written["priority"] == "high")
        #expect(
            written["attachments"] == [
                [
                    "name": "a.bin", "contentType": .null, "contentId": .null,
                    "content": ["type": "data", "data": "AQID"],
                ]
            ])
        #expect(try written.decoded() == message)
    }

    @Test(arguments: [
        (#"{"valt": {"type": "memory"}}"#, "unknown field valt, expected one of: vault, ehloName, timeouts"),
        (#"{"vault": {"type": "disk"}}"#, "vault: unknown type, expected one of: "),
        (#"{"vault": {"type": "memory", "path": "v"}}"#, "vault: unknown field path, expected one of: type"),
        (#"{"timeouts": {"replyMs": "soon"}}"#, "timeouts: replyMs: "),
        (#"{"vault": {"type": "file", "path": "v", "passphrase": {"type": "text"}}}"#, "vault: passphrase: "),
    ])
    func saysWhereSomethingDoesNotFit(json: String, expected: String) {
        #expect(fault(json, as: Config.self).hasPrefix(expected))
    }

    @Test func neverShowsAValueThatDoesNotFit() {
        let said = fault(#"{"name": "a", "mailbox": "a@b.example", "grant": "hunter2"}"#, as: NewAccount.self)
        #expect(said.hasPrefix("grant: "))
        #expect(!said.contains("hunter2"))
    }

    @Test func knowsEveryWord() {
        #expect(Cloud.allCases.map(\.word).first == "worldwide")
        #expect(Set(ProblemKind.allCases.map(\.word)).count == ProblemKind.allCases.count)
        #expect(fault(#"{"priority": "urgent"}"#, as: Message.self) == "priority: unknown word, expected one of: high, normal, low")
    }
}
