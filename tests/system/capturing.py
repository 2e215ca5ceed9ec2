#!/usr/bin/env python3
"""fenwatch-capture at work on the loopback interface of this machine, beside an agent: to the store, with no right left
but to tell the agent, and with no payload anywhere."""
import grp
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage  # noqa: E402
from capture import CANARY, QUIET, USER, configured, program  # noqa: E402
from pcaps import BROADCAST, arp, dns, ether  # noqa: E402
from stage import check, skip, status_of, until  # noqa: E402

GROUP = "nogroup"  # of the user it becomes, and of root's agent


def talk(port):
    """A service that answers, and a client that sends it what is private."""
    server = socket.create_server(("127.0.0.1", port))
    stopped = threading.Event()

    def serve():
        server.settimeout(0.2)
        while not stopped.is_set():
            try:
                peer, _ = server.accept()
            except socket.timeout:
                continue
            with peer:
                peer.recv(65536)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def stop():
        stopped.set()
        thread.join()
        server.close()
    return stop


def send_private(port):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(CANARY * 3)


def files_with(folder, needle):
    found = []
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                with open(os.path.join(where, name), "rb") as f:
                    if needle in f.read():
                        found.append(os.path.join(where, name))
            except OSError:
                pass
    return found


def memory_of(mem, first, last):
    """What can be read of a region: a read may be short."""
    parts = []
    while first < last:
        mem.seek(first)
        try:
            part = mem.read(min(last - first, 1 << 20))
        except OSError:
            part = b""
        parts.append(part or b"\n" * 4096)
        first += len(parts[-1])
    return b"".join(parts)


def memory_with(pid, needle):
    """Regions of a process that hold it, the one it shares with the kernel too."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            first, last = (int(n, 16) for n in line.split()[0].split("-"))
            small = last - first < 1 << 28 and first < 1 << 63
            if "r" in line.split()[1] and small and needle in memory_of(mem, first, last):
                found.append(line.strip())
    return found


def check_whose(status):
    """Of root's own nothing is left; a shell that root starts shows what would be there."""
    if os.geteuid() != 0:
        return
    numbers = [str(n) for n in (pwd.getpwnam(USER).pw_uid, grp.getgrnam(GROUP).gr_gid)]
    ours = status_of("self")
    check(ours["Uid"].split() == ["0"] * 4 and int(ours["CapBnd"], 16) != 0, f"as root: {ours}")
    check([status["Uid"].split(), status["Gid"].split()] == [[n] * 4 for n in numbers], f"{status['Uid']} {status['Gid']}")
    check(not status["Groups"] and int(status["CapBnd"], 16) == 0, f"groups {status['Groups']}, bounds {status['CapBnd']}")


