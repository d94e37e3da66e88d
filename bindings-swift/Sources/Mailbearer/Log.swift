import Foundation
import MailbearerNative

#if canImport(os)
    import os
#endif

extension Mailbearer {
    /// Hands the log's records of `level` and above to `receive`, in place of an earlier receiver. One for the whole
    /// process.
    ///
    /// Records come in order on a thread of their own, so that `receive` may take its time: no work waits for it. When it is
    /// more than 8192 records behind, the newest are lost, and a record says how many. No record holds a secret; addresses
    /// appear at `debug` and `trace` only. Kinds of errors: `misuse` (the process has a Rust library with a log of its own).
    public static func log(level: LogLevel = .info, to receive: @escaping @Sendable (LogRecord) -> Void) throws {
        let reader: LogReader
        do {
            reader = try LogReader.open(level: level)
        } catch let failure as Failure {
            throw failure.asThrown
        }
        let thread = Thread {
            while let record = reader.next() {
                receive(record)
                let lost = reader.takeDropped()
                if lost > 0 { receive(LogRecord(lost: lost, at: record.atUnixMs)) }
            }
        }
        thread.name = "mailbearer-log"
        thread.start()
    }

    /// Hands the log's records of `level` and above to the system: to `os.Logger` (subsystem `mailbearer`) on Apple's
    /// platforms, line by line to the standard error elsewhere. Otherwise like ``log(level:to:)``.
    public static func log(level: LogLevel = .info) throws {
        try log(level: level) { record in record.write() }
    }

    /// Ends the log. What has been recorded before still reaches its receiver.
    public static func stopLog() {
        MailbearerNative.stopLog()
    }
}

extension LogRecord {
    fileprivate init(lost: UInt64, at atUnixMs: Int64) {
        let text = "\(lost) records were lost: they came faster than they were taken"
        self.init(atUnixMs: atUnixMs, level: .warn, target: "mailbearer", text: text, fields: [:])
    }

    /// The text with its fields, as in `refused account=billing`.
    var line: String {
        let shown = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
        return text + shown.joined()
    }

    #if canImport(os)
        fileprivate func write() {
            // Nothing in a record is a secret, and a log that says <private> helps nobody.
            Logger(subsystem: "mailbearer", category: target).log(level: type, "\(line, privacy: .public)")
        }

        private var type: OSLogType {
            switch level {
            case .error: .error
            case .warn: .default
            case .info: .info
            case .debug, .trace: .debug
            }
        }
    #else
        fileprivate func write() {
            let time = Date(timeIntervalSince1970: Double(atUnixMs) / 1000)
            let stamp = time.formatted(.iso8601.time(includingFractionalSeconds: true))
            let whole = "\(stamp) \(level.word.uppercased()) \(target): \(line)\n"
            try? FileHandle.standardError.write(contentsOf: Data(whole.utf8))
        }
    #endif
}
