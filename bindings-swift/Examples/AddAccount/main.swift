import Foundation
import Mailbearer

let passphrase = Passphrase.environment(variable: "MAILBEARER_PASSPHRASE")
let mailbearer = try await Mailbearer.open(Config(vault: .file(path: "mailbearer.vault", passphrase: passphrase)))
let secret = ProcessInfo.processInfo.environment["CLIENT_SECRET"] ?? ""
try await mailbearer.addAccount(
    NewAccount(
        name: "billing",
        mailbox: "billing@contoso.example",
        tenant: "contoso.example",
        clientId: "0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01",
        grant: .clientSecret(clientSecret: SecretText(secret))))
