import Foundation

/// A program of the package, which the package manager puts beside the tests.
struct Program {
    let name: String
    var arguments: [String] = []
    var folder = FileManager.default.temporaryDirectory
    var environment: [String: String] = [:]

    struct Ending {
        let status: Int32
        let output: String
        let errors: String
    }

    /// Runs it to its end. Waits on a thread that nobody else needs.
    func run() async throws -> Ending {
        try await withCheckedThrowingContinuation { waiting in
            DispatchQueue.global().async { waiting.resume(with: Result { try self.runHere() }) }
        }
    }

    private func runHere() throws -> Ending {
        let (process, output, errors) = (Process(), Pipe(), Pipe())
        let tests = URL(filePath: CommandLine.arguments[0])
        process.executableURL = tests.deletingLastPathComponent().appending(path: name)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = environment
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // A few lines each: neither pipe fills up while the other is read.
        let texts = [output, errors].map { pipe in
            String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        }
        process.waitUntilExit()
        return Ending(status: process.terminationStatus, output: texts[0], errors: texts[1])
    }
}
