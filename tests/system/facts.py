"""The helper for what needs rights: who may ask, what a child may do, what hangs, and what it finds."""
import json
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
import threading

from stage import Process, check, main, skip, status_of, until, write_file

DISKS, POWER, SMART, LIBRARIES, RULESET, SERIALS = range(1, 7)
AGENT, HELPER, STRANGER = "bin", "games", "daemon"
RAWIO_AND_ADMIN = 1 << 17 | 1 << 21
ALL_FIVE = RAWIO_AND_ADMIN | 1 << 19 | 1 << 12 | 1 << 2
EBUSY, ETIMEDOUT, EHOSTDOWN, ENODEV, EOPNOTSUPP = 16, 110, 112, 19, 95

# One that every user may run.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

# A question by another user: connects, asks, prints the answer's rc and its body.
ASK = """
import socket, struct, sys
path, packet = sys.argv[1], bytes.fromhex(sys.argv[2])
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
    s.settimeout(60)
    s.connect(path)
    try:
        s.send(packet)
        answer = s.recv(1 << 17)
    except (ConnectionResetError, BrokenPipeError):
        answer = b""
print(answer.hex())
"""

SMARTCTL = """#!/usr/bin/env python3
import json, sys, time
if sys.argv[-1] == "/dev/sda":
    time.sleep(1000)
print(json.dumps({"smartctl": {"argv": sys.argv[1:], "exit_status": 0}, "local_time": {"time_t": 1},
                  "device": {"type": "sat"}, "smart_status": {"passed": True}}))
"""


class Helper(Process):
    def __init__(self, lab, *more, before=()):
        if os.geteuid() != 0:
            skip("to give up rights takes having them: needs root")
        os.chmod(lab.dir, 0o755)
        self.socket = os.path.join(lab.dir, "facts.sock")
        super().__init__(lab, "facts", [*before, os.path.join(lab.build, "agent/facts/fenwatch-facts"), "--socket",
                                        self.socket, "--agent", AGENT, "--user", HELPER, *more])
        lab.processes.append(self)

    def start(self, **env):
        super().start(**env)
        until(20, "it listens", lambda: os.path.exists(self.socket) and self.ask(DISKS) is not None)
        return self

    def packet(self, code, major=0, minor=0):
        return b"FWF1" + bytes([code, 0, 0, 0]) + struct.pack("<II", major, minor)

    def send(self, packet, user=AGENT):
        """The answer's bytes; none where the helper hung up."""
        done = subprocess.run([PYTHON, "-c", ASK, self.socket, packet.hex()], user=user, group=user,
                              extra_groups=[], capture_output=True, text=True, timeout=90)
        check(done.returncode == 0, f"asked as {user}: {done.stderr}")
        return bytes.fromhex(done.stdout.strip())

    def ask(self, code, major=0, minor=0, user=AGENT):
        """(rc, body), or None where it hung up."""
        answer = self.send(self.packet(code, major, minor), user)
        return (struct.unpack("<i", answer[8:12])[0], answer[12:]) if answer else None

    def open_to_all(self):
        os.chmod(self.socket, 0o666)


def capabilities(pid):
    return int(status_of(pid)["CapPrm"], 16)


def running(word):
    """Processes whose command line has the word."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if word.encode() in f.read().split(b"\0") and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def stage_disks(lab, names):
    """A tree with disks, and the options for a helper that has it and a smartctl of ours."""
    root, smartctl = os.path.join(lab.dir, "root"), os.path.join(lab.dir, "smartctl")
    for n, name in enumerate(names):
        write_file(f"{root}/sys/block/{name}/dev", f"8:{16 * n}\n")
        write_file(f"{root}/sys/block/{name}/device/vendor", "ATA     \n")
        write_file(f"{root}/dev/{name}", "")
    os.makedirs(f"{root}/proc", exist_ok=True)
    write_file(smartctl, SMARTCTL, 0o755)
    return ["--root", root, "--smartctl", smartctl]


def as_user(user):
    """setpriv takes its own rights along as far as exec: the build may lie in a folder of root's."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def agent_prints(lab, source, facts, user=AGENT):
    config = os.path.join(lab.dir, "print.yml")
    write_file(config, f"facts: {facts}\n")
    done = subprocess.run([*as_user(user), lab.program("agent"), "--config", config, "--print", source],
                          capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"--print {source}: {done.stderr}")
    return done.stdout


