import Foundation
import Mailbearer

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A local Microsoft 365 for the tests: the sandbox's own program, which ends with this object.
final class Sandbox: Sendable {
    struct Facts: Decodable {
        struct Person: Decodable {
            let address: String
        }

        let identity_url: String
        let smtp_port: UInt16
        let ca_file: String
        let tenant_id: String
        let domain: String
        let public_client_id: String
        let service_client_id: String
        let service_client_secret: String
        let alice: Person
        let bob: Person
        let shared_mailbox: String
    }

    /// A received mail.
    struct Mail: Decodable {
        let mime_base64: String

        var mime: Data { Data(base64Encoded: mime_base64) ?? Data() }
    }

    let facts: Facts
    private let url: String
    private let program: Program

    init() async throws {
        program = try Program()
        url = program.controlUrl
        facts = try JSONDecoder().decode(Facts.self, from: try await Self.call("GET", url))
    }

    /// The seeded service, which sends as the shared mailbox.
    func billing(secret: String? = nil, authority: String? = nil) throws -> NewAccount {
        NewAccount(
            name: "billing",
            mailbox: facts.shared_mailbox,
            tenant: facts.tenant_id,
            clientId: facts.service_client_id,
            grant: .clientSecret(clientSecret: SecretText(secret ?? facts.service_client_secret)),
            endpoints: try endpoints(authority: authority))
    }

    /// Alice, who signs in herself.
    func alice() throws -> NewAccount {
        NewAccount(
            name: "alice",
            mailbox: facts.alice.address,
            tenant: facts.domain,
            clientId: facts.public_client_id,
            grant: .deviceCode,
            endpoints: try endpoints(authority: nil))
    }

    private func endpoints(authority: String?) throws -> EndpointOverrides {
        EndpointOverrides(
            authority: authority ?? facts.identity_url,
            smtpHost: "localhost",
            smtpPort: facts.smtp_port,
            caPem: try String(contentsOfFile: facts.ca_file, encoding: .utf8))
    }

    func mails() async throws -> [Mail] {
        try JSONDecoder().decode([Mail].self, from: try await call("GET", "/mails"))
    }

    /// Every secret that this sandbox has ever made or shown.
    func secrets() async throws -> [String] {
        try JSONDecoder().decode([String].self, from: try await call("GET", "/secrets"))
    }

    @discardableResult
    func call(_ method: String, _ path: String, _ body: [String: String]? = nil) async throws -> Data {
        try await Self.call(method, url + path, body)
    }

    private static func call(_ method: String, _ url: String, _ body: [String: String]? = nil) async throws -> Data {
        var request = URLRequest(url: URL(string: url)!)
        request.httpMethod = method
        if let body {
            request.setValue("application/json", forHTTPHeaderField: "content-type")
            request.httpBody = try JSONEncoder().encode(body)
        }
        let (data, response) = try await URLSession.shared.data(for: request)
        guard (response as? HTTPURLResponse)?.statusCode == 200 else { throw Unexpected(answer: data) }
        return data
    }

    struct Unexpected: Error {
        let answer: Data
    }
}

/// The running program.
private final class Program: @unchecked Sendable {
    let controlUrl: String
    private let process = Process()

    init() throws {
        let workspace = URL(filePath: #filePath).appending(path: "../../../..").standardized
        let output = Pipe()
        process.executableURL = workspace.appending(path: "target/debug/mailbearer-sandbox")
        process.arguments = ["identity", "identity-tls", "smtp", "inbox"].map { "--\($0)-port=0" }
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var summary = ""
        while summary.firstMatch(of: /\ncontrol +(\S+)\n/) == nil {
            let read = output.fileHandleForReading.availableData
            guard !read.isEmpty else { throw Sandbox.Unexpected(answer: Data(summary.utf8)) }
            summary += String(decoding: read, as: UTF8.self)
        }
        controlUrl = String(summary.firstMatch(of: /\ncontrol +(\S+)\n/)!.1)
    }

    deinit {
        // Not `terminate()`: on Linux, Foundation starts programs with SIGTERM blocked, so they never see it.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
