import Mailbearer

let passphrase = Passphrase.environment(variable: "MAILBEARER_PASSPHRASE")
let mailbearer = try await Mailbearer.open(Config(vault: .file(path: "mailbearer.vault", passphrase: passphrase)))
let message = Message(account: "billing", to: ["ada@fabrikam.example"], subject: "Your invoice", text: "It is due.\n")
do {
    let delivery = try await mailbearer.send(message)
    for recipient in delivery.recipients { print(recipient.address, recipient.verdict, recipient.fix) }
} catch let error as MailbearerError {
    print("\(error.kind) (\(error.code)): \(error.problem.text). What to do: \(error.fix)")
}
