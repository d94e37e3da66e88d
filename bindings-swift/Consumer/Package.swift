// swift-tools-version:6.0
// A package that uses Mailbearer as anybody does: the tests build and run it beside the unpacked archive.

import PackageDescription

let package = Package(
    name: "reminders",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "Reminders", targets: ["Reminders"])],
    dependencies: [.package(path: "../mailbearer")],
    targets: [
        .target(name: "Reminders", dependencies: [.product(name: "Mailbearer", package: "mailbearer")]),
        .executableTarget(
            name: "remind", dependencies: ["Reminders", .product(name: "MailbearerSandbox", package: "mailbearer")]),
        .testTarget(
            name: "RemindersTests",
            dependencies: ["Reminders", .product(name: "MailbearerSandbox", package: "mailbearer")]),
    ]
)