def test_from_the_wire_to_the_store(lab):
    c, a = lab.pair(GROUP)
    p = started(lab, a)
    port = stage.free_port()
    stop_talking = talk(port)

    def asked():
        send_private(port)
        return c.query(f'fenwatch_capture_tcp_handshakes_total{{port="{port}"}}')
    result = until(60, "the service in the store", asked, 0.5)
    check(result[0]["metric"]["instance"] == a.host and result[0]["metric"]["job"] == "capture", f"{result}")
    def users():
        found = c.get("/api/fenwatch/v1/inventory", kind="clients", package=f"127.0.0.1:{port}/tcp 127.0.0.1")
        return found["items"]
    users = until(30, "who uses it", users)
    check(users[0]["fields"]["client"] == "127.0.0.1", f"{users}")
    table = c.cli("depends", "127.0.0.1")
    check(table.returncode == 0 and f"{port}/tcp" in table.stdout, f"depends: {table.stdout}{table.stderr}")
    check("no capture has heard" in c.cli("depends", "192.0.2.1").stdout, "of another nobody")
    status = status_of(p.child.pid)
    check(int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, f"capabilities: {status['CapPrm']}")
    check_whose(status)
    check(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", "and no way back")
    check(c.value("fenwatch_capture_kernel_dropped_packets_total") == 0, "the kernel dropped nothing")
    held = memory_with(p.child.pid, CANARY)
    check(not held, f"in its memory: {held}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:  # of DNS more is handed over
        question.sendto(dns(1, "a-question-to-be-found"), ("127.0.0.1", 53))
    until(5, "what is handed over is found in its memory, so that could be searched",
          lambda: memory_with(p.child.pid, b"a-question-to-be-found"))
    stop_talking()
    check(p.stop() == 0, "it ends well")
    check(os.path.exists(os.path.join(lab.dir, "seen", "seen")), f"what it saw outlives it: {p.log()}")
    for folder in (a.data, c.data):
        check(not files_with(folder, CANARY), f"in {files_with(folder, CANARY)}")
    check("CANARY" not in p.log() + a.log() + c.log(), "nor in any log")


def send_from(source, target, port, payload):
    with socket.socket() as s:
        s.bind((source, 0))
        s.connect((target, port))
        s.sendall(payload)


def has_shadow(pid):
    """A build with sanitizers has terabytes of address space, which would all be written down."""
    with open(f"/proc/{pid}/maps") as maps:
        return any(last - first >= 1 << 40 for first, last in
                   ((int(n, 16) for n in line.split()[0].split("-")) for line in maps))


def found_in_core(lab, pid, *needles):
    """What of it is there, in all that the debugger writes down, what it shares with the kernel too."""
    if has_shadow(pid):
        return [bool(memory_with(pid, needle)) for needle in needles]
    if not shutil.which("gcore"):
        skip("no gcore (Debian: gdb)")
    with open(f"/proc/{pid}/coredump_filter", "w") as f:
        f.write("0x7f")
    path = os.path.join(lab.dir, "core")
    done = subprocess.run(["gcore", "-o", path, str(pid)], capture_output=True, text=True, timeout=120)
    if not os.path.exists(f"{path}.{pid}"):
        skip(f"gcore may not: {done.stderr[-200:]}")
    with open(f"{path}.{pid}", "rb") as f:
        core = f.read()
    return [needle in core for needle in needles]


def ends_with_a_core(pid, where):
    """Whether the kernel writes one when it aborts."""
    os.kill(pid, signal.SIGABRT)
    status = os.waitpid(pid, 0)[1]
    left = [name for name in os.listdir(where) if name == "core" or name == f"core.{pid}"]
    for name in left:
        os.unlink(os.path.join(where, name))
    return os.WIFSIGNALED(status) and (os.WCOREDUMP(status) or bool(left))


def test_no_core_has_a_payload(lab):
    """The addresses of the very packets that carried it are found there, so that it would be."""
    if os.geteuid() != 0:
        skip("only root may look into it")
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))  # theirs, too
    c, a = lab.pair(GROUP)
    p = started(lab, a)
    port = stage.free_port()
    addresses = socket.inet_aton("127.77.88.99") + socket.inet_aton("127.77.88.98")
    server = socket.create_server(("127.77.88.98", port))
    lab.closers.append(server.close)
    for _ in range(8):
        send_from("127.77.88.99", "127.77.88.98", port, CANARY * 3)
    until(20, "they are counted", lambda: c.query(f'fenwatch_capture_tcp_handshakes_total{{port="{port}"}} >= 8'), 0.5)
    header, payload = found_in_core(lab, p.child.pid, addresses, CANARY)
    check(header, "headers of these packets are found, so that could be searched")
    check(not payload, "a payload is in its core")
    other = subprocess.Popen(["sleep", "60"], cwd=lab.dir)
    if not ends_with_a_core(other.pid, lab.dir):
        skip("this machine writes no core of anybody")
    check(not ends_with_a_core(p.child.pid, os.path.join(lab.dir, "seen")), "it leaves a core where it aborts")


def started(lab, agent, **keys):
    """A capture beside the agent, that has reached it; skips where this machine forbids one."""
    data = os.path.join(lab.dir, "seen")
    os.mkdir(data)
    if os.geteuid() == 0:
        os.chmod(lab.dir, 0o711)
        shutil.chown(data, USER, GROUP)
    paths = configured(lab, interval="5s", tables_interval="5s", data=data, socket=agent.probe, **keys)
    p = stage.Process(lab, "capturing", ["env", f"--chdir={data}", program(lab), "--config", paths["capture"]],
                      {"ASAN_OPTIONS": QUIET["ASAN_OPTIONS"] + ":disable_coredump=0"})
    lab.processes.append(p)
    p.start()
    until(20, "it listens", lambda: not p.alive() or "the agent takes" in p.log())
    if "no right to capture" in p.log():
        skip("this machine does not let us capture")
    return p


