"""Traps and informs of real senders, from the wire to a ticket."""
import grp
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import threading
import time

from ber import number, tlv, variable
from listeners import need
from snmpd import AUTH, PRIV, Reader, Snmpd, credentials
from stage import Process, check, free_port, main, skip, status_of, succeeds, until

# It gives up the right to be looked into, which the search for leaks would need.
QUIET = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1"}
USER, GROUP = "nobody", "nogroup"  # whom it becomes where root starts it, and of root's agent
LINK_DOWN, LINK_UP = "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.6.3.1.1.5.4"
IF_INDEX = ["1.3.6.1.2.1.2.2.1.1.3", "i", "3"]


class Receiver(Process):
    """fenwatch-snmp --traps."""

    def __init__(self, lab, agent, **more):
        self.port, self.path = free_port(), os.path.join(lab.dir, "traps.yml")
        community = credentials(lab, "community", "community: canary-community\n")
        user = credentials(lab, "user", f"user: watcher\nauth: {AUTH}\npriv: {PRIV}\n")
        keys = {"socket": agent.probe, "data": os.path.join(lab.dir, "traps-data"), "listen": f"['127.0.0.1:{self.port}']",
                "communities": f"[{community}]", "users": f"[{user}]", "mibs": "[]", "window": "2s",
                "devices": os.path.join(lab.dir, "none.yml"), "addresses": os.path.join(lab.dir, "addresses"), "user": USER, **more}
        os.chmod(lab.dir, 0o711)
        with open(self.path, "w") as f:
            f.write("".join(f"{name}: {value}\n" for name, value in keys.items()))
        super().__init__(lab, "traps", [lab.program("snmp"), "--traps", "--config", self.path], QUIET)
        lab.processes.append(self)

    def send(self, *words, inform=False, retries=0, timeout=5):
        """The sender's exit status: of an inform, whether it was answered."""
        tool = need("snmpinform" if inform else "snmptrap", "snmp")
        return subprocess.run([tool, "-r", str(retries), "-t", str(timeout), *words], capture_output=True, text=True,
                              env=dict(os.environ, MIBS="", SNMP_PERSISTENT_DIR="/dev/null"), timeout=60)

    def waiting(self, *words):
        """An inform whose sender waits for long; True from its end() once it was answered."""
        argv = [need("snmpinform", "snmp"), "-r", "0", "-t", "60", *words]
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, MIBS="", SNMP_PERSISTENT_DIR="/dev/null"))
        self.lab.closers.append(child.kill)
        return child

    def v2c(self, oid, *variables, community="canary-community", **more):
        return self.send("-v2c", "-c", community, f"127.0.0.1:{self.port}", "", oid, *variables, **more)

    def v3(self, oid, *variables, auth=AUTH, engine=None, **more):
        engine = ["-e", engine] if engine else []
        return self.send("-v3", "-u", "watcher", "-l", "authPriv", "-a", "SHA-256", "-A", auth, "-x", "AES", "-X", PRIV,
                         *engine, f"127.0.0.1:{self.port}", "", oid, *variables, **more)


def start(lab, extra="", **more):
    c = lab.collector(extra=extra).start()
    a = lab.agent(c, group=GROUP).enrol().start()
    a.wait_probe()
    r = Receiver(lab, a, **more).start()
    r.logged("listening for traps")
    return c, a, r


def traps(c):
    return [e["fields"] for e in c.get("/api/fenwatch/v1/events", kind="trap", limit="1000")]


