"""Client of the Carillon API: rings iPhones for AI voice agents.

One module, with the standard library only, for Python 3.9 and later. Start with the class Carillon.
Code generated from app/api/openapi.yaml by app/api/client/generate.go. DO NOT EDIT.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import random
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any, Dict, Generic, Iterator, List, Literal, Mapping, Optional, Tuple, TypedDict, TypeVar, Union, cast

if TYPE_CHECKING:
    from typing_extensions import NotRequired  # type checkers have it for every version of Python

__version__ = "1.0.0"

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0
_LONGEST_WAITED = 60.0  # a Retry-After above it is the caller's to wait for
_LONGEST_SILENCE = 20.0  # the server sends a comment every 4 s
_LONGEST_EVENT = 1 << 20
_TOLERANCE = 5 * 60
_LOST = (OSError, http.client.HTTPException)


class CarillonError(Exception):
    """Everything that this module raises on purpose, except ValueError for wrong settings."""


class Problem(CarillonError):
    """An error that the server answered (RFC 9457).

    type is the address of the error's section in the documentation, and code its last word, such as
    no_devices. Both say about:blank and nothing if something else than Carillon answered. fields lists
    the wrong fields. Give request_id to the operator when you ask about an error.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.type: str = document["type"]
        self.code: str = "" if self.type == "about:blank" else self.type.replace(":", "/").replace("#", "/").rsplit("/", 1)[-1]
        self.status: int = document["status"]
        self.title: str = document.get("title", "")
        self.detail: str = document["detail"]
        self.fields: List[Dict[str, str]] = document.get("errors", [])
        self.request_id: Optional[str] = document.get("request_id")
        super().__init__("; ".join([self.detail] + [f"{e['field']}: {e['message']}" for e in self.fields]))


class ConnectionFailed(CarillonError):
    """No server answered, or its answer was lost. __cause__ is the reason."""


class WebhookError(CarillonError):
    """A webhook that Carillon did not send, or that is too old."""


def verify(secret: str, headers: Mapping[str, str], body: Union[str, bytes], now: Optional[float] = None) -> None:
    """Check that Carillon sent a webhook, or raise WebhookError.

    One of the signatures of its headers must have been made with secret (whsec_…) over body, the text or
    bytes as they came, at most five minutes ago, as in Standard Webhooks
    (https://www.standardwebhooks.com). Remember the header webhook-id too: the same delivery may come twice.
    """
    found = {name.lower(): value for name, value in headers.items()}
    msg, sent, signatures = (found.get("webhook-" + name, "") for name in ("id", "timestamp", "signature"))
    if not (msg and sent and signatures):
        raise WebhookError(
            "webhook-id, webhook-timestamp or webhook-signature is missing from the headers: this is no webhook of Carillon"
        )
    try:
        away = abs(float(time.time() if now is None else now) - int(sent))
    except (ValueError, OverflowError):  # OverflowError: too many digits for a float
        raise WebhookError(f"webhook-timestamp is {sent!r}, not a number of seconds") from None
    if away > _TOLERANCE:
        raise WebhookError(f"the webhook was signed {away:.0f} s from now; check this machine's clock")
    key = _bytes(secret[6:] if secret.startswith("whsec_") else secret)
    if not key:
        raise WebhookError("the webhook secret is not whsec_ and base64; copy it again from the page of the connection")
    if isinstance(body, str):
        body = body.encode()
    want = hmac.new(key, f"{msg}.{sent}.".encode() + body, hashlib.sha256).digest()
    for signature in signatures.split():
        version, _, text = signature.partition(",")
        if version == "v1" and hmac.compare_digest(_bytes(text), want):
            return
    raise WebhookError(
        "no signature of the webhook was made with this secret over this body; pass the body as it came, before any parsing"
    )


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn a POST into a GET, so none is followed."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


class _Sender:
    """Sends requests, and sends them again where that can do no harm."""

    def __init__(self, url: str, bearer: str, missing: str, retries: int, timeout: float) -> None:
        if not bearer:
            raise ValueError(missing)
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is not the address of a server; give one such as https://ring.example.com")
        self.url = url.rstrip("/")
        self.bearer = bearer
        self.retries = max(0, retries)
        self.timeout = timeout
        self.opener = urllib.request.build_opener(_NoRedirect)

    def read_json(self, method: str, path: str, **request: Any) -> Any:
        with self.send(method, path, **request) as answer:
            return json.loads(_all_of(answer))

    def read_bytes(self, method: str, path: str, **request: Any) -> bytes:
        with self.send(method, path, **request) as answer:
            return _all_of(answer)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, Optional[str]]] = None,
        body: Optional[bytes] = None,
        content_type: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> Any:
        pairs = [(name, _text(value)) for name, value in (query or {}).items() if value is not None]
        url = self.url + path + ("?" + urllib.parse.urlencode(pairs) if pairs else "")
        sent = {"Authorization": "Bearer " + self.bearer, "User-Agent": "carillon-python/" + __version__}
        sent.update({name: value for name, value in (headers or {}).items() if value is not None})
        if content_type is not None:
            sent["Content-Type"] = content_type
        lost = False  # an earlier attempt may have been carried out
        attempt = 0
        while True:
            again: Optional[float]
            try:
                request = urllib.request.Request(url, data=body, headers=sent, method=method)
                return self.opener.open(request, timeout=timeout or self.timeout)
            except urllib.error.HTTPError as error:
                if error.code == 404 and lost and method == "DELETE":
                    return error  # the attempt whose answer was lost has removed it
                failed: CarillonError = _problem(error)
                again = _wait(method, path, sent, error)
                lost = lost or error.code >= 500
            except _LOST as error:
                reason = error.reason if isinstance(error, urllib.error.URLError) else error
                never_sent = isinstance(reason, (ConnectionRefusedError, socket.gaierror))
                failed = ConnectionFailed(
                    f"no server answers at {self.url}; check the address" if never_sent else f"the answer was lost: {reason}"
                )
                failed.__cause__ = error
                trusted = not isinstance(reason, ssl.SSLCertVerificationError)
                again = 0.0 if trusted and (never_sent or _repeatable(method, path, sent)) else None
                lost = lost or not never_sent
            if again is None or attempt >= self.retries:
                raise failed
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
            time.sleep(again or random.uniform(pause / 2, pause))
            attempt += 1

    def events(
        self, path: str, last: Optional[str], query: Optional[Mapping[str, Any]] = None
    ) -> Iterator[Tuple[str, str, str]]:
        """Read server-sent events (HTML Living Standard, 9.2): the id, name and data of each.

        Blocks without data come too if they have an id, which is only to be kept.
        """
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        with self.send("GET", path, query=query, headers=headers, timeout=_LONGEST_SILENCE) as answer:
            name, ident, data, rest = "", "", [], b""
            while True:
                try:
                    part = answer.read1(1 << 16)  # unlike readline, it raises if the stream was cut off
                except socket.timeout as error:
                    raise ConnectionFailed(f"the server was silent for {_LONGEST_SILENCE:.0f} s") from error
                except _LOST as error:
                    raise ConnectionFailed("the stream was lost") from error
                if not part:
                    return
                *lines, rest = (rest + part).split(b"\n")
                if len(rest) > _LONGEST_EVENT:
                    raise CarillonError("the server sent an event of more than 1 MiB")
                for line in lines:
                    field, _, value = line.decode().rstrip("\r").partition(":")
                    value = value[1:] if value.startswith(" ") else value
                    if line.strip() == b"":
                        if data or ident:
                            yield ident, name, "\n".join(data)
                        name, ident, data = "", "", []
                    elif field == "event":
                        name = value
                    elif field == "id":
                        ident = value
                    elif field == "data":
                        data.append(value)


def _all_of(answer: Any) -> bytes:
    try:
        return answer.read()
    except _LOST as error:
        raise ConnectionFailed("the answer was cut off") from error


