"""The agent's answer and apt's own, on the same files: what is pending, and which version.

A machine's tree is made of this machine's list of packages with every third version set
back, and of an archive of the test's own, some of it phased. Then apt, which may run
here although the agent never does it, is asked the same.
"""
import os
import re
import subprocess

from stage import check, main, skip, write_file

MACHINE_ID = "8d7ac6db0b3a4b2c9c1e0c1f2a3b4c5d"


def paragraphs(path):
    with open(path, errors="replace") as f:
        return f.read().split("\n\n")


def field(paragraph, name):
    found = re.search(rf"^{name}: (.*)$", paragraph, re.M)
    return found.group(1) if found else ""


class Tree:
    def __init__(self, lab):
        if not os.path.exists("/var/lib/dpkg/status") or not os.path.exists("/usr/bin/apt-get"):
            skip("this machine has no apt")
        self.lab, self.root = lab, os.path.join(lab.dir, "tree")
        for folder in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d",
                       "etc/apt/trusted.gpg.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
            os.makedirs(os.path.join(self.root, folder))
        write_file(f"{self.root}/etc/machine-id", MACHINE_ID + "\n")
        write_file(f"{self.root}/etc/apt/sources.list", f"deb [trusted=yes] file:{self.root}/archive ./\n")
        self.installed = [p for p in paragraphs("/var/lib/dpkg/status") if "ok installed" in field(p, "Status")]
        self.write_files()

    def write_files(self):
        status, archive = [], []
        for i, p in enumerate(self.installed):
            version = field(p, "Version")
            archive.append("\n".join(f"{n}: {field(p, n)}" for n in (
                "Package", "Source", "Architecture", "Version", "Maintainer", "Description", "Multi-Arch")
                if field(p, n)) + "\nFilename: ./x.deb\nSize: 1\nSHA256: " + "0" * 64
                + (f"\nPhased-Update-Percentage: {i % 100}" if i % 2 else ""))
            old = re.sub(r"^(\d+:)?.*", r"\g<1>0~old", version) if i % 3 == 0 else version
            p = "\n".join(line for line in p.splitlines() if not re.match("(Pre-)?Depends:|Breaks:|Conflicts:|Replaces:|Installed-Size:", line))
            status.append(p.replace(f"Version: {version}", f"Version: {old}"))
        write_file(f"{self.root}/var/lib/dpkg/status", "\n\n".join(status) + "\n")
        write_file(f"{self.root}/archive/Packages", "\n\n".join(archive) + "\n")

    def apt(self, program, *argv):
        done = subprocess.run([program, "-o", f"Dir={self.root}", "-o", f"Dir::State::status={self.root}/var/lib/dpkg/status",
                               "-o", "Dir::Bin::Methods=/usr/lib/apt/methods", "-o", f"APT::Machine-ID={MACHINE_ID}",
                               "-o", "APT::Sandbox::User=root", "-o", "Dir::Bin::ischroot=/bin/false", "-o", "Debug::NoLocking=1", *argv],
                              capture_output=True, text=True, env=dict(os.environ, LC_ALL="C"))
        check(done.returncode == 0, f"{program} {argv}: {done.stdout[-500:]}{done.stderr[-2000:]}")
        return done.stdout

    def agent(self):
        config = os.path.join(self.lab.dir, "agent.yml")
        write_file(config, f"root: {self.root}\ndata: {self.lab.dir}/data\n")
        done = subprocess.run([self.lab.program("agent"), "--config", config, "--print", "packages"],
                              capture_output=True, text=True)
        check(done.returncode == 0, done.stderr)
        items = {}
        for key, rest in re.findall(r"^# INVENTORY patches (\S+)\t(.*)$", done.stdout, re.M):
            if ":" in key:  # the others tell what the answer rests on
                items[key] = dict(part.split("=", 1) for part in rest.split("\t"))
        return items


def test_pending_as_apt_has_it(lab):
    tree = Tree(lab)
    tree.apt("apt-get", "update")
    answer = tree.apt("apt", "list", "--upgradable")
    theirs = {f"{name}:{arch}": version
              for name, version, arch in re.findall(r"^([^/\s]+)/\S+ (\S+) (\S+) \[upgradable", answer, re.M)}
    ours = tree.agent()
    check(len(theirs) > 50, f"apt has {len(theirs)} of {len(tree.installed)}")
    differ = {k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k, {}).get("candidate")}
    print(f"# {len(theirs)} pending of {len(tree.installed)} packages, {len(differ)} answers differ")
    check(not differ, f"{sorted(differ)[:5]}")


def test_whose_turn_it_is_as_apt_draws_it(lab):
    tree = Tree(lab)
    tree.apt("apt-get", "update")
    answer = tree.apt("apt-get", "-s", "upgrade")
    # Older apts tell what is phased among what they keep back; here nothing else is.
    deferred = re.findall(r"(?:deferred due to phasing|have been kept back):\n((?:  .*\n)+)", answer)
    theirs = set(" ".join(deferred).split())
    ours = {key.rpartition(":")[0] for key, item in tree.agent().items() if item["state"] == "phased"}
    print(f"# {len(theirs)} deferred, {len(theirs ^ ours)} answers differ")
    check(len(theirs) > 10, f"{theirs}")
    check(theirs == ours, f"only apt: {sorted(theirs - ours)[:5]}, only here: {sorted(ours - theirs)[:5]}")


main()