def test_traps_of_every_version_become_events(lab):
    c, _, r = start(lab)
    r.send("-v1", "-c", "canary-community", f"127.0.0.1:{r.port}", "1.3.6.1.4.1.9.1", "10.7.0.9", "2", "0", "", *IF_INDEX)
    r.send("-v1", "-c", "canary-community", f"127.0.0.1:{r.port}", "1.3.6.1.4.1.318", "10.7.0.9", "6", "5", "",
           "1.3.6.1.4.1.318.2.3.3.0", "s", "UPS: on battery")
    r.v2c("1.3.6.1.4.1.9999.7", "1.3.6.1.4.1.9999.8.1", "x", "00ff41", "1.3.6.1.2.1.1.5.0", "s", "<script>alert(1)</script>")
    r.v3(LINK_DOWN, *IF_INDEX, engine="0x80001f8880aabbccdd01")
    found = until(20, "all four", lambda: len(traps(c)) >= 4 and {f["oid"] + "/" + f["version"]: f for f in traps(c)})
    check(set(found) == {LINK_DOWN + "/1", "1.3.6.1.4.1.318.0.5/1", "1.3.6.1.4.1.9999.7/2c", LINK_DOWN + "/3"}, f"{found}")
    check(found[LINK_DOWN + "/1"]["ifIndex"] == "3" and found[LINK_DOWN + "/3"]["trap"] == "IF-MIB::linkDown", f"{found}")
    odd = found["1.3.6.1.4.1.9999.7/2c"]
    check(odd.get("1.3.6.1.4.1.9999.8.1") == "00ff41" and odd["sysName"] == "<script>alert(1)</script>", f"{odd}")
    check(all(f["source"] == "127.0.0.1" and f["raw"] for f in found.values()), "a sender that nobody vouches for is itself")
    told = str(c.get("/api/fenwatch/v1/events")) + r.log() + c.log()
    for canary in ("canary-community", AUTH, PRIV, "canary-community".encode().hex()):
        check(canary not in told, "a secret is told")


def test_it_listens_at_many_addresses(lab):
    port = free_port()
    places = [f"127.0.0.{n}:{port}" for n in range(1, 9)]
    c, _, r = start(lab, listen=f"{places}")
    for n, place in enumerate(places):
        r.send("-v2c", "-c", "canary-community", place, "", f"1.3.6.1.4.1.9999.{n}")
    until(20, "all are heard", lambda: len(traps(c)) == len(places))
    check(r.stop() == 0, r.log())


def test_who_has_no_key_is_not_heard(lab):
    c, _, r = start(lab)
    check(r.v2c(LINK_DOWN, *IF_INDEX, community="public", inform=True, timeout=1).returncode != 0, "a wrong community")
    check(r.v3(LINK_DOWN, *IF_INDEX, auth="wrong-auth-password", inform=True, timeout=1).returncode != 0, "a wrong password")
    r.v3(LINK_DOWN, *IF_INDEX, auth="wrong-auth-password", engine="0x80001f8880aabbccdd02")
    r.send("-v3", "-u", "watcher", "-l", "authNoPriv", "-a", "SHA-256", "-A", AUTH, "-e", "0x80001f8880aabbccdd03",
           f"127.0.0.1:{r.port}", "", LINK_DOWN, *IF_INDEX)  # of a user who has a key to encrypt with
    check(r.v3(LINK_UP, *IF_INDEX, inform=True).returncode == 0, "the right one is answered")
    r.v3("1.3.6.1.4.1.9999.1", engine="0x80001f8880aabbccdd02")  # the same engine, with the right keys
    until(20, "they are heard", lambda: {f["oid"] for f in traps(c)} == {LINK_UP, "1.3.6.1.4.1.9999.1"})


def test_an_inform_is_answered_once_it_is_on_disk(lab):
    c, a, r = start(lab)
    check(r.v2c(LINK_DOWN, *IF_INDEX, inform=True).returncode == 0, "answered")
    c.stop()
    check(r.v2c(LINK_UP, *IF_INDEX, inform=True).returncode == 0, "without a collector, too: the agent has it")
    a.kill()
    check(r.v2c("1.3.6.1.4.1.9999.2", inform=True, timeout=1).returncode != 0, "not without the agent")
    a.start()
    check(r.v2c("1.3.6.1.4.1.9999.3", inform=True, timeout=5, retries=3).returncode == 0, "the agent is back")
    c.start()
    answered = {LINK_DOWN, LINK_UP, "1.3.6.1.4.1.9999.3"}
    until(30, "what was answered is there", lambda: answered <= {f["oid"] for f in traps(c)})


