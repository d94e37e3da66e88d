import Foundation
import Testing

/// One case of `scenarios/`, as its README says.
struct Scenario: Decodable, Sendable, CustomTestStringConvertible {
    /// A call of the sandbox's HTTP interface.
    struct Call: Decodable, Sendable {
        let method: String
        let path: String
        let body: JSON?
        /// Members of the answer to keep, by the name of the placeholder that gets each.
        let keep: [String: String]?
    }

    /// What must come of it.
    struct Expectation: Sendable {
        let result: JSON?
        let problem: JSON?
        let mail: JSON?
        let headers: [String: JSON]
        let source: [String]
        let events: JSON?
    }

    let title: String
    let signedIn: Bool?
    let files: [String: Data]?
    let environment: [String: String]?
    let given: [Call]?
    let actions: [JSON]
    let expect: Expectation
    let inbox: Int?
    private(set) var name = ""

    var testDescription: String { "\(name): \(title)" }

    /// All cases, by name. There are none beside a package that was unpacked elsewhere.
    static let all: [Scenario] = {
        let folder = URL(filePath: #filePath).appending(path: "../../../../../scenarios").standardized
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return names.sorted().compactMap { name in
            let file = folder.appending(path: "\(name)/case.json")
            guard let text = FileManager.default.contents(atPath: file.path()) else { return nil }
            do {
                var scenario = try JSONDecoder().decode(Scenario.self, from: text)
                scenario.name = name
                return scenario
            } catch {
                fatalError("\(name): \(error)")
            }
        }
    }()

    private enum CodingKeys: String, CodingKey {
        case title, signedIn, files, environment, given
        case actions = "do"
        case expect, inbox
    }
}

extension Scenario.Expectation: Decodable {
    /// A `null` that stands there is expected, unlike a field that is left out.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.singleValueContainer().decode([String: JSON].self)
        let known: Set = ["result", "problem", "mail", "headers", "source", "events"]
        if let unknown = fields.keys.first(where: { !known.contains($0) }) {
            let context = DecodingError.Context(
                codingPath: decoder.codingPath, debugDescription: "\(unknown): no such expectation is known")
            throw DecodingError.dataCorrupted(context)
        }
        result = fields["result"]
        problem = fields["problem"]
        mail = fields["mail"]
        headers = try fields["headers"]?.decoded() ?? [:]
        source = try fields["source"]?.decoded() ?? []
        events = fields["events"]
    }
}
