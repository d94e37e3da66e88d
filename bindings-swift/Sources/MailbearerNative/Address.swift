/// An address alone, as in `to: ["ada@fabrikam.example"]`.
extension Address: ExpressibleByStringLiteral {
    public init(stringLiteral address: String) {
        self.init(address: address, name: nil)
    }
}
