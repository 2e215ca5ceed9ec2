"""Filesystems whose program never answers: the agent goes on, on time, and piles nothing up.

Real FUSE, spoken here over /dev/fuse: five filesystems that take the question for
their size and never answer it, or do not even take it, and one that answers. All of
it runs in a mount and process namespace of its own, so that nobody else of this
machine meets these mounts. Half a minute long; FENWATCH_HUNG_SECONDS makes it an hour.
"""
import ctypes
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import stage
from stage import check, skip, succeeds, until

NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
DURATION = int(os.environ.get("FENWATCH_HUNG_SECONDS", "30"))

INIT, STATFS, INTERRUPT, FORGET, BATCH_FORGET = 26, 17, 36, 2, 42
ENOSYS = 38
MNT_DETACH = 2


class Fuse:
    """A mounted filesystem. `mood`: it answers, holds its answer back, or reads no questions."""

    def __init__(self, lab, name, mood):
        self.path, self.mood, self.held, self.lock = os.path.join(lab.dir, name), mood, [], threading.Lock()
        self.go_on = threading.Event()
        os.makedirs(self.path)
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if libc.mount(b"hung", self.path.encode(), b"fuse.hung", 0, options.encode()) < 0:
            skip(f"FUSE cannot be mounted here: {os.strerror(ctypes.get_errno())}")
        lab.closers.append(self.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                request = os.read(self.fd, 1 << 17)
            except OSError:
                return
            _, opcode, unique = struct.unpack_from("<IIQ", request)
            if opcode == INIT:
                major, minor, ahead = struct.unpack_from("<III", request, 40)
                self.answer(unique, struct.pack("<IIIIHHIIHHI28x", major, min(minor, 31), ahead, 0, 12, 9,
                                                1 << 16, 1, 0, 0, 0))
                if self.mood == "deaf":
                    self.go_on.wait()
            elif opcode == STATFS:
                self.on_statfs(unique)
            elif opcode not in (INTERRUPT, FORGET, BATCH_FORGET):
                self.answer(unique, error=ENOSYS)

    def on_statfs(self, unique):
        with self.lock:
            if self.mood == "silent":
                self.held.append(unique)
                return
        # 1,000 blocks of 4 KiB, a quarter of them free.
        self.answer(unique, struct.pack("<QQQQQIIII24x", 1000, 250, 250, 100, 50, 4096, 255, 4096, 0))

    def answer(self, unique, data=b"", error=0):
        try:
            os.write(self.fd, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)
        except OSError:
            pass  # who asked is gone

    def close(self):
        self.recover()
        ctypes.CDLL(None).umount2(self.path.encode(), MNT_DETACH)

    def recover(self):
        with self.lock:
            held, self.held, self.mood = self.held, [], "answers"
        for unique in held:
            self.on_statfs(unique)
        self.go_on.set()


def leave_others_mounts():
    """Those of stories at work beside this one would end with them, and their series with it."""
    with open("/proc/mounts") as f:
        others = [line.split()[1] for line in f if "/fenwatch-lab-" in line.split()[1]]
    for mount in others:
        ctypes.CDLL(None).umount2(mount.encode(), MNT_DETACH)


def children_of(pid):
    """{pid: command's state} of a process, ended ones that nobody has waited for included."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    state, parent = f.read().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue
            if int(parent) == pid:
                found[int(name)] = state
    return found


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def points(collector, selector, seconds, at):
    """Times of the samples of every series up to then, by its labels."""
    return {tuple(sorted(series["metric"].items())): [at for at, _ in series["values"]]
            for series in collector.query(f"{selector}[{seconds}s]", at)}


def missed(times):
    """How many points of the grid of one second lie between the first and the last, and have no sweep."""
    return round(times[-1] - times[0]) + 1 - len(set(round(at) for at in times))


def blocked_readers(mounts):
    """One plain process a mount that asks as df does: the control of the mounts."""
    code = "import os, sys; os.statvfs(sys.argv[1])"
    return {m.path: subprocess.Popen([sys.executable, "-c", code, m.path]) for m in mounts}


def check_mounts_hang(hung, fine):
    readers = blocked_readers(hung + [fine])
    check(readers[fine.path].wait(60) == 0, "the filesystem that answers does")
    time.sleep(3)
    for mount in hung:
        check(readers[mount.path].poll() is None, f"asking for {mount.path} never ends")
        readers[mount.path].kill()
    return readers


def watch_children(agent, seconds):
    """Looks every half second. Returns how long each child was seen, and the most seen at once that were
    older than ten seconds."""
    first, last, most = {}, {}, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = time.monotonic()
        for pid in children_of(agent.child.pid):
            first.setdefault(pid, now)
            last[pid] = now
        most = max(most, sum(1 for pid in first if last[pid] == now and now - first[pid] > 10))
        time.sleep(0.5)
    return {pid: last[pid] - first[pid] for pid in first}, most


def error_of(collector, mount):
    """(1 or 0, its sentence)."""
    return [(float(series["value"][1]), series["metric"].get("device_error", ""))
            for series in collector.query('node_filesystem_device_error{instance="agent"}')
            if series["metric"]["mountpoint"] == mount.path][0]


def test_five_that_never_answer(lab):
    if os.environ.get("FENWATCH_OWN_MOUNTS") != "yes":
        skip("no mount and process namespace of its own can be had here")
    if not os.path.exists("/dev/fuse"):
        skip("this kernel has no FUSE")
    collector = lab.collector(store="{raw: 64MiB}").start()
    agent = lab.agent(collector, extra="sources: {packages: off}\n").enrol().start()  # whose child may take its time
    # The same machine at the same moment, without a look at filesystems: how punctual one can be here.
    control = lab.agent(collector, name="control", extra="sources: {filesystem: off}\n").enrol().start()
    until(60, "both agents' sweeps",
          lambda: len(collector.query("node_load1")) == 2 and len(collector.query("node_load1[60s]")[0]["values"]) > 5)
    before = descriptors_of(agent.child.pid)
    hung = [Fuse(lab, f"hung{i}", "silent" if i < 3 else "deaf") for i in range(5)]
    fine = Fuse(lab, "fine", "answers")
    readers = check_mounts_hang(hung, fine)
    until(90, "the mounts are reported", lambda: all(error_of(collector, m)[0] == 1 for m in hung))
    began = time.time()
    ages, most = watch_children(agent, DURATION)
    window, at = min(int(time.time() - began), 600), time.time() - 2  # what was swept till then is there

    # On time: the other series, all of them, on every point of the grid.
    own = [t for labels, t in points(collector, "node_load1", window, at).items() if ("instance", "agent") in labels][0]
    its = [t for labels, t in points(collector, "node_load1", window, at).items() if ("instance", "control") in labels][0]
    print(f"# {len(own)} sweeps, {missed(own)} points missed, {missed(its)} by the agent without mounts", flush=True)
    check(len(own) > window / 2, f"{len(own)} sweeps in {window} s")
    check(missed(own) <= missed(its) + max(6, window // 5), f"{missed(own)} missed against {missed(its)}")
    for name in ("node_memory_MemFree_bytes", "node_time_seconds", "node_vmstat_pgfault",
                 "node_filesystem_readonly", "node_scrape_collector_success"):
        for labels, times in points(collector, name + '{instance="agent"}', window, at).items():
            lost = set(own) - set(times)
            check(len(lost) <= 1, f"{labels} lacks {len(lost)} of {len(own)} sweeps")

    # Reported, and only those.
    for mount in hung:
        check(error_of(collector, mount) == (1, "mountpoint timeout"), f"{mount.path}: {error_of(collector, mount)}")
    check(error_of(collector, fine) == (0, ""), f"{fine.path}: {error_of(collector, fine)}")
    size = [s for s in collector.query('node_filesystem_size_bytes{instance="agent"}')
            if s["metric"]["mountpoint"] == fine.path]
    check(float(size[0]["value"][1]) == 4096000, f"its size: {size}")

    # At most one child a mount: three that cannot die, two that are killed and asked again.
    old = [pid for pid, age in ages.items() if age > 10]
    print(f"# {most} children waited at once, {len(old)} in all, {len(ages)} of every kind", flush=True)
    check(most <= 5, f"{most} children at once for five mounts")
    check(len(old) >= 5, f"only {len(old)} children waited")
    killed = set(old) - set(children_of(agent.child.pid))
    check(len(killed) >= 2, f"{len(killed)} were killed")
    check(len(old) <= 3 + 2 * (DURATION // 60 + 2), f"{len(old)} children in {DURATION} s")

    # When they answer again, all of it is over.
    for mount in hung:
        mount.recover()
    until(90, "no errors are left", lambda: all(error_of(collector, m) == (0, "") for m in hung))
    until(60, "no child is left", lambda: not set(old) & set(children_of(agent.child.pid)))
    until(60, "no descriptor is left", lambda: descriptors_of(agent.child.pid) <= before + 1)
    for reader in readers.values():
        reader.wait(60)
    check(agent.stop() == 0 and control.stop() == 0, "the agents end well")


def test_two_thousand_mounts(lab):
    """400 have series, the others are counted, and it is read in a moment."""
    if os.environ.get("FENWATCH_OWN_MOUNTS") != "yes":
        skip("no mount and process namespace of its own can be had here")
    libc = ctypes.CDLL(None, use_errno=True)
    for i in range(2000):
        path = f"{lab.dir}/many/{i}"
        os.makedirs(path)
        check(libc.mount(b"many", path.encode(), b"tmpfs", 0, b"size=4k") == 0, os.strerror(ctypes.get_errno()))
    lab.closers.append(lambda: [libc.umount2(f"{lab.dir}/many/{i}".encode(), MNT_DETACH) for i in range(2000)])
    config = os.path.join(lab.dir, "print.yml")
    with open(config, "w") as f:
        f.write("name: many\n")
    before = os.times().children_user
    text = subprocess.run([lab.program("agent"), "--config", config, "--print", "filesystem"], capture_output=True,
                          text=True, timeout=120).stdout
    print(f"# {os.times().children_user - before:.2f} s of CPU in this build", flush=True)
    kept = [line for line in text.splitlines() if line.startswith("node_filesystem_mount_info{")]
    left_out = [line.split()[1] for line in text.splitlines() if line.startswith("fenwatch_filesystem_mounts_left_out ")]
    check(len(kept) == 400, f"{len(kept)} are kept")
    check(any('mountpoint="/"' in line for line in kept), "the root is among them")
    check(1600 <= int(left_out[0]) < 1700, f"{left_out} are left out")


if os.environ.get("FENWATCH_OWN_MOUNTS") != "yes" and succeeds(*NAMESPACE, "true"):
    os.environ["FENWATCH_OWN_MOUNTS"] = "yes"
    os.execvp(NAMESPACE[0], NAMESPACE + [sys.executable] + sys.argv)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the first process of a namespace has no default
if os.environ.get("FENWATCH_OWN_MOUNTS") == "yes":
    leave_others_mounts()
stage.main()
