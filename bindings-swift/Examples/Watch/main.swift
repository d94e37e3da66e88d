import Mailbearer
import MailbearerSandbox

try Mailbearer.log(level: .debug)  // to os.Logger, or the standard error where there is none
let sandbox = try await Sandbox.start()
let mailbearer = try await Mailbearer.open()
try await mailbearer.addAccount(sandbox.billing)
let events = mailbearer.events()
_ = try await mailbearer.accessToken("billing")
try await mailbearer.close()
for await event in events {
    if case .tokenObtained(_, let account, _, _) = event { print("a new token for \(account)") }
}
