"""Tests of carillon.py. The story runs against the real program, whose path is in CARILLON."""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import carillon
from carillon import Carillon, Phone, Problem, WebhookError, verify

HERE = Path(__file__).parent
RING = {"id": "r1", "state": "ringing", "ended_at": None}


def says(status, body, **headers):
    def handler(request):
        kind = "application/json" if status < 400 else "application/problem+json"
        request.send_response(status)
        for name, value in {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
            request.send_header(name, value)
        text = body if isinstance(body, str) else json.dumps(body)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text.encode())

    return handler


def cut(request):
    """Drop the connection in place of an answer."""
    request.close_connection = True


def stream(whole, *events):
    def handler(request):
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for part in (": hello\r\n\r\n",) + events:
            request.wfile.write(f"{len(part.encode()):x}\r\n{part}\r\n".encode())
        if whole:
            request.wfile.write(b"0\r\n\r\n")
        request.close_connection = True

    return handler


def event(ident, kind, state):
    return f"id: {ident}\nevent: {kind}\ndata: {json.dumps({'kind': kind, 'state': state, 'detail': None})}\n\n"


def problem(status, code, **more):
    kind = f"https://ring.example.com/docs/errors#{code}"
    return {"type": kind, "title": "Refused", "status": status, "detail": "It was refused.", "request_id": "q1", **more}


class Server:
    """Answers each request with the next of the handlers, and keeps what came."""

    def __init__(self, test, *handlers):
        heard = self.heard = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                heard.append((self.command, self.path, body, self.headers))
                handlers[len(heard) - 1](self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)
        self.client = Carillon(f"http://127.0.0.1:{self.server.server_port}/", "crl_test_x")


