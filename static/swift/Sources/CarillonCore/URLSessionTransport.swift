import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The transport of apps. It follows no redirect, so that a credential goes to no other server, and
/// keeps no cookies and no cache.
public final class URLSessionTransport: Transport, @unchecked Sendable {
    private let session: URLSession
    private let streams: Streams

    public init() {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpShouldSetCookies = false
        configuration.httpCookieAcceptPolicy = .never
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        let streams = Streams()
        self.streams = streams
        self.session = URLSession(configuration: configuration, delegate: streams, delegateQueue: nil)
    }

    deinit {
        session.finishTasksAndInvalidate() // the session holds its delegate until then
    }

    public func send(_ request: WireRequest, to server: URL) async throws -> WireAnswer {
        let prepared: URLRequest = try URLSessionTransport.prepare(request, server: server)
        return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<WireAnswer, Error>) in
            let task = session.dataTask(with: prepared) { data, response, error in
                if let error = error {
                    continuation.resume(throwing: CarillonError.unreachable(error.localizedDescription))
                    return
                }
                guard let http = response as? HTTPURLResponse else {
                    continuation.resume(throwing: CarillonError.unreachable("no answer"))
                    return
                }
                continuation.resume(returning: WireAnswer(
                    status: http.statusCode, headers: URLSessionTransport.headers(of: http), body: data ?? Data()))
            }
            task.resume()
        }
    }

    public func open(_ request: WireRequest, to server: URL) -> AsyncThrowingStream<StreamPart, Error> {
        return AsyncThrowingStream { (continuation: AsyncThrowingStream<StreamPart, Error>.Continuation) in
            do {
                let prepared: URLRequest = try URLSessionTransport.prepare(request, server: server)
                let task = session.dataTask(with: prepared)
                streams.add(task.taskIdentifier, continuation)
                continuation.onTermination = { _ in
                    task.cancel()
                }
                task.resume()
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    private static func prepare(_ request: WireRequest, server: URL) throws -> URLRequest {
        var base: String = server.absoluteString
        while base.hasSuffix("/") {
            base.removeLast()
        }
        guard let url = URL(string: base + request.path) else {
            throw CarillonError.unreachable("\(base) is not an address")
        }
        var out = URLRequest(url: url)
        out.httpMethod = request.method
        out.httpBody = request.body
        out.timeoutInterval = request.timeout
        for (name, value) in request.headers {
            out.setValue(value, forHTTPHeaderField: name)
        }
        return out
    }

    fileprivate static func headers(of response: HTTPURLResponse) -> [String: String] {
        var out: [String: String] = [:]
        for (name, value) in response.allHeaderFields {
            if let name = name as? String, let value = value as? String {
                out[name.lowercased()] = value
            }
        }
        return out
    }
}

/// Streams hands the parts of open streams to their readers.
private final class Streams: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private let lock = NSLock()
    private var open: [Int: AsyncThrowingStream<StreamPart, Error>.Continuation] = [:]

    func add(_ task: Int, _ continuation: AsyncThrowingStream<StreamPart, Error>.Continuation) {
        lock.lock()
        defer { lock.unlock() }
        open[task] = continuation
    }

    private func find(_ task: Int, remove: Bool) -> AsyncThrowingStream<StreamPart, Error>.Continuation? {
        lock.lock()
        defer { lock.unlock() }
        let found = open[task]
        if remove {
            open[task] = nil
        }
        return found
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        if let http = response as? HTTPURLResponse, let reader = find(dataTask.taskIdentifier, remove: false) {
            reader.yield(.start(status: http.statusCode, headers: URLSessionTransport.headers(of: http)))
        }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        find(dataTask.taskIdentifier, remove: false)?.yield(.bytes(data))
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: Error?) {
        guard let reader = find(task.taskIdentifier, remove: true) else {
            return
        }
        if let error = error {
            reader.finish(throwing: CarillonError.unreachable(error.localizedDescription))
        } else {
            reader.finish()
        }
    }
}
