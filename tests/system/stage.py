"""The stage of system tests: real collectors and agents on loopback.

Everything lives in one temporary folder and is ended by Lab.close(). A test
file defines functions named test_* that take a Lab and ends with stage.main().
The output is TAP. `skip("why")` inside a test skips it with its reason.
"""
import inspect
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Skip(Exception):
    pass


def skip(why):
    raise Skip(why)


def check(truth, sentence):
    if not truth:
        raise AssertionError(sentence)


# Stories name the seconds that a quiet machine needs at most; a busy one has as many times more.
PATIENCE = 3

# What a question may end with that cannot be answered yet: nobody listens, and a value or a series is not there.
NOT_YET = (OSError, subprocess.TimeoutExpired, AssertionError, KeyError, IndexError, TypeError, StopIteration)


def until(seconds, what, question, pause=0.1):
    """Asks until the answer is true and returns it; a sentence after `seconds` of a quiet machine."""
    end = time.monotonic() + seconds * PATIENCE
    last = None
    while True:
        try:
            last = question()
            if last:
                return last
        except NOT_YET as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"within {seconds} s: {what} (last: {last!r})")
        time.sleep(pause)


def succeeds(*argv):
    """Whether this machine lets us do it."""
    try:
        return subprocess.run(argv, capture_output=True, timeout=30).returncode == 0
    except OSError:
        return False


def skip_where_unseen(mount):
    """Who watches a machine reads the mounts of process 1, which in a chroot have other paths."""
    with open("/proc/1/mounts") as f:
        if mount not in [line.split()[1] for line in f]:
            skip("process 1 does not see what is mounted here: a chroot, or a mount namespace of our own")


def write_file(path, text, mode=0o644):
    """And the folders it lies in."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def status_of(pid):
    """{key: value} of /proc/PID/status"""
    with open(f"/proc/{pid}/status") as f:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in f)}


# What keeps each port that was drawn ours: a name that only one of all programs can have at a time.
drawn = []


def free_port():
    """One that nobody listens on, and that no story at work beside this one has drawn. It lies below those
    the kernel hands to connections (32768 and up), so that none takes it before our program does."""
    while True:
        port, name = random.randrange(10000, 32768), socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0fenwatch-port-{port}")
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        drawn.append(name)
        return port


class Process:
    """One of our programs, with its log in a file."""

    def __init__(self, lab, name, argv, env=None):
        self.lab, self.name, self.argv = lab, name, argv
        self.env = env or {}
        self.log_path = os.path.join(lab.dir, name + ".log")
        self.child = None

    def start(self, **env):
        surroundings = dict(os.environ, FENWATCH_BACKOFF_SCALE="0.01", **self.env)
        surroundings.update(env)
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=surroundings, start_new_session=True)
        return self

    def reconfigure(self, old, new):
        """Its configuration with `new` for `old`; what runs has to be told."""
        with open(self.config) as f:
            text = f.read()
        check(old in text, f"'{old}' stands in {self.config}")
        with open(self.config, "w") as f:
            f.write(text.replace(old, new))

    def reload(self, said):
        """SIGHUP, and the words that its answer in the log must hold."""
        seen = self.log().count("SIGHUP: ")
        self.child.send_signal(signal.SIGHUP)
        until(10, f"the answer to SIGHUP has '{said}'", lambda: said in "".join(self.log().split("SIGHUP: ")[seen + 1:]))

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        """kill -9, and nothing tidied."""
        if self.alive():
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()

    def stop(self, seconds=10):
        """SIGTERM; returns the exit status."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} did not stop within {seconds} s")
        return self.child.returncode if self.child else None

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def logged(self, text, seconds=10):
        until(seconds, f"{self.name} logs '{text}'", lambda: text in self.log())


