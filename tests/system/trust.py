"""Who may speak: certificates, tokens, revocation, renewal, clones, proxies."""
import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time

import wire
from stage import PATIENCE, check, clock_file, free_port, main, set_clock, skip, until

SCHEMA = wire.Schema([("trust_value", {})])


def refused(c, identity, expect, **how):
    """The connection does not come to a welcome, and one log line says why."""
    before = len(c.log())
    try:
        peer = wire.Peer(c, identity, **how)
        check(peer.welcome is None, f"{expect}: was welcomed")
        peer.close()
    except (OSError, ssl.SSLError):
        pass
    until(5, f"the log says '{expect}'", lambda: expect in c.log()[before:])


def test_each_bad_certificate_is_refused_with_its_own_line(lab):
    shift = clock_file(lab)
    c = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}).start()
    good = wire.enrolled(c, "good")
    refused(c, good, "no certificate", certificate=False)
    stranger = wire.Identity("stranger")
    stranger.request()
    subprocess.run(["openssl", "x509", "-req", "-in", stranger.key + ".csr", "-signkey", stranger.key, "-days", "3",
                    "-out", stranger.cert], check=True, capture_output=True)
    refused(c, stranger, "certificate")
    refused(c, good, "TLS", version=ssl.TLSVersion.TLSv1_2)
    revoked = wire.enrolled(c, "revoked")
    check(c.cli("agent", "revoke", "revoked").returncode == 0, "revoking")
    refused(c, revoked, "revoked")
    set_clock(shift, 8 * 86400_000)
    refused(c, good, "expired")


def test_an_agents_certificate_is_nothing_on_the_api(lab):
    c = lab.collector().start()
    wire.enrolled(c, "good")
    status, _ = c.request("/api/v1/query?query=up", token="not-a-token")
    check(status == 401, f"no token, no answer: {status}")
    import urllib.request
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{c.api}/api/v1/query?query=up", timeout=5)
        check(False, "answered without a token")
    except OSError as error:
        check(getattr(error, "code", 0) == 401, f"{error}")


def test_tokens_are_used_up_expire_and_are_no_secret_in_the_database(lab):
    shift = clock_file(lab)
    c = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}).start()
    token = c.join_token()
    wire.enrolled(c, "first", token)
    check(wire.Identity("second").enrol(c, token), "single use")
    token = c.join_token("--uses", "2")
    wire.enrolled(c, "third", token)
    wire.enrolled(c, "fourth", token)
    check(wire.Identity("fifth").enrol(c, token), "two uses")
    late = c.join_token()
    set_clock(shift, 16 * 60_000)
    check(wire.Identity("late").enrol(c, late), "15 minutes")
    secret = late.rsplit("-", 1)[1].encode()
    for folder, _, files in os.walk(c.data):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                check(secret not in f.read(), f"the token stands in {name}")


def test_revocation_closes_a_live_session_within_5_s(lab):
    c = lab.collector().start()
    peer = wire.Peer(c, wire.enrolled(c, "doomed"))
    check(peer.welcome, "welcome")
    check(c.cli("agent", "revoke", "doomed").returncode == 0, "revoking")
    closed, _ = peer.closed(5 * PATIENCE)
    check(closed, "closed within 5 s")


def test_an_expired_certificate_may_renew_and_nothing_else(lab):
    shift = clock_file(lab)
    c = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}).start()
    old = wire.enrolled(c, "laptop")
    gone = wire.enrolled(c, "stolen")
    c.cli("agent", "revoke", "stolen")
    set_clock(shift, 60 * 86400_000)
    refused(c, old, "expired")
    new = wire.Identity("laptop", old.machine)
    check(new.enrol(c, None, old) == "", "renewal after 60 days")
    check(wire.Peer(c, new).welcome, "and it speaks again")
    check(wire.Identity("stolen", gone.machine).enrol(c, None, gone), "a revoked one stays out")
    set_clock(shift, (60 + 7 + 91) * 86400_000)
    try:
        answer = wire.Identity("laptop", old.machine).enrol(c, None, new)
    except (OSError, ssl.SSLError) as error:
        answer = str(error)
    check(answer, "not after 91 days")


def test_the_real_agent_renews_at_half_life_without_losing_a_sweep(lab):
    shift = clock_file(lab)
    c = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}).start()
    a = lab.agent(c, env={"FENWATCH_CLOCK_FILE": shift}).enrol().start()
    until(20, "sweeps", lambda: c.query("node_load1"))
    with open(a.data + "/agent.pem") as f:
        first = f.read()
    set_clock(shift, 4 * 86400_000 + 43_200_000)
    until(30, "another certificate", lambda: open(a.data + "/agent.pem").read() != first)
    until(20, "sweeps under the new certificate",
          lambda: float(c.query("node_time_seconds", time.time() + 4.5 * 86400 + 5)[0]["value"][1]) > time.time())


