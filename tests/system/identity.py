"""The identity matrix: every way to be somebody that one is not, refused with a line in the log.

Forged certificates are made with the collector's own CA key, so that each is
wrong in one thing only; the control shows that the forge makes good ones too.
What of such lists is not here cannot be tried: TLS 1.3 has no renegotiation,
without tickets there is no early data, and no list of revoked certificates can
be stale where the register itself is asked.
"""
import os
import socket
import ssl
import subprocess
import time

import wire
from fleets import Fleet
from stage import PATIENCE, check, clock_file, main, set_clock, until

SCHEMA = wire.Schema([("identity_value", {})])
DAY = 86400
GUESSES = int(os.environ.get("FENWATCH_GUESSES", "100"))  # at a token
GUESSERS = 100
GOOD_USE = "clientAuth"


def openssl(*argv, stdin=None):
    done = subprocess.run(["openssl", *argv], input=stdin, capture_output=True, text=True)
    check(done.returncode == 0, f"openssl {argv[0]}: {done.stderr}")
    return done.stdout


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * DAY))


class Forge:
    """Signs what it is told to, as the collector's CA or as another of the same name."""

    def __init__(self, lab, collector):
        self.dir = os.path.join(lab.dir, "forge")
        os.mkdir(self.dir)
        self.ca = {"own": (os.path.join(collector.data, "ca.pem"), os.path.join(collector.data, "ca.key"))}
        subject = openssl("x509", "-in", self.ca["own"][0], "-noout", "-subject", "-nameopt", "multiline")
        self.cn = subject.split("commonName")[1].split("=")[1].strip().splitlines()[0]
        self.ca["other"] = (self.path("other.pem"), self.path("other.key"))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN={self.cn}", "-keyout", self.ca["other"][1], "-out", self.ca["other"][0])
        self.number = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def config(self, ca):
        """A fresh database each time: openssl ca gives a name once."""
        self.number += 1
        base = self.path(f"ca{self.number}")
        open(base + ".txt", "w").close()
        with open(base + ".cnf", "w") as f:
            f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={base}.txt\nnew_certs_dir={self.dir}\nrand_serial=yes\n"
                    f"certificate={self.ca[ca][0]}\nprivate_key={self.ca[ca][1]}\npolicy=p\n"
                    "default_md=sha256\nunique_subject=no\n[p]\ncommonName=supplied\n")
        return base

    def identity(self, like, key="P-256", ca="own", use=GOOD_USE, san=None, days=(-1, 6), md="sha256",
                 extensions=""):
        """A certificate for the agent `like`, but for what is said otherwise."""
        base = self.config(ca)
        forged = wire.Identity(like.name, like.machine)
        forged.boot, forged.stream = like.boot, like.stream
        kind = ["rsa:" + key[4:]] if key.startswith("RSA-") else \
            [key] if key == "ed25519" else ["ec", "-pkeyopt", f"ec_paramgen_curve:{key}"]
        openssl("req", "-new", "-newkey", *kind, "-nodes", "-keyout", forged.key, "-out", base + ".csr",
                "-subj", f"/CN={like.name}")
        san = f"URI:fenwatch:agent:{like.uuid}" if san is None else san
        with open(base + ".ext", "w") as f:
            f.write("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                    + (f"extendedKeyUsage={use}\n" if use else "") + (f"subjectAltName={san}\n" if san else "")
                    + extensions)
        openssl("ca", "-batch", "-config", base + ".cnf", "-in", base + ".csr", "-out", forged.cert, "-notext",
                "-startdate", stamp(days[0]), "-enddate", stamp(days[1]), "-extfile", base + ".ext", "-md", md)
        return forged

    def signed_by(self, like):
        """A certificate that an agent made with its own, and sends both."""
        self.ca["agent"] = (like.cert, like.key)
        forged = self.identity(like, ca="agent")
        with open(forged.cert, "a") as f, open(like.cert) as own:
            f.write(own.read())
        return forged

    def self_signed(self, like):
        forged = wire.Identity(like.name, like.machine)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                "-subj", f"/CN={like.name}", "-keyout", forged.key, "-out", forged.cert,
                "-addext", f"subjectAltName=URI:fenwatch:agent:{like.uuid}", "-addext", "extendedKeyUsage=clientAuth")
        return forged


