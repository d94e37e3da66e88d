import Foundation
import Mailbearer
import MailbearerSandbox

let sandbox = try await Sandbox.start()
let mailbearer = try await Mailbearer.open()
try await mailbearer.addAccount(sandbox.billing)
let message = Message(
    account: "billing",
    to: ["ada@fabrikam.example"],
    subject: "Your invoice",
    text: "It is due.\n",
    attachments: [Attachment(Data("%PDF-1.7".utf8), name: "invoice.pdf")])
let delivery = try await mailbearer.send(message)
print(delivery.recipients[0].verdict, try await sandbox.takeMails().count)
