/// The token stays out of everything that prints values.
extension RevealedAccessToken: CustomStringConvertible, CustomReflectable {
    public var description: String { "RevealedAccessToken(mailbox: \(mailbox), expiresAtUnixMs: \(expiresAtUnixMs))" }

    public var customMirror: Mirror {
        let shown: KeyValuePairs<String, Any> = ["mailbox": mailbox, "expiresAtUnixMs": expiresAtUnixMs]
        return Mirror(self, children: shown, displayStyle: .struct)
    }
}
