"""fenwatch-check: what it reads of real servers is what the usual tools read, whoever hangs delays nobody, and a
stranger's answer or a plugin that runs wild does no harm."""
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stage import Process, check, free_port, main, skip, until

PLUGINS = "/usr/lib/nagios/plugins/"
SECRET = "canary-of-the-bearer"


def need(tool, package):
    path = shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin")
    return path or skip(f"{tool} is not installed (Debian: {package})")


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, **more)


class Checker(Process):
    """fenwatch-check; `checks` are {name: "the rest of a mapping"}."""

    def __init__(self, lab, checks, agent=None, more=""):
        self.config = os.path.join(lab.dir, "check.yml")
        with open(self.config, "w") as f:
            f.write(f"socket: {agent.probe if agent else '/nowhere'}\n{more}checks:\n")
            for name, rest in checks.items():
                f.write(f"  - {{name: {name}, {rest}}}\n")
        super().__init__(lab, "checker", [lab.program("check"), "--config", self.config])
        lab.processes.append(self)

    def test(self, name):
        """(whether it went well, {series: value}, the sentence)"""
        done = run(self.lab.program("check"), "--config", self.config, "test", name)
        check("Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr)
        lines = done.stdout.splitlines()
        check(lines and done.returncode in (0, 1), f"{name}: {done}")
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return done.returncode == 0, {key: float(value) for key, value in values.items()}, lines[-1]


class Authority:
    """A CA and what it signs, by openssl."""

    def __init__(self, lab, name):
        self.base = os.path.join(lab.dir, name)
        self.cert = self.base + ".pem"
        self.openssl("req", "-x509", "-days", "30", "-subj", "/CN=" + name, *self.key(self.base), "-out", self.cert)

    def openssl(self, *argv):
        done = run("openssl", *argv)
        check(done.returncode == 0, f"openssl {argv[0]}: {done.stderr}")
        return done.stdout

    @staticmethod
    def key(base):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key"]

    def sign(self, name, days):
        base = self.base + "-" + name
        with open(base + ".ext", "w") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.openssl("req", "-new", "-subj", "/CN=localhost", *self.key(base), "-out", base + ".csr")
        self.openssl("x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.base + ".key",
                     "-CAcreateserial", "-days", str(days), "-extfile", base + ".ext", "-out", base + ".pem")
        return base


class Web:
    """nginx with a good certificate, an expired one, and one of an authority that nobody believes."""

    def __init__(self, lab):
        ours, theirs = Authority(lab, "ours"), Authority(lab, "theirs")
        self.ca = ours.cert
        self.bases = {"good": ours.sign("good", 10), "expired": ours.sign("expired", -1),
                      "foreign": theirs.sign("foreign", 20)}
        self.ports = {name: free_port() for name in ["plain", "old", *self.bases]}
        conf, root = os.path.join(lab.dir, "nginx.conf"), os.path.join(lab.dir, "root")
        os.makedirs(root)
        with open(root + "/index.html", "w") as f:
            f.write("<h1>Welcome to the intranet</h1>\n")
        with open(root + "/large", "w") as f:
            f.write("x" * 3_000_000 + "needle")
        places = (f"root {root}; location /moved {{ return 302 /index.html; }}\n"
                  "location /round { return 302 /round; }\nlocation /broken { return 503; }\n"
                  f"location /secret {{ if ($http_authorization != 'Bearer {SECRET}') {{ return 401; }} "
                  "try_files /index.html =404; }\n")
        with open(conf, "w") as f:
            f.write(f"user root; daemon off; master_process off; pid {lab.dir}/nginx.pid; error_log {lab.dir}/nginx.err; events {{}}\n"
                    f"http {{ access_log off;\nserver {{ listen 127.0.0.1:{self.ports['plain']}; {places} }}\n")
            for name, base in self.bases.items():
                f.write(self.server(self.ports[name], base, "TLSv1.2 TLSv1.3", places))
            f.write(self.server(self.ports["old"], self.bases["good"], "TLSv1.2", places) + "}\n")
        nginx = need("nginx", "nginx-core")
        lab.processes.append(Process(lab, "nginx", [nginx, "-c", conf, "-p", lab.dir]).start())
        until(10, "nginx listens", lambda: socket.create_connection(("127.0.0.1", self.ports["old"])).close() is None)

    @staticmethod
    def server(port, base, versions, places):
        return (f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {base}.pem; ssl_certificate_key {base}.key; "
                f"ssl_protocols {versions}; {places} }}\n")

    def url(self, name, path="/"):
        return f"http{'' if name == 'plain' else 's'}://127.0.0.1:{self.ports[name]}{path}"

    def end_of(self, name):
        """As openssl reads it off the wire, in seconds since 1970."""
        shown = run("openssl", "s_client", "-connect", f"127.0.0.1:{self.ports[name]}", input="").stdout
        end = run("openssl", "x509", "-noout", "-enddate", input=shown).stdout.strip().split("=")[1]
        return float(run("date", "-d", end, "+%s").stdout), shown


class Names:
    """A name server of a few names, by UDP. `lie` makes it answer what nobody should believe."""

    RECORDS = {("www", 1): [b"\x0a\x00\x00\x07"], ("example", 15): [b"\x00\x0a\x04mail\xc0\x0c"],
               ("example", 6): [b"\x01n\xc0\x0c\x01h\xc0\x0c" + struct.pack(">5I", 2026112901, 1, 2, 3, 4)]}

    def __init__(self, lab, lie=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.lie, self.asked = self.socket.getsockname()[1], lie, 0
        lab.closers.append(self.socket.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            answer = self.lie(question, self.asked) if self.lie else self.answer(question)
            for datagram in answer if isinstance(answer, list) else [answer]:
                self.socket.sendto(datagram, peer)

    @classmethod
    def answer(cls, question):
        end = question.index(b"\0", 12) + 5
        kind = struct.unpack(">H", question[end - 4:end - 2])[0]
        label = question[13:13 + question[12]].decode()
        records = cls.RECORDS.get((label, kind), [])
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(r)) + r for r in records)
        code = 0 if any(name == label for name, _ in cls.RECORDS) else 3
        return question[:2] + struct.pack(">5H", 0x8580 | code, 1, len(records), 0, 0) + question[12:end] + body


class Peer:
    """A TCP server that does to each connection what it is told to."""

    def __init__(self, lab, talk):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.talk, self.kept = self.server.getsockname()[1], talk, []
        lab.closers.append(self.server.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.kept.append(connection)
            threading.Thread(target=self.say, args=(connection,), daemon=True).start()

    def say(self, connection):
        try:
            self.talk(connection)
        except OSError:
            pass


def silent(_):
    pass


def test_tls_is_what_openssl_sees(lab):
    web = Web(lab)
    checks = {name: f"type: tls, target: '127.0.0.1:{web.ports[name]}', ca: {web.ca}" for name in web.bases}
    checks["old"] = f"type: tls, target: '127.0.0.1:{web.ports['old']}', ca: {web.ca}"
    checks["another"] = checks["good"] + ", server_name: elsewhere.example"
    checks["lenient"] = checks["expired"] + ", verify: off"
    checker = Checker(lab, checks)
    for name, well, why in (("good", True, "is ok"), ("expired", False, "expired"), ("old", True, "is ok"),
                            ("foreign", False, "unable to get local issuer"), ("lenient", True, "is ok"),
                            ("another", False, "ostname mismatch")):
        went, values, said = checker.test(name)
        end, shown = web.end_of({"another": "good", "lenient": "expired"}.get(name, name))
        check(went == well and why in said, f"{name}: {said}")
        check(values["probe_success"] == well, f"{name}: {values}")
        check(values["probe_ssl_earliest_cert_expiry"] == end, f"{name}: {values} {end}")
        check(values["fenwatch_check_tls_verified"] == (name in ("good", "old")), f"{name}: {values}")
        version = re.search(r"(?:Protocol *: |New, )TLSv([\d.]+)", shown).group(1)
        check(values[f'probe_tls_version_info{{version="TLS {version}"}}'] == 1, f"{name}: {version} {values}")
        check((version == "1.2") == (name == "old"), f"{name}: {version}")


def test_http_is_what_curl_sees(lab):
    web = Web(lab)
    token = os.path.join(lab.dir, "token")
    with open(token, "w") as f:
        f.write(SECRET + "\n")
    more = f"ca: {web.ca}"
    checks = {
        "plain": f"target: '{web.url('plain')}', matches: '(?i)welcome'", "tls": f"target: '{web.url('good')}', {more}",
        "moved": f"target: '{web.url('plain', '/moved')}'",
        "unmoved": f"target: '{web.url('plain', '/moved')}', redirects: 0",
        "wanted": f"target: '{web.url('plain', '/moved')}', redirects: 0, status: [302]",
        "round": f"target: '{web.url('plain', '/round')}', redirects: 3",
        "broken": f"target: '{web.url('plain', '/broken')}'", "lacks": f"target: '{web.url('plain')}', lacks: intranet",
        "other": f"target: '{web.url('plain')}', matches: Farewell", "large": f"target: '{web.url('plain', '/large')}'",
        "expired": f"target: '{web.url('expired')}', {more}",
        "lenient": f"target: '{web.url('expired')}', {more}, verify: off",
        "open": f"target: '{web.url('plain', '/secret')}'",
        "secret": f"target: '{web.url('plain', '/secret')}', token_file: {token}"}
    checker = Checker(lab, {name: "type: http, " + rest for name, rest in checks.items()})
    expected = {"plain": (True, 200), "tls": (True, 200), "moved": (True, 200), "unmoved": (False, 302),
                "wanted": (True, 302), "broken": (False, 503), "lacks": (False, 200), "other": (False, 200),
                "large": (True, 200), "expired": (False, 0), "lenient": (True, 200), "open": (False, 401),
                "secret": (True, 200)}
    for name, (well, status) in expected.items():
        went, values, said = checker.test(name)
        check(went == well and values["probe_http_status_code"] == status, f"{name}: {said} {values}")
        check(SECRET not in str(values) + said, f"{name} tells the secret")
    went, _, said = checker.test("round")
    check(not went and "redirects" in said, said)

    _, values, _ = checker.test("tls")
    told = run("curl", "-s", "-o", "/dev/null", "--cacert", web.ca, "-w", "%{http_code} %{size_download} %{http_version}",
               web.url("good")).stdout.split()
    seen = [values[f"probe_http_{key}"] for key in ("status_code", "content_length", "version")]
    check(seen == [float(t) for t in told] and values["probe_http_ssl"] == 1, f"{seen} {told}")
    check(values["probe_ssl_earliest_cert_expiry"] == web.end_of("good")[0], str(values))
    phases = sum(v for k, v in values.items() if k.startswith("probe_http_duration_seconds"))
    check(0 < phases <= values["probe_duration_seconds"], f"the phases add up: {values}")
    check(values['probe_http_duration_seconds{phase="tls"}'] > 0, str(values))
    check(checker.test("expired")[1]["probe_ssl_earliest_cert_expiry"] == web.end_of("expired")[0], "the end is told")
    check(checker.test("moved")[1]["probe_http_redirects"] == 1, "a redirect is counted")
    check(checker.test("lacks")[1]["probe_failed_due_to_regex"] == 1, "a regular expression decided it")
    check(checker.test("large")[1]["probe_http_uncompressed_body_length"] == 1 << 20, "so much is read, and no more")


def pointing(seen, where):
    """A server that notes the paths that come with the header, and redirects as it is told."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("X-Badge")))
            place = where(self.path)
            self.send_response(302 if place else 200)
            if place:
                self.send_header("Location", place)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def test_headers_do_not_follow_to_another_host(lab):
    at_home, elsewhere = [], []
    home = stranger = ""
    servers = [pointing(at_home, lambda path: {"/near": "/end", "/far": stranger + "/there"}.get(path)),
               pointing(elsewhere, lambda path: home + "/back" if path == "/there" else None)]
    (_, home), (_, stranger) = servers
    checker = Checker(lab, {name: f"type: http, target: '{home}/{name}', headers: ['X-Badge: 7']" for name in ("near", "far")})
    check(checker.test("near")[0] and at_home == [("/near", "7"), ("/end", "7")], f"at home they go on: {at_home}")
    at_home.clear()
    check(checker.test("far")[0] and at_home == [("/far", "7"), ("/back", None)], f"and once away not again: {at_home}")
    check(elsewhere == [("/there", None)], f"the other host: {elsewhere}")
    for server, _ in servers:
        server.shutdown()
        server.server_close()


def test_dns_is_what_dig_sees(lab):
    server = Names(lab)
    target = f"type: dns, target: '127.0.0.1:{server.port}'"
    checks = {"www": f"query: www.example, matches: '^10[.]0[.]0[.]7$'", "mx": "query: example, record: MX",
              "soa": "query: example, record: SOA", "none": "query: nowhere.example",
              "wanted": "query: nowhere.example, rcode: NXDOMAIN", "other": "query: www.example, matches: '^10[.]0[.]0[.]8'",
              "lacks": "query: www.example, lacks: '^10[.]'"}
    checker = Checker(lab, {name: f"{target}, {rest}" for name, rest in checks.items()})
    for name, well, rcode in (("www", True, 0), ("mx", True, 0), ("soa", True, 0), ("none", False, 3),
                              ("wanted", True, 3), ("other", False, 0), ("lacks", False, 0)):
        went, values, said = checker.test(name)
        check(went == well and values["fenwatch_dns_rcode"] == rcode, f"{name}: {said} {values}")
        check(values["probe_dns_query_succeeded"] == 1, f"{name}: {values}")
    dig = run(need("dig", "bind9-dnsutils"), "@127.0.0.1", "-p", str(server.port), "example", "SOA").stdout
    answers = float(re.search(r"ANSWER: (\d+)", dig).group(1))
    serial = float(re.search(r"SOA\s+\S+ \S+ (\d+)", dig).group(1))
    _, values, _ = checker.test("soa")
    check(values["probe_dns_answer_rrs"] == answers and values["probe_dns_serial"] == serial, f"{dig} {values}")


class Mailboxes:
    """SMTP, IMAP and POP3 that offer STARTTLS, as their own documents have them speak."""

    def __init__(self, lab, base, deaf=False, eager=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(base + ".pem", base + ".key")
        talks = {
            "smtp": (b"220-at your service\r\n220 mail.example ESMTP\r\n", {
                b"EHLO": b"250-mail.example\r\n250-STARTTLS\r\n250 OK\r\n", b"STARTTLS": b"220 go on\r\n"}),
            "imap": (b"* OK IMAP4rev1 ready\r\n", {b". CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n",
                                                  b". STARTTLS": b". OK go on\r\n"}),
            "pop3": (b"+OK ready <mail.example>\r\n", {b"STLS": b"+OK go on\r\n"}),
        }

        def peer(greeting, answers):
            def talk(connection):
                connection.sendall(greeting)
                lines, wrapped = connection.makefile("rb"), False
                while line := lines.readline().strip():
                    self.heard.append((line, wrapped))
                    known = [a for word, a in answers.items() if line.startswith(word) and not deaf]
                    begins = b"TLS" in line[-8:] or line == b"STLS"
                    connection.sendall((known or [b"500 what\r\n"])[0] + (b"250 more\r\n" if eager and begins else b""))
                    if begins and known and not wrapped:
                        connection, wrapped = context.wrap_socket(connection, server_side=True), True
                        lines = connection.makefile("rb")
            return Peer(lab, talk).port
        self.heard = []
        self.ports = {name: peer(*talk) for name, talk in talks.items()}


SCRIPTS = {
    "smtp": "[{expect: '^220 ([^ ]+) ESMTP', send: \"EHLO ${1}\\r\"}, {expect: '^250-STARTTLS', send: \"STARTTLS\\r\"}, "
            "{expect: '^220', starttls: on}, {send: \"EHLO again\\r\"}, {expect: '^250 ', send: \"QUIT\\r\"}]",
    "imap": "[{expect: 'OK.*IMAP4', send: '. CAPABILITY'}, {expect: 'CAPABILITY.*STARTTLS'}, {expect: 'OK', send: '. STARTTLS'}, "
            "{expect: 'OK', starttls: on}, {send: '. CAPABILITY'}, {expect: '^[.] OK', send: '. LOGOUT'}]",
    "pop3": "[{expect: '^[+]OK', send: STLS}, {expect: '^[+]OK', starttls: on}]"}


def test_mail_is_spoken_with_and_tls_begins_in_the_middle(lab):
    ours, theirs = Authority(lab, "ours"), Authority(lab, "theirs")
    good = Mailboxes(lab, ours.sign("good", 10))
    foreign, deaf = Mailboxes(lab, theirs.sign("bad", 10)), Mailboxes(lab, ours.sign("deaf", 10), deaf=True)
    eager = Mailboxes(lab, ours.sign("eager", 10), eager=True)

    def checks(name, boxes):
        return {f"{name}-{kind}": f"type: tcp, target: '127.0.0.1:{port}', ca: {ours.cert}, timeout: 3s, "
                f"query_response: {SCRIPTS[kind]}" for kind, port in boxes.ports.items()}
    checker = Checker(lab, checks("good", good) | checks("foreign", foreign) | checks("deaf", deaf) | checks("eager", eager))
    for kind in SCRIPTS:
        went, values, said = checker.test("good-" + kind)
        check(went and values["probe_failed_due_to_regex"] == 0, f"{kind}: {said}")
        check(values["fenwatch_check_tls_verified"] == 1 and values["probe_ssl_earliest_cert_expiry"] > time.time(), f"{values}")
        went, values, said = checker.test("foreign-" + kind)
        check(not went and "local issuer" in said and values["fenwatch_check_tls_verified"] == 0, f"{kind}: {said}")
        went, values, said = checker.test("deaf-" + kind)
        check(not went and values["probe_success"] == 0 and "probe_ssl_earliest_cert_expiry" not in values, f"{kind}: {said}")
        went, _, said = checker.test("eager-" + kind)
        check(not went and "more before TLS" in said, f"{kind}: {said}")
    check((b"EHLO mail.example", False) in good.heard and (b"EHLO again", True) in good.heard, f"{good.heard}")


def test_what_a_server_must_say_and_does_not(lab):
    flood = Peer(lab, lambda c: [c.sendall(b"y" * 60 + b"\n") for _ in range(3000)])
    wide, ends, talks = (Peer(lab, lambda c, t=t: (c.sendall(t), c.close())) for t in (b"z" * 9000, b"no", b"220 well\0\n"))
    script = "timeout: 2s, query_response: [{expect: '^220 well'}]"
    targets = {"flood": flood, "wide": wide, "ends": ends, "talks": talks, "silent": Peer(lab, silent)}
    checker = Checker(lab, {n: f"type: tcp, target: '127.0.0.1:{p.port}', {script}" for n, p in targets.items()})
    for name, why in (("flood", "in 64 KiB"), ("wide", "more than 4096"), ("ends", "hung up"), ("silent", "no answer within 2s")):
        went, values, said = checker.test(name)
        check(not went and why in said, f"{name}: {said}")
        check(values["probe_failed_due_to_regex"] == (name != "silent"), f"{name}: {values}")
    check(checker.test("talks")[0], "and one that says it")


def test_of_two_addresses_the_one_that_is_preferred(lab):
    def hashed(packed):
        value = 2166136261
        for byte in packed:
            value = (value ^ byte) * 16777619 & 0xffffffff
        return value
    try:
        six = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        skip("no IPv6 here")
    port = six.getsockname()[1]
    four = socket.create_server(("127.0.0.1", port))
    lab.closers += [six.close, four.close]
    names = Names(lab)
    checks = {}
    for kind, target in (("tcp", f"localhost:{port}"), ("icmp", "localhost")):
        for ip in ("ip4", "ip6"):
            checks[f"{kind}-{ip}"] = f"type: {kind}, target: '{target}', preferred_ip_protocol: {ip}"
    for fallback in ("on", "off"):
        rest = f"preferred_ip_protocol: ip6, ip_protocol_fallback: {fallback}"
        checks["dns-" + fallback] = f"type: dns, target: '127.0.0.1:{names.port}', query: www.example, {rest}"
        checks["http-" + fallback] = f"type: http, target: '{Web(lab).url('plain') if fallback == 'on' else 'http://127.0.0.1:1/'}', {rest}"
    checker = Checker(lab, checks)
    for ip, address in (("ip4", socket.inet_aton("127.0.0.1")), ("ip6", socket.inet_pton(socket.AF_INET6, "::1"))):
        for kind in ("tcp", "icmp"):
            went, values, said = checker.test(f"{kind}-{ip}")
            check(went and values["probe_ip_protocol"] == int(ip[2]), f"{kind} {ip}: {said} {values}")
            check(values["probe_ip_addr_hash"] == hashed(address), f"{kind} {ip}: {values}")
    for kind in ("dns", "http"):
        went, values, said = checker.test(kind + "-on")
        check(went and values["probe_ip_protocol"] == 4, f"{kind}: {said} {values}")
        check(values["probe_ip_addr_hash"] == hashed(socket.inet_aton("127.0.0.1")), f"{kind}: {values}")
        went, values, said = checker.test(kind + "-off")
        check(not went and "probe_ip_addr_hash" not in values, f"{kind}: {said} {values}")


def test_dns_by_tcp(lab):
    def answering(connection, cut=0, pieces=False, other=False):
        head = connection.recv(2, socket.MSG_WAITALL)
        answer = Names.answer(connection.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL))
        if other:
            answer = bytes([answer[0] ^ 1]) + answer[1:]
        answer = struct.pack(">H", len(answer)) + answer
        for piece in [answer[i:i + 1] for i in range(len(answer))] if pieces else [answer[:len(answer) - cut]]:
            connection.sendall(piece)
        connection.close()
    peers = {"whole": {}, "pieces": {"pieces": True}, "cut": {"cut": 3}, "other": {"other": True}}
    checks = {name: f"type: dns, target: '127.0.0.1:{Peer(lab, lambda c, m=more: answering(c, **m)).port}', timeout: 3s, "
              "transport_protocol: tcp, query: www.example, matches: '^10[.]0[.]0[.]7$'" for name, more in peers.items()}
    checks["closed"] = f"type: dns, target: '127.0.0.1:{free_port()}', transport_protocol: tcp, query: www.example"
    checker = Checker(lab, checks)
    for name, why in (("whole", None), ("pieces", None), ("cut", "hung up before"), ("other", "another question"), ("closed", "refused")):
        went, values, said = checker.test(name)
        check(went == (why is None) and (why or "is ok") in said, f"{name}: {said}")
        check(values["probe_dns_query_succeeded"] == went, f"{name}: {values}")
    _, values, _ = checker.test("whole")
    check(values['probe_dns_duration_seconds{phase="connect"}'] > 0, f"{values}")


def test_a_lost_question_is_asked_again_and_a_liar_not_believed(lab):
    def once_lost(question, asked):
        return [] if asked == 1 else Names.answer(question)

    def forged(question, asked):
        """First what others would send who do not know the id or the question."""
        good = Names.answer(question)
        return [bytes([good[0] ^ 1]) + good[1:-1] + b"\x63", good.replace(b"\x03www", b"\x03wwx")[:-1] + b"\x63", good]

    lossy, liar = Names(lab, once_lost), Names(lab, forged)
    garbage = Names(lab, lambda question, asked: Names.answer(question)[:-3])
    mute = Names(lab, lambda question, asked: [])
    rest = "query: www.example, matches: '^10[.]0[.]0[.]7$'"
    checker = Checker(lab, {name: f"type: dns, target: '127.0.0.1:{server.port}', timeout: 6s, {rest}" for name, server in
                            (("lossy", lossy), ("liar", liar), ("garbage", garbage))} |
                      {"mute": f"type: dns, target: '127.0.0.1:{mute.port}', timeout: 1s, {rest}"})
    check(checker.test("lossy")[0] and lossy.asked == 2, f"asked {lossy.asked} times")
    check(checker.test("liar")[0], "what was asked for counts")
    went, values, said = checker.test("garbage")
    check(not went and "cannot be read" in said and values["probe_dns_query_succeeded"] == 0, said)
    went, values, said = checker.test("mute")
    check(not went and "no answer within 1s" in said and 1 <= values["probe_duration_seconds"] < 20, said)


def test_strangers_do_no_harm(lab):
    def forever(begin, more):
        def talk(connection):
            connection.recv(4096)
            connection.sendall(begin)
            while True:
                connection.sendall(more)
        return talk

    peers = {"headers": forever(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n"),
             "body": forever(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 65536),
             "zeroes": forever(b"\0" * 100, b"\0" * 65536),
             "bomb": forever(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", b"z" * 65536),
             "hangup": lambda connection: connection.close(), "silent": silent}
    checks, ports = {}, {name: Peer(lab, talk).port for name, talk in peers.items()}
    for name, port in ports.items():
        checks[name] = f"type: http, target: 'http://127.0.0.1:{port}/', timeout: 3s"
        checks[name + "-tls"] = f"type: tls, target: '127.0.0.1:{port}', timeout: 3s"
        checks[name + "-tcp"] = f"type: tcp, target: '127.0.0.1:{port}', timeout: 3s"
    checks["closed"] = f"type: tcp, target: '127.0.0.1:{free_port()}'"
    checker = Checker(lab, checks)
    for name in ports:
        went, values, said = checker.test(name)
        check(went == (name in ("body", "bomb")), f"{name}: {said}")
        check(values["probe_http_uncompressed_body_length"] <= 1 << 20, f"{name}: {values}")
        went, _, said = checker.test(name + "-tls")
        check(not went, f"{name} speaks no TLS: {said}")
        check(checker.test(name + "-tcp")[0], f"{name} takes connections")
    went, values, said = checker.test("closed")
    check(not went and "refused" in said and values["probe_success"] == 0, said)


def test_plugins_are_read_as_they_speak(lab):
    if not os.path.exists(PLUGINS + "check_dummy"):
        skip("no plugins (Debian: monitoring-plugins-basic)")
    port = Peer(lab, silent).port
    disk = [PLUGINS + "check_disk", "-w", "1%", "-c", "1%", "-p", "/"]
    tcp = [PLUGINS + "check_tcp", "-H", "127.0.0.1", "-p", str(port), "-w", "5", "-c", "10"]
    commands = {"disk": disk, "tcp": tcp} | {f"dummy{i}": [PLUGINS + "check_dummy", str(i), "as told"] for i in range(4)}
    checker = Checker(lab, {name: f"type: plugin, command: [{', '.join(repr(word) for word in argv)}]"
                            for name, argv in commands.items()})
    for i, state in enumerate(("ok", "warning", "critical", "unknown")):
        went, values, said = checker.test(f"dummy{i}")
        check(went == (i == 0) and values["fenwatch_plugin_status"] == i, f"{i}: {values}")
        check(f"is {state}: " in said and said.endswith("as told"), said)
    line = run(*disk, env={"LC_ALL": "C"}).stdout
    warn = float(re.search(r"\| /=[\d.]+(?:B|MiB|MB)?;(\d+);", line).group(1))
    _, values, _ = checker.test("disk")
    thresholds = [v for k, v in values.items() if 'level="warning"' in k and 'label="/"' in k]
    check(thresholds == [warn] and any('fenwatch_plugin_value{label="/"' in k for k in values), f"{line} {values}")
    _, values, _ = checker.test("tcp")
    upper = 'fenwatch_plugin_threshold{bound="upper",label="time",level="%s",unit="s"}'
    check(values['fenwatch_plugin_value{label="time",unit="s"}'] < 5 and values[upper % "critical"] == 10, str(values))


def script(lab, name, text):
    path = os.path.join(lab.dir, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text + "\n")
    os.chmod(path, 0o755)
    return path


def test_plugins_that_run_wild_are_ended(lab):
    left = os.path.join(lab.dir, "left")
    scripts = {
        "hangs": "sleep 300", "floods": "yes 'much too much'", "signal": "kill -SEGV $$", "strange": "exit 77",
        "leaves": f"sleep 300 & echo $! > {left}; echo 'gone without it'; exit 0",
        "rights": "grep -E 'CapEff|CapAmb|NoNewPrivs' /proc/self/status | tr -d '\\t' | tr '\\n' ' '; ls /proc/self/fd | wc -l",
        "fills": f"head -c 3000000 /dev/zero > {lab.dir}/filled; wc -c < {lab.dir}/filled",
        "place": "pwd; echo \"$HOME$SHELL$USER\"", "quoted": "echo \"$1\"", "lines": "printf 'one\\ntwo | a=1\\nb=2\\n'"}
    checks = {name: f"type: plugin, timeout: 2s, command: [{script(lab, name, text)}]" for name, text in scripts.items()}
    checks["quoted"] = checks["quoted"].replace("]", f", '; touch {lab.dir}/shell | $(id)']")
    checks["missing"] = "type: plugin, command: [/nowhere/check]"
    checker = Checker(lab, checks)
    said = {name: checker.test(name) for name in checks}
    for name, why in (("hangs", "no answer within 2s"), ("floods", "prints more than 64 KiB"), ("missing", "cannot be run"),
                      ("signal", "ended by signal 11"), ("strange", "ended with 77")):
        went, values, text = said[name]
        check(not went and values["fenwatch_plugin_status"] == 3 and why in text, f"{name}: {text}")
    check(said["leaves"][0] and "gone without it" in said["leaves"][2], said["leaves"][2])
    with open(left) as f:
        pid = f.read().strip()
    until(5, "what it had left behind is gone", lambda: not os.path.exists(f"/proc/{pid}") or " Z " in open(
        f"/proc/{pid}/stat").read())
    check("NoNewPrivs:1" in said["rights"][2] and "CapAmb:0000000000000000" in said["rights"][2], said["rights"][2])
    check(os.path.getsize(lab.dir + "/filled") == 1 << 20, "it fills no disk")
    check(said["place"][2].endswith("is ok: /"), said["place"][2])
    check(not os.path.exists(lab.dir + "/shell") and "$(id)" not in said["quoted"][1], "no shell sees its arguments")
    check([v for k, v in said["lines"][1].items() if "plugin_value" in k] == [1, 2], str(said["lines"][1]))
    check(not run("pgrep", "-f", lab.dir + "/hangs").stdout, "nothing is left of what hung")


def test_whoever_hangs_delays_nobody(lab):
    """Forty that hang, and one that answers every second: it does so every second."""
    c, a = lab.pair()
    quiet, hang = Peer(lab, silent), script(lab, "hangs", "sleep 300")
    checks = {"quick": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 1s"}
    for i in range(13):
        checks[f"http{i}"] = f"type: http, target: 'http://127.0.0.1:{quiet.port}/{i}', every: 5s, timeout: 5s"
        checks[f"tls{i}"] = f"type: tls, target: '127.0.0.1:{quiet.port}', every: 5s, timeout: 5s"
        checks[f"plugin{i}"] = f"type: plugin, command: [{hang}], every: 5s, timeout: 5s"
    Checker(lab, checks, a).start()
    until(60, "all that hang have been told so",
          lambda: c.value('count(probe_success{check!="quick"} == 0 or fenwatch_plugin_status == 3)') == 39)

    def readings(name):
        return c.value(f'count_over_time(probe_success{{check="{name}"}}[5m])') or 0
    until(60, "four rounds of one that hangs", lambda: readings("http0") >= 4)
    check(c.value('min_over_time(probe_duration_seconds{check="http0"}[5m])') > 4.9, "it hangs until its timeout")
    check(readings("quick") >= 3 * readings("http0"), f"{readings('quick')} in {readings('http0')} rounds: whoever waited "
          "for 39 that hang would have one a round")


def test_its_file_is_read_anew(lab):
    """What stays goes on, what is new begins, what is gone ends; a file that is wrong changes nothing."""
    c, a = lab.pair()
    quiet, dead = Peer(lab, silent), free_port()
    well, ill = (f"type: tcp, target: '127.0.0.1:{port}', every: 1s" for port in (quiet.port, dead))
    checker = Checker(lab, {"stays": well, "fails": ill, "goes": well}, a)
    os.chown(checker.config, 0, 0)
    checker.start()
    until(30, "three are read", lambda: c.value("count(probe_success)") == 3)

    def reload(checks, said):
        Checker(lab, checks, a)
        seen = checker.log().count("SIGHUP")
        checker.child.send_signal(signal.SIGHUP)
        until(10, "an answer", lambda: checker.log().count("SIGHUP") > seen)
        check(said in checker.log().split("SIGHUP: ")[-1], checker.log()[-300:])
    reload({"stays": well, "wrong": "type: tcp, target: nowhere"}, "the checks stay as they were")
    at = c.value('timestamp(probe_success{check="goes"})')
    until(30, "what was there goes on", lambda: (c.value('timestamp(probe_success{check="goes"})') or 0) > at + 1)
    check(not c.query('probe_success{check="wrong"}'), "nothing of a file that is wrong")
    reload({"stays": well, "fails": ill, "new": well}, "there are 3 checks now")
    until(30, "the new one", lambda: c.value('probe_success{check="new"}') == 1)

    def readings(name):
        return c.value(f'count_over_time(probe_success{{check="{name}"}}[5m])')
    until(30, "an old one goes on", lambda: readings("fails") > 3)
    counts = {name: readings(name) for name in ("goes", "fails", "stays")}
    until(30, "both do", lambda: min(readings(name) - counts[name] for name in ("fails", "stays")) > 3)
    check(readings("goes") == counts["goes"], "and what is gone is not read any more")
    told = [e["fields"]["check"] for e in c.get("/api/fenwatch/v1/events", kind="check")]
    check(told == ["fails"], f"what was told once is not told again: {told}")
    os.chmod(checker.config, 0o666)
    checker.child.send_signal(signal.SIGHUP)
    checker.logged("it must be root's")
    check(checker.alive() and checker.stop() == 0, "it ends well")


def test_who_may_own_its_file(lab):
    if os.geteuid() != 0:
        skip("not root")
    os.chmod(lab.dir, 0o755)
    checker = Checker(lab, {"dead": f"type: tcp, target: '127.0.0.1:{free_port()}'"})
    program = lab.program("check")

    def ended(*more):
        return run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "timeout", "3", program, "--config",
                   checker.config, *more)
    check(ended("--check-config").returncode == 0 and ended().returncode == 124, "root's file")
    shutil.chown(checker.config, "nobody")
    refused = ended()
    check(refused.returncode == 1 and "it must be root's" in refused.stderr, f"the service's own: {refused}")
    check(ended("--check-config").returncode == 0 and "is critical" in ended("test", "dead").stdout, "but a person's own is")


def test_plugins_wait_for_each_other(lab):
    """Six of half a second each: one at once where it is said so, and each has its turn."""
    c, a = lab.pair()
    place = os.path.join(lab.dir, "running")
    os.mkdir(place, 0o777)
    os.chmod(place, 0o777)
    text = f"touch {place}/$$; n=$(ls {place} | wc -l); sleep 0.5; rm {place}/$$; echo \"many | n=$n\""
    command = script(lab, "counts", text)
    checks = {f"p{i}": f"type: plugin, every: 4s, timeout: 4s, command: [{command}]" for i in range(6)}

    def most(at_once):
        checker = Checker(lab, checks, a, f"plugins_at_once: {at_once}\n").start()
        begun = time.time()

        def over(what):
            return f"{what}[{time.time() - begun + 1:.0f}s]"
        until(60, "each three times", lambda: c.value(
            f"count(count_over_time({over('fenwatch_plugin_status')}) >= 3)") == 6)
        checker.stop()
        return c.value(f'max(max_over_time({over("fenwatch_plugin_value")}))')
    check(most(1) == 1, "one at once")
    check(most(32) > 1, "and where more may, more do")


def test_what_fails_is_an_alert_of_its_own(lab):
    """Two checks of one target fail: two alerts, and a third that goes well has none."""
    hook, quiet, dead = lab.webhook(), Peer(lab, silent), free_port()
    rules = ", ".join(f"{name}: {{hold: 1s}}" for name in ("CheckFailing", "PluginWarning", "PluginCritical"))
    c, a = lab.pair(extra=f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"
                          f"builtin_rules: {{{rules}}}\n")
    state = os.path.join(lab.dir, "state")
    with open(state, "w") as f:
        f.write("1")
    web = Web(lab)
    plugin = script(lab, "says", f"echo as told; exit $(cat {state})")
    checks = {"one": f"type: tcp, target: '127.0.0.1:{dead}', every: 1s", "two": f"type: tcp, target: '127.0.0.1:{dead}', every: 1s",
              "well": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 1s",
              "oven": f"type: plugin, command: [{plugin}], every: 1s",
              "cert": f"type: tls, target: '127.0.0.1:{web.ports['good']}', ca: {web.ca}, every: 1s"}
    Checker(lab, checks, a).start()

    def open_now():
        return sorted((d["alerts"][0]["labels"]["alertname"], d["alerts"][0]["labels"]["check"])
                      for _, _, d in hook.notices("firing"))
    wanted = [("CheckFailing", "one"), ("CheckFailing", "two"), ("CheckedCertificateEnds", "cert"), ("PluginWarning", "oven")]
    until(60, "four are told", lambda: open_now() == wanted)
    with open(state, "w") as f:
        f.write("2")
    until(30, "it gets worse", lambda: open_now() == sorted(wanted + [("PluginCritical", "oven")]))
    until(30, "which ends the warning", lambda: hook.notices("resolved", "PluginWarning"))
    server = socket.create_server(("127.0.0.1", dead))
    lab.closers.append(server.close)
    until(30, "both end", lambda: len(hook.notices("resolved", "CheckFailing")) == 2)
    check(open_now() == sorted(wanted + [("PluginCritical", "oven")]), f"and nothing else was told: {open_now()}")


def test_a_check_that_stops_is_missed(lab):
    """Its plugin is stopped: it is read on, and unknown. fenwatch-check is: its checks are silent, the agent is not."""
    hook, quiet = lab.webhook(), Peer(lab, silent)
    c, a = lab.pair(extra=f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"
                          "builtin_rules: {HostSilent: {hold: 1s}, PluginCritical: {hold: 1s}}\n")
    turn = os.path.join(lab.dir, "turn")
    plugin = script(lab, "stops", f"if [ -e {turn} ]; then kill -STOP $$; fi; echo well")
    checker = Checker(lab, {"oven": f"type: plugin, target: oven1, every: 1s, timeout: 1s, command: [{plugin}]",
                            "port": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 1s"}, a).start()

    def told(rule, status="firing"):
        return sorted({d["alerts"][0]["labels"].get("check", "") for _, _, d in hook.notices(status, rule)})

    def last(series):
        return float((c.query(f"timestamp({series})") or [{"value": [0, 0]}])[0]["value"][1])
    until(30, "their pace is known", lambda: all(
        (c.value(f"count_over_time({series}[1m])") or 0) > 6 for series in ("fenwatch_plugin_status", "probe_success")))
    open(turn, "w").close()
    until(30, "it is critical", lambda: told("PluginCritical") == ["oven"])
    stopped = time.time()
    until(30, "and read on", lambda: last("fenwatch_plugin_status") > stopped + 5)
    check(told("HostSilent") == [], f"nothing is silent: {told('HostSilent')}")
    os.unlink(turn)
    until(30, "it goes on", lambda: told("PluginCritical", "resolved") == ["oven"])
    checker.child.send_signal(signal.SIGSTOP)
    until(60, "both are silent", lambda: told("HostSilent") == ["oven", "port"])
    checker.child.send_signal(signal.SIGCONT)
    until(60, "both are back", lambda: told("HostSilent", "resolved") == ["oven", "port"])
    check(told("HostSilent") == ["oven", "port"], f"and the agent was never missed: {told('HostSilent')}")


def test_a_check_is_a_host_and_its_change_an_event(lab):
    c, a = lab.pair()
    turn = os.path.join(lab.dir, "turn")
    plugin = script(lab, "turns", f"if [ -e {turn} ]; then echo 'it burns | heat=99;50;90'; exit 2; fi; echo 'all cool'")
    quiet = Peer(lab, silent)
    checker = Checker(lab, {"port": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 1s",
                            "oven": f"type: plugin, target: oven1, every: 1s, command: [{plugin}]",
                            "ping": "type: icmp, target: 127.0.0.1, every: 1s"}, a).start()
    port = f'{{check="port",instance="127.0.0.1:{quiet.port}",job="blackbox"}}'
    until(30, "a series of its own", lambda: c.value("probe_success" + port) == 1)
    until(30, "the plugin's", lambda: c.value('fenwatch_plugin_status{check="oven",instance="oven1"}') == 0)
    until(30, "it is up", lambda: c.value("up" + port) == 1)
    until(30, "the echo", lambda: c.value('probe_icmp_duration_seconds{check="ping",phase="rtt"}') > 0)
    about = c.get("/api/v1/metadata")
    check("probe_icmp_duration_seconds" in about and "fenwatch_plugin_status" in about, f"{sorted(about)}")
    mute = [name for name, rows in about.items() if not rows[0]["help"]]
    check(not mute, f"each of them says what it means: {mute}")
    open(turn, "w").close()
    until(30, "it burns", lambda: c.value('fenwatch_plugin_value{check="oven",label="heat"}') == 99)

    def told():
        return [e["fields"] for e in c.get("/api/fenwatch/v1/events", host="oven1")]
    until(30, "an event", lambda: [e for e in told() if e["state"] == "critical" and e["text"] == "it burns"
                                   and e["was"] == "ok"])
    os.unlink(turn)
    until(30, "and its end", lambda: [e for e in told() if e["state"] == "ok" and e["was"] == "critical"])
    time.sleep(3)
    check(len(told()) == 2, f"one a change: {told()}")
    check(not c.query('{__name__=~".+",text!=""}'), "a text stands in no label")
    a.kill()
    checker.logged("which waits")
    a.start()
    until(30, "it goes on", lambda: time.time() - float(c.query("timestamp(probe_success" + port + ")")[0]["value"][1]) < 5)
    check(checker.stop() == 0, "it ends when it is told to")


main()
