import CarillonCore
import CarillonKit
import SwiftUI
import UIKit

/// The app delegate owns Carillon: iOS starts the app in the background for a push, and then no
/// window exists.
final class AppDelegate: NSObject, UIApplicationDelegate {
    let carillon = Carillon(configuration: CarillonConfiguration(unknownCaller: "Carillon Example") {
        return WebRTCEngine()
    })

    func application(
        _ application: UIApplication,
        didFinishLaunchingWithOptions launchOptions: [UIApplication.LaunchOptionsKey: Any]? = nil
    ) -> Bool {
        carillon.start()
        return true
    }
}

@main
struct CarillonExampleApp: App {
    @UIApplicationDelegateAdaptor(AppDelegate.self) private var delegate

    var body: some Scene {
        WindowGroup {
            MainView(carillon: delegate.carillon)
        }
    }
}
