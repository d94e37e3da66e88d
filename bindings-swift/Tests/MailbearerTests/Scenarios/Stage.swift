import Foundation
import Mailbearer
import MailbearerNative
import MailbearerSandbox

/// Where a case is played: a sandbox and a handle of its own.
final class Stage {
    /// Why a case does not hold.
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    private static let timeouts = Timeouts(connectMs: 5_000, replyMs: 5_000, verdictMs: 5_000, tokenMs: 5_000)

    private let sandbox: Sandbox
    private let first: Mailbearer
    private let folder: URL
    private var mailbearer: Mailbearer
    private var prompt: SignInPrompt?
    /// The token that the last `accessToken` gave.
    private var refused = ""
    /// What stands for each placeholder.
    private var texts: [String: String]
    private let environment: [String]

    init(_ scenario: Scenario) async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "mailbearer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, octets) in scenario.files ?? [:] {
            let path = folder.appending(path: name).path()
            let attributes = [FileAttributeKey.posixPermissions: 0o600]
            guard FileManager.default.createFile(atPath: path, contents: octets, attributes: attributes) else {
                throw Failed(description: "\(path) cannot be written")
            }
        }
        let sandbox = try await Sandbox.start(randomSeed: 7)
        self.sandbox = sandbox
        texts = ["FOLDER": folder.path(), "IDENTITY_URL": sandbox.facts.identityUrl]
        environment = (scenario.environment ?? [:]).keys.sorted()
        for (name, value) in scenario.environment ?? [:] {
            setenv(name, value.replacingOccurrences(of: "$IDENTITY_URL", with: sandbox.facts.identityUrl), 1)
        }
        first = try await Mailbearer.open(Config(timeouts: Self.timeouts))
        mailbearer = first
        for (name, account) in [("service", sandbox.billing), ("person", sandbox.alice)] {
            var account = account
            account.name = name
            try await mailbearer.addAccount(account)
        }
        if scenario.signedIn == true {
            let prompt = try await mailbearer.beginSignIn("person")
            try await sandbox.approveDevice(prompt.userCode)
            try await mailbearer.finishSignIn(prompt)
        }
        for call in scenario.given ?? [] { try await control(call) }
    }

    func play(_ scenario: Scenario) async throws {
        let events = first.events()
        for action in scenario.actions.dropLast() { _ = try await act(action) }
        let outcome = await outcome(of: scenario.actions.last ?? .null)
        try await checkSecrets(in: outcome)
        try check(outcome, scenario.expect)
        try await checkInbox(scenario)
        guard let expected = scenario.expect.events else { return }
        try await first.close()
        var seen: [JSON] = []
        for await event in events { seen.append(try JSON(event)) }
        try check(.list(seen), has: expected, at: "events")
    }

    func leave() async {
        try? await mailbearer.close()
        try? await first.close()
        await sandbox.stop()
        for name in environment { unsetenv(name) }
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: What is done

    private func outcome(of action: JSON) async -> Result<JSON, any Error> {
        do {
            return .success(try await act(action))
        } catch {
            return .failure(error)
        }
    }

    private func act(_ action: JSON) async throws -> JSON {
        let filled = filledIn(action)
        switch filled {
        case .text(let name): return try await act(name, .null)
        case .object(let fields):
            guard fields.count == 1, let (name, argument) = fields.first else { break }
            return try await act(name, argument)
        default: break
        }
        throw Failed(description: "no action: \(action)")
    }

    private func filledIn(_ value: JSON) -> JSON {
        let longestFirst = texts.sorted { $0.key.count > $1.key.count }
        return value.mapTexts { text in
            longestFirst.reduce(text) { $0.replacingOccurrences(of: "$\($1.key)", with: $1.value) }
        }
    }

    private func act(_ name: String, _ argument: JSON) async throws -> JSON {
        switch name {
        case "open":
            var config: Config = try argument.decoded()
            config.timeouts = Self.timeouts
            if mailbearer !== first { try await mailbearer.close() }
            mailbearer = try await Mailbearer.open(config)
            return .null
        case "close":
            try await mailbearer.close()
            return .null
        case "addAccount": return try JSON(try await mailbearer.addAccount(try account(argument)))
        case "accounts": return try JSON(try await mailbearer.accounts())
        case "removeAccount":
            try await mailbearer.removeAccount(try argument.decoded())
            return .null
        case "beginSignIn":
            let named = argument["account"]
            let account: String = try (named == .null ? argument : named).decoded()
            let flow: SignInFlow = argument["flow"] == .null ? .deviceCode : try argument["flow"].decoded()
            let prompt = try await mailbearer.beginSignIn(account, flow: flow)
            texts["USER_CODE"] = prompt.userCode
            texts["SIGN_IN_URL"] = prompt.verificationUrl
            self.prompt = prompt
            return try JSON(prompt)
        case "finishSignIn":
            guard var prompt else { throw Failed(description: "no sign-in has begun") }
            if argument != .null { prompt.redirectedTo = try argument.decoded() }
            return try JSON(try await mailbearer.finishSignIn(prompt))
        case "accessToken":
            let token = try await mailbearer.accessToken(try argument.decoded())
            refused = token.token
            return ["mailbox": .text(token.mailbox), "expiresAtUnixMs": .number(Double(token.expiresAtUnixMs))]
        case "accessTokenAfter":
            let token = try await mailbearer.accessTokenAfter(try argument.decoded(), refused: refused)
            return ["mailbox": .text(token.mailbox), "isNew": .bool(token.token != refused)]
        case "tokenStatus": return try JSON(try await mailbearer.tokenStatus(try argument.decoded()))
        case "send": return try JSON(try await mailbearer.send(try argument.decoded()))
        case "sendRaw":
            let mime: String = try argument["mime"].decoded()
            let envelope: Envelope = try argument["envelope"].decoded()
            return try JSON(try await mailbearer.sendRaw(envelope, mime: Data(mime.utf8)))
        case "explain": return try JSON(mailbearer.explain(try argument.decoded()).first)
        case "vaultRecords": return try JSON(try await mailbearer.vaultRecords())
        case "checkVault": return try JSON(try await mailbearer.checkVault())
        case "rotateVault":
            try await mailbearer.rotateVault(try argument.decoded())
            return .null
        case "moveVault": return try JSON(try await mailbearer.moveVault(try argument.decoded()))
        case "write":
            let file = folder.appending(path: try argument["file"].decoded(as: String.self))
            let octets = Data(try argument["text"].decoded(as: String.self).utf8)
            let attributes = [FileAttributeKey.posixPermissions: 0o600]
            guard FileManager.default.createFile(atPath: file.path(), contents: octets, attributes: attributes) else {
                throw Failed(description: "\(file) cannot be written")
            }
            return .null
        case "panic":
            try await panic()
            return .null
        case "control":
            try await control(try argument.decoded())
            return .null
        default: throw Failed(description: "unknown action: \(name)")
        }
    }

    /// An account that is as `service`, but for what is given.
    private func account(_ given: JSON) throws -> NewAccount {
        guard case .object(let fields) = given else { throw Failed(description: "no account: \(given)") }
        let facts = sandbox.facts
        let service: [String: JSON] = [
            "name": "service",
            "mailbox": .text(facts.sharedMailbox),
            "tenant": .text(facts.tenantId),
            "clientId": .text(facts.serviceClientId),
            "grant": ["type": "clientSecret", "clientSecret": .text(facts.serviceClientSecret)],
            "endpoints": try JSON(sandbox.endpoints),
        ]
        return try JSON.object(service.merging(fields) { $1 }).decoded()
    }

    private func panic() async throws {
        let cancellation = Cancellation()
        do {
            let handle = try await Handle.open(config: Config(), cancellation: cancellation)
            try await handle.panicForTests(cancellation: cancellation)
        } catch let failure as Failure {
            throw failure.asThrown
        }
    }

    private func control(_ call: Scenario.Call) async throws {
        let answer = try await sandbox.call(call.method, call.path, filledIn(call.body ?? .null))
        guard let kept = call.keep else { return }
        let members = try JSONDecoder().decode(JSON.self, from: answer)
        for (name, member) in kept { texts[name] = try members[member].decoded() }
    }

    // MARK: What came of it

    private func check(_ outcome: Result<JSON, any Error>, _ expect: Scenario.Expectation) throws {
        switch (outcome, expect.result, expect.problem) {
        case (.success(let result), let expected?, nil): try check(result, has: expected, at: "result")
        case (.failure(let error as MailbearerError), nil, let expected?):
            try check(try JSON(error.problem), has: expected, at: "problem")
        default: throw Failed(description: "ended otherwise: \(outcome)")
        }
    }

    private func checkSecrets(in outcome: Result<JSON, any Error>) async throws {
        var shown = "\(outcome) \(String(reflecting: outcome))"
        dump(outcome, to: &shown)
        if case .failure(let error) = outcome { shown += error.localizedDescription }
        for secret in try await sandbox.secrets() where shown.contains(secret) {
            throw Failed(description: "a secret is shown")
        }
    }

    private func checkInbox(_ scenario: Scenario) async throws {
        let answer: JSON = try await ask("/api/mails").decoded()
        guard case .list(let mails) = answer["mails"] else { throw Failed(description: "no list: \(answer)") }
        guard mails.count == scenario.inbox ?? 0 else {
            throw Failed(description: "\(mails.count) mails arrived, not \(scenario.inbox ?? 0)")
        }
        guard let newest = mails.first else { return }
        let path = "/api/mails/\(try newest["id"].decoded(as: String.self))"
        let mail = try await ask(path)
        try check(mail, has: scenario.expect.mail ?? [:], at: "mail")
        let fields: [[String: String]] = try mail["headers"].decoded()
        for (name, expected) in scenario.expect.headers {
            let values = fields.filter { $0["name"] == name }.map { JSON.text($0["value"] ?? "") }
            guard expected == .null ? values.isEmpty : values.contains(expected) else {
                throw Failed(description: "\(name) is \(values), not \(expected)")
            }
        }
        let source = String(decoding: try await sandbox.call("GET", "\(path)/source"), as: UTF8.self)
        for part in scenario.expect.source where !source.contains(part) {
            throw Failed(description: "\(part) is not in \(source)")
        }
    }

    private func ask(_ path: String) async throws -> JSON {
        try JSONDecoder().decode(JSON.self, from: try await sandbox.call("GET", path))
    }

    private func check(_ found: JSON, has expected: JSON, at path: String) throws {
        if let lack = found.lack(of: expected, at: path) { throw Failed(description: lack) }
    }
}
