// What the generated conformances to `Codable` share: JSON in the core's own form. Whatever does not fit is an error that
// says where it lies, and never shows the value, which may be a secret in the wrong place.

/// One of a few words.
public protocol Word: CaseIterable, Codable {
    /// The word as JSON has it.
    var word: String { get }
}

extension Word {
    public init(from decoder: any Decoder) throws {
        let word = try decoder.singleValueContainer().decode(String.self)
        guard let value = Self.allCases.first(where: { $0.word == word }) else {
            throw decoder.fault("unknown word", expected: Self.allCases.map(\.word))
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(word)
    }
}

/// The name of a field.
struct FieldName: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) {
        self.stringValue = stringValue
    }

    init(stringLiteral: String) {
        stringValue = stringLiteral
    }

    init?(intValue: Int) {
        nil
    }
}

/// The fields of a record. One that is not known is an error, as it is likely to be misspelled.
struct Fields {
    private let container: KeyedDecodingContainer<FieldName>

    init(_ decoder: any Decoder, _ known: [String]) throws {
        container = try decoder.container(keyedBy: FieldName.self)
        for key in container.allKeys where !known.contains(key.stringValue) {
            throw decoder.fault("unknown field \(key.stringValue)", expected: known)
        }
    }

    func value<Value: Decodable>(_ name: FieldName) throws -> Value {
        try container.decode(Value.self, forKey: name)
    }

    func value<Value: Decodable>(_ name: FieldName, or absent: @autoclosure () -> Value) throws -> Value {
        container.contains(name) ? try value(name) : absent()
    }

    func optional<Value: Decodable>(_ name: FieldName) throws -> Value? {
        try container.decodeIfPresent(Value.self, forKey: name)
    }
}

extension Decoder {
    /// Which of several records this is.
    func variant() throws -> String {
        try container(keyedBy: FieldName.self).decode(String.self, forKey: "type")
    }

    func unknownVariant(of tags: [String]) -> DecodingError {
        fault("unknown type", expected: tags)
    }

    fileprivate func fault(_ text: String, expected: [String]) -> DecodingError {
        let text = "\(text), expected one of: \(expected.joined(separator: ", "))"
        return .dataCorrupted(DecodingError.Context(codingPath: codingPath, debugDescription: text))
    }
}
