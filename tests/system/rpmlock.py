"""An rpm database that another process has locked, or that cannot be written.

The agent's own question, rpm -qa on this machine, is asked where /var/lib/rpm is a
database of the test's. Whatever becomes of it, nothing there may have changed.
"""
import fcntl
import glob
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess

from stage import check, main, skip, succeeds, until

PACKAGES = 40


class Machine:
    """A mount namespace of its own, kept by a process that sleeps."""

    def __init__(self, lab):
        if os.geteuid() != 0 or not shutil.which("rpmbuild"):
            skip("this needs root, and rpm")
        if not succeeds("unshare", "--mount", "true"):
            skip("no mount namespace of its own can be had here")
        self.lab, self.db = lab, os.path.join(lab.dir, "db")
        self.build()
        self.keeper = subprocess.Popen(["unshare", "--mount", "sleep", "600"])
        until(10, "a mount namespace of its own", self.is_apart)
        open(f"{lab.dir}/nothing", "w").close()
        for what, where in ((self.db, "/var/lib/rpm"), (f"{lab.dir}/nothing", "/var/lib/dpkg/status")):
            done = self.inside("mount", "--bind", what, where)
            if done.returncode != 0:
                self.close()
                skip(f"nothing can be mounted here: {done.stderr.strip()}")

    def is_apart(self):
        check(self.keeper.poll() is None, "unshare has ended")
        with open(f"/proc/{self.keeper.pid}/comm") as f:  # then its mounts are its own as well
            return f.read() == "sleep\n" and \
                os.readlink(f"/proc/{self.keeper.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")

    def build(self):
        spec = f"{self.lab.dir}/some.spec"
        with open(spec, "w") as f:
            f.write("Name: frame\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\n%description\nx\n")
            for i in range(PACKAGES):
                f.write(f"%package -n some{i}\nVersion: {i}.1\nSummary: x\n%description -n some{i}\nx\n%files -n some{i}\n")
        for argv in (["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {self.lab.dir}/build",
                      "--define", "_build_id_links none", spec],
                     ["rpm", "--dbpath", self.db, "--initdb"]):
            subprocess.run(argv, check=True, capture_output=True)
        subprocess.run(["rpm", "--dbpath", self.db, "-i", "--justdb", "--nodeps",
                        *glob.glob(f"{self.lab.dir}/build/RPMS/*/*.rpm")], check=True, capture_output=True)
        os.chmod(self.db, 0o755)

    def inside(self, *argv):
        return subprocess.run(["nsenter", "-t", str(self.keeper.pid), "-m", *argv],
                              capture_output=True, text=True, timeout=100)

    def state(self):
        files = {}
        for path in sorted(glob.glob(f"{self.db}/*") + glob.glob(f"{self.db}/.*")):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    files[path] = (os.stat(path).st_mtime_ns, hashlib.sha256(f.read()).hexdigest())
        return files

    def ask(self):
        config = f"{self.lab.dir}/agent.yml"
        with open(config, "w") as f:
            f.write(f"data: {self.lab.dir}/data\n")
        before = self.state()
        done = self.inside(self.lab.program("agent"), "--config", config, "--print", "rpm")
        check(self.state() == before, "the database was changed")
        found = re.search(r"^# INVENTORY packages (\d+) items", done.stdout, re.M)
        return (int(found.group(1)) if found else 0), done.stdout + done.stderr

    def close(self):
        self.keeper.kill()
        self.keeper.wait()


def with_machine(lab, story):
    machine = Machine(lab)
    try:
        story(machine)
    finally:
        machine.close()


def expect_all(machine):
    n, text = machine.ask()
    check(n == PACKAGES, f"{n} packages: {text[-1500:]}")


def test_a_free_one(lab):
    with_machine(lab, expect_all)


def test_locked_by_a_transaction(lab):
    """As rpm, yum and dnf lock it while they install."""
    def story(machine):
        with open(f"{machine.db}/.rpm.lock", "a") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            writer = sqlite3.connect(f"{machine.db}/rpmdb.sqlite", isolation_level=None)
            writer.execute("BEGIN IMMEDIATE")
            expect_all(machine)
            # The lock is still the other's: it can go on, and end.
            writer.execute("CREATE TABLE others (x)")
            writer.execute("ROLLBACK")
            writer.close()
    with_machine(lab, story)


def test_locked_for_everybody(lab):
    """Some versions of rpm read what is there and ask for no lock, others do not answer."""
    def story(machine):
        holder = sqlite3.connect(f"{machine.db}/rpmdb.sqlite", isolation_level=None)
        holder.execute("PRAGMA journal_mode=DELETE")
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        n, text = machine.ask()
        check(n == PACKAGES or (n == 0 and "rpm -qa" in text), f"{n} packages: {text[-1500:]}")
        holder.execute("ROLLBACK")
        holder.close()
    with_machine(lab, story)


def test_unreadable(lab):
    """No answer is a failure that says so, not a machine without packages."""
    def story(machine):
        os.chmod(f"{machine.db}/rpmdb.sqlite", 0o600)
        n, text = machine.ask()
        check(n == 0 and "rpm -qa" in text and "source_ok" not in text, text[-1500:])
        os.chmod(f"{machine.db}/rpmdb.sqlite", 0o644)
        expect_all(machine)
    with_machine(lab, story)


def test_read_only(lab):
    def story(machine):
        check(machine.inside("mount", "-o", "remount,bind,ro", "/var/lib/rpm").returncode == 0, "no read-only mount")
        expect_all(machine)
    with_machine(lab, story)


main()
