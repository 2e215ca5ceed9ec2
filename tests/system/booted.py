#!/usr/bin/env python3
"""The units on a machine that boots: systemd as process 1 over a copy of this machine's own files, with what a build installs.
Each service starts, has the rights that it should and no others, is started again where it is killed, and stops.

usage: booted.py BUILD      BUILD is a release; nothing of this machine is changed
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage  # noqa: E402
from stage import check, skip, until  # noqa: E402

MASKED = ("systemd-sysctl", "systemd-modules-load", "systemd-udevd", "systemd-timesyncd", "systemd-binfmt", "snmptrapd")
SETUP = """
mount -t tmpfs tmpfs {dir}
mkdir {dir}/upper {dir}/work {dir}/root
mount -t overlay overlay -o lowerdir=/,upperdir={dir}/upper,workdir={dir}/work {dir}/root
cd {dir}/root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: > etc/machine-id
for name in {masked}; do ln -sf /dev/null etc/systemd/system/$name.service; ln -sf /dev/null etc/systemd/system/$name.socket; done
DESTDIR=$PWD meson install -C {build} --no-rebuild --quiet
ip link set lo up
mkdir old
pivot_root . old
exec chroot . sh -ec 'umount -l /old; exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin \
SYSTEMD_PROC_CMDLINE=systemd.unified_cgroup_hierarchy=1 /lib/systemd/systemd --system --unit=basic.target'
"""
SERVICES = ("fenwatch-collector", "fenwatch-agent", "fenwatch-snmp", "fenwatch-snmp-traps", "fenwatch-capture", "fenwatch-check")
SOCKETS = [f"fenwatch-{name}.socket" for name in ("facts", "facts-network", "facts-processes", "check-plugins")]
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--uts", "--ipc", "--net", "--cgroup"]


class Machine:
    """Booted, until close()."""

    def __init__(self, lab):
        if os.geteuid() != 0 or not stage.succeeds(*NAMESPACES, "true") or not os.path.exists("/lib/systemd/systemd"):
            skip("needs root, namespaces and systemd")
        with open("/proc/mounts") as f:
            trees = [line.split()[1] for line in f if line.split()[2] == "cgroup2"]
        if not trees:
            skip("there are no control groups of version 2")
        self.group, self.log = os.path.join(trees[0], f"fenwatch-booted-{os.getpid()}"), os.path.join(lab.dir, "boot.log")
        os.mkdir(self.group)
        lab.closers.append(self.close)
        root = os.path.join(lab.dir, "machine")
        os.mkdir(root)
        setup = SETUP.format(dir=root, build=lab.build, masked=" ".join(MASKED))
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(["sh", "-ec", f'echo $$ > {self.group}/cgroup.procs; exec "$@"', "sh", *NAMESPACES,
                                           "sh", "-ec", setup], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.init = until(60, "process 1", self.find_init)
            until(120, "it has booted", lambda: self.run("systemctl", "is-system-running").strip() in ("running", "degraded"), 1)
        except AssertionError as why:
            with open(self.log, errors="replace") as f:
                skip(f"no machine boots here: {why} {f.read()[-300:]}".replace("\n", " "))

    def find_init(self):
        with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children") as f:
            children = f.read().split()
        with open(f"/proc/{children[0]}/comm") as f:
            return children[0] if f.read().strip() == "systemd" else None

    def run(self, *argv, stdin=None, **env):
        done = subprocess.run(["nsenter", "-t", self.init, "-a", "env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               *(f"{name}={value}" for name, value in env.items()), *argv], input=stdin, capture_output=True,
                              text=True, timeout=120)
        return done.stdout + done.stderr

    def write(self, path, text, mode=0o644, group=None):
        self.run("sh", "-c", f"cat > {path}; chmod {mode:o} {path}" + (f"; chgrp {group} {path}" if group else ""), stdin=text)

    def value(self, unit, name):
        return self.run("systemctl", "show", "-p", name, "--value", unit).strip()

    def status(self, unit):
        """Of its main process, as the kernel has it."""
        text = self.run("cat", f"/proc/{self.value(unit, 'MainPID')}/status")
        return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))

    def start(self, unit):
        said = self.run("systemctl", "start", unit)
        check(self.value(unit, "ActiveState") == "active", f"{unit}: {said} {self.run('journalctl', '-u', unit, '-n', '8')}")

    def close(self):
        self.child.kill()
        self.child.wait()
        until(20, "its groups are empty", lambda: stage.succeeds("find", self.group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"))


def prepare(m):
    """What postinst does, and a configuration of each."""
    m.run("systemd-sysusers")
    m.run("systemd-tmpfiles", "--create")
    m.run("systemctl", "daemon-reload")
    m.run("systemctl", "enable", "--now", *SOCKETS)
    check([m.value(name, "ActiveState") for name in SOCKETS] == ["active"] * 4, "their sockets listen")
    m.write("/etc/fenwatch/collector.yml", 'agents: {listen: "127.0.0.1:7443"}\napi: {listen: "127.0.0.1:8080"}\nstore: {raw: 16MiB}\n',
            0o640, "fenwatch-collector")
    m.write("/etc/fenwatch/agent.yml", "name: box\nclass: server\ncollectors: [127.0.0.1:7443]\n")
    m.write("/etc/fenwatch/snmp-credentials/one", "community: canary-community\n", 0o640)  # its folder gives it its group
    m.write("/etc/fenwatch/traps.yml", "communities: [/etc/fenwatch/snmp-credentials/one]\n")
    m.write("/etc/fenwatch/snmp.yml", "modules: [/usr/local/share/fenwatch/snmp-modules]\ndevices: [{name: dead, address: 127.0.0.9, version: 2c, modules: [system], "
            "credentials: /etc/fenwatch/snmp-credentials/one}]\n")
    m.write("/etc/fenwatch/capture.yml", "interfaces: []\n")
    m.run("systemctl", "set-environment", "ASAN_OPTIONS=detect_leaks=0")  # its end is looked at, and no unit lets it look for leaks
    m.run("systemctl", "start", "fenwatch-capture")
    until(10, "without an interface it ends well", lambda: [m.value("fenwatch-capture", name) for name in (
        "Result", "ActiveState", "NRestarts")] == ["success", "inactive", "0"])
    m.write("/etc/fenwatch/capture.yml", "interfaces: [lo]\n")
    m.write("/etc/fenwatch/check-secrets/web", "canary\n", 0o640, "fenwatch-check")
    m.write("/usr/local/bin/looks", "#!/bin/sh\necho \"$(id -un) $(id -Gn) $(cat /etc/fenwatch/check-secrets/web 2>/dev/null)\"; exit 1\n", 0o755)
    m.write("/usr/local/bin/stays", "#!/bin/sh\nsetsid sleep 4321 & sleep 4321\n", 0o755)
    m.write("/etc/fenwatch/check.yml", "checks:\n- {name: looks, type: plugin, every: 2s, command: [/usr/local/bin/looks]}\n"
            "- {name: stays, type: plugin, every: 5s, command: [/usr/local/bin/stays]}\n"
            "- {name: ping, type: icmp, target: 127.0.0.1, every: 2s}\n")


def fenwatch(m, *argv):
    token = m.run("cat", "/var/lib/fenwatch-collector/admin.token").strip()
    return m.run("fenwatch", *argv, FENWATCH_API="http://127.0.0.1:8080", FENWATCH_TOKEN=token)


def test_each_unit_at_work(lab):
    m = Machine(lab)
    prepare(m)
    m.start("fenwatch-collector")
    token = fenwatch(m, "token", "new", "--join").strip().splitlines()[-1]
    check("is enrolled" in m.run("fenwatch-agent", "enrol", "--collector", "127.0.0.1:7443", stdin=token + "\n"), "it enrols")
    for unit in SERVICES[1:]:
        m.start(unit)

    for unit in SERVICES:
        status = m.status(unit)
        allowed = {"fenwatch-check": 1 << 13}.get(unit, 0)  # CAP_NET_RAW
        check(int(status["CapEff"], 16) == allowed and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
              and status["Uid"].split()[0] != "0", f"{unit}: {status}")
    check("0.0.0.0:162 " in m.run("ss", "-uln"), "the port of traps is bound")
    told = until(60, "what a plugin could", lambda: re.search("text=(fenwatch-plugins .*) was=", fenwatch(m, "events", "--kind", "check")))
    check(told.group(1) == "fenwatch-plugins fenwatch-plugins", f"its user, its group and no secret: {told.group(1)}")
    until(60, "an echo came back", lambda: re.search("^probe_success.* 1$", fenwatch(m, "query", "probe_success"), re.M))

    until(60, "a plugin left something in another session", lambda: int(m.run("pgrep", "-cx", "sleep")) > 2)
    for unit in SERVICES:
        before = m.value(unit, "MainPID")
        m.run("kill", "-9", before)
        until(60, f"{unit} is started again", lambda: m.value(unit, "ActiveState") == "active" and m.value(unit, "MainPID") not in ("0", before))
    for unit in ("fenwatch-snmp", "fenwatch-snmp-traps", "fenwatch-check"):
        before = m.value(unit, "MainPID")
        m.run("systemctl", "reload", unit)
        until(20, f"{unit} reads its file anew", lambda: "SIGHUP" in m.run("journalctl", "-u", unit))
        check(m.value(unit, "MainPID") == before, f"{unit} goes on")
    for unit in reversed(SERVICES):
        m.run("systemctl", "stop", unit)
        check((m.value(unit, "Result"), m.value(unit, "ExecMainStatus")) == ("success", "0"), f"{unit}: {m.run('systemctl', 'status', unit)}")
    until(20, "nothing is left of what plugins left", lambda: m.run("pgrep", "-cx", "sleep").strip() == "0")
    check(len(m.run("ls", "/run/fenwatch").split()) == 4, "their sockets are files")
    m.run("systemctl", "stop", *SOCKETS)
    check(m.run("ls", "/run/fenwatch") == "", "which go when they are stopped")
    check(not m.run("systemctl", "--failed", "--no-legend", "list-units", "fenwatch*").strip(), "no unit has failed")

    place = "/etc/systemd/system/fenwatch-snmp-traps.service.d"
    m.run("mkdir", place)
    m.write(f"{place}/shut.conf", "[Service]\nRestart=no\nSystemCallFilter=~capset\n")
    m.run("systemctl", "daemon-reload")
    m.run("systemctl", "start", "fenwatch-snmp-traps")
    check(m.value("fenwatch-snmp-traps", "ActiveState") == "failed", "the control: a filter that is too narrow is found")


if __name__ == "__main__":
    stage.main()
