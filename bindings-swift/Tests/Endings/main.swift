// A process that ends in the middle of something: `EndingTests` starts it and sees that it does end.

import Foundation
import Mailbearer
import MailbearerSandbox

let sandbox = try await Sandbox.start()
let mailbearer = try await Mailbearer.open()
try await mailbearer.addAccount(sandbox.billing)
let events = mailbearer.events()
let message = Message(account: "billing", to: [Address(address: "bob@contoso.example")], subject: "Due", text: "Now.\n")

nonisolated(unsafe) var residentBefore = 0

/// How much memory this process has (Linux).
func residentKilobytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
}

switch CommandLine.arguments.last {
case "open": break
case "sending":
    try await sandbox.injectFault(at: "data-end", effect: "stall")
    Task { try await mailbearer.send(message) }
    while try await sandbox.call("GET", "/sandbox/faults") != Data("[]".utf8) { await Task.yield() }
case "signing-in":
    try await mailbearer.addAccount(sandbox.alice)
    let prompt = try await mailbearer.beginSignIn("alice")
    Task { try await mailbearer.finishSignIn(prompt) }
case "reading-events": Task { for await _ in events {} }
case "logging":
    try Mailbearer.log(level: .trace) { _ in }
    try await mailbearer.send(message)
case "memory":
    _ = try await mailbearer.accessToken("billing")
    for round in 0..<2 {
        for _ in 0..<10_000 { _ = try await mailbearer.accessToken("billing") }
        for _ in 0..<1_000 {
            let reading = Task { for await _ in mailbearer.events() {} }
            await Task.yield()
            reading.cancel()
            await reading.value
            _ = try? await mailbearer.tokenStatus("nobody")
        }
        // The first round warms up.
        if round == 0 { residentBefore = residentKilobytes() }
    }
    print(residentKilobytes() - residentBefore)
default: fatalError("no such ending")
}
print(sandbox.facts.caFile)
