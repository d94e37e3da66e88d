// swift-tools-version:6.0
// The Swift package over the native library, which `cargo xtask build swift` puts beside it.

import Foundation
import PackageDescription

/// The native library: in a framework or a bundle where there is one, else where pkg-config says.
func nativeLibrary() -> Target {
    let isThere = { (name: String) in FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/\(name)") }
    let name = "MailbearerFFI"
    if isThere("\(name).xcframework") { return .binaryTarget(name: name, path: "\(name).xcframework") }
    #if compiler(>=6.2)
        if isThere("\(name).artifactbundle") { return .binaryTarget(name: name, path: "\(name).artifactbundle") }
    #endif
    return .systemLibrary(name: name, pkgConfig: "mailbearer")
}

let package = Package(
    name: "mailbearer",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [
        .library(name: "Mailbearer", targets: ["Mailbearer"]),
        .library(name: "MailbearerSandbox", targets: ["MailbearerSandbox"]),
    ],
    targets: [
        nativeLibrary(),
        // Generated code for asynchronous calls does not compile in Swift 6 mode.
        .target(
            name: "MailbearerNative",
            dependencies: ["MailbearerFFI"],
            swiftSettings: [.swiftLanguageMode(.v5)],
            linkerSettings: [
                .linkedLibrary("gcc_s", .when(platforms: [.linux])),
                .linkedLibrary("m", .when(platforms: [.linux])),
                .linkedFramework("CoreFoundation", .when(platforms: [.macOS, .iOS])),
                .linkedFramework("Security", .when(platforms: [.macOS, .iOS])),
                .linkedFramework("SystemConfiguration", .when(platforms: [.macOS, .iOS])),
            ]),
        .target(name: "Mailbearer", dependencies: ["MailbearerNative"]),
        // For the tests of whoever sends mail: a local Microsoft 365, and a sender that sends nothing. The native part is a
        // module of its own, so that nothing of it is in programs that do not use it.
        .target(
            name: "MailbearerSandboxNative",
            dependencies: ["MailbearerFFI", "MailbearerNative"],
            swiftSettings: [.swiftLanguageMode(.v5)]),
        .target(name: "MailbearerSandbox", dependencies: ["Mailbearer", "MailbearerSandboxNative"]),
        .executableTarget(
            name: "first-mail", dependencies: ["Mailbearer", "MailbearerSandbox"], path: "Examples/FirstMail"),
        .executableTarget(name: "add-account", dependencies: ["Mailbearer"], path: "Examples/AddAccount"),
        .executableTarget(name: "send", dependencies: ["Mailbearer"], path: "Examples/Send"),
        .executableTarget(
            name: "sign-in", dependencies: ["Mailbearer", "MailbearerSandbox"], path: "Examples/SignIn"),
        .executableTarget(name: "watch", dependencies: ["Mailbearer", "MailbearerSandbox"], path: "Examples/Watch"),
        .executableTarget(name: "cost", dependencies: ["Mailbearer", "MailbearerSandbox"], path: "Benchmarks/Cost"),
        .executableTarget(
            name: "endings", dependencies: ["Mailbearer", "MailbearerSandbox"], path: "Tests/Endings"),
        .testTarget(name: "MailbearerTests", dependencies: ["Mailbearer", "MailbearerSandbox", "MailbearerNative"]),
    ]
)