class ClientTest(unittest.TestCase):
    def setUp(self):
        waits, real = [], carillon.time.sleep
        carillon.time.sleep = waits.append  # retries of these tests do not wait
        self.addCleanup(setattr, carillon.time, "sleep", real)
        self.waits = waits

    def test_place_is_repeated_under_one_key(self):
        flight = problem(409, "idempotency_in_flight")
        server = Server(self, cut, says(503, "{}", Retry_After="3"), says(409, flight), says(200, RING))
        self.assertEqual(server.client.rings.place({"to": {"person": "ana"}})["id"], "r1")
        self.assertEqual(len({(body, headers["Idempotency-Key"]) for _, _, body, headers in server.heard}), 1)
        self.assertGreater(len(server.heard[0][3]["Idempotency-Key"]), 20)
        self.assertEqual(self.waits[1], 3)

    def test_the_callers_key_is_sent(self):
        server = Server(self, says(201, RING))
        server.client.rings.place({"to": {"person": "ana"}}, idempotency_key="lead-4711")
        self.assertEqual(server.heard[0][3]["Idempotency-Key"], "lead-4711")

    def test_only_what_is_safe_is_repeated(self):
        server = Server(self, cut)
        with self.assertRaises(carillon.ConnectionFailed):
            server.client.rings.transfer("r1", {"to": {"person": "ana"}})
        self.assertEqual(len(server.heard), 1)
        Server(self, says(429, "{}", Retry_After="1"), says(202, RING)).client.rings.transfer("r1", {"to": {"person": "ana"}})
        with self.assertRaises(Problem) as raised:
            Server(self, says(429, problem(429, "quota"), Retry_After="3600")).client.rings.place({"to": {"person": "ana"}})
        self.assertEqual(raised.exception.code, "quota")
        Server(self, cut, says(404, "{}")).client.devices.remove("d1")
        with self.assertRaises(Problem):
            Server(self, says(404, problem(404, "not_found"))).client.devices.remove("d1")

    def test_retries_end(self):
        server = Server(self, *[cut] * 6)
        with self.assertRaises(carillon.ConnectionFailed):
            server.client.rings.get("r1")
        self.assertEqual((len(server.heard), len(self.waits)), (6, 5))

    def test_problems_say_what_to_do(self):
        fields = [{"field": "ttl_s", "message": "5 to 60 seconds"}]
        with self.assertRaises(Problem) as raised:
            Server(self, says(400, problem(400, "invalid", errors=fields))).client.rings.place({"to": {"person": "ana"}})
        p = raised.exception
        self.assertEqual((p.code, p.status, p.request_id, p.fields), ("invalid", 400, "q1", fields))
        self.assertEqual(str(p), "It was refused.; ttl_s: 5 to 60 seconds")
        with self.assertRaisesRegex(Problem, "names https://ring.example.com"):
            Server(self, says(301, "", Location="https://ring.example.com/v1/rings")).client.rings.place({"to": {"person": "ana"}})
        with self.assertRaisesRegex(Problem, "not as Carillon does"):
            Server(self, says(500, "<html>", Content_Type="text/html")).client.rings.get("r1")
        with self.assertRaisesRegex(ValueError, "is not the address of a server"):
            Carillon("ring.example.com", "x")
        with self.assertRaisesRegex(ValueError, "API key is missing"):
            Carillon("https://ring.example.com", "")

    def test_pages_are_followed(self):
        first, second = {"data": [{"id": "d1"}, {"id": "d2"}], "next": "b 2"}, {"data": [{"id": "d3"}], "next": None}
        server = Server(self, says(200, first), says(200, second))
        self.assertEqual([d["id"] for d in server.client.devices.all(person="ana")], ["d1", "d2", "d3"])
        self.assertEqual(server.heard[1][1], "/v1/devices?person=ana&after=b+2")

    def test_follow_misses_nothing(self):
        ended = {**RING, "state": "declined", "ended_at": "2026-11-27T08:00:09Z"}
        server = Server(
            self,
            stream(False, event(1, "placed", "placed"), event(2, "sent", "pushed"), "id: 3\nevent: half"),
            says(200, RING),
            cut,
            stream(True),
            says(200, ended),
            stream(True, event(3, "shown", "ringing"), event(4, "declined", "declined")),
        )
        facts = [fact["id"] + " " + fact["kind"] for fact in server.client.rings.follow("r1")]
        self.assertEqual(facts, ["1 placed", "2 sent", "3 shown", "4 declined"])
        self.assertEqual(server.heard[2][3]["Last-Event-ID"], "2")

    def test_events_miss_nothing(self):
        server = Server(
            self,
            stream(True),
            stream(False, event("0-1", "placed", "placed"), "id: 3\nevent: half"),
            cut,
            stream(True, event("0-2", "ended", "ended")),
            says(410, problem(410, "event_too_old")),
        )
        facts = []
        with self.assertRaises(Problem) as raised:
            for fact in server.client.events.follow(person="ana"):
                facts.append(fact["id"] + " " + fact["kind"])
        self.assertEqual((facts, raised.exception.status), (["0-1 placed", "0-2 ended"], 410))
        self.assertEqual(server.heard[1][1], "/v1/events?person=ana")
        self.assertEqual(server.heard[4][3]["Last-Event-ID"], "0-2")

    def test_quiet_followers_come_back(self):
        real = carillon._LONGEST_PAUSE
        carillon._LONGEST_PAUSE = 0.01
        self.addCleanup(setattr, carillon, "_LONGEST_PAUSE", real)
        server = Server(
            self,
            stream(False, "id: 0-6\n\n", "id: 0-7\n\n"),
            says(429, problem(429, "too_many_streams")),
            stream(True, "id: 0-7\n\n", event("0-9", "ended", "ended"), "id: 0-12\n\n"),
            says(410, problem(410, "event_too_old")),
        )
        server.client.events._sender.retries = 0
        facts = []
        with self.assertRaises(Problem) as raised:
            for fact in server.client.events.follow():
                facts.append(fact["id"])
        self.assertEqual((facts, raised.exception.status), (["0-9"], 410))
        self.assertEqual([heard[3]["Last-Event-ID"] for heard in server.heard], [None, "0-7", "0-7", "0-12"])

    def test_follow_ends_with_a_revoked_key(self):
        server = Server(self, stream(True), says(401, problem(401, "unauthorized")))
        with self.assertRaises(Problem):
            next(server.client.rings.follow("r1"))

    def test_follow_ends_after_silences(self):
        over, real = threading.Event(), carillon._LONGEST_SILENCE
        carillon._LONGEST_SILENCE = 0.3
        self.addCleanup(setattr, carillon, "_LONGEST_SILENCE", real)

        def silent(request):
            request.send_response(200)
            request.end_headers()
            over.wait(60)
            request.close_connection = True

        server = Server(self, silent, says(200, RING), silent)
        self.addCleanup(over.set)
        server.client.rings._sender.retries = 0
        with self.assertRaisesRegex(carillon.ConnectionFailed, "the server was silent"):
            next(server.client.rings.follow("r1"))

    def test_uploads(self):
        server = Server(self, says(201, {"id": "c1"}))
        server.client.credentials.add(b"\x00key", file_name='Auth"Key.p8', bundle_id="com.example")
        _, _, body, headers = server.heard[0]
        boundary = headers["Content-Type"].split("boundary=")[1].encode()
        self.assertEqual(body.count(b"--" + boundary), 3)
        self.assertIn(b'name="bundle_id"\r\n\r\ncom.example\r\n', body)
        self.assertIn(b'filename="AuthKey.p8"\r\n\r\n\x00key\r\n', body)

    def test_verify(self):
        """The example of the specification of Standard Webhooks, and what must not pass."""
        secret, body, sent = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"test": 2432232314}', 1614265330
        good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        headers = {
            "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": str(sent),
            "webhook-signature": "v1a,bm90aGluZw== v1,bm90aGluZw== " + good,
        }
        verify(secret, headers, body, sent + 240)
        verify(secret, headers, body.encode(), sent)
        for words, args in {
            "check this machine's clock": (secret, headers, body, sent + 360),
            "this machine's clock": (secret, headers, body, sent - 360),
            "no signature": (secret, headers, "{}", sent),
            "with this secret": ("whsec_b3RoZXI=", headers, body, sent),
            "copy it again": ("whsec_", headers, body, sent),
            "not a number": (secret, {**headers, "webhook-timestamp": "soon"}, body, sent),
            "0', not a number": (secret, {**headers, "webhook-timestamp": "1" + "0" * 400}, body, sent),
            "is missing": (secret, {}, body, sent),
        }.items():
            with self.assertRaisesRegex(WebhookError, words):
                verify(*args)


