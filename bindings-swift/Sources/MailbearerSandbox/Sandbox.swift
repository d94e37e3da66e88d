import Foundation
import Mailbearer
import MailbearerSandboxNative

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A local Microsoft 365 for tests: Entra ID, Exchange Online's SMTP submission and an inbox, on free ports of 127.0.0.1.
///
/// ```swift
/// let sandbox = try await Sandbox.start()
/// let mailbearer = try await Mailbearer.open()
/// try await mailbearer.addAccount(sandbox.billing)
/// let message = Message(account: "billing", to: ["ada@fabrikam.example"], subject: "Your invoice", text: "It is due.\n")
/// try await mailbearer.send(message)
/// #expect(try await sandbox.mails().first?.recipients == ["ada@fabrikam.example"])
/// ```
///
/// It runs in this process, needs no network, and no mail leaves the machine. All its accounts and secrets are fake. It ends
/// with ``stop()``, or when nobody holds it any more. Where it refuses what it is asked, a ``Refusal`` is thrown.
public final class Sandbox: Sendable {
    /// Where everything is, and who exists.
    public let facts: Facts
    /// An application's account, which signs in with a client secret and sends as the shared mailbox.
    public let billing: NewAccount
    /// A person's account, who signs in with a device code: see ``approveDevice(_:user:)``.
    public let alice: NewAccount
    /// What leads an account to this sandbox instead of Microsoft.
    public let endpoints: EndpointOverrides

    private let server: SandboxServer
    /// What a global variable holds is not freed when the process ends.
    private static let cleanUpAtExit: Void = { _ = atexit { abandonSandboxes() } }()

    private init(_ server: SandboxServer) async throws {
        self.server = server
        facts = try JSONDecoder().decode(Facts.self, from: try await server.call("GET", "/sandbox"))
        endpoints = EndpointOverrides(
            authority: facts.identityUrl,
            smtpHost: "localhost",
            smtpPort: facts.smtpPort,
            caPem: try String(contentsOfFile: facts.caFile, encoding: .utf8))
        billing = NewAccount(
            name: "billing",
            mailbox: facts.sharedMailbox,
            tenant: facts.tenantId,
            clientId: facts.serviceClientId,
            grant: .clientSecret(clientSecret: SecretText(facts.serviceClientSecret)),
            endpoints: endpoints)
        alice = NewAccount(
            name: "alice",
            mailbox: facts.alice.address,
            tenant: facts.domain,
            clientId: facts.publicClientId,
            grant: .deviceCode,
            endpoints: endpoints)
    }

    /// Starts a sandbox of its own, on free ports. With a seed, its ids and secrets are repeatable.
    /// Kinds of errors: `unavailable` (this program may not listen on 127.0.0.1).
    public static func start(randomSeed: UInt64? = nil) async throws -> Sandbox {
        _ = (cleanUpAtExit, brokenPipesAreErrors)
        do {
            return try await Sandbox(try await SandboxServer.start(randomSeed: randomSeed))
        } catch SandboxFailure.NotStarted(let text) {
            let fix = "let this program listen on 127.0.0.1 and write to the folder for temporary files"
            throw MailbearerError(
                Problem(
                    kind: .unavailable, code: "sandbox-not-started", text: text, fix: fix, retry: .never,
                    operation: "start_sandbox"))
        }
    }

    /// The address of the inbox, for a browser, and of the control interface.
    public var url: String { server.url() }

    /// The received mails, oldest first.
    public func mails() async throws -> [ReceivedMail] {
        try JSONDecoder().decode([ReceivedMail].self, from: try await call("GET", "/sandbox/mails"))
    }

    /// The received mails, oldest first; the inbox is empty afterwards.
    public func takeMails() async throws -> [ReceivedMail] {
        try JSONDecoder().decode([ReceivedMail].self, from: try await call("DELETE", "/sandbox/mails"))
    }

    /// Lets something go wrong, this many times, or always where `times` is `nil`. `step` is a step such as `"token"`,
    /// `"auth-response"` or `"data-end"`; `effect` is `"cut"`, `["named": "throttle-concurrency"]` and the like. Which names
    /// there are is answered by `call("GET", "/sandbox/catalogue")`.
    public func injectFault(at step: String, effect: some Encodable & Sendable, times: UInt32? = 1) async throws {
        try await call("POST", "/sandbox/faults", Fault(at: step, effect: effect, times: times))
    }

    /// Does what a person does with a device code: opens the page, types the code, signs in as `user` (Alice, where none is
    /// given), agrees.
    public func approveDevice(_ userCode: String, user: String? = nil) async throws {
        let approval = ["user_code": userCode, "user": user ?? facts.alice.address]
        try await call("POST", "/sandbox/devices/approve", approval)
    }

