import AVFoundation
import CarillonCore
import CarillonKit
import SwiftUI

struct MainView: View {
    @ObservedObject var carillon: Carillon
    @State private var isScanning: Bool = false
    @State private var text: String = ""
    @State private var message: String = ""

    var body: some View {
        NavigationView {
            Form {
                if let caller = carillon.caller {
                    Section(header: Text("On the line")) {
                        Text(caller)
                        Button("Hang up", role: .destructive) {
                            carillon.hangUp()
                        }
                    }
                }
                if carillon.isPaired {
                    Section(header: Text("This phone is paired")) {
                        Text("Ring it from the console. Lock the phone first: that is how it will be used.")
                        Button("Forget this phone", role: .destructive) {
                            forget()
                        }
                    }
                } else {
                    Section(header: Text("Pair this phone")) {
                        Button("Scan the code in the console") {
                            isScanning = true
                        }
                        TextField("or paste its address", text: $text)
                            .autocapitalization(.none)
                            .disableAutocorrection(true)
                        Button("Pair") {
                            pair(text)
                        }
                    }
                }
                if !message.isEmpty {
                    Text(message)
                }
            }
            .navigationTitle("Carillon")
        }
        .sheet(isPresented: $isScanning) {
            ScannerView { (found: String) in
                isScanning = false
                pair(found)
            }
        }
        .onAppear {
            // Ask before the first call: the question cannot be answered on a locked phone.
            AVAudioSession.sharedInstance().requestRecordPermission { _ in }
        }
    }

    private func pair(_ address: String) {
        guard let link = PairingLink(address) else {
            message = CarillonError.badPairingLink.localizedDescription
            return
        }
        Task { @MainActor in
            do {
                try await carillon.pair(link)
                message = ""
            } catch {
                message = error.localizedDescription
            }
        }
    }

    private func forget() {
        do {
            try carillon.unpair()
        } catch {
            message = error.localizedDescription
        }
    }
}