def welcomed(collector, identity, **how):
    try:
        peer = wire.Peer(collector, identity, **how)
        peer.close()
        return peer.welcome is not None
    except (OSError, ssl.SSLError):
        return False


def raw(collector, data):
    """Bytes without TLS; whatever comes back."""
    with socket.create_connection(("127.0.0.1", collector.port), 5) as s:
        s.sendall(data)
        s.settimeout(12)
        try:
            return s.recv(4096)
        except OSError:
            return b""


def s_client(collector, identity, *more):
    """What openssl's own client says of a handshake with these options."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{collector.port}", "-alpn", "fenwatch/1",
                           "-cert", identity.cert, "-key", identity.key, *more], input="", capture_output=True,
                          text=True, timeout=20)
    return done.stdout + done.stderr


def case(collector, failures, name, expect, attempt):
    """`attempt` answers whether it got in; one new line of the log must hold `expect`."""
    before = len(collector.log())
    try:
        if attempt():
            failures.append(f"{name}: got in")
            return
    except (OSError, ssl.SSLError):
        pass
    try:
        until(8, f"the log says '{expect}'", lambda: expect in collector.log()[before:])
    except AssertionError:
        failures.append(f"{name}: the log does not say '{expect}' but: {collector.log()[before:][-300:]!r}")


def all_refused(failures, count):
    print(f"# {count} cases, {count - len(failures)} refused with their own line", flush=True)
    check(not failures, f"{len(failures)} of {count}:\n" + "\n".join(failures))


def test_control_a_certificate_of_the_forge_is_good(lab):
    c = lab.collector().start()
    good = wire.enrolled(c, "good")
    forge = Forge(lab, c)
    check(welcomed(c, good), "as enrolled")
    check(welcomed(c, forge.identity(good)), "made by the forge, wrong in nothing")


# name, what is wrong with the certificate, what the log says
CERTIFICATES = [
    ("wrong CA of the same name", {"ca": "other"}, "issuer certificate"),
    ("expired beyond all grace", {"days": (-200, -100)}, "expired"),
    ("not valid yet", {"days": (1, 6)}, "not yet valid"),
    ("a collector's certificate", {"use": "serverAuth", "san": "URI:fenwatch:collector:{uuid}"},
     "unsuitable certificate purpose"),
    ("a collector's name for a client", {"san": "URI:fenwatch:collector:{uuid}"}, "has no URI"),
    ("both purposes", {"use": "clientAuth,serverAuth"}, "extended key usage"),
    ("no purpose", {"use": ""}, "extended key usage"),
    ("a purpose for mail", {"use": "emailProtection"}, "purpose"),
    ("no alternative name", {"san": ""}, "has no URI"),
    ("a DNS name", {"san": "DNS:good"}, "has no URI"),
    ("two names", {"san": "URI:fenwatch:agent:{uuid},DNS:good"}, "has no URI"),
    ("a name that is no UUID", {"san": "URI:fenwatch:agent:root"}, "has no URI"),
    ("a name with more behind it", {"san": "URI:fenwatch:agent:{uuid}0"}, "has no URI"),
    ("RSA of 1,024 bits", {"key": "RSA-1024"}, "too weak"),
    ("signed with SHA-1", {"md": "sha1"}, "too weak"),
    ("an agent nobody enrolled", {"san": "URI:fenwatch:agent:00000000-0000-4000-8000-000000000000"}, "not known here"),
]


def test_each_certificate_that_is_wrong_in_one_thing(lab):
    c = lab.collector().start()
    good = wire.enrolled(c, "good")
    forge, failures = Forge(lab, c), []
    for name, wrong, expect in CERTIFICATES:
        wrong = dict(wrong)
        if "san" in wrong:
            wrong["san"] = wrong["san"].format(uuid=good.uuid)
        forged = forge.identity(good, **wrong)
        case(c, failures, name, expect, lambda: welcomed(c, forged))
    case(c, failures, "self-signed", "self", lambda: welcomed(c, forge.self_signed(good)))
    case(c, failures, "signed by an agent", "invalid CA certificate", lambda: welcomed(c, forge.signed_by(good)))
    late = forge.identity(good, days=(-30, -10))
    case(c, failures, "expired, and says hello", "it may only renew", lambda: welcomed(c, late))
    check(welcomed(c, good), "and the good one still gets in")
    all_refused(failures, len(CERTIFICATES) + 3)


def test_each_certificate_of_an_authority_that_is_retired(lab):
    c = lab.collector().start()
    old, failures = wire.enrolled(c, "old"), []
    check(c.cli("ca", "rollover").returncode == 0, "a new authority")
    check(welcomed(c, old), "control: until then it is good")
    check(c.cli("ca", "retire", "--force").returncode == 0, "the old one ends")
    case(c, failures, "of the old authority", "issuer certificate", lambda: welcomed(c, old))
    case(c, failures, "of the old authority, and wants to renew", "issuer certificate",
         lambda: wire.Identity("old", old.machine).enrol(c, None, old) == "")
    check(welcomed(c, wire.enrolled(c, "new")), "control: one of the new authority is good")
    all_refused(failures, 2)


def test_each_handshake_that_is_not_ours(lab):
    c = lab.collector().start()
    good = wire.enrolled(c, "good")
    forge, failures = Forge(lab, c), []
    hello = wire.frame(wire.HELLO, wire.u(1, 1))
    weak = {curve: forge.identity(good, key=curve) for curve in ("prime192v1", "secp384r1", "ed25519")}
    cases = [
        ("no certificate", "no certificate came", lambda: welcomed(c, good, certificate=False)),
        ("TLS 1.2", "TLS 1.3", lambda: welcomed(c, good, version=ssl.TLSVersion.TLSv1_2)),
        ("TLS 1.1", "TLS 1.3", lambda: welcomed(c, good, version=ssl.TLSVersion.TLSv1_1)),
        ("TLS 1.0", "TLS 1.3", lambda: welcomed(c, good, version=ssl.TLSVersion.TLSv1)),
        ("no protocol named", "ALPN", lambda: welcomed(c, good, alpn=None)),
        ("another protocol", "TLS handshake failed", lambda: welcomed(c, good, alpn="h2")),
        ("a frame without TLS", "does not speak TLS", lambda: wire.WELCOME in raw(c, hello)[4:5]),
        ("HTTP without TLS", "speaks HTTP", lambda: raw(c, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP")),
        ("a key on P-192", "refused", lambda: welcomed(c, weak["prime192v1"])),
        ("a key on P-384", "refused", lambda: welcomed(c, weak["secp384r1"])),
        ("a key of Ed25519", "refused", lambda: welcomed(c, weak["ed25519"])),
        ("a cipher with a short tag", "no shared cipher",
         lambda: "Cipher is TLS_AES" in s_client(c, good, "-ciphersuites", "TLS_AES_128_CCM_8_SHA256")),
        ("a group that is not offered", "no suitable key share",
         lambda: "Server Temp Key" in s_client(c, good, "-groups", "P-521")),
    ]
    for name, expect, attempt in cases:
        case(c, failures, name, expect, attempt)
    said = s_client(c, good, "-sess_out", forge.path("session"))
    check("Compression: NONE" in said, f"nothing is compressed: {said}")
    check(not os.path.exists(forge.path("session")) and "Post-Handshake New Session Ticket" not in said,
          "no ticket is given, so none outlives a revocation and there is no early data")
    check(welcomed(c, good), "and the good one still gets in")
    all_refused(failures, len(cases))


def replayed(collector, identity, times):
    """One frame again and again on new connections and on one; how often it is stored."""
    now = int(time.time() * 1000)
    data = wire.batch(1, 1, now, 50, [[7]])
    for _ in range(times // 100):
        peer = wire.Peer(collector, identity)
        peer.send(wire.SCHEMA, SCHEMA.message(1))
        for _ in range(100):
            peer.send(wire.BATCH, data)
        check(peer.wait_acked(1), "acknowledged as known")
        peer.close()
    values = collector.query(f'identity_value{{instance="{identity.name}"}}[1m]', now / 1000 + 1)[0]["values"]
    return len(values)


def test_each_agent_that_may_not_speak(lab):
    c = lab.collector().start()
    good, failures = wire.enrolled(c, "good"), []
    revoked, forgotten = wire.enrolled(c, "revoked"), wire.enrolled(c, "forgotten")
    live = wire.Peer(c, revoked)
    check(live.welcome, "it is connected")
    check(c.cli("agent", "revoke", "revoked").returncode == 0, "revoking")
    closed, why = live.closed(5 * PATIENCE)
    check(closed, f"a live session ends within 5 s of its revocation: {why}")
    c.cli("agent", "revoke", "forgotten")
    renamed = wire.Identity("elsewhere", good.machine)
    renamed.key, renamed.cert = good.key, good.cert
    clone = wire.Identity("good")
    clone.key, clone.cert = good.key, good.cert
    cases = [
        ("revoked", "is revoked", lambda: welcomed(c, revoked)),
        ("revoked, and wants to renew", "refused",
         lambda: wire.Identity("revoked", revoked.machine).enrol(c, None, revoked) == ""),
        ("revoked, comes to enrol and streams", "refused", lambda: streams(c, revoked, "fenwatch-enrol/1")),
        ("revoked too", "is revoked", lambda: welcomed(c, forgotten)),
        ("another's name", "it calls itself", lambda: welcomed(c, renamed)),
        ("a copy on another machine", "another machine has the same certificate", lambda: welcomed(c, clone)),
        ("a batch before hello", "wrong moment", lambda: streams(c, good, "fenwatch/1")),
        ("a batch where one enrols", "wrong moment", lambda: streams(c, good, "fenwatch-enrol/1")),
        ("a second hello", "wrong moment", lambda: second_hello(c, good)),
    ]
    for name, expect, attempt in cases:
        case(c, failures, name, expect, attempt)
    check(replayed(c, good, 1000) == 1, "a frame sent 1,000 times is stored once")
    all_refused(failures, len(cases) + 2)


def streams(collector, identity, alpn):
    """Sends a batch without a hello; whether it is acknowledged."""
    peer = wire.Peer(collector, identity, hello=False, alpn=alpn)
    peer.send(wire.SCHEMA, SCHEMA.message(1))
    peer.send(wire.BATCH, wire.batch(1, 1, int(time.time() * 1000), 50, [[1]]))
    return peer.wait_acked(1, 3)


def second_hello(collector, identity):
    peer = wire.Peer(collector, identity)
    check(peer.welcome, "the first is welcome")
    peer.hello()
    return peer.welcome is not None


def broken_request(identity):
    """A request whose signature does not fit."""
    lines = identity.request().strip().splitlines()
    body = list(lines[-3])
    body[10] = "A" if body[10] != "A" else "B"
    lines[-3] = "".join(body)
    return "\n".join(lines) + "\n"


def enrols(collector, name, token, csr=None, **how):
    """Whether a request to enrol is granted."""
    identity = wire.Identity(name, how.get("machine"))
    if csr:
        identity.request = lambda: csr
    return identity.enrol(collector, token) == ""


def test_each_token_that_opens_nothing(lab):
    shift = clock_file(lab)
    c = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}).start()
    wire.enrolled(c, "taken")
    used = c.join_token()
    wire.enrolled(c, "first", used)
    elsewhere = c.join_token("--networks", "192.0.2.0/24")
    other = c.join_token("--serials", "ABC123")
    late, fresh = c.join_token(), c.join_token("--uses", "50", "--ttl", "1d")
    viewer = c.cli("token", "new", "--role", "viewer").stdout.strip().splitlines()[-1]
    guess = fresh.rsplit("-", 1)[0] + "-" + "0" * len(fresh.rsplit("-", 1)[1])
    small = openssl("req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", os.devnull, "-subj", "/CN=small")
    odd = openssl("req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", os.devnull, "-subj", "/CN=odd")
    cases = [
        ("used up", "used up", lambda: enrols(c, "second", used)),
        ("guessed", "not known here", lambda: enrols(c, "guess", guess)),
        ("of the API", "for the API", lambda: enrols(c, "viewer", viewer)),
        ("of another network", "bound to networks", lambda: enrols(c, "elsewhere", elsewhere)),
        ("of another machine", "bound to", lambda: enrols(c, "other", other)),
        ("too long", "no token", lambda: enrols(c, "long", "x" * 300)),
        ("none at all", "neither a token nor a certificate", lambda: enrols(c, "none", None)),
        ("a name that is taken", "belongs to another machine", lambda: enrols(c, "taken", fresh)),
        ("a name with a blank", "no blanks", lambda: enrols(c, "a b", fresh)),
        ("a request that is none", "cannot be read", lambda: enrols(c, "nonsense", fresh, "hello")),
        ("a request with a broken signature", "refused",
         lambda: enrols(c, "broken", fresh, broken_request(wire.Identity("broken")))),
        ("a request for RSA of 1,024 bits", "refused", lambda: enrols(c, "small", fresh, small)),
        ("a request for a key of another kind", "refused", lambda: enrols(c, "odd", fresh, odd)),
        ("a machine id that is too short", "nothing of its machine", lambda: enrols(c, "m", fresh, machine=b"short")),
    ]
    failures = []
    for name, expect, attempt in cases:
        case(c, failures, name, expect, attempt)
    check(enrols(c, "right", fresh), "control: the right token enrols")
    set_clock(shift, 16 * 60_000)
    case(c, failures, "expired", "expired", lambda: enrols(c, "late", late))
    all_refused(failures, len(cases) + 1)


def test_nobody_guesses_a_token(lab):
    c = lab.collector().start()
    guessers = Fleet(lab, c, GUESSERS, name="guess", conduct="guess")
    since = time.monotonic()
    guessers.begin()
    until(60 + GUESSES / 100, f"{GUESSES} guesses", lambda: guessers.stat()["guesses"] >= GUESSES)
    stat = guessers.stat()
    print(f"# {stat['guesses']} guesses in {time.monotonic() - since:.0f} s, {stat['hits']} hits", flush=True)
    check(stat["hits"] == 0, f"nobody guesses a token: {stat}")
    guessers.leave()
    token = c.join_token("--uses", "2")  # a million guesses outlast one made before
    asking = wire.Identity("guess")
    asking.request = lambda: "no request"
    why = asking.enrol(c, token)
    check("cannot be read" in why, f"control: with the right token the request is looked at: {why}")
    check(enrols(c, "right", token), "control: the right token still enrols")


def test_what_agents_have_opens_nothing_on_the_api(lab):
    c = lab.collector().start()
    good = wire.enrolled(c, "good")
    join = c.join_token("--uses", "2")
    for name, token in (("a join token", join), ("an agent's name", "good"), ("its id", good.uuid), ("nothing", "x")):
        for path in ("/api/v1/query?query=up", "/api/fenwatch/v1/tokens", "/api/fenwatch/v1/agents"):
            status, _ = c.request(path, token=token)
            check(status == 401, f"{name} opens {path}: {status}")


main()
