"""What fenwatch-check reads of real servers is what the usual tools read, and a stranger's answer does no harm."""
import os
import re
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from checker import SECRET, Authority, Checker, Names, Peer, Web, need, run, silent
from stage import check, free_port, main, skip


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
        return {f"{name}-{kind}": f"type: tcp, target: '127.0.0.1:{port}', ca: {ours.cert}, "
                f"timeout: {3 if name == 'deaf' else 20}s, query_response: {SCRIPTS[kind]}" for kind, port in boxes.ports.items()}
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
    script = "query_response: [{expect: '^220 well'}]"
    targets = {"flood": flood, "wide": wide, "ends": ends, "talks": talks, "silent": Peer(lab, silent)}
    checker = Checker(lab, {n: f"type: tcp, target: '127.0.0.1:{p.port}', timeout: {2 if n == 'silent' else 20}s, {script}"
                            for n, p in targets.items()})
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
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        skip("no IPv6 here")
    port = free_port()
    for family, address in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")):
        lab.closers.append(socket.create_server((address, port), family=family).close)
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
    checks = {name: f"type: dns, target: '127.0.0.1:{Peer(lab, lambda c, m=more: answering(c, **m)).port}', timeout: 20s, "
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
    checker = Checker(lab, {name: f"type: dns, target: '127.0.0.1:{server.port}', timeout: 20s, {rest}" for name, server in
                            (("lossy", lossy), ("liar", liar), ("garbage", garbage))} |
                      {"mute": f"type: dns, target: '127.0.0.1:{mute.port}', timeout: 1s, {rest}"})
    check(checker.test("lossy")[0] and lossy.asked >= 2, f"asked {lossy.asked} times")
    check(checker.test("liar")[0], "what was asked for counts")
    went, values, said = checker.test("garbage")
    check(not went and "cannot be read" in said and values["probe_dns_query_succeeded"] == 0, said)
    went, values, said = checker.test("mute")
    check(not went and "no answer within 1s" in said and 0.9 <= values["probe_duration_seconds"] < 20, f"{said} {values}")


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
        timeout = "3s" if name == "silent" else "20s"
        checks[name] = f"type: http, target: 'http://127.0.0.1:{port}/', timeout: {timeout}"
        checks[name + "-tls"] = f"type: tls, target: '127.0.0.1:{port}', timeout: {timeout}"
        checks[name + "-tcp"] = f"type: tcp, target: '127.0.0.1:{port}', timeout: 20s"
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


main()