def test_what_was_answered_outlives_a_kill(lab):
    """A device says the contrary, and the first again, within one window: what it said last is what counts."""
    c, _, r = start(lab, window="1h")
    for oid in (LINK_DOWN, LINK_UP, LINK_DOWN):
        check(r.v2c(oid, *IF_INDEX, inform=True).returncode == 0, f"{oid} is answered")
    r.kill()
    told = until(20, "all three", lambda: len(traps(c)) == 3 and traps(c))
    check([(f["oid"], f.get("count")) for f in told] == [(LINK_DOWN, "2"), (LINK_UP, None), (LINK_DOWN, None)], f"newest first: {told}")


def rewrite(path, text):
    with open(path, "w") as f:
        f.write(text)


def readable(lab, *names):
    """By whom the receiver becomes, as its unit lets it read them."""
    for name in names:
        if os.geteuid() == 0:
            shutil.chown(os.path.join(lab.dir, name), group=GROUP)


def test_who_may_send_is_read_anew(lab):
    c, a, r = start(lab)
    readable(lab, "community", "user")
    old = dict(community="canary-community"), dict(auth=AUTH)
    new = dict(community="another-community"), dict(auth="another-auth-password")

    def heard(of, number):
        """Of version 2c, and of 3 by our engine: whether they are answered."""
        return [r.v2c(f"1.3.6.1.4.1.9999.{number}", inform=True, timeout=1, **of[0]).returncode == 0,
                r.v3(f"1.3.6.1.4.1.9999.{number + 1}", inform=True, timeout=1, **of[1]).returncode == 0]
    check(heard(old, 10) == [True, True], "at first the old are heard")
    r.v3("1.3.6.1.4.1.9999.20", engine="0x80001f8880aabbccdd09", auth=AUTH)
    until(20, "a trap of an engine", lambda: "1.3.6.1.4.1.9999.20" in {f["oid"] for f in traps(c)})
    rewrite(os.path.join(lab.dir, "community"), "community: another-community\n")
    rewrite(os.path.join(lab.dir, "user"), f"user: watcher\nauth: another-auth-password\npriv: {PRIV}\n")
    check(heard(new, 30) == [False, False] and heard(old, 40) == [True, True], "the control: nobody told it")
    rewrite(os.path.join(lab.dir, "user"), "user: watcher\nauth: short\n")
    r.reload("stays as it was")
    check(heard(new, 50) == [False, False] and heard(old, 60) == [True, True], "a file that is wrong changes nothing")
    rewrite(os.path.join(lab.dir, "user"), f"user: watcher\nauth: another-auth-password\npriv: {PRIV}\n")
    r.reload("of 1 communities and 1 users now")
    check(heard(old, 70) == [False, False] and heard(new, 80) == [True, True], "now the new are heard, and the old are not")
    for number, of in ((90, AUTH), (91, "another-auth-password")):  # an engine that was known before
        r.v3(f"1.3.6.1.4.1.9999.{number}", engine="0x80001f8880aabbccdd09", auth=of)
    until(20, "that of the new", lambda: "1.3.6.1.4.1.9999.91" in {f["oid"] for f in traps(c)})
    check("1.3.6.1.4.1.9999.90" not in {f["oid"] for f in traps(c)}, "not that of the old")
    rewrite(r.path, open(r.path).read().replace("window: 2s", "window: 3s\nrelays: ['127.0.0.1']").replace(
        f"127.0.0.1:{r.port}", f"127.0.0.1:{r.port + 1}"))
    r.reload("'listen' takes effect with the next start")
    check(heard(new, 100) == [True, True], "it listens where it did")
    told = r.log() + c.log()
    check(not [word for word in ("another-community", "another-auth", AUTH) if word in told], "a secret is told")
    check(r.stop() == 0, "it ends well")