def test_an_address_of_two_is_an_event(lab):
    c, a = lab.pair(GROUP)
    started(lab, a)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("lo", 0))
        for n in (5, 6, 6):
            wire.send(ether(arp(2, n, "192.0.2.77", "192.0.2.1"), n, BROADCAST, 0x0806))

    def events():
        return c.cli("events", "--kind", "duplicate").stdout
    table = until(30, "the event", lambda: events() if "192.0.2.77" in events() else None, 0.5)
    check(table.count("192.0.2.77") == 1 and "02:00:00:00:00:05" in table and "02:00:00:00:00:06" in table, table)
    until(30, "both are counted", lambda: c.query("fenwatch_capture_duplicate_addresses_total == 2"), 0.5)
    until(30, "and on the list of devices", lambda: "02:00:00:00:00:06" in c.cli("devices").stdout, 0.5)


def flood(stopped):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        while not stopped.is_set():
            for port in range(20000, 20500):
                s.sendto(b"x" * 100, ("127.0.0.1", port))


def test_a_file_that_is_taken_away_allows_no_names(lab):
    c, a = lab.pair(GROUP)
    names = os.path.join(lab.dir, "allowed.yml")
    with open(names, "w") as f:
        f.write("authority: Head of ICT, CR-1\nuntil: 2099-12-31\n")
    os.chmod(names, 0o644)
    if os.stat(names).st_uid != 0:
        skip("not root")
    p = started(lab, a, names=names)
    until(30, "they are allowed", lambda: c.value("fenwatch_capture_names_allowed") == 1, 0.5)
    os.unlink(names)
    p.logged("no longer kept", 30)
    until(30, "they are not", lambda: c.value("fenwatch_capture_names_allowed") == 0, 0.5)


def test_over_its_budget_it_samples_and_says_so(lab):
    c, a = lab.pair(GROUP)
    p = started(lab, a, budget=1)
    until(30, "the first counts", lambda: c.query("fenwatch_capture_packets_total"), 0.5)
    stopped = threading.Event()
    thread = threading.Thread(target=flood, args=(stopped,), daemon=True)
    thread.start()
    try:
        p.logged("now it samples", 60)
        until(60, "the share in the store", lambda: c.query("fenwatch_capture_sampled_ratio < 1"), 0.5)
    finally:
        stopped.set()
        thread.join()

    def counts():
        names = ("packets", "sampled_out_packets", "kernel_received_packets", "kernel_dropped_packets")
        return [c.value(f"fenwatch_capture_{name}_total") for name in names]
    seen, passed_over, received, dropped = until(60, "what was passed over", lambda: counts() if counts()[1] else None, 0.5)
    check(passed_over < seen <= received, f"seen {seen}, passed over {passed_over}, of {received} with {dropped} dropped")
    told = c.value('sum(fenwatch_capture_service_packets_total)')
    check(told <= seen - passed_over, f"services have {told} of {seen} less {passed_over}")


def test_one_capability_is_enough(lab):
    """As its unit starts it: of no special user, with CAP_NET_RAW alone."""
    if os.geteuid() != 0 or not stage.succeeds("setpriv", "--version"):
        skip("not root, or no setpriv")
    os.chmod(lab.dir, 0o755)
    paths = configured(lab, data=lab.dir, socket=os.path.join(lab.dir, "none.sock"))
    for path in paths.values():
        if os.path.exists(path):
            os.chmod(path, 0o644)
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all,+net_raw",
            "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", program(lab), "--config", paths["capture"]]
    p = stage.Process(lab, "alone", argv, QUIET)
    lab.processes.append(p)
    p.start()
    until(20, "it listens or refuses", lambda: not p.alive() or "the agent is not there" in p.log())
    if "no right to capture" in p.log():
        skip("this machine does not let us capture")
    check(p.alive(), f"it ended: {p.log()}")
    status = status_of(p.child.pid)
    check(status["Uid"].split()[0] == "65534" and int(status["CapPrm"], 16) == 0 and int(status["CapAmb"], 16) == 0,
          f"{status}")
    check(p.stop() == 0, "it ends well")


if __name__ == "__main__":
    stage.main()
