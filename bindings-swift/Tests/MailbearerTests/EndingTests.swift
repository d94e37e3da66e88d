import Foundation
import Testing

/// A process ends when its main program does, whatever is under way, and leaves nothing behind.
@Suite(.timeLimit(.minutes(1))) struct EndingTests {
    @Test(arguments: ["open", "sending", "signing-in", "reading-events", "logging"])
    func endsIn(theMiddleOf what: String) async throws {
        let ending = try await Program(name: "endings", arguments: [what]).run()
        #expect(ending.status == 0)
        let file = ending.output.trimmingCharacters(in: .newlines)
        #expect(file.hasSuffix(".pem"), "\(ending.output)")
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    #if os(Linux)
        /// Calls, refusals and readers that give up, ten thousand times: a leak of one record each would be megabytes.
        @Test func keepsNothingOfWhatIsOver() async throws {
            let ending = try await Program(name: "endings", arguments: ["memory"]).run()
            let growth = try #require(Int(ending.output.split(separator: "\n").first ?? ""))
            #expect(growth < 2_000, "kilobytes")
        }
    #endif
}
