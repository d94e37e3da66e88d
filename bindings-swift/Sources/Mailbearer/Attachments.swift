import Foundation
import MailbearerNative

/// Attachments from whatever holds octets in Swift. A `contentType` that is left out follows from the name's extension; a
/// `contentId` makes an inline image, which the HTML names as `cid:`.
extension Attachment {
    /// Octets in memory.
    public init(_ data: Data, name: String, contentType: String? = nil, contentId: String? = nil) {
        self.init(name: name, contentType: contentType, contentId: contentId, content: .data(data: data))
    }

    /// A file, read when the mail is sent. `name` defaults to the file's own.
    /// Kinds of errors: `misuse` (the URL is not one of a file).
    public init(_ file: URL, name: String? = nil, contentType: String? = nil, contentId: String? = nil) throws {
        guard file.isFileURL else { throw MailbearerError.attachment("\(file.scheme ?? "the URL") names no file") }
        let path = file.path(percentEncoded: false)
        self.init(name: name, contentType: contentType, contentId: contentId, content: .file(path: path))
    }

    /// All that a stream gives, read here and now; it is opened and closed here, too.
    /// Kinds of errors: `rejected` (more than ``maximumOctets``). Otherwise the stream's own error.
    public init(_ stream: InputStream, name: String, contentType: String? = nil, contentId: String? = nil) throws {
        stream.open()
        defer { stream.close() }
        var (data, buffer) = (Data(), [UInt8](repeating: 0, count: 65_536))
        while true {
            let count = stream.read(&buffer, maxLength: buffer.count)
            if count < 0 { throw stream.streamError ?? MailbearerError.attachment("the stream cannot be read") }
            if count == 0 { break }
            try data.grow(by: buffer.prefix(count))
        }
        self.init(data, name: name, contentType: contentType, contentId: contentId)
    }

    /// All that comes in pieces, such as the chunks of a download, until it ends.
    /// Kinds of errors: `rejected` (more than ``maximumOctets``). Otherwise the sequence's own error.
    public init<Pieces: AsyncSequence>(
        _ pieces: Pieces, name: String, contentType: String? = nil, contentId: String? = nil
    ) async throws where Pieces.Element: Sequence<UInt8> {
        var data = Data()
        for try await piece in pieces { try data.grow(by: piece) }
        self.init(data, name: name, contentType: contentType, contentId: contentId)
    }

    /// All octets of a sequence, such as those of a `FileHandle` or of `URLSession`, until it ends.
    /// Kinds of errors: `rejected` (more than ``maximumOctets``). Otherwise the sequence's own error.
    public init<Octets: AsyncSequence>(
        _ octets: Octets, name: String, contentType: String? = nil, contentId: String? = nil
    ) async throws where Octets.Element == UInt8 {
        var data = Data()
        for try await octet in octets { try data.grow(by: CollectionOfOne(octet)) }
        self.init(data, name: name, contentType: contentType, contentId: contentId)
    }

    /// How much is read from a stream or a sequence at most: 150 MiB, the largest mail that Exchange Online can be made to
    /// take. A source without an end would otherwise fill the memory.
    public static let maximumOctets = 150 * 1_048_576
}

extension Data {
    fileprivate mutating func grow(by octets: some Sequence<UInt8>) throws {
        append(contentsOf: octets)
        if count > Attachment.maximumOctets {
            throw MailbearerError(
                Problem(
                    kind: .rejected,
                    code: "message-too-large",
                    text: "an attachment has more than \(Attachment.maximumOctets) octets",
                    fix: "send a link to it instead",
                    retry: .never,
                    operation: "attach"))
        }
    }
}

extension MailbearerError {
    fileprivate static func attachment(_ text: String) -> MailbearerError {
        let fix = "give the URL of a file, or the octets themselves"
        return .misuse(
            Problem(
                kind: .misuse, code: "attachment-unreadable", text: text, fix: fix, retry: .never, operation: "attach"))
    }
}