class Collector(Process):
    def __init__(self, lab, name="collector", data=None, extra="", env=None, store="{raw: 16MiB}", port=None,
                 api=None):
        self.data = data or os.path.join(lab.dir, name)
        self.port, self.api = port or free_port(), api or free_port()
        self.config = os.path.join(lab.dir, name + ".yml")
        with open(self.config, "w") as f:
            f.write(f"data: {self.data}\n"
                    f"agents: {{listen: \"127.0.0.1:{self.port}\"}}\n"
                    f"api: {{listen: \"127.0.0.1:{self.api}\"}}\n"
                    f"store: {store}\n{extra}")
        super().__init__(lab, name, [lab.program("collector"), "--config", self.config], env)

    def start(self, wait=True, **env):
        super().start(**env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        def is_ready():
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api}/-/ready", timeout=5) as reply:
                return reply.status == 200
        # Who has ended is not waited for.
        until(seconds, f"{self.name} is ready", lambda: not self.alive() or is_ready(), 0.02)
        check(self.alive(), f"{self.name} ended with {self.child.returncode}: {self.log()[-2000:]}")

    @property
    def token(self):
        with open(os.path.join(self.data, "admin.token")) as f:
            return f.read().strip()

    def request(self, path, method="GET", body=None, token=None, timeout=30):
        """(status, parsed JSON or text)"""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.api}{path}", data=data, method=method)
        request.add_header("Authorization", "Bearer " + (token or self.token))
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                status, text = reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def get(self, path, **parameters):
        if parameters:
            path += "?" + urllib.parse.urlencode(parameters, doseq=True)
        status, answer = self.request(path)
        check(status == 200, f"GET {path}: {status} {answer}")
        return answer["data"]

    def query(self, text, at=None):
        parameters = {"query": text}
        if at is not None:
            parameters["time"] = f"{at:.3f}"
        return self.get("/api/v1/query", **parameters)["result"]

    def value(self, text):
        result = self.query(text)
        return float(result[0]["value"][1]) if result else None

    def alerts(self, **having):
        """Those that have these values: alerts(rule="HostSilent", state="firing")."""
        return [a for a in self.get("/api/fenwatch/v1/alerts") if all(a[key] == value for key, value in having.items())]

    def metrics(self):
        """{series: value} of what it says of itself."""
        status, text = self.request("/metrics")
        check(status == 200, f"/metrics: {status}")
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {series: float(value) for series, value in lines}

    def cli(self, *argv, stdin=None):
        env = dict(os.environ, FENWATCH_API=f"http://127.0.0.1:{self.api}", FENWATCH_TOKEN=self.token)
        return subprocess.run([self.lab.program("cli")] + list(argv), env=env, input=stdin, text=True,
                              capture_output=True, timeout=180)

    def join_token(self, *more):
        done = self.cli("token", "new", "--join", *more)
        check(done.returncode == 0, f"token new: {done.stderr}")
        return done.stdout.strip().splitlines()[-1]

    def store_check(self):
        """What lies on disk, counted by the program itself (the collector must be down)."""
        done = subprocess.run([self.lab.program("collector"), "store", "check", "--config", self.config],
                              capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr


class Agent(Process):
    def __init__(self, lab, collector, name="agent", host=None, interval="1s", extra="", env=None, port=None, group=None):
        self.data = os.path.join(lab.dir, name)
        self.host = host or name
        self.collector = collector
        self.probe = os.path.join(lab.dir, name + ".sock")
        self.config = os.path.join(lab.dir, name + ".yml")
        self.write_config(interval, extra, port)
        as_group = ["setpriv", f"--regid={group}", "--clear-groups"] if group and os.geteuid() == 0 else []
        super().__init__(lab, name, [*as_group, lab.program("agent"), "--config", self.config], env)

    def write_config(self, interval="1s", extra="", port=None):
        with open(self.config, "w") as f:
            f.write(f"name: {self.host}\ndata: {self.data}\ninterval: {interval}\nprobe: {self.probe}\n"
                    f"collectors: [\"127.0.0.1:{port or self.collector.port}\"]\n{extra}")

    def wait_probe(self):
        """Programs beside it can hand over what they learn."""
        until(20, f"the socket of {self.name}", lambda: os.path.exists(self.probe))

    def enrol(self, *more, token=None):
        token = token or self.collector.join_token()
        done = subprocess.run([self.lab.program("agent"), "enrol", "--config", self.config, "--collector",
                               f"127.0.0.1:{self.collector.port}", *more], input=token + "\n", text=True,
                              capture_output=True, timeout=180, env=dict(os.environ, **self.env))
        check(done.returncode == 0, f"enrol: {done.stdout}{done.stderr}")
        return self


class Webhook:
    """A receiver: keeps what it got, answers what it is told to."""

    def __init__(self, status=200):
        self.status, self.got = status, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.got.append((time.time(), self.headers.get("Idempotency-Key"), json.loads(body)))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def notices(self, status=None, rule=None):
        """As who honours keys takes them: one that comes again under its key, as its receipt was lost in a kill, is
        the same."""
        firsts = {}
        for at, key, body in list(self.got):
            firsts.setdefault(key or len(firsts), (at, key, body))
        return [(at, key, body) for at, key, body in firsts.values()
                if (status is None or body["status"] == status)
                and (rule is None or body["alerts"][0]["labels"]["alertname"] == rule)]

    def close(self):
        self.server.shutdown()


class Lab:
    PROGRAMS = {"collector": "collector/fenwatch-collector", "agent": "agent/fenwatch-agent",
                "cli": "cli/fenwatch", "snmp": "agent/snmp/fenwatch-snmp", "check": "agent/check/fenwatch-check"}

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.dir = tempfile.mkdtemp(prefix="fenwatch-lab-")
        self.processes, self.closers = [], []

    def program(self, name):
        return os.path.join(self.build, self.PROGRAMS[name])

    def collector(self, *a, **k):
        self.processes.append(Collector(self, *a, **k))
        return self.processes[-1]

    def agent(self, *a, **k):
        self.processes.append(Agent(self, *a, **k))
        return self.processes[-1]

    def webhook(self, **k):
        hook = Webhook(**k)
        self.closers.append(hook.close)
        return hook

    def pair(self, group=None, **collector):
        """A collector and an enrolled agent, both running; root's agent as one of that group."""
        c = self.collector(**collector).start()
        a = self.agent(c, group=group).enrol().start()
        until(30, "the agent's first sweep", lambda: c.query("node_load1"))
        until(30, "its first live one", lambda: c.get("/api/fenwatch/v1/hosts"))
        return c, a

    def sanitizer_reports(self):
        return [f"{p.name}: {line}" for p in self.processes for line in p.log().splitlines()
                if "ERROR: AddressSanitizer" in line or "runtime error:" in line or "LeakSanitizer" in line
                or "Assertion" in line]

    def close(self):
        for process in self.processes:
            process.kill()
        for closer in reversed(self.closers):
            closer()
        shutil.rmtree(self.dir, ignore_errors=True)


def clock_file(lab, shift_ms=0):
    path = os.path.join(lab.dir, f"clock-{len(os.listdir(lab.dir))}")
    set_clock(path, shift_ms)
    return path


def set_clock(path, shift_ms):
    with open(path + ".new", "w") as f:
        f.write(str(shift_ms))
    os.rename(path + ".new", path)


def run_one(build, function):
    lab = Lab(build)
    try:
        function(lab)
        reports = lab.sanitizer_reports()
        check(not reports, f"sanitizer: {reports}")
        return "ok", ""
    except Skip as reason:
        return "skip", str(reason)
    except Exception:
        tails = "".join(f"--- {p.name}\n{p.log()[-3000:]}" for p in lab.processes)
        return "not ok", traceback.format_exc() + tails
    finally:
        lab.close()


def processor_seconds():
    """What this story and the processes it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def main():
    build, wanted = sys.argv[1], sys.argv[2:]
    scope = inspect.currentframe().f_back.f_globals
    tests = [(name[5:].replace("_", " "), f) for name, f in scope.items() if name.startswith("test_")]
    tests = [t for t in tests if not wanted or any(w in t[0] for w in wanted)]
    print(f"1..{len(tests)}", flush=True)
    failed, began = 0, time.monotonic()
    for number, (name, function) in enumerate(tests, 1):
        result, text = run_one(build, function)
        if result == "skip":
            print(f"ok {number} - {name} # SKIP {text}", flush=True)
            continue
        failed += result == "not ok"
        print(f"{result} {number} - {name}", flush=True)
        for line in text.splitlines():
            print("# " + line, flush=True)
    # tests/meson.build decides by these two which stories can be at work beside each other.
    print(f"# {time.monotonic() - began:.0f} s, {processor_seconds():.0f} s of a processor", flush=True)
    sys.exit(1 if failed else 0)
