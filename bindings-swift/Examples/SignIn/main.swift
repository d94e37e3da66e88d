import Mailbearer
import MailbearerSandbox

let sandbox = try await Sandbox.start()
let mailbearer = try await Mailbearer.open()
try await mailbearer.addAccount(sandbox.alice)
let prompt = try await mailbearer.beginSignIn("alice")
print("Open \(prompt.verificationUrl) and enter \(prompt.userCode).")
try await sandbox.approveDevice(prompt.userCode)  // what the person does
print(try await mailbearer.finishSignIn(prompt).state)