def test_a_disk_that_hangs_takes_nothing_from_the_others(lab):
    helper = Helper(lab, *stage_disks(lab, ["sda", "sdb"])).start()
    own = status_of(helper.child.pid)
    check(own["Uid"].split()[0] == str(status_uid(HELPER)), f"it runs as {own['Uid']}")
    check(int(own["CapEff"], 16) & ~ALL_FIVE == 0, f"with {own['CapEff']}")
    check(own["NoNewPrivs"].strip() == "1", "and gains none")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(helper.ask(SMART, 8, 0)))
    asking.start()
    hung = until(20, "smartctl runs", lambda: running("/dev/sda"))
    for pid in hung:
        of_child = status_of(pid)
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            check(int(of_child[kind], 16) & ~RAWIO_AND_ADMIN == 0, f"{kind} of a child is {of_child[kind]}")
        check(of_child["Uid"] == own["Uid"], f"and its user {of_child['Uid']}")
    check(any(int(status_of(pid)["CapEff"], 16) == RAWIO_AND_ADMIN for pid in hung), "which it has kept")
    check(helper.ask(SMART, 8, 0)[0] == -EBUSY, "no second one goes there")
    rc, body = helper.ask(SMART, 8, 16)
    check(rc == 0 and json.loads(body)["smartctl"]["argv"][-1] == "/dev/sdb", f"another disk is asked: {rc} {body}")
    check("--nocheck=idle" in json.loads(body)["smartctl"]["argv"], f"and not where it is idle: {body}")
    check(helper.ask(SMART, 8, 32)[0] == -ENODEV, "of what is no disk nothing is asked")
    asking.join(120)
    check(answers and answers[0][0] == -ETIMEDOUT, f"the first is given up: {answers}")
    until(5, "and killed", lambda: not running("/dev/sda"))
    check(helper.stop() == 0, "it ends when told")


def status_uid(user):
    return pwd.getpwnam(user).pw_uid


def test_who_waits_no_more_is_not_worked_for(lab):
    helper = Helper(lab, *stage_disks(lab, ["sda"])).start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(helper.socket)
        s.send(helper.packet(SMART, 8, 0))
        until(20, "smartctl runs", lambda: running("/dev/sda"))
    until(5, "it is killed", lambda: not running("/dev/sda"))


def test_strangers_are_told_nothing(lab):
    helper = Helper(lab, *stage_disks(lab, ["sdb"])).start()
    mode = os.stat(helper.socket).st_mode & 0o777
    check(mode == 0o660, f"the socket's mode is {mode:o}")
    helper.open_to_all()
    check(helper.ask(DISKS, user=STRANGER) is None, "another user is refused")
    helper.logged("was refused")
    check(helper.ask(DISKS)[0] == 0, "the agent is not")
    for junk in (b"", b"x", helper.packet(0), helper.packet(7), helper.packet(255), helper.packet(SMART) + b"x",
                 b"FWF2" + helper.packet(DISKS)[4:], b"\xff" * 16, b"FWF1\x01;id\0" + b"\0" * 8):
        check(junk == b"" or helper.send(junk) == b"", f"{junk} is answered")
    check(helper.ask(DISKS)[0] == 0, "and it goes on")


def test_a_socket_that_systemd_hands_over(lab):
    if not shutil.which("systemd-socket-activate"):
        skip("systemd-socket-activate is not installed")
    path = os.path.join(lab.dir, "facts.sock")
    helper = Helper(lab, before=["systemd-socket-activate", "--seqpacket", "-l", path])
    Process.start(helper)
    until(20, "somebody listens", lambda: os.path.exists(path))
    helper.open_to_all()
    check(helper.ask(DISKS)[0] == 0, "the first question starts it")
    check(status_of(helper.child.pid)["Uid"].split()[0] == str(status_uid(HELPER)), "and it has given up root")


def test_a_library_that_was_replaced(lab):
    helper = Helper(lab).start()
    folder = os.path.join(lab.dir, "lib")
    os.makedirs(folder)
    library = os.path.join(folder, "libreplaced.so.1")
    real = next(path for path in ("/lib/x86_64-linux-gnu/libz.so.1", "/lib/aarch64-linux-gnu/libz.so.1")
                if os.path.exists(path))
    shutil.copy(real, library)
    user = subprocess.Popen([PYTHON, "-c", f"import ctypes, time; ctypes.CDLL('{library}'); print(1, flush=True); "
                             "time.sleep(1000)"], user=STRANGER, group=STRANGER, extra_groups=[], stdout=subprocess.PIPE)
    try:
        user.stdout.readline()
        series = f'node_processes_linking_deleted_libraries{{library_name="libreplaced.so.1",library_path="{folder}"}} 1'
        check(series not in agent_prints(lab, "libraries", helper.socket), "it is there still")
        os.unlink(library)
        found = agent_prints(lab, "libraries", helper.socket)
        check(series in found, f"replaced: {found}")
        # Without the helper only the agent's own processes are seen, and it says so.
        alone = agent_prints(lab, "libraries", "/nonexistent")
        check("libreplaced" not in alone and "fenwatch_deleted_libraries_partial 1" in alone, f"alone: {alone}")
    finally:
        user.kill()
        user.wait()


