#!/usr/bin/env python3
"""What a package leaves behind when it is purged, and when it is only removed: with dpkg itself, in a root of its own.

usage: test_purge.py MAKE_POSTRM BUILT

BUILT is the folder where the build wrote units and tmpfiles.d. Speaks TAP.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

OURS = {
    "fenwatch-agent": ["etc/fenwatch/agent.yml", "var/lib/fenwatch-agent/key.pem", "var/lib/fenwatch-jobs/job"],
    "fenwatch-snmp": ["etc/fenwatch/snmp.yml", "etc/fenwatch/snmp-credentials/core", "etc/fenwatch/snmp-modules/own.yml",
                      "var/lib/fenwatch-snmp/addresses", "var/lib/fenwatch-snmp-traps/starts"],
    "fenwatch-capture": ["etc/fenwatch/capture.yml", "var/lib/fenwatch-capture/seen"],
    "fenwatch-check": ["etc/fenwatch/check.yml", "etc/fenwatch/check-secrets/web"],
    "fenwatch-collector": ["etc/fenwatch/collector.yml", "var/lib/fenwatch-collector/ring/0"],
}
THEIRS = ["etc/fenwatch/traps.yml", "etc/other.yml", "var/lib/fenwatch-other/file"]
FORCED = ["--force-not-root", "--force-script-chrootless", "--force-depends", "--force-bad-path", "--log=/dev/null"]


def write(path, text="", mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


class Machine:
    """Where a package of nothing but its script is installed."""

    def __init__(self, folder, name, script):
        self.root = os.path.join(folder, "root")
        for path in ("var/lib/dpkg/updates/.", "var/lib/dpkg/info/."):
            os.makedirs(os.path.join(self.root, path))
        write(os.path.join(self.root, "var/lib/dpkg/status"))
        package = os.path.join(folder, "package")
        write(f"{package}/DEBIAN/control", f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.example>\n"
                                           "Description: what is left of it\n")
        write(f"{package}/DEBIAN/postrm", script, 0o755)
        done = subprocess.run(["dpkg-deb", "--build", package, package + ".deb"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.dpkg("--install", package + ".deb")
        for path in OURS[name] + THEIRS:
            write(os.path.join(self.root, path))

    def dpkg(self, *argv):
        done = subprocess.run(["dpkg", f"--root={self.root}", *FORCED, *argv], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def has(self, paths):
        return [path for path in paths if os.path.exists(os.path.join(self.root, path))]


def problem(machine, name):
    """What is wrong, or nothing."""
    machine.dpkg("--remove", name)
    if machine.has(OURS[name]) != OURS[name]:
        return "removing it took more than its programs"
    machine.dpkg("--purge", name)
    if left := machine.has(OURS[name] + [path for path in map(os.path.dirname, OURS[name]) if path != "etc/fenwatch"]):
        return f"left: {left}"
    if machine.has(THEIRS) != THEIRS:
        return "what a person wrote is gone"
    return None


def purged(name, script):
    folder = tempfile.mkdtemp()
    try:
        return problem(Machine(folder, name, script), name)
    finally:
        shutil.rmtree(folder)


def main(make, built):
    results = []
    for name in OURS:
        script = subprocess.run([make, name, built, built], capture_output=True, text=True, check=True).stdout
        results.append((f"{name} takes what it made, and nothing else", purged(name, script)))
        toothless = re.sub(r"rm -rf.*", r": \\", script)
        found = purged(name, toothless) or ""
        results.append((f"{name}: a folder that is left is found", None if "left" in found else "it is not"))
    print(f"1..{len(results)}")
    for number, (what, why) in enumerate(results, 1):
        print(f"{'not ok' if why else 'ok'} {number} - {what}{' # ' + why if why else ''}")
    return any(why for _, why in results)


if __name__ == "__main__":
    if not shutil.which("dpkg-deb"):
        print("1..0 # SKIP no dpkg here")
        sys.exit(0)
    sys.exit(main(*sys.argv[1:]))
