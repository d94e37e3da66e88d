// A process that ends in the middle of something: `EndingTests` starts it and sees that it does end.

import Foundation
import Mailbearer
import MailbearerSandbox

let sandbox = try await Sandbox.start()
let mailbearer = try await Mailbearer.open()
try await mailbearer.addAccount(sandbox.billing)
let events = mailbearer.events()
let message = Message(account: "billing", to: [Address(address: "bob@contoso.example")], subject: "Due", text: "Now.\n")

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
default: fatalError("no such ending")
}
print(sandbox.facts.caFile)
