import Foundation

/// Any JSON value.
enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    init(_ value: some Encodable) throws {
        self = try JSONDecoder().decode(JSON.self, from: try JSONEncoder().encode(value))
    }

    func decoded<Value: Decodable>(as _: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(Value.self, from: try JSONEncoder().encode(self))
    }

    /// The value of a key, or null.
    subscript(key: String) -> JSON {
        guard case .object(let fields) = self else { return .null }
        return fields[key] ?? .null
    }

    /// Where this lacks a part of `expected`: objects are compared by key, lists by place, the rest as it is.
    func lack(of expected: JSON, at path: String) -> String? {
        switch (self, expected) {
        case (.object, .object(let fields)):
            fields.lazy.compactMap { self[$0].lack(of: $1, at: "\(path).\($0)") }.first
        case (.list(let values), .list(let parts)) where values.count == parts.count:
            zip(values, parts).enumerated().lazy.compactMap { place, pair in
                pair.0.lack(of: pair.1, at: "\(path)[\(place)]")
            }.first
        default:
            self == expected ? nil : "\(path) is \(self), not \(expected)"
        }
    }

    /// The same with every text changed.
    func mapTexts(_ change: (String) -> String) -> JSON {
        switch self {
        case .text(let text): .text(change(text))
        case .list(let values): .list(values.map { $0.mapTexts(change) })
        case .object(let fields): .object(fields.mapValues { $0.mapTexts(change) })
        case .null, .bool, .number: self
        }
    }
}

extension JSON: Codable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral {
    init(stringLiteral value: String) { self = .text(value) }
    init(dictionaryLiteral fields: (String, JSON)...) { self = .object(Dictionary(uniqueKeysWithValues: fields)) }
    init(arrayLiteral values: JSON...) { self = .list(values) }
}

extension JSON: CustomStringConvertible {
    var description: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: (try? encoder.encode(self)) ?? Data("?".utf8), as: UTF8.self)
    }
}
