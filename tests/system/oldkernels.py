"""Old machines: the static agent under the oldest kernels that Debian still gives.

Each machine is a real one to its kernel (qemu, emulated): the kernel, busybox, and
the archive that `./dev build --static` makes, unpacked at /. It has no systemd,
no journal and no container; the agent runs from its init script. The collector is
this build's. `./dev qualify oldkernels` fetches the kernels and builds the archives;
where they are missing the story is skipped.
"""
import glob
import os
import shutil
import subprocess
import threading

from stage import check, main, skip, until, write_file

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QEMU = {
    "amd64": ["qemu-system-x86_64", "-cpu", "qemu64"],
    "i386": ["qemu-system-i386", "-cpu", "qemu32,+pae,+sse2"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a53"],
}
CONSOLE = {"arm64": "ttyAMA0"}
INIT = """#!/bin/busybox sh
export PATH=/bin:/usr/local/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /tmp /var/log /var/lib
insmod /e1000.ko
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
echo "machine: up"
while read -r line; do
	sh -c "$line" </dev/null
	echo "machine: done $?"
done
poweroff -f
"""


class Machine:
    def __init__(self, lab, arch):
        self.kernel = self.need(f"build/kernel-{arch}/boot/vmlinuz-*")
        self.arch, self.lab = arch, lab
        self.tree = os.path.join(lab.dir, "tree-" + arch)
        self.text = ""
        self.child = None

    def need(self, pattern):
        found = sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True))
        if not found:
            skip(f"{pattern} is not there; ./dev qualify oldkernels makes it")
        return found[0]

    def put(self, path, text, mode=0o644):
        write_file(os.path.join(self.tree, path), text, mode)

    def make_tree(self, collector):
        for folder in ("bin", "proc", "sys", "dev", "etc", "root", "var/lib/fenwatch-agent"):
            os.makedirs(os.path.join(self.tree, folder))
        base = f"build/kernel-{self.arch}"
        shutil.copy(self.need(f"{base}/bin/busybox"), os.path.join(self.tree, "bin"))
        shutil.copy(self.need(f"{base}/lib/modules/**/e1000.ko"), self.tree)
        archive = self.need(f"build/fenwatch-agent-{self.arch}.tar.gz")
        subprocess.run(["tar", "-C", self.tree, "-xzf", archive], check=True)
        self.put("init", INIT, 0o755)
        self.put("etc/passwd", "root:x:0:0::/root:/bin/sh\nfenwatch:x:500:500::/var/lib/fenwatch-agent:/bin/false\n")
        self.put("etc/group", "root:x:0:\nfenwatch:x:500:\n")
        self.put("etc/hosts", "127.0.0.1 localhost\n10.0.2.2 collector.example\n")
        self.put("etc/fenwatch/agent.yml",
                 f"name: old-{self.arch}\ncollectors: [collector.example:{collector.port}]\ninterval: 2s\n")
        self.put("root/token", collector.join_token() + "\n")

    def start(self, collector):
        self.make_tree(collector)
        packed = self.tree + ".cpio"
        subprocess.run(f"find . | cpio -o -H newc -R 0:0 --quiet >{packed}", shell=True, cwd=self.tree, check=True)
        self.child = subprocess.Popen(
            QEMU[self.arch] + ["-m", "256", "-nographic", "-no-reboot", "-monitor", "none", "-kernel", self.kernel,
                               "-initrd", packed, "-nic", "user,model=e1000", "-append",
                               f"console={CONSOLE.get(self.arch, 'ttyS0')} quiet panic=-1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self.listen, daemon=True).start()
        self.lab.closers.append(self.child.kill)
        self.wait("machine: up", 0, 240)
        return self

    def listen(self):
        for line in self.child.stdout:
            self.text += line.decode(errors="replace").replace("\r", "")

    def wait(self, words, since, seconds):
        until(seconds, f"'{words}' on the console: {self.text[-1500:]}", lambda: words in self.text[since:])

    def run(self, command, seconds=60, status=0):
        """What a command says in the machine."""
        since = len(self.text)
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()
        self.wait("machine: done", since, seconds)
        said, _, rest = self.text[since:].rpartition("machine: done ")
        check(rest.split()[0] == str(status), f"{command}: {said} ended with {rest}")
        return said


def times(c, arch):
    result = c.query(f'node_load1{{instance="old-{arch}"}}[10m]')
    return [t for t, _ in result[0]["values"]] if result else []


def comes_again(c, arch, after, what):
    until(90, f"the agent {what}", lambda: times(c, arch)[-1] > after + 5)


def live_and_die(lab, arch):
    machine = Machine(lab, arch)
    if not shutil.which(QEMU[arch][0]):
        skip(f"{QEMU[arch][0]} is not installed")
    c = lab.collector().start()
    machine.start(c)
    agent = "/usr/local/bin/fenwatch-agent"
    init = "/etc/init.d/fenwatch-agent"
    machine.run("chown fenwatch:fenwatch /var/lib/fenwatch-agent && chmod 700 /var/lib/fenwatch-agent")
    machine.run(f"{init} status", status=3)
    machine.run(f"{agent} enrol --config /etc/fenwatch/agent.yml <root/token", 120)
    machine.run(f"{init} start")
    machine.run(f"{init} status")
    until(60, "the machine's facts", lambda: len(times(c, arch)) >= 3)

    info = c.query(f'node_uname_info{{instance="old-{arch}"}}')[0]["metric"]
    release = os.path.basename(machine.kernel).split("-", 1)[1]
    check(info["release"] == release, f"{info} is of {release}")
    check(c.value(f'node_memory_MemTotal_bytes{{instance="old-{arch}"}}') < 256 << 20, "its own memory")
    success = c.query(f'node_scrape_collector_success{{instance="old-{arch}"}}')
    failing = [s["metric"]["collector"] for s in success if float(s["value"][1]) != 1]
    check(success and not failing, f"no source fails: {failing}")
    series = len(c.query(f'{{instance="old-{arch}"}}'))
    check(series > 100, f"{series} series")
    owner = machine.run("ps -o user,args | grep '[f]enwatch-agent --config' | grep -v 'sh -c' | cut -d' ' -f1")
    check("fenwatch" in owner.split(), f"it runs as {owner}")
    memory = machine.run("grep Rss /proc/$(pidof fenwatch-agent | cut -d' ' -f1)/status")

    machine.run("kill -9 $(pidof fenwatch-agent)")
    comes_again(c, arch, times(c, arch)[-1], "started again by its init script")
    machine.run(f"{init} restart", 120)
    comes_again(c, arch, times(c, arch)[-1], "after a restart")
    machine.run(f"{init} stop")
    machine.run(f"{init} status", status=3)
    stamps = times(c, arch)
    check(len(stamps) == len(set(stamps)), "nothing is stored twice")
    rss = next(line.split()[1] for line in memory.splitlines() if line.startswith("RssAnon"))
    print(f"# 1 machine: {release} ({arch}), {series} series, {rss} KiB anonymous")


def test_amd64(lab):
    live_and_die(lab, "amd64")


def test_i386(lab):
    live_and_die(lab, "i386")


def test_arm64(lab):
    live_and_die(lab, "arm64")


main()
