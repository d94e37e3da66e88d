import Foundation
import Testing

/// The cases of `scenarios/`, which every language runs.
@Suite struct ScenarioTests {
    /// One after the other: a hundred sandboxes at once would keep each other from answering in time on a busy machine, and
    /// what a case puts into the environment is there for all.
    @Test(.serialized, .timeLimit(.minutes(1)), arguments: Scenario.all)
    func holds(_ scenario: Scenario) async throws {
        let report = Report.shared
        await report.write(scenario.name, "failed: it did not end")
        do {
            let stage = try await Stage(scenario)
            do {
                try await stage.play(scenario)
            } catch {
                await stage.leave()
                throw error
            }
            await stage.leave()
        } catch {
            await report.write(scenario.name, "failed: \(error)")
            print("counted: 0 passed, 1 failed")
            throw error
        }
        await report.write(scenario.name, "passed")
        print("counted: 1 passed")
    }
}

/// Which case held. It is written anew after each, as the test runner tells nobody when it is done.
private actor Report {
    static let shared = Report()

    private let file: URL? = {
        let folder = ProcessInfo.processInfo.environment["MAILBEARER_SCENARIO_REPORTS"] ?? ""
        return folder.isEmpty ? nil : URL(filePath: folder).appending(path: "swift.json")
    }()
    private var outcomes: [String: String] = [:]

    func write(_ name: String, _ outcome: String) {
        outcomes[name] = outcome
        guard let file else { return }
        do {
            try JSONEncoder().encode(outcomes).write(to: file, options: .atomic)
        } catch {
            Issue.record("the report cannot be written: \(error)")
        }
    }
}