# An offer that the server can answer. No sound ever comes.
OFFER = "\r\n".join(
    ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111 0"]
    + ["c=IN IP4 0.0.0.0", "a=mid:0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx"]
    + ["a=fingerprint:sha-256 " + ":".join(["AB"] * 32), "a=setup:actpass", "a=rtcp-mux", "a=sendrecv"]
    + ["a=rtpmap:111 opus/48000/2", "a=rtpmap:0 PCMU/8000", ""]
)


def now():
    return datetime.now(timezone.utc).isoformat()


@unittest.skipUnless(os.environ.get("CARILLON"), "set CARILLON to the path of the program")
class StoryTest(unittest.TestCase):
    """The story of README."""

    def start(self, addr):
        self.process = subprocess.Popen(
            [os.environ["CARILLON"], "dev", "--addr", addr, "--data", self.data, "--no-history", "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ready = json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def follow(self, api, ring):
        """Follow a ring until Apple has accepted its push: a phone cannot answer sooner.

        The result is a function that waits until the ring is over, for the kinds of its facts.
        """
        kinds = []
        accepted = threading.Event()

        def read():
            for fact in api.rings.follow(ring["id"]):
                kinds.append(fact["kind"])
                if fact["kind"] == "accepted":
                    accepted.set()

        thread = threading.Thread(target=read)
        thread.start()
        self.assertTrue(accepted.wait(60))

        def done():
            thread.join()
            return [kind for kind in kinds if not kind.startswith("agent_")]

        return done

    def test_story(self):
        self.data = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.data)
        self.start("127.0.0.1:0")
        self.addCleanup(lambda: self.stop())
        url, to = self.ready["url"], {"device": self.ready["device_id"]}
        api, phone = Carillon(url, self.ready["api_key"]), Phone(url, self.ready["device_credential"])

        # A ring is placed, answered and over.
        ring = api.rings.place({"to": to, "reference": "story"})
        followed = self.follow(api, ring)
        for kind in ("woke", "shown"):
            phone.report_fact(ring["id"], {"kind": kind, "at": now(), "sent_at": now()})
        self.assertTrue(phone.ring(ring["id"])["rings"])
        self.assertTrue(phone.answer(ring["id"], OFFER).startswith("v=0"))
        phone.hang_up(ring["id"])
        self.assertEqual(followed(), ["placed", "sent", "accepted", "woke", "shown", "answered", "hung_up"])
        self.assertEqual(api.rings.get(ring["id"])["state"], "ended")

        # A webhook is verified.
        came = queue.Queue()

        class Receiver(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                came.put((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

        hooks = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=hooks.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(hooks.server_close)
        self.addCleanup(hooks.shutdown)
        address = f"http://127.0.0.1:{hooks.server_port}/hooks"
        connection = api.connections.add({"name": "Story", "role": "webhook", "url": address, "events": ["ring.ended"]})
        ring = api.rings.place({"to": to, "reference": "webhook"})
        phone.report_fact(ring["id"], {"kind": "declined", "at": now(), "sent_at": now()})
        headers, body = came.get(timeout=60)
        verify(connection["secret"], headers, body)
        with self.assertRaises(WebhookError):
            verify(connection["secret"], headers, body + b" ")
        self.assertEqual(json.loads(body)["type"], "ring.ended")
        self.assertTrue(all(a["delivered"] for a in api.connections.all_attempts(connection["id"])))
        api.connections.remove(connection["id"])

        # The example of README.
        example = re.search(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.S).group(1)
        env = {**os.environ, "CARILLON_URL": url, "CARILLON_API_KEY": self.ready["api_key"]}
        said = subprocess.run([sys.executable, "-c", example], cwd=HERE, env=env, capture_output=True, text=True, check=True).stdout
        self.assertRegex(said, r"(?s) placed.* declined.*declined: ")

        # A retry across a restart makes one ring.
        def place():
            return api.rings.place({"to": to, "reference": "restart", "ttl_s": 60}, idempotency_key="restart-1")

        first, again = place(), []
        followed = self.follow(api, first)
        self.stop()
        second = threading.Thread(target=lambda: again.append(place()))  # no server answers yet
        second.start()
        self.start(urllib.parse.urlsplit(url).netloc)
        second.join()
        self.assertEqual([ring["id"] for ring in again], [first["id"]])
        phone.report_fact(first["id"], {"kind": "declined", "at": now(), "sent_at": now()})
        self.assertEqual(followed()[-1], "declined")
        self.assertEqual([ring["id"] for ring in api.rings.all(q="restart")], [first["id"]])


if __name__ == "__main__":
    unittest.main()
