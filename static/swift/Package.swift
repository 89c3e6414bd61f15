// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "CarillonKit",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [
        .library(name: "CarillonKit", targets: ["CarillonKit"]),
        .library(name: "CarillonCore", targets: ["CarillonCore"]),
    ],
    targets: [
        // Everything that needs no iPhone: it compiles and is tested on macOS and Linux too.
        .target(name: "CarillonCore"),
        // PushKit, CallKit, LiveCommunicationKit and the audio session.
        .target(name: "CarillonKit", dependencies: ["CarillonCore"]),
        .testTarget(name: "CarillonCoreTests", dependencies: ["CarillonCore"]),
    ]
)
