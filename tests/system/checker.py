"""fenwatch-check, and what stands in for the servers that it tries: a web server, a name server, whoever listens."""
import os
import pwd
import shutil
import socket
import struct
import subprocess
import threading

from stage import Process, check, free_port, skip, until


SECRET = "canary-of-the-bearer"


def need(tool, package):
    path = shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin")
    return path or skip(f"{tool} is not installed (Debian: {package})")


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, timeout=180, **more)


class Checker(Process):
    """fenwatch-check; `checks` are {name: "the rest of a mapping"}. Plugins run as this user, by default who we are."""

    def __init__(self, lab, checks, agent=None, more="", user=None):
        self.config = os.path.join(lab.dir, "check.yml")
        with open(self.config, "w") as f:
            f.write(f"socket: {agent.probe if agent else '/nowhere'}\nplugins_socket: {lab.dir}/plugins.sock\n"
                    f"plugins_user: {user or pwd.getpwuid(os.geteuid()).pw_name}\n{more}checks:\n")
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


def script(lab, name, text, shell="/bin/sh"):
    path = os.path.join(lab.dir, name)
    with open(path, "w") as f:
        f.write(f"#!{shell}\n{text}\n")
    os.chmod(path, 0o755)
    return path