def test_a_laptop_shut_for_weeks_comes_back_by_itself(lab):
    shift = clock_file(lab)
    c = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}).start()
    a = lab.agent(c, env={"FENWATCH_CLOCK_FILE": shift}).enrol().start()
    until(20, "sweeps", lambda: c.query("node_load1"))
    a.stop()
    set_clock(shift, 50 * 86400_000)
    c.stop()
    c.start()
    a.start()
    until(40, "sweeps again", lambda: c.query("node_load1", time.time() + 50 * 86400 + 1))


def test_a_clone_is_refused_and_the_first_goes_on(lab):
    c = lab.collector().start()
    first = wire.enrolled(c, "original")
    peer = wire.Peer(c, first)
    check(peer.welcome, "welcome")
    clone = wire.Identity("original")
    clone.key, clone.cert = first.key, first.cert
    other = wire.Peer(c, clone)
    closed, why = (True, str(other.ended)) if other.welcome is None else other.closed()
    check(closed, "the other machine is refused")
    peer.send(wire.SCHEMA, SCHEMA.message(1))
    peer.send(wire.BATCH, wire.batch(1, 1, int(time.time() * 1000), 50, [[1]]))
    check(peer.wait_acked(1), "the one that enrolled goes on")
    until(10, "an alert names it", lambda: [a for a in c.alerts() if "lone" in str(a)])


def test_a_newer_connection_of_the_same_machine_replaces_the_older(lab):
    c = lab.collector().start()
    identity = wire.enrolled(c, "twice")
    old = wire.Peer(c, identity)
    new = wire.Peer(c, identity)
    check(new.welcome, "the newer one is welcome")
    check(old.closed()[0], "the older one is closed")


def test_a_name_of_another_machine_is_not_given_away(lab):
    c = lab.collector().start()
    wire.enrolled(c, "web01")
    why = wire.Identity("web01").enrol(c, c.join_token())
    check("web01" in why and "revoke" in why, f"the sentence tells the remedy: {why}")


class Proxy(threading.Thread):
    """An HTTP proxy that knows CONNECT only."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.asked = self.server.getsockname()[1], []
        self.start()

    def run(self):
        while True:
            client, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        target = head.split()[1].decode()
        self.asked.append(target)
        host, port = target.rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for a, b in ((client, server), (server, client)):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_through_an_http_proxy(lab):
    proxy = Proxy()
    c = lab.collector().start()
    a = lab.agent(c, extra=f"proxy: http://127.0.0.1:{proxy.port}\n").enrol().start()
    until(20, "sweeps", lambda: c.query("node_load1"))
    check(f"127.0.0.1:{c.port}" in proxy.asked, f"CONNECT was asked for: {proxy.asked}")
    check(a.alive(), "the agent runs")


def test_through_a_plain_tcp_relay(lab):
    if not os.path.exists("/usr/sbin/nginx"):
        skip("nginx is not installed")
    c = lab.collector().start()
    port, conf = free_port(), os.path.join(lab.dir, "nginx.conf")
    with open(conf, "w") as f:
        f.write(f"load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off; pid {lab.dir}/nginx.pid;\n"
                f"error_log {lab.dir}/nginx.err;\nevents {{}}\n"
                f"stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{c.port}; }} }}\n")
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", conf, "-p", lab.dir], stderr=subprocess.DEVNULL)
    lab.closers.append(lambda: (nginx.terminate(), nginx.wait()))
    a = lab.agent(c, port=port).enrol().start()
    until(20, "sweeps through the relay", lambda: c.query("node_load1"))
    check(a.alive(), "the agent runs")


def test_the_second_address_is_used_when_the_first_is_dead(lab):
    c = lab.collector().start()
    a = lab.agent(c)
    with open(a.config, "w") as f:
        f.write(f"name: agent\ndata: {a.data}\ninterval: 1s\n"
                f"collectors: [\"127.0.0.1:{free_port()}\", \"127.0.0.1:{c.port}\"]\n")
    a.enrol().start()
    until(20, "sweeps", lambda: c.query("node_load1"))


def test_the_agent_listens_nowhere_and_runs_unprivileged(lab):
    _, a = lab.pair()
    inodes = set()
    for fd in os.listdir(f"/proc/{a.child.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it may be closed by now
            link = os.readlink(f"/proc/{a.child.pid}/fd/{fd}")
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as f:
            listening = [line for line in f.readlines()[1:] if line.split()[3] == "0A" and line.split()[9] in inodes]
        check(not listening, f"listening: {listening}")


main()