class Passage:
    """Between senders and a receiver: what has passed is known to be in the receiver's socket."""

    def __init__(self, lab, port):
        self.to, self.front, self.backs, self.passed = ("127.0.0.1", port), socket.socket(socket.AF_INET, socket.SOCK_DGRAM), {}, 0
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        lab.closers.append(self.front.close)
        threading.Thread(target=self.carry, daemon=True).start()

    def carry(self):
        while True:
            try:
                packet, sender = self.front.recvfrom(65536)
            except OSError:
                return
            if sender not in self.backs:
                self.backs[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.backs[sender].connect(self.to)
                threading.Thread(target=self.carry_back, args=(sender,), daemon=True).start()
            self.backs[sender].send(packet)
            self.passed += 1

    def carry_back(self, sender):
        while True:
            self.front.sendto(self.backs[sender].recv(65536), sender)


def test_informs_under_way_outlive_a_reload(lab):
    """Its event is not on disk when the signal comes, and the keys are no longer those it came with."""
    c, a, r = start(lab)
    readable(lab, "community", "user")
    check(r.v3(LINK_UP, inform=True).returncode == 0, "it is there")
    a.kill()
    passage = Passage(lab, r.port)
    place = f"127.0.0.1:{passage.port}"
    senders = [r.waiting("-v2c", "-c", "canary-community", place, "", "1.3.6.1.4.1.9999.1"),
               r.waiting("-v3", "-u", "watcher", "-l", "authPriv", "-a", "SHA-256", "-A", AUTH, "-x", "AES", "-X", PRIV, place, "",
                         "1.3.6.1.4.1.9999.2")]
    until(20, "they have arrived, of version 3 the question for the engine first", lambda: passage.passed == 3)
    rewrite(os.path.join(lab.dir, "community"), "community: another-community\n")
    rewrite(os.path.join(lab.dir, "user"), f"user: watcher\nauth: another-auth-password\npriv: {PRIV}\n")
    r.reload("of 1 communities and 1 users now")
    check([sender.poll() for sender in senders] == [None, None], "the control: nobody was answered yet")
    a.start()
    check([sender.wait(30) for sender in senders] == [0, 0], "both are answered")
    until(20, "both are there", lambda: {"1.3.6.1.4.1.9999.1", "1.3.6.1.4.1.9999.2"} <= {f["oid"] for f in traps(c)})


def test_a_storm_of_one_trap_is_one_event_with_a_count(lab):
    c, _, r = start(lab)
    for _ in range(5):
        r.v2c(LINK_DOWN, *IF_INDEX)
    r.v2c(LINK_DOWN, "1.3.6.1.2.1.2.2.1.1.4", "i", "4")
    found = until(20, "the count", lambda: [f for f in traps(c) if "count" in f] and traps(c))
    check(sorted((f["ifIndex"], f.get("count", "")) for f in found) == [("3", ""), ("3", "5"), ("4", "")], f"{found}")


def test_a_relay_is_believed_and_a_device_has_its_name(lab):
    devices = os.path.join(lab.dir, "snmp.yml")
    with open(devices, "w") as f:
        key = credentials(lab, "device", "community: x-canary\n")
        f.write(f"modules: [{os.path.dirname(os.path.abspath(__file__))}/../../packaging/snmp-modules]\n"
                f"devices: [{{name: sw-hall, address: 10.7.0.9, version: 2c, credentials: {key}, modules: [system]}}]\n")
    hook = lab.webhook()
    feed = f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"
    c, _, r = start(lab, extra=feed, devices=devices, relays="['127.0.0.0/30']")
    address = ["1.3.6.1.6.3.18.1.3.0", "a", "10.7.0.9"]
    r.v2c(LINK_DOWN, *IF_INDEX, *address)
    opened = until(20, "the ticket", lambda: hook.notices("firing", "LinkDown"))[0]
    check(opened[2]["alerts"][0]["labels"]["instance"] == "sw-hall", f"{opened}")
    event = c.get("/api/fenwatch/v1/events", kind="trap")[0]
    check(event["host"] == "sw-hall" and event["fields"]["source"] == "10.7.0.9" and event["fields"]["relay"] == "127.0.0.1", f"{event}")
    time.sleep(0.01)
    r.v2c(LINK_UP, *IF_INDEX, *address)
    until(20, "its end", lambda: hook.notices("resolved", "LinkDown"))
    check(len(hook.notices("firing", "LinkDown")) == 1, "one ticket")


def test_any_address_of_a_device_is_its_own(lab):
    """One that is configured by name, and has other addresses, too: as fenwatch-snmp found it."""
    device, c = Snmpd(lab).start(), lab.collector().start()
    a = lab.agent(c, group=GROUP).enrol().start()
    a.wait_probe()
    reader = Reader(lab, a, ("sw-hall", device.port, "2c", "every: 1s, inventory: 1s, modules: [system, identity]"))
    reader.reconfigure("127.0.0.1:", "localhost:")
    r = Receiver(lab, a, devices=reader.config, relays="['127.0.0.1']").start()
    r.logged("listening for traps")
    r.v2c("1.3.6.1.4.1.9999.1", *IF_INDEX)  # the control: nobody has found it yet
    until(20, "the agent's", lambda: [e["host"] for e in c.get("/api/fenwatch/v1/events", kind="trap")] == ["agent"])
    if os.geteuid() == 0:
        reader.argv = ["setpriv", f"--regid={GROUP}", "--clear-groups", *reader.argv]  # what it keeps is read by its group
    reader.start()

    def known():
        with open(os.path.join(lab.dir, "addresses")) as f:
            return dict(line.strip().split("\t") for line in f)
    found = until(30, "addresses are kept", lambda: "127.0.0.1" in known() and len(known()) > 1 and known())
    check(set(found.values()) == {"sw-hall"}, f"{found}")
    others = [address for address in found if "." in address and address != "127.0.0.1"]
    time.sleep(1.5)  # it looks once a second
    r.v2c("1.3.6.1.4.1.9999.2", *IF_INDEX)
    r.v2c("1.3.6.1.4.1.9999.3", "1.3.6.1.6.3.18.1.3.0", "a", others[0])
    wanted = {"1.3.6.1.4.1.9999.1": "agent", "1.3.6.1.4.1.9999.2": "sw-hall", "1.3.6.1.4.1.9999.3": "sw-hall"}
    until(20, "the device's", lambda: {e["fields"]["oid"]: e["host"] for e in c.get("/api/fenwatch/v1/events", kind="trap")} == wanted)


def test_the_right_to_its_port_is_given_up(lab):
    """As its unit starts it: a user with one capability, which is gone before the first packet is read."""
    bare = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--no-new-privs"]
    right = ["--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service"]
    port = 162
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError as error:
            skip(f"port {port} cannot be had: {error}")
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        if int(f.read()) <= port or os.geteuid() != 0 or not succeeds(*bare, *right, lab.program("snmp"), "--version"):
            skip("needs root, whose programs others may run, and a port that is not everybody's")
    c = lab.collector().start()
    a = lab.agent(c).enrol().start()
    r = Receiver(lab, a, listen=f"['127.0.0.1:{port}']")
    os.chmod(lab.dir, 0o755)
    os.mkdir(os.path.join(lab.dir, "traps-data"))
    shutil.chown(os.path.join(lab.dir, "traps-data"), USER)
    for name in ("community", "user"):
        shutil.chown(os.path.join(lab.dir, name), group=GROUP)
    program = r.argv
    r.argv = [*bare, *program]
    r.start()
    r.logged("its port needs a right that is missing")
    r.argv = [*bare, *right, *program]
    r.start()
    r.logged("listening for traps")
    status = status_of(r.child.pid)
    check([status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == ["0" * 16] * 4, f"{status}")
    check((status["NoNewPrivs"], status["Seccomp"], status["Uid"].split()[0]) == ("1", "2", "65534"), f"{status}")
    check("cannot start" in r.log(), "the control could not")


def test_root_becomes_its_user(lab):
    """Of root's name nothing is left; what it keeps is its user's, and a folder of root's is none."""
    if os.geteuid() != 0:
        skip("only root becomes another")
    c, a, r = start(lab)
    numbers = [str(n) for n in (pwd.getpwnam(USER).pw_uid, grp.getgrnam(GROUP).gr_gid)]
    ours, theirs = status_of("self"), status_of(r.child.pid)
    check(ours["Uid"].split() == ["0"] * 4 and int(ours["CapBnd"], 16) != 0, f"the control, as root: {ours}")
    check([theirs[name].split() for name in ("Uid", "Gid")] == [[n] * 4 for n in numbers], f"{theirs['Uid']} {theirs['Gid']}")
    check(not theirs["Groups"] and int(theirs["CapBnd"], 16) == 0, f"groups {theirs['Groups']}, bounds {theirs['CapBnd']}")
    check(r.v3(LINK_DOWN, *IF_INDEX, inform=True).returncode == 0, "it reaches the agent")
    kept = os.path.join(lab.dir, "traps-data")
    owners = {os.stat(path).st_uid for path in [kept, *(os.path.join(kept, name) for name in os.listdir(kept))]}
    check(owners == {int(numbers[0])} and os.listdir(kept), f"{owners} own {os.listdir(kept)}")
    check(r.stop() == 0, "it ends well")
    os.mkdir(os.path.join(lab.dir, "of-root"), 0o700)
    for key, value, why in (("user", "nobody-at-all", "there is no user 'nobody-at-all'"), ("user", "root", "must be another"),
                            ("data", os.path.join(lab.dir, "of-root"), "must be its user's own")):
        refused = Receiver(lab, a, **{key: value}).start()
        refused.logged(why)
        check(refused.child.wait(20) == 1, f"{key}: {refused.log()}")


def test_versions_of_3_go_on_over_a_restart(lab):
    c, _, r = start(lab)
    check(r.v3(LINK_DOWN, *IF_INDEX, inform=True).returncode == 0, "before")
    for _ in range(2):
        r.kill()
        r.start()
        check(r.v3(LINK_UP, *IF_INDEX, inform=True, retries=5, timeout=1).returncode == 0, "after a kill")
    until(20, "they are there", lambda: len(traps(c)) == 3)


# ---- many ----

RATE, SECONDS = 1000, int(os.environ.get("FENWATCH_TRAP_SECONDS", "4"))
ANSWERED = 0.9 if SECONDS >= 60 else 0.25  # how many of them is the long form's to judge: a busy machine drops some


def inform(count):
    told = tlv(2, count.to_bytes(4, "big"))
    pdu = tlv(0xa6, told + tlv(2, b"\0") + tlv(2, b"\0") + tlv(0x30, variable("1.3.6.1.2.1.1.3.0", tlv(0x43, b"\x10")) +
              variable("1.3.6.1.6.3.1.1.4.1.0", number("1.3.6.1.4.1.9999.7")) + variable("1.3.6.1.4.1.9999.8.0", told)))
    return tlv(0x30, tlv(2, b"\1") + tlv(4, b"canary-community") + pdu)


def send_many(port, count):
    """Sends so many informs, RATE a second, and gives how many were answered."""
    s, answered, start_s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0, time.monotonic()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.setblocking(False)
    sent = 0
    while answered < count and time.monotonic() < start_s + count / RATE + 20:
        while sent < count and time.monotonic() >= start_s + sent / RATE:
            sent += 1
            s.sendto(inform(sent), ("127.0.0.1", port))
        try:
            s.recv(2000)
            answered += 1
        except BlockingIOError:
            time.sleep(0.0005)
    return answered


def test_a_thousand_a_second_lose_nothing_that_was_answered(lab):
    c, _, r = start(lab)
    answered = send_many(r.port, RATE * SECONDS)
    print(f"# {answered} of {RATE * SECONDS} informs answered", flush=True)
    check(answered > RATE * SECONDS * ANSWERED, f"{answered} answered")
    db = sqlite3.connect(f"file:{os.path.join(c.data, 'state.db')}?mode=ro", uri=True)
    until(60 + SECONDS, "all are filed", lambda: db.execute(
        "SELECT count(DISTINCT fields) FROM event WHERE kind = 'trap'").fetchone()[0] >= answered)


main()