def _wait(method: str, path: str, headers: Mapping[str, str], answer: urllib.error.HTTPError) -> Optional[float]:
    """After how many seconds a refused request may be sent again; 0 leaves the time to the caller."""
    try:
        wait = max(0.0, float(answer.headers.get("Retry-After", "0")))
    except ValueError:
        wait = 0.0
    if wait > _LONGEST_WAITED:
        return None
    if answer.code == 429:  # nothing was begun
        return wait
    if answer.code in (502, 503, 504):
        return wait if _repeatable(method, path, headers) else None
    if answer.code == 409 and "Idempotency-Key" in headers:  # the first attempt is under way
        return 0.0
    return None


def _repeatable(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether doing a request twice is the same as doing it once."""
    if method == "PATCH":
        return "If-Match" not in headers  # ICE candidates are not
    return method != "POST" or "Idempotency-Key" in headers or path.endswith(("/cancel", "/notes", "/facts"))


def _problem(error: urllib.error.HTTPError) -> Problem:
    try:
        body = error.read(1 << 18)
        if error.headers.get_content_type() == "application/problem+json":
            return Problem(json.loads(body))
    except (*_LOST, ValueError, KeyError, TypeError):
        pass  # What follows says that this is no answer of Carillon.
    detail = f"The server answered {error.code}, but not as Carillon does. Check its address and the proxy in front of it."
    to = error.headers.get("Location")
    if to and error.code < 400:
        detail = f"The server answered {error.code} and names {to}. Use the address of that server."
    return Problem({"type": "about:blank", "status": error.code, "title": error.reason, "detail": detail})


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _quote(value: str) -> str:
    return urllib.parse.quote(value, safe="")


def _form(fields: Mapping[str, Optional[str]], file: bytes, file_name: str) -> Tuple[bytes, str]:
    """A multipart/form-data body and its content type. Fields that are None are left out."""
    boundary = uuid.uuid4().hex
    name = "".join(c for c in file_name if c.isprintable() and c not in '"\\')
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields.items()
        if value is not None
    ]
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + file)
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


# The types of the API.


class AgentBuiltin(TypedDict):
    """Of a built-in agent."""
    announcement_s: NotRequired[float]
    program: Program


class AgentOpenai(TypedDict):
    """Of an agent of OpenAI."""
    has_api_key: bool
    instructions: str
    model: str
    voice: str


class AgentPipecat(TypedDict):
    """Of a pipecat bot."""
    headers: List[str]
    url: str


class AgentStream(TypedDict):
    """Of a stream agent."""
    dialect: Dialect
    direction: Literal["dial", "attach"]
    has_auth_token: bool
    parameters: Dict[str, str]
    url: str


class Agent(TypedDict):
    attach: AttachWhen
    attach_s: NotRequired[int]
    builtin: NotRequired[AgentBuiltin]
    caller: OptString
    created_at: Moment
    default: bool
    id: UUID
    kind: AgentKind
    lost: LostWhat
    name: str
    next: NextAgents
    openai: NotRequired[AgentOpenai]
    pipecat: NotRequired[AgentPipecat]
    stream: NotRequired[AgentStream]
    webrtc: NotRequired[Dict[str, Any]]


class AgentChange(TypedDict):
    attach: NotRequired[AttachWhen]
    attach_s: NotRequired[AttachSeconds]
    builtin: NotRequired[BuiltinRequest]
    caller: NotRequired[str]
    kind: NotRequired[AgentKind]
    lost: NotRequired[LostWhat]
    name: NotRequired[str]
    next: NotRequired[NextAgents]
    openai: NotRequired[OpenAIRequest]
    pipecat: NotRequired[PipecatRequest]
    stream: NotRequired[StreamRequest]
    webrtc: NotRequired[Dict[str, Any]]


AgentKind = Literal["builtin", "stream", "webrtc", "openai", "pipecat"]


class AgentRequest(TypedDict):
    attach: NotRequired[AttachWhen]
    attach_s: NotRequired[AttachSeconds]
    builtin: NotRequired[BuiltinRequest]
    caller: NotRequired[str]
    kind: AgentKind
    lost: NotRequired[LostWhat]
    name: str
    next: NotRequired[NextAgents]
    openai: NotRequired[OpenAIRequest]
    pipecat: NotRequired[PipecatRequest]
    stream: NotRequired[StreamRequest]
    webrtc: NotRequired[Dict[str, Any]]


AttachSeconds = int
AttachWhen = Literal["answered", "shown"]


class Attempt(TypedDict):
    device: UUID
    facts: List[Fact]
    pushes: List[Push]
    state: AttemptState


AttemptState = Literal["placed", "pushed", "ringing", "answered", "ended", "declined", "missed", "cancelled", "failed", "elsewhere"]


class AuditSettings(TypedDict):
    """Of the role audit."""
    facility: NotRequired[int]


class BuiltinRequest(TypedDict):
    program: NotRequired[Program]


class CalendarSettings(TypedDict):
    """Of the role calendar."""
    time_zone: NotRequired[str]


class Call(TypedDict):
    answered_at: OptMoment
    connected_at: OptMoment
    device: UUID
    duration_s: Optional[float]
    ended_at: OptMoment
    ended_by: Optional[Literal["phone_hung_up", "agent_hung_up", "agent_failed", "cancelled", "connect_timeout", "no_media", "silence", "max_duration", "media_failed", "draining", "shut_down", "sdp", "server_restarted", "node_lost"]]
    jitter_ms: float
    loss: float
    quality: NotRequired[CallQuality]
    round_trip_ms: float


class CallKitApps(TypedDict):
    app_version: str
    blocked: int
    cause: str
    cure: OptString
    delegate_devices: int
    devices: int
    not_reporting: int
    registered: int
    verdict: Verdict


class CallKitDevices(TypedDict):
    app_version: str
    cause: str
    cure: OptString
    device: UUID
    last_at: Moment
    not_shown: int
    os_version: str
    silent: int
    verdict: Verdict


class CallKit(TypedDict):
    apps: List[CallKitApps]
    devices: List[CallKitDevices]
    since: Moment


class CallQuality(TypedDict):
    """How the call sounded. Only in the answer of GET /v1/rings/{id}, and only once something was measured: up to 30 s after the call began."""
    barge_in_ms: List[float]
    first_audio_ms: Optional[float]
    mos: Optional[float]
    samples: List[QualitySample]


class ConnectionFigures(TypedDict):
    """Of the last 24 hours. Only of one connection."""
    attempts: int
    failed: int
    oldest_waiting_at: OptMoment
    p50_ms: Optional[float]
    p95_ms: Optional[float]
    waiting: int


class Connection(TypedDict):
    audit: NotRequired[AuditSettings]
    calendar: NotRequired[CalendarSettings]
    created_at: Moment
    disabled_at: OptMoment
    events: List[EventKind]
    failing_since: OptMoment
    figures: NotRequired[ConnectionFigures]
    has_token: bool
    headers: List[str]
    id: UUID
    last_delivered_at: OptMoment
    lookup: NotRequired[LookupSettings]
    name: str
    old_secret_until: OptMoment
    role: ConnectionRole
    secret: NotRequired[str]
    sms: NotRequired[SMSSettings]
    state: Literal["active", "paused", "disabled", "ended"]
    transcript: NotRequired[TranscriptSettings]
    url: str


class ConnectionChange(TypedDict):
    audit: NotRequired[AuditSettings]
    calendar: NotRequired[CalendarSettings]
    events: NotRequired[List[EventKind]]
    headers: NotRequired[Dict[str, str]]
    lookup: NotRequired[LookupSettings]
    name: NotRequired[str]
    sms: NotRequired[SMSSettings]
    state: NotRequired[Literal["active", "paused"]]
    token: NotRequired[str]
    transcript: NotRequired[TranscriptSettings]
    url: NotRequired[str]


class ConnectionRequest(TypedDict):
    audit: NotRequired[AuditSettings]
    calendar: NotRequired[CalendarSettings]
    events: NotRequired[List[EventKind]]
    headers: NotRequired[Dict[str, str]]
    lookup: NotRequired[LookupSettings]
    name: str
    role: NotRequired[ConnectionRole]
    sms: NotRequired[SMSSettings]
    token: NotRequired[str]
    transcript: NotRequired[TranscriptSettings]
    url: NotRequired[str]


ConnectionRole = Literal["webhook", "crm", "mls", "calendar", "sms", "audit", "transcript"]


class Consent(TypedDict):
    by: Optional[str]
    created_at: Moment
    evidence: str
    given_at: Moment
    id: UUID
    kind: Literal["calls"]
    person: Person
    withdrawn_at: OptMoment


class ConsentRequest(TypedDict):
    evidence: str
    given_at: NotRequired[str]
    kind: NotRequired[Literal["calls"]]
    person: Person


class Credential(TypedDict):
    bundle_id: str
    created_at: Moment
    environment: Environment
    fingerprint: str
    hedging: bool
    id: UUID
    key_id: OptString
    kind: Literal["p8", "p12"]
    last_error: Optional[str]
    last_error_at: OptMoment
    last_used_at: OptMoment
    not_after: OptMoment
    payload_profile: PayloadProfile
    state: Literal["active", "disabled", "previous"]
    team_id: OptString
    topics: List[str]


class DeliveryAttemptRequest(TypedDict):
    body: str
    headers: Dict[str, str]


class DeliveryAttempt(TypedDict):
    answer: str
    at: Moment
    delivered: bool
    error: OptString
    event: str
    request: DeliveryAttemptRequest
    status: Optional[int]
    took_ms: float
    type: str


class Device(TypedDict):
    app_version: OptString
    bundle_id: str
    created_at: Moment
    disabled_reason: OptString
    environment: Environment
    id: UUID
    learnt_environment: Optional[str]
    model: OptString
    name: OptString
    os_version: OptString
    person: OptString
    phone_number: OptString
    platform: Platform
    registered_at: OptMoment
    seen_at: OptMoment
    state: DeviceState
    tags: NotRequired[List[str]]
    time_zone: OptString
    token_end: str


class DeviceChange(TypedDict):
    app_version: NotRequired[str]
    environment: NotRequired[Environment]
    model: NotRequired[str]
    name: NotRequired[str]
    os_version: NotRequired[str]
    person: NotRequired[str]
    phone_number: NotRequired[str]
    tags: NotRequired[List[str]]
    time_zone: NotRequired[str]


class DeviceRequest(TypedDict):
    app_version: NotRequired[str]
    bundle_id: str
    environment: NotRequired[Environment]
    model: NotRequired[str]
    name: NotRequired[str]
    os_version: NotRequired[str]
    person: NotRequired[Person]
    phone_id: NotRequired[str]
    phone_number: NotRequired[str]
    platform: NotRequired[Platform]
    time_zone: NotRequired[str]
    token: Token


DeviceState = Literal["active", "disabled"]
Dialect = Literal["twilio", "telnyx", "plivo", "vonage"]
Environment = Literal["auto", "sandbox", "production"]
EventKind = Literal["ring.placed", "ring.accepted", "ring.shown", "ring.answered", "ring.ended", "call.connected", "call.ended", "note.added", "device.registered", "device.removed", "credential.expiring", "alert.opened", "alert.resolved"]


class Fact(TypedDict):
    at: Moment
    clock: NotRequired[Literal["server"]]
    detail: Optional[str]
    kind: FactKind


FactKind = Literal["placed", "sent", "accepted", "refused", "woke", "shown", "failed_to_show", "silenced", "declined", "answered", "connected", "hung_up", "elsewhere", "busy", "cancelled", "expired", "broken", "removed", "agent_attached", "agent_failed", "agent_lost", "transferred", "one_way", "measured", "recording"]


class FunnelGroupsHops(TypedDict):
    count: int
    hop: Literal["placed", "sent", "accepted", "woke", "shown", "answered", "voice"]
    p50_ms: Optional[float]
    p95_ms: Optional[float]
    p99_ms: Optional[float]
    rings: int


class FunnelGroups(TypedDict):
    group: str
    hops: List[FunnelGroupsHops]


Funnel = TypedDict(
    "Funnel",
    {
        "by": "str",
        "from": "Moment",
        "groups": "List[FunnelGroups]",
        "to": "Moment",
    },
)


class Group(TypedDict):
    created_at: Moment
    escalate: Optional[str]
    id: UUID
    members: List[GroupMember]
    name: str
    step_s: int
    way: Literal["simultaneous", "sequential", "round_robin"]


class GroupChange(TypedDict):
    escalate: NotRequired[Optional[str]]
    members: NotRequired[List[GroupMember]]
    name: NotRequired[str]
    step_s: NotRequired[int]
    way: NotRequired[Literal["simultaneous", "sequential", "round_robin"]]


class GroupMember(TypedDict):
    person: Person
    schedule: NotRequired[Optional[str]]


class GroupRequest(TypedDict):
    escalate: NotRequired[Optional[str]]
    members: List[GroupMember]
    name: str
    step_s: NotRequired[int]
    way: NotRequired[Literal["simultaneous", "sequential", "round_robin"]]


class JoinedTwilio(TypedDict):
    account_sid: str
    auth_token: str
    base_url: str
    call_sid: str


class Joined(TypedDict):
    agent_url: str
    expires_at: Moment
    stream_url: str
    token: str
    twilio: JoinedTwilio


class LegQuality(TypedDict):
    """"in" is what Carillon received on the leg, "out" what it sent."""
    jitter_in_ms: float
    jitter_out_ms: float
    loss_in: float
    loss_out: float
    mos: Optional[float]
    queued_ms: float
    round_trip_ms: Optional[float]
    underruns: int


class LookupSettings(TypedDict):
    """Of the roles crm and mls."""
    ask: NotRequired[bool]
    url: NotRequired[str]


LostWhat = Literal["message", "hang_up"]
Moment = str


class NewNotes(TypedDict):
    """At least one line, or a summary."""
    lines: NotRequired[List[NoteLine]]
    summary: NotRequired[Optional[str]]


Next = Optional[str]
NextAgents = List[str]


class NoteLine(TypedDict):
    at: str
    text: str
    who: Literal["agent", "person"]


class Notes(TypedDict):
    changed_at: Optional[str]
    lines: List[NoteLine]
    ring: str
    summary: Optional[str]


class OpenAIRequest(TypedDict):
    api_key: NotRequired[str]
    instructions: NotRequired[str]
    model: NotRequired[str]
    voice: NotRequired[str]


OptMoment = Optional[str]
OptString = Optional[str]


class OutcomesLateHistogram(TypedDict):
    count: int
    up_to_ms: Optional[int]


class OutcomesLate(TypedDict):
    count: int
    histogram: List[OutcomesLateHistogram]
    p50_ms: Optional[float]
    p95_ms: Optional[float]
    p99_ms: Optional[float]


class OutcomesOutcomes(TypedDict):
    count: int
    detail: Optional[str]
    fact: Literal["refused", "failed_to_show", "silenced"]


Outcomes = TypedDict(
    "Outcomes",
    {
        "from": "Moment",
        "late": "OutcomesLate",
        "outcomes": "List[OutcomesOutcomes]",
        "to": "Moment",
    },
)


class Pairing(TypedDict):
    code: str
    expires_at: Moment
    id: UUID
    person: OptString
    qr_svg: str
    url: str


PayloadProfile = Literal["carillon", "callkeep", "flutter_callkit_incoming"]
Person = str


class PhoneRingIceServers(TypedDict):
    credential: NotRequired[str]
    urls: List[str]
    username: NotRequired[str]


class PhoneRing(TypedDict):
    caller: OptString
    expires_at: Moment
    ice_servers: List[PhoneRingIceServers]
    id: UUID
    reference: OptString
    rings: bool
    state: RingState


class PipecatRequest(TypedDict):
    headers: NotRequired[Dict[str, str]]
    url: NotRequired[str]


Platform = Literal["ios", "browser"]


class ProbeVerdicts(TypedDict):
    cause: str
    cure: OptString
    environment: Literal["production", "sandbox"]
    ok: bool
    reason: OptString
    status: Optional[int]


class Probe(TypedDict):
    credential: UUID
    ok: bool
    summary: str
    verdicts: List[ProbeVerdicts]


Program = Literal["bells", "announcement", "menu", "probe"]


class Push(TypedDict):
    answered_at: OptMoment
    apns_id: UUID
    reason: Optional[str]
    sent_at: OptMoment
    status: Optional[int]


class QualitySample(TypedDict):
    agent: Optional[LegQuality]
    at_s: float
    phone: Optional[LegQuality]


class RegisteredDevice(TypedDict):
    app_version: OptString
    bundle_id: str
    created_at: Moment
    credential: str
    disabled_reason: OptString
    environment: Environment
    id: UUID
    learnt_environment: Optional[str]
    model: OptString
    name: OptString
    os_version: OptString
    person: OptString
    phone_number: OptString
    platform: Platform
    registered_at: OptMoment
    seen_at: OptMoment
    state: DeviceState
    tags: NotRequired[List[str]]
    time_zone: OptString
    token_end: str


class Ring(TypedDict):
    agent: Optional[str]
    attempts: List[Attempt]
    call: Optional[Call]
    caller: OptString
    created_at: Moment
    end_detail: Optional[str]
    end_reason: Optional[Literal["hung_up", "declined", "cancelled", "busy", "silenced", "no_answer", "never_shown", "never_woke", "not_pushed", "refused", "failed_to_show", "broken", "unheard", "device_removed", "nobody_rung"]]
    ended_at: OptMoment
    expires_at: Moment
    id: UUID
    reference: OptString
    state: RingState
    steps: NotRequired[List[Step]]
    test: bool
    to: To


class RingEvent(TypedDict):
    at: Moment
    attempt: str
    clock: NotRequired[Literal["server"]]
    detail: OptString
    device: str
    kind: FactKind
    ring: NotRequired[str]
    state: RingState


class RingRequest(TypedDict):
    agent: NotRequired[Optional[str]]
    caller: NotRequired[Optional[str]]
    reference: NotRequired[Optional[str]]
    to: To
    ttl_s: NotRequired[Optional[int]]


RingState = Literal["placed", "pushed", "ringing", "answered", "ended", "declined", "missed", "cancelled", "failed"]
SMSSettings = TypedDict(
    "SMSSettings",
    {
        "account_sid": "NotRequired[str]",
        "from": "NotRequired[str]",
        "help": "NotRequired[str]",
        "messaging_service_sid": "NotRequired[str]",
        "minutes_between": "NotRequired[int]",
        "per_day": "NotRequired[int]",
        "quiet_from": "NotRequired[str]",
        "quiet_to": "NotRequired[str]",
        "template": "NotRequired[str]",
    },
)


class Schedule(TypedDict):
    calendar: Optional[str]
    created_at: Moment
    exceptions: List[ScheduleException]
    id: UUID
    name: str
    time_zone: str
    weekly: Week


class ScheduleChange(TypedDict):
    calendar: NotRequired[Optional[str]]
    exceptions: NotRequired[List[ScheduleException]]
    name: NotRequired[str]
    time_zone: NotRequired[str]
    weekly: NotRequired[Week]


class ScheduleException(TypedDict):
    date: str
    note: NotRequired[str]
    spans: NotRequired[List[TimeSpan]]


class ScheduleRequest(TypedDict):
    calendar: NotRequired[Optional[str]]
    exceptions: NotRequired[List[ScheduleException]]
    name: str
    time_zone: NotRequired[str]
    weekly: NotRequired[Week]


class Step(TypedDict):
    """A person's part in a ring to a group."""
    after_s: int
    begun_at: OptMoment
    for_s: int
    group: UUID
    person: str
    reason: str
    state: Literal["planned", "rung", "left_out", "dropped"]
    wave: int


class StreamRequest(TypedDict):
    auth_token: NotRequired[str]
    dialect: NotRequired[Dialect]
    direction: NotRequired[Literal["dial", "attach"]]
    parameters: NotRequired[Dict[str, str]]
    url: NotRequired[str]


TimeSpan = TypedDict(
    "TimeSpan",
    {
        "from": "str",
        "to": "str",
    },
)


class To(TypedDict):
    """One device, a person with all their devices, or a group."""
    device: NotRequired[str]
    group: NotRequired[str]
    person: NotRequired[Person]


Token = str


class TranscriptSettings(TypedDict):
    """Of the role transcript."""
    ids_only: NotRequired[bool]


class TransferRequestTo(TypedDict):
    agent: NotRequired[str]
    group: NotRequired[str]
    person: NotRequired[Person]


class TransferRequest(TypedDict):
    to: TransferRequestTo


class TwilioCall(TypedDict):
    account_sid: str
    sid: str
    status: Literal["completed"]
    uri: str


class TwilioFault(TypedDict):
    code: int
    message: str
    more_info: str
    status: int


UUID = str
Verdict = Literal["fine", "untested", "blocked", "not_reporting"]


class Week(TypedDict):
    """The hours of each day. A day that is missing has none."""
    friday: NotRequired[List[TimeSpan]]
    monday: NotRequired[List[TimeSpan]]
    saturday: NotRequired[List[TimeSpan]]
    sunday: NotRequired[List[TimeSpan]]
    thursday: NotRequired[List[TimeSpan]]
    tuesday: NotRequired[List[TimeSpan]]
    wednesday: NotRequired[List[TimeSpan]]


ReplayBody = TypedDict(
    "ReplayBody",
    {
        "event": "NotRequired[str]",
        "failed": "NotRequired[bool]",
        "from": "NotRequired[str]",
        "to": "NotRequired[str]",
    },
)


class ReplayAnswer(TypedDict):
    count: int


class RotateSecretAnswer(TypedDict):
    old_secret_until: Moment
    secret: str


class TestConnectionBody(TypedDict):
    event: NotRequired[EventKind]


class ChangeCredentialBody(TypedDict):
    hedging: NotRequired[bool]
    payload_profile: NotRequired[PayloadProfile]


class WhoRingsAnswer(TypedDict):
    at: Moment
    group: UUID
    steps: List[Step]


class AddPairingBody(TypedDict):
    person: NotRequired[Person]


class ReportFactBody(TypedDict):
    at: str
    code: NotRequired[Optional[int]]
    kind: str
    sent_at: NotRequired[str]


class ReportFactAnswer(TypedDict):
    recorded: bool


class RenewTokenBody(TypedDict):
    app_version: NotRequired[str]
    environment: NotRequired[Environment]
    os_version: NotRequired[str]
    token: Token


class AddNotesAnswer(TypedDict):
    added: int
    lines: int
    ring: str


class RingFact(RingEvent):
    """A fact of a ring, as rings.follow and events.follow give it. id is for after of the same method."""

    id: str


_T = TypeVar("_T")

if TYPE_CHECKING:

    class Page(TypedDict, Generic[_T]):
        """One page of a list, newest entries first. next is None on the last page."""

        data: List[_T]
        next: Optional[str]


class _Resource:
    def __init__(self, sender: _Sender) -> None:
        self._sender = sender


class Agents(_Resource):
    """Voice agents that speak for you."""

    def add(self, agent: AgentRequest) -> Agent:
        """Create an agent.

        Needs `agents:write`.
        """
        return self._sender.read_json("POST", "/v1/agents", body=json.dumps(agent).encode(), content_type="application/json")

    def list(self, *, q: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Agent]:
        """Agents, newest first.

        Needs `agents:read` or `agents:write`.
        """
        return self._sender.read_json("GET", "/v1/agents", query={"q": q, "limit": limit, "after": after})

    def all(self, *, q: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Agent]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(q=q, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Agent:
        """An agent.

        Needs `agents:read` or `agents:write`.
        """
        return self._sender.read_json("GET", f"/v1/agents/{_quote(id)}")

    def change(self, id: str, body: AgentChange) -> Agent:
        """Change an agent.

        Needs `agents:write`. Fields that you leave out do not change.
        """
        return self._sender.read_json("PATCH", f"/v1/agents/{_quote(id)}", body=json.dumps(body).encode(), content_type="application/json")

    def remove(self, id: str) -> None:
        """Remove an agent.

        Needs `agents:write`. A ring placed with it before keeps its ID, and the built-in agent speaks in its
        place; calls under way go on with the agent. It is taken out of `next` of other agents. A new ring that names it is
        refused with 404. If it was the default, the built-in agent is again.
        """
        self._sender.send("DELETE", f"/v1/agents/{_quote(id)}").close()

    def set_announcement(self, id: str, file: bytes, *, file_name: str = "file") -> Agent:
        """Upload what an agent announces.

        Needs `agents:write`. The agent must be built in; its program becomes `announcement`. The file is an Ogg file with one
        Opus stream in mono or stereo, at most 2 MiB and 2 minutes. A file that is cut off, damaged, or states a length that the
        sound in it does not have is refused with the reason. Phones get the packets as they are; for phones without Opus the
        sound is decoded once.
        """
        body, content_type = _form({}, file, file_name)
        return self._sender.read_json("POST", f"/v1/agents/{_quote(id)}/announcement", body=body, content_type=content_type)


class Analytics(_Resource):
    """How many rings reach each step, and how fast."""

    def callkit(self) -> CallKit:
        """Which phones and app versions no longer wake.

        Needs `analytics:read`. Looks at the attempts of the last seven days, or of the latest 2,000 rings. It finds
        phones that do not respond although Apple accepted the push, and phones that wake but do not report the call
        to CallKit (iOS soon stops waking these). The worst come first.
        """
        return self._sender.read_json("GET", "/v1/analytics/callkit")

    def funnel(self, *, from_: Optional[str] = None, to: Optional[str] = None, by: Optional[Literal["", "hour", "day", "environment", "app_version", "os_version", "agent", "key"]] = None) -> Funnel:
        """How many rings reach each step, and how fast.

        Needs `analytics:read`. For each hop you get the number of rings and of attempts that reached it, and the time
        that attempts took from the hop before, in milliseconds. A ring to a person with three phones is one ring and
        three attempts. It reaches a hop when its first phone does, and counts in the group of that phone. The
        overview of the console shows rings. Facts are counted by the hour, one or two seconds after they happen.
        `from` and `to` are rounded to whole hours; the answer contains the rounded times. The groups of `by=hour` and
        `by=day` are hours and days of UTC. The console shows days of your organisation's time zone: to get the same
        day here, send its midnight as `from` and the next one as `to`, with their offset from UTC. The groups of `by=agent`
        and `by=key` are ids; the empty group is the built-in agent, or rings that the console placed. `by=key` gives the
        50 keys that placed most rings, the console, and the group `other` for all further keys. Rings from before the
        upgrade that brought `by=key` are in none of its groups. Percentiles are calculated from buckets and can be up to
        9 % too high.
        """
        return self._sender.read_json("GET", "/v1/analytics/funnel", query={"from": from_, "to": to, "by": by})

    def outcomes(self, *, from_: Optional[str] = None, to: Optional[str] = None) -> Outcomes:
        """Why phones showed no call, and how late pushes arrived.

        Needs `analytics:read`. Counts the pushes that Apple refused, by reason, and the calls that CallKit did not
        show, by code. Do Not Disturb and the block list are results, not failures. `late` counts pushes that woke the
        app after their ring had expired. Counted by the hour like the funnel.
        """
        return self._sender.read_json("GET", "/v1/analytics/outcomes", query={"from": from_, "to": to})


class Connections(_Resource):
    """Your own systems, to which events are sent."""

    def add(self, connection: ConnectionRequest) -> Connection:
        """Create a connection.

        Needs `connections:write`. A connection is a system of your own to which events are sent. The answer has the signing
        secret, which is not shown again. An organisation has at most 20 connections.

        Requests are signed as Standard Webhooks describes: `webhook-id`, `webhook-timestamp` and `webhook-signature`. Answer 200
        to 299 within 10 seconds. Anything else is tried again for 3 days with growing pauses and the same `webhook-id`; a
        `Retry-After` is kept. 410 ends the connection. Events of one ring arrive in order. After a day without a delivery
        owners and admins get a mail, after 5 days the connection is disabled.
        """
        return self._sender.read_json("POST", "/v1/connections", body=json.dumps(connection).encode(), content_type="application/json")

    def list(self, *, q: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Connection]:
        """Connections, newest first.

        Needs `connections:read`.
        """
        return self._sender.read_json("GET", "/v1/connections", query={"q": q, "limit": limit, "after": after})

    def all(self, *, q: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Connection]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(q=q, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Connection:
        """A connection, with figures of the last 24 hours.

        Needs `connections:read`. The figures are of at most the newest 5,000 attempts.
        """
        return self._sender.read_json("GET", f"/v1/connections/{_quote(id)}")

    def change(self, id: str, body: ConnectionChange) -> Connection:
        """Change a connection.

        Needs `connections:write`. Fields that you leave out do not change. `headers` replaces all of them; a header with an empty
        value keeps the value it has. When the scheme, host or port of an address changes, give stored header values and the token
        again, or remove them: they are never sent to a host that they were not given for. Settings of a role replace the ones before.

        What happens while a connection is paused or ended is not sent later. What happens while it is disabled is kept for seven
        days, the newest 10,000 events; 30 days after it was disabled nothing more is kept. Making a connection active sends nothing
        that failed or was kept: see replay. A connection of the role audit is different: once it is active again it is sent each
        entry since it stopped.
        """
        return self._sender.read_json("PATCH", f"/v1/connections/{_quote(id)}", body=json.dumps(body).encode(), content_type="application/json")

    def remove(self, id: str) -> None:
        """Remove a connection.

        Needs `connections:write`. What waits for it is removed too.
        """
        self._sender.send("DELETE", f"/v1/connections/{_quote(id)}").close()

    def list_attempts(self, id: str, *, event: Optional[str] = None, failed: Optional[bool] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[DeliveryAttempt]:
        """Requests to a connection, newest first.

        Needs `connections:read`. Each with what was sent, the status, the time it took and the first KiB of the answer. The values
        of your own headers are hidden. They are kept for 7 days, of at most the newest 10,000 events that have ended.
        """
        return self._sender.read_json("GET", f"/v1/connections/{_quote(id)}/attempts", query={"event": event, "failed": failed, "limit": limit, "after": after})

    def all_attempts(self, id: str, *, event: Optional[str] = None, failed: Optional[bool] = None, limit: Optional[int] = None) -> Iterator[DeliveryAttempt]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list_attempts(id, event=event, failed=failed, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def replay(self, id: str, body: ReplayBody) -> ReplayAnswer:
        """Send events again.

        Needs `connections:write`. Sends one event again, or all that happened from a moment on; with `failed` only those that were
        not delivered, which recovers what an outage cost. An event that waits for its next attempt is tried at once. Each goes
        out with the `webhook-id` it had. One request sends at most 10,000 events, the oldest first.
        """
        return self._sender.read_json("POST", f"/v1/connections/{_quote(id)}/replay", body=json.dumps(body).encode(), content_type="application/json")

    def rotate_secret(self, id: str) -> RotateSecretAnswer:
        """Make a new signing secret.

        Needs `connections:write`. The new secret is not shown again. For 24 hours requests have two signatures, by the new and by
        the old secret, so that receivers can be changed meanwhile.
        """
        return self._sender.read_json("POST", f"/v1/connections/{_quote(id)}/secret")

    def test(self, id: str, body: TestConnectionBody) -> DeliveryAttempt:
        """Send an event now and show the answer.

        Needs `connections:write`. Sends an event of your newest ring, or a made-up one if there is none of this kind, and waits up
        to 10 seconds for the answer. It is not tried again. The role audit sends its newest entry: leave `event` out. The role sms
        sends no text: it asks the provider whether it knows the account.
        """
        return self._sender.read_json("POST", f"/v1/connections/{_quote(id)}/test", body=json.dumps(body).encode(), content_type="application/json")


class Consents(_Resource):
    """The requests of /v1/consents."""

    def add(self, consent: ConsentRequest) -> Consent:
        """Record a consent.

        Needs `groups:write`. Where your rules ask for a recorded consent, only persons who have one are rung. A consent is never
        changed or removed, only withdrawn.
        """
        return self._sender.read_json("POST", "/v1/consents", body=json.dumps(consent).encode(), content_type="application/json")

    def list(self, *, q: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Consent]:
        """Consents, newest first.

        Needs `groups:read`.
        """
        return self._sender.read_json("GET", "/v1/consents", query={"q": q, "limit": limit, "after": after})

    def all(self, *, q: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Consent]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(q=q, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Consent:
        """A consent.

        Needs `groups:read`.
        """
        return self._sender.read_json("GET", f"/v1/consents/{_quote(id)}")

    def withdraw(self, id: str) -> None:
        """Withdraw a consent.

        Needs `groups:write`. It stays on record as withdrawn.
        """
        self._sender.send("DELETE", f"/v1/consents/{_quote(id)}").close()


class Credentials(_Resource):
    """Apple keys and certificates for pushes to your app."""

    def add(self, file: bytes, *, file_name: str = "file", bundle_id: Optional[str] = None, environment: Optional[Environment] = None, key_id: Optional[str] = None, password: Optional[str] = None, payload_profile: Optional[PayloadProfile] = None, team_id: Optional[str] = None) -> Credential:
        """Upload an Apple credential.

        Needs `credentials:write`. A `.p8` key needs `team_id` and `key_id`. If you leave `key_id` out, it is read
        from the file name `AuthKey_<id>.p8`. The topics and the expiry date of a `.p12` certificate are read from the
        certificate. The secret is stored encrypted and never returned. The new credential replaces the one for the
        same app and environment. The old one is kept as `previous`; see rollback. You can upload twenty files in a
        row, then one every twenty seconds. At the same time, a key can have two uploads under way and an organisation
        three (429 `too_many_uploads`), of which one certificate with a password is opened (429 or 503 `opening_files`).
        """
        body, content_type = _form({"bundle_id": bundle_id, "environment": environment, "key_id": key_id, "password": password, "payload_profile": payload_profile, "team_id": team_id}, file, file_name)
        return self._sender.read_json("POST", "/v1/credentials", body=body, content_type=content_type)

    def list(self, *, q: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Credential]:
        """Credentials, newest first.

        Needs `credentials:read` or `credentials:write`.
        """
        return self._sender.read_json("GET", "/v1/credentials", query={"q": q, "limit": limit, "after": after})

    def all(self, *, q: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Credential]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(q=q, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Credential:
        """A credential.

        Needs `credentials:read` or `credentials:write`.
        """
        return self._sender.read_json("GET", f"/v1/credentials/{_quote(id)}")

    def change(self, id: str, body: ChangeCredentialBody) -> Credential:
        """Change a credential.

        Needs `credentials:write`. Fields that you leave out do not change. A credential that replaces this one gets the same settings.
        """
        return self._sender.read_json("PATCH", f"/v1/credentials/{_quote(id)}", body=json.dumps(body).encode(), content_type="application/json")

    def remove(self, id: str) -> None:
        """Remove a credential.

        Needs `credentials:write`. Devices of its app do not ring until there is another credential.
        """
        self._sender.send("DELETE", f"/v1/credentials/{_quote(id)}").close()

    def probe(self, id: str) -> Probe:
        """Test a credential with Apple.

        Needs `credentials:write`. Sends a test push, in both Apple environments, to a token that no phone has. It
        uses its own connections, so no phone rings and no other ring is delayed. `BadDeviceToken` is the good answer:
        Apple checks the token last. If both environments call the credential invalid, it is disabled. You can run
        three tests at once, then one every ten seconds.
        """
        return self._sender.read_json("POST", f"/v1/credentials/{_quote(id)}/probe")

    def roll_back(self, id: str) -> Credential:
        """Roll back to the previous credential.

        Needs `credentials:write`. Send the ID of the current credential or of the previous one. The two change
        places, so the same request again undoes it.
        """
        return self._sender.read_json("POST", f"/v1/credentials/{_quote(id)}/rollback")


class Devices(_Resource):
    """Phones that can be rung."""

    def add(self, device: DeviceRequest) -> RegisteredDevice:
        """Register a device.

        Needs `devices:write`. The app uses `credential` for its requests to `/v1/phone`. It is shown only once. If a
        device with this bundle ID, environment and token exists, it is updated and gets a new credential. The old
        credential works until the new one is first used.
        """
        return self._sender.read_json("POST", "/v1/devices", body=json.dumps(device).encode(), content_type="application/json")

    def list(self, *, person: Optional[str] = None, bundle_id: Optional[str] = None, state: Optional[DeviceState] = None, tag: Optional[str] = None, q: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Device]:
        """Devices, newest first.

        Needs `devices:read`.
        """
        return self._sender.read_json("GET", "/v1/devices", query={"person": person, "bundle_id": bundle_id, "state": state, "tag": tag, "q": q, "limit": limit, "after": after})

    def all(self, *, person: Optional[str] = None, bundle_id: Optional[str] = None, state: Optional[DeviceState] = None, tag: Optional[str] = None, q: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Device]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(person=person, bundle_id=bundle_id, state=state, tag=tag, q=q, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Device:
        """A device.

        Needs `devices:read`.
        """
        return self._sender.read_json("GET", f"/v1/devices/{_quote(id)}")

    def change(self, id: str, body: DeviceChange) -> Device:
        """Change a device.

        Needs `devices:write`. Fields that you leave out do not change. To change the token, register the device again; the app can also send it.
        """
        return self._sender.read_json("PATCH", f"/v1/devices/{_quote(id)}", body=json.dumps(body).encode(), content_type="application/json")

    def remove(self, id: str) -> None:
        """Remove a device.

        Needs `devices:write`. It no longer rings, and its credential stops working.
        """
        self._sender.send("DELETE", f"/v1/devices/{_quote(id)}").close()


class Events(_Resource):
    """The requests of /v1/events."""

    def follow(self, *, person: Optional[str] = None, device: Optional[str] = None, agent: Optional[str] = None, after: Optional[str] = None) -> Iterator[RingFact]:
        """The facts of all rings, each once.

        From now on, or behind the id after, of the rings that are asked for. It connects again when the server ends the
        stream, restarts or is silent, and it does not end by itself. Where too many streams are open when it connects
        again, it waits: the server may still count the stream that was lost.
        """
        last, begun, failed = after, False, 0
        query = {"person": person, "device": device, "agent": agent}
        while True:
            before, cut, full = last, None, False
            try:
                for ident, _, data in self._sender.events("/v1/events", last, query):
                    last, begun = ident or last, True
                    if data:
                        yield cast(RingFact, {**json.loads(data), "id": ident})
                begun = True
            except ConnectionFailed as error:
                cut = error
            except Problem as error:
                # The server may still count the stream that was lost.
                full = begun and error.status in (429, 503)
                if not full:
                    raise
            if cut is None or last != before:
                failed = 0
            if cut is not None and failed > self._sender.retries:
                raise cut
            time.sleep(_LONGEST_PAUSE if full else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failed, 8)))
            failed += 1


class Groups(_Resource):
    """Persons who are rung together, by schedules, and the consents of persons."""

    def add(self, group: GroupRequest) -> Group:
        """Create a group.

        Needs `groups:write`. A group is 1 to 50 persons who are rung together: all at once, one after the other, or in turn, where
        the person whose turn was longest ago is first. `escalate` names a group that is rung when nobody of this one answered;
        at most three can follow. All steps together last at most 300 seconds.
        """
        return self._sender.read_json("POST", "/v1/groups", body=json.dumps(group).encode(), content_type="application/json")

    def list(self, *, q: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Group]:
        """Groups, newest first.

        Needs `groups:read`.
        """
        return self._sender.read_json("GET", "/v1/groups", query={"q": q, "limit": limit, "after": after})

    def all(self, *, q: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Group]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(q=q, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Group:
        """A group.

        Needs `groups:read`.
        """
        return self._sender.read_json("GET", f"/v1/groups/{_quote(id)}")

    def change(self, id: str, body: GroupChange) -> Group:
        """Change a group.

        Needs `groups:write`. Fields that you leave out do not change; lists are replaced.
        """
        return self._sender.read_json("PATCH", f"/v1/groups/{_quote(id)}", body=json.dumps(body).encode(), content_type="application/json")

    def remove(self, id: str) -> None:
        """Remove a group.

        Needs `groups:write`. Groups that escalated to it escalate to none. Rings to it that are under way go on as planned.
        """
        self._sender.send("DELETE", f"/v1/groups/{_quote(id)}").close()

    def who_rings(self, id: str, *, at: Optional[str] = None) -> WhoRingsAnswer:
        """Who would ring now, and why.

        Needs `groups:read`. It rings nobody. Quiet hours do not count for a key that has `rings:emergency`.
        """
        return self._sender.read_json("GET", f"/v1/groups/{_quote(id)}/now", query={"at": at})


class Pairings(_Resource):
    """The requests of /v1/pairings."""

    def add(self, body: AddPairingBody) -> Pairing:
        """Create a pairing code.

        Needs `devices:write`. One phone can exchange the code for its device credential, once and within ten minutes.
        Show the code as text or as a QR code. In `url` the code is behind `#`, so browsers do not send it to a
        server.
        """
        return self._sender.read_json("POST", "/v1/pairings", body=json.dumps(body).encode(), content_type="application/json")


class Phone:
    """What an app on a phone does, with its device credential. To pair, give the code as the credential."""

    def __init__(self, url: str, credential: str, *, retries: int = 5, timeout: float = 30.0) -> None:
        missing = "the device credential is missing; register the device, or pair it"
        self._sender = _Sender(url, credential, missing, retries, timeout)

    def pair(self, device: DeviceRequest) -> RegisteredDevice:
        """Exchange a pairing code for a device credential.

        Send the pairing code as the bearer token, in upper or lower case, with or without its dash. It works once. If
        the code was made for a person, the phone is registered for that person and you can leave `person` out. A
        different `person` is refused with 400, and the code can still be used. If the code was made for nobody, the
        app chooses `person`.
        """
        return self._sender.read_json("POST", "/v1/phone/devices", body=json.dumps(device).encode(), content_type="application/json")

    def ring(self, id: str) -> PhoneRing:
        """Read the ring.

        For an app that a push has woken. It tells whether the ring still rings and who calls. A ring of another device is answered 404.
        """
        return self._sender.read_json("GET", f"/v1/phone/rings/{_quote(id)}")

    def answer(self, id: str, text: str) -> str:
        """Answer the call.

        Send the phone's SDP offer, as in WHIP (RFC 9725). The first device that answers gets the call. The same
        device can answer again; its new leg replaces the old one. Line ends and blanks of the offer do not matter. Of
        its candidates, the first eight addresses that the server may send to are used, the rest are ignored.
        Answers are limited: six at once for one ring and twelve for one device.
        """
        return self._sender.read_bytes("POST", f"/v1/phone/rings/{_quote(id)}/answer", body=text.encode(), content_type="application/sdp").decode()

    def follow(self, id: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
        """Wait for the end of ringing.

        Sends server-sent events. One of `cancelled`, `answered_elsewhere` and `ended` is sent as soon as this device
        is no longer part of the ring. Then the stream ends. `data` is `{"state","reason","at"}`. Web pages read it
        with fetch, which can send the header. If the stream ends without an event, the connection was lost or was
        30 to 38 minutes old: read the ring again. If that is answered 401, the device was removed: stop ringing. A device may
        have 16 streams open at once. More are answered 429 with `Retry-After`.
        """
        for _, kind, data in self._sender.events(f"/v1/phone/rings/{_quote(id)}/events", None):
            if data:
                yield kind, json.loads(data)

    def report_fact(self, id: str, body: ReportFactBody) -> ReportFactAnswer:
        """Report what happened.

        Send facts as they happen and again after a failure: a late or repeated fact is answered 200 as well and changes nothing. Both
        times are the phone's own; its clock may be wrong, because only their difference counts. `code` is CallKit's error code, with
        `failed_to_show` and `silenced` only; a number newer than this server is kept as `code_` and the number.
        """
        return self._sender.read_json("POST", f"/v1/phone/rings/{_quote(id)}/facts", body=json.dumps(body).encode(), content_type="application/json")

    def trickle(self, id: str, text: str, *, if_match: Optional[str] = None) -> str:
        """Add ICE candidates, or restart ICE.

        To add candidates, send the leg's ETag as If-Match; the answer is 204. To restart ICE, send new ICE credentials with If-Match `*`; the answer is 200.
        """
        return self._sender.read_bytes("PATCH", f"/v1/phone/rings/{_quote(id)}/leg", headers={"If-Match": if_match}, body=text.encode(), content_type="application/trickle-ice-sdpfrag").decode()

    def hang_up(self, id: str) -> None:
        """Hang up.

        It is safe to hang up a call that is already over.
        """
        self._sender.send("DELETE", f"/v1/phone/rings/{_quote(id)}/leg").close()

    def renew_token(self, body: RenewTokenBody) -> Device:
        """Send the current push token.

        Send it each time the app starts, because iOS can change the VoIP token at any time. If Apple had reported the
        old token as invalid, the device is enabled again. Versions that you leave out do not change.
        """
        return self._sender.read_json("PUT", "/v1/phone/token", body=json.dumps(body).encode(), content_type="application/json")


class Rings(_Resource):
    """Reach someone."""

    def place(self, ring: RingRequest, *, idempotency_key: Optional[str] = None, traceparent: Optional[str] = None) -> Ring:
        """Ring someone.

        Needs `rings:write`. The answer is sent as soon as the ring is stored, before Apple answers. To see what
        happens next, read the ring's events.

        With an `Idempotency-Key` you can repeat the same request and nobody is rung twice. For 24 hours the repeated
        request gets 200 and the first ring. Only successful requests are remembered, refused ones are not.
        """
        return self._sender.read_json("POST", "/v1/rings", headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4()), "traceparent": traceparent}, body=json.dumps(ring).encode(), content_type="application/json")

    def list(self, *, state: Optional[RingState] = None, device: Optional[str] = None, person: Optional[str] = None, agent: Optional[str] = None, q: Optional[str] = None, from_: Optional[str] = None, to: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Ring]:
        """Rings, newest first.

        Needs `rings:read`. A page may have fewer rings than `limit`, or none, and still have a `next`: with `agent`, and with
        `q` or `person` where very many rings fit, a page looks through a part of the rings. Only `next: null` says that there
        are no more. With a `state` of rings that have not ended, such as `ringing`, one page is enough unless it is full.
        """
        return self._sender.read_json("GET", "/v1/rings", query={"state": state, "device": device, "person": person, "agent": agent, "q": q, "from": from_, "to": to, "limit": limit, "after": after})

    def all(self, *, state: Optional[RingState] = None, device: Optional[str] = None, person: Optional[str] = None, agent: Optional[str] = None, q: Optional[str] = None, from_: Optional[str] = None, to: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Ring]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(state=state, device=device, person=person, agent=agent, q=q, from_=from_, to=to, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Ring:
        """A ring.

        Needs `rings:read`. An answered ring also says how its call sounded.
        """
        return self._sender.read_json("GET", f"/v1/rings/{_quote(id)}")

    def cancel(self, id: str) -> Ring:
        """Cancel a ring.

        Needs `rings:write`. Phones stop ringing. If the ring was answered, the call is hung up. A ring that has already ended does not change.
        """
        return self._sender.read_json("POST", f"/v1/rings/{_quote(id)}/cancel")

    def follow(self, id: str, *, after: Optional[str] = None) -> Iterator[RingFact]:
        """The facts of a ring, each once.

        From the first one, or the one behind after, until the ring has ended. It connects again when the server ends the
        stream, restarts or is silent.
        """
        last, over, empty = after, False, 0
        while True:
            before, cut = last, None
            try:
                for ident, _, data in self._sender.events(f"/v1/rings/{_quote(id)}/events", last):
                    last = ident or last
                    if not data:
                        continue
                    fact = cast(RingFact, {**json.loads(data), "id": ident})
                    over = fact["state"] in ("ended", "declined", "missed", "cancelled", "failed")
                    yield fact
                if over:
                    return
            except ConnectionFailed as error:
                cut = error
            if last != before:
                empty = 0
            if cut is not None and empty > self._sender.retries:
                raise cut
            if empty > 0:
                time.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(empty, 8)))
            empty += 1
            # The stream may have ended before its last facts. If the ring has ended now, one more
            # stream has them all.
            over = self.get(id)["ended_at"] is not None

    def join(self, id: str) -> Joined:
        """Let your agent join the call.

        Needs `rings:write`. Makes a token for an agent that connects to this server: one of the kind `webrtc`, or a `stream`
        with the direction `attach`. The token is for this ring, for one connection, and for 60 seconds. Ask for it when the ring
        is placed: the agent may connect before the phone answers, and then waits for a minute.

        `twilio` is for programs that end calls with Twilio's REST interface: give it to them as their account and base URL.
        After a restart of the server, ask for a new token.
        """
        return self._sender.read_json("POST", f"/v1/rings/{_quote(id)}/join")

    def add_notes(self, id: str, new_notes: NewNotes) -> AddNotesAnswer:
        """Write down what was said.

        Needs `notes:write`. Adds lines and a summary to the notes of a call, during the call or after it. You can send the same
        lines again: a line with the same `who`, `at` and `text` is stored once. A new summary replaces the one before.

        This body may have 256 KiB. A call may have 2,000 lines of at most 4 KiB each, a summary of at most 16 KiB, and 256 KiB
        of text in all. Notes are sealed at rest and are kept as long as your plan says. Control characters, and marks that change
        the direction of text, are removed.
        """
        return self._sender.read_json("POST", f"/v1/rings/{_quote(id)}/notes", body=json.dumps(new_notes).encode(), content_type="application/json")

    def notes(self, id: str) -> Notes:
        """Read what was said.

        Needs `notes:read`. The lines by time. A call without notes has an empty list. In healthcare, behavioral health and legal
        each reading is in the audit log.
        """
        return self._sender.read_json("GET", f"/v1/rings/{_quote(id)}/notes")

    def recording(self, id: str) -> bytes:
        """Hear a call.

        Needs `notes:read`. The recording of a call, where your organisation keeps one: see the ring's fact `recording`. A call in
        Opus is an Ogg file with two streams, the person's and the agent's. A call in G.711 is a WAV file with two channels, the
        person's on the left. Nothing is encoded again, and silence is kept. The file says how the person agreed (`CONSENT`). Each
        download is in the audit log. During a call the file has what was stored so far.
        """
        return self._sender.read_bytes("GET", f"/v1/rings/{_quote(id)}/recording")

    def transfer(self, id: str, transfer: TransferRequest) -> Ring:
        """Give a call to another agent or a person.

        Needs `rings:write`. The call continues, and the person hears a tone until somebody takes it.

        To an agent: it takes the call, or if it is not there, one of those that it names next. If none of them is there, its
        `lost` says what happens.

        To a person: their phones ring. That is a new ring with the same caller and reference, under the same limits as
        `POST /v1/rings`. The person who answers is connected with the call. If nobody answers, the call goes back to the agent
        of its ring. When one of the two persons hangs up, both calls end. From then on neither call is recorded: each
        person agreed to a recording of their own call at most.

        The facts of the ring say what happened.
        """
        return self._sender.read_json("POST", f"/v1/rings/{_quote(id)}/transfer", body=json.dumps(transfer).encode(), content_type="application/json")


class Schedules(_Resource):
    """The requests of /v1/schedules."""

    def add(self, schedule: ScheduleRequest) -> Schedule:
        """Create a schedule.

        Needs `groups:write`. A schedule says when members of groups are on duty: by weekly hours with exceptions, by the clock on the
        wall of its time zone, or by a connection of the role `calendar`, which then decides alone. A calendar that could not be
        read for 24 hours leaves nobody out.
        """
        return self._sender.read_json("POST", "/v1/schedules", body=json.dumps(schedule).encode(), content_type="application/json")

    def list(self, *, q: Optional[str] = None, limit: Optional[int] = None, after: Optional[str] = None) -> Page[Schedule]:
        """Schedules, newest first.

        Needs `groups:read`.
        """
        return self._sender.read_json("GET", "/v1/schedules", query={"q": q, "limit": limit, "after": after})

    def all(self, *, q: Optional[str] = None, limit: Optional[int] = None) -> Iterator[Schedule]:
        """The entries of every page."""
        after: Optional[str] = None
        while True:
            page = self.list(q=q, limit=limit, after=after)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return

    def get(self, id: str) -> Schedule:
        """A schedule.

        Needs `groups:read`.
        """
        return self._sender.read_json("GET", f"/v1/schedules/{_quote(id)}")

    def change(self, id: str, body: ScheduleChange) -> Schedule:
        """Change a schedule.

        Needs `groups:write`. Fields that you leave out do not change; lists are replaced.
        """
        return self._sender.read_json("PATCH", f"/v1/schedules/{_quote(id)}", body=json.dumps(body).encode(), content_type="application/json")

    def remove(self, id: str) -> None:
        """Remove a schedule.

        Needs `groups:write`. A schedule that a group uses is refused with 409.
        """
        self._sender.send("DELETE", f"/v1/schedules/{_quote(id)}").close()


class Carillon:
    """A client of one server with one API key.

    It sends nothing until a method is called. A request is sent up to retries times more where that can
    do no harm; an answer must begin within timeout seconds.
    """

    def __init__(self, url: str, key: str, *, retries: int = 5, timeout: float = 30.0) -> None:
        sender = _Sender(url, key, "the API key is missing; create one under API keys in the console", retries, timeout)
        self.agents = Agents(sender)
        self.analytics = Analytics(sender)
        self.connections = Connections(sender)
        self.consents = Consents(sender)
        self.credentials = Credentials(sender)
        self.devices = Devices(sender)
        self.events = Events(sender)
        self.groups = Groups(sender)
        self.pairings = Pairings(sender)
        self.rings = Rings(sender)
        self.schedules = Schedules(sender)