    /// Every secret that this sandbox has ever made or shown: none of them may be in a log.
    public func secrets() async throws -> [String] {
        try JSONDecoder().decode([String].self, from: try await call("GET", "/sandbox/secrets"))
    }

    /// Calls the sandbox's own HTTP interface, such as `call("GET", "/sandbox/clock")`, and gives the answer's octets.
    @discardableResult
    public func call(_ method: String, _ path: String) async throws -> Data {
        try await server.call(method, path)
    }

    /// Calls the sandbox's own HTTP interface with JSON.
    @discardableResult
    public func call(_ method: String, _ path: String, _ body: some Encodable & Sendable) async throws -> Data {
        try await server.call(method, path, try JSONEncoder().encode(body))
    }

    /// Ends the sandbox. May be called twice.
    public func stop() async {
        await server.stop()
    }
}

extension Sandbox {
    /// Where everything is, and who exists at the start.
    public struct Facts: Decodable, Hashable, Sendable {
        /// The authority without a tenant, over HTTP.
        public let identityUrl: String
        /// The port of SMTP submission on 127.0.0.1.
        public let smtpPort: UInt16
        /// The page with the received mails.
        public let inboxUrl: String
        /// The file with the certificate authority of its servers, in PEM.
        public let caFile: String
        /// The tenant.
        public let tenantId: String
        /// The tenant's domain.
        public let domain: String
        /// The application that people sign in with.
        public let publicClientId: String
        /// The application that signs in by itself.
        public let serviceClientId: String
        /// Its secret. It is fake.
        public let serviceClientSecret: String
        /// A person.
        public let alice: Person
        /// Another person.
        public let bob: Person
        /// The mailbox that the service sends as.
        public let sharedMailbox: String

        private enum CodingKeys: String, CodingKey {
            case identityUrl = "identity_url"
            case smtpPort = "smtp_port"
            case inboxUrl = "inbox_url"
            case caFile = "ca_file"
            case tenantId = "tenant_id"
            case domain
            case publicClientId = "public_client_id"
            case serviceClientId = "service_client_id"
            case serviceClientSecret = "service_client_secret"
            case alice, bob
            case sharedMailbox = "shared_mailbox"
        }
    }

    /// A person with a mailbox.
    public struct Person: Decodable, Hashable, Sendable {
        /// The mailbox's address.
        public let address: String
        /// The fake password, for the sign-in page.
        public let password: String
    }

    /// The sandbox refused what it was asked.
    public struct Refusal: Error, Hashable, CustomStringConvertible {
        /// What was asked, and what the sandbox said.
        public let description: String
    }
}

/// A mail as the sandbox received it.
public struct ReceivedMail: Decodable, Hashable, Sendable {
    /// The octets (RFC 5322).
    public let mime: Data
    /// `MAIL FROM`.
    public let sender: String
    /// The recipients that were accepted.
    public let recipients: [String]
    /// Who had signed in.
    public let authenticatedAs: String

    /// The octets as text.
    public var source: String { String(decoding: mime, as: UTF8.self) }

    private enum CodingKeys: String, CodingKey {
        case mime = "mime_base64"
        case sender = "envelope_sender"
        case recipients = "accepted_recipients"
        case authenticatedAs = "authenticated_as"
    }
}

private struct Fault<Effect: Encodable & Sendable>: Encodable, Sendable {
    let at: String
    let effect: Effect
    let times: UInt32?

    private enum CodingKeys: String, CodingKey {
        case at, effect, times
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(at, forKey: .at)
        try fields.encode(effect, forKey: .effect)
        if let times {
            try fields.encode(["n": times], forKey: .times)
        } else {
            try fields.encode("always", forKey: .times)
        }
    }
}

extension SandboxServer {
    fileprivate func call(_ method: String, _ path: String, _ body: Data? = nil) async throws -> Data {
        guard let address = URL(string: url() + path) else {
            throw Sandbox.Refusal(description: "\(path) is no path of a URL")
        }
        var request = URLRequest(url: address)
        request.httpMethod = method
        request.httpBody = body
        request.setValue("application/json", forHTTPHeaderField: "content-type")
        let (answer, response) = try await URLSession.shared.data(for: request)
        if let response = response as? HTTPURLResponse, response.statusCode < 300 { return answer }
        throw Sandbox.Refusal(description: "\(method) \(path): \(String(decoding: answer, as: UTF8.self))")
    }
}