def test_parts_have_helpers_of_their_own(lab):
    """As systemd starts them: the agent asks each for what is its, and there are no other answers."""
    hardware = Helper(lab, "--part", "hardware").start()
    check(hardware.ask(LIBRARIES)[0] == -EOPNOTSUPP, "it answers nothing of processes")
    check(capabilities(hardware.child.pid) == RAWIO_AND_ADMIN | 1 << 2, "it has no rights over processes")
    alone = agent_prints(lab, "libraries", hardware.socket)
    check('node_scrape_collector_success{collector="libraries"} 0' in alone, alone)
    path = hardware.socket.replace(".sock", "-processes.sock")
    processes = Helper(lab, "--part", "processes", "--socket", path)
    Process.start(processes)
    until(20, "it listens", lambda: os.path.exists(path))
    until(20, "it has given up others", lambda: capabilities(processes.child.pid) == 1 << 19)
    check(capabilities(processes.child.pid) == 1 << 19, "it may look into processes, and nothing else")
    both = agent_prints(lab, "libraries", hardware.socket)
    check('node_scrape_collector_success{collector="libraries"} 1' in both, both)


RULES = [
    ("", 0),
    ("table inet t { chain c { type filter hook input priority 0; policy accept; tcp dport 22 accept; }\n}", 0),
    ("table ip t { chain c { type filter hook forward priority 0; policy drop; ip daddr 10.0.0.1 drop; }\n}", 0),
    ("table inet t { chain c { type filter hook input priority 0; policy drop; }\n}", 1),
    ("table inet t { chain a { tcp dport 25 reject; }\n chain b { jump a; }\n "
     "chain c { type filter hook input priority 0; policy accept; jump b; }\n}", 1),
    ("table inet t { chain a { tcp dport 25 drop; }\n "
     "chain c { type filter hook input priority 0; policy accept; }\n}", 0),
]


def test_rules_of_nftables(lab):
    if not shutil.which("nft"):
        skip("nft is not installed")
    if subprocess.run(["unshare", "-n", "nft", "list", "ruleset"], capture_output=True).returncode:
        skip("this kernel has no nftables, or no network namespaces")
    helper = Helper(lab, before=["unshare", "-n"]).start()
    for rules, wanted in RULES:
        done = subprocess.run(["nsenter", "-t", str(helper.child.pid), "-n", "nft", "-f", "-"],
                              input="flush ruleset\n" + rules, text=True, capture_output=True)
        check(done.returncode == 0, f"{rules}: {done.stderr}")
        found = agent_prints(lab, "firewall", helper.socket)
        check(f'fenwatch_firewall_enabled{{profile="nftables"}} {wanted}' in found, f"{rules}: {found}")
    alone = agent_prints(lab, "firewall", "/nonexistent")
    check('profile="nftables"' not in alone, f"without the helper nothing is said of it: {alone}")


def test_a_failing_disk_is_an_alert(lab):
    options = stage_disks(lab, ["sdb"])
    with open(options[3]) as f:
        text = f.read().replace('"passed": True', '"passed": False')
    write_file(options[3], text, 0o755)
    helper = Helper(lab, *options).start()
    c = lab.collector().start()
    a = lab.agent(c, extra=f"facts: {helper.socket}\n").enrol()
    subprocess.run(["chown", "-R", AGENT, a.data], check=True)
    a.argv = [*as_user(AGENT), *a.argv]
    a.start()
    until(60, "the series has come", lambda: c.value('smartmon_device_smart_healthy{disk="/dev/sdb"}') == 0)
    check(c.value('fenwatch_smart_ok{device="sdb"}') == 1, "it was asked")
    until(30, "an alert", lambda: c.alerts(rule="DiskFailing"))
    check(status_of(a.child.pid)["CapEff"].strip("0") == "", "the agent itself has no rights")


main()
