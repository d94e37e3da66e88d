import Foundation
import Mailbearer
import MailbearerSandbox
import Testing

/// Attachments from whatever holds octets in Swift.
@Suite struct AttachmentTests {
    private let octets = Data((0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })

    private func check(_ attachment: Attachment) {
        #expect(attachment == Attachment(octets, name: "a.bin", contentType: "application/x-a"))
    }

    @Test func readsAStreamToItsEnd() throws {
        check(try Attachment(InputStream(data: octets), name: "a.bin", contentType: "application/x-a"))
    }

    @Test func readsPiecesAndOctetsToTheirEnd() async throws {
        let (first, second) = (octets.prefix(70_000), octets.dropFirst(70_000))
        let pieces = AsyncStream<Data> { pieces in
            pieces.yield(first)
            pieces.yield(Data())
            pieces.yield(second)
            pieces.finish()
        }
        check(try await Attachment(pieces, name: "a.bin", contentType: "application/x-a"))
        let few = octets.prefix(1_000)
        let single = AsyncStream<UInt8> { single in
            for octet in few { single.yield(octet) }
            single.finish()
        }
        #expect(try await Attachment(single, name: "a.bin") == Attachment(few, name: "a.bin"))
    }

    @Test func leavesAFileToBeReadWhenTheMailIsSent() throws {
        let file = try Attachment(URL(filePath: "/tmp/an invoice.pdf"), contentId: "logo")
        #expect(file == Attachment(contentId: "logo", content: .file(path: "/tmp/an invoice.pdf")))
    }

    @Test func refusesAnAddressOfTheWeb() throws {
        let address = try #require(URL(string: "https://contoso.example/a.pdf"))
        #expect(throws: MailbearerError.self) { try Attachment(address) }
    }

    @Test func givesUpASourceWithoutAnEnd() async {
        let megabyte = Data(count: 1_048_576)
        let endless = AsyncStream<Data> { megabyte }
        do {
            _ = try await Attachment(endless, name: "a.bin")
            Issue.record("it ended")
        } catch {
            #expect((error as? MailbearerError)?.code == "message-too-large")
        }
    }

    @Test func tellsAStreamsOwnError() {
        guard let missing = InputStream(fileAtPath: "/no/such/file") else { return }
        #expect(throws: (any Error).self) { try Attachment(missing, name: "a.bin") }
    }

    @Test func arrivesAsItWas() async throws {
        let sandbox = try await Sandbox.start()
        let mailbearer = try await Mailbearer.open()
        try await mailbearer.addAccount(sandbox.billing)
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString) a.txt")
        try Data("from a file".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        // Few enough to travel as base64, which can be looked for in the source as text.
        let octets = Data(octets.prefix(100_000))
        let attachments = [try Attachment(file, name: "b.txt"), Attachment(octets, name: "a.bin")]
        let to = [Address(address: sandbox.facts.bob.address)]
        try await mailbearer.send(Message(account: "billing", to: to, attachments: attachments))
        let received = try #require(try await sandbox.takeMails().first)
        let source = received.source.replacingOccurrences(of: "\r\n", with: "")
        let hasOctets = source.contains(octets.base64EncodedString())
        #expect(hasOctets)
        let hasFile = source.contains(Data("from a file".utf8).base64EncodedString())
        #expect(hasFile)
    }
}
