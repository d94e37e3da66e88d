import Mailbearer
import MailbearerSandbox
import Reminders

let sandbox = try await Sandbox.start()
let mailbearer = try await Mailbearer.open()
try await mailbearer.addAccount(sandbox.billing)
let reminders = Reminders(from: "billing", through: mailbearer)
guard try await reminders.remind("ada@fabrikam.example", of: "2026-7") else { fatalError("not taken") }
print("reminded")
