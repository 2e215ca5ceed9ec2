#!/usr/bin/env python3
"""The services as systemd sees them: correct, closed, and not blind.

usage: test_units.py UNITS

UNITS is the folder where the build wrote the units. Their programs are not
installed yet, so another stands in for them. Speaks TAP.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Exposure by `systemd-analyze security`, times ten.
MOST_EXPOSED = {"fenwatch-agent": 17, "fenwatch-collector": 12, "fenwatch-facts": 13, "fenwatch-snmp": 13,
                "fenwatch-facts-network": 13, "fenwatch-facts-processes": 13, "fenwatch-capture": 13,
                "fenwatch-check": 15, "fenwatch-check-plugins@": 15, "fenwatch-snmp-traps": 16}

# What a helper hands to its children, of whom each keeps what its request needs; which
# sockets it may open; and whether it sees the machine's own network.
HELPERS = {
    "fenwatch-facts": ("CAP_SYS_RAWIO CAP_SYS_ADMIN", "none", ["yes"]),
    "fenwatch-facts-network": ("CAP_NET_ADMIN", "AF_NETLINK", None),
    "fenwatch-facts-processes": ("CAP_SYS_PTRACE", "none", ["yes"]),
}

SOCKETS = [*HELPERS, "fenwatch-check-plugins"]

# Each of these would hide from the agent what it is there to see, or break it.
BLINDING = {
    "ProtectProc": {"noaccess", "invisible", "ptraceable"},
    "ProcSubset": {"pid"},
    "ProtectHome": {"yes", "tmpfs", "true"},
    "ProtectClock": {"yes", "true"},
    "PrivateNetwork": {"yes", "true"},
    "PrivatePIDs": {"yes", "true"},
}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def settings(text):
    found = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", text, re.M):
        found.setdefault(key, []).append(value)
    return found


class Units:
    def __init__(self, built, folder):
        self.folder = folder
        self.paths, self.texts = {}, {}
        for name in MOST_EXPOSED:
            with open(f"{built}/{name}.service") as unit:
                text = unit.read()
            self.texts[name] = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M)
            self.paths[name] = self.write(name, self.texts[name])
        for name in SOCKETS:
            shutil.copy(f"{built}/{name}.socket", folder)

    def write(self, name, text):
        path = f"{self.folder}/{name}.service"
        with open(path, "w") as unit:
            unit.write(text)
        return path

    def complaints(self, path):
        """verify leaves with 0 whatever it finds, and speaks of the machine's other units too."""
        _, output = run("systemd-analyze", "verify", "--man=no", path)
        return [line for line in output.splitlines() if os.path.basename(path) in line]

    def is_exposed(self, path, most):
        status, _ = run("systemd-analyze", "security", "--offline=yes", "--no-pager",
                        f"--threshold={most}", path)
        return status != 0


def check_correct(units):
    for path in units.paths.values():
        assert not units.complaints(path), units.complaints(path)


def check_misspelt_is_noticed(units):
    text = units.texts["fenwatch-agent"].replace("WatchdogSec=", "WatchdogSecs=")
    path = units.write("fenwatch-misspelt", text)
    assert units.complaints(path), "a misspelt key went unnoticed"


def check_exposure(units):
    for name, most in MOST_EXPOSED.items():
        assert not units.is_exposed(units.paths[name], most), f"{name} is over {most / 10}"


def check_open_unit_is_noticed(units):
    for name, most in MOST_EXPOSED.items():
        text = re.sub(r"^SystemCallFilter=.*\n", "", units.texts[name], flags=re.M)
        path = units.write("fenwatch-open", text)
        assert units.is_exposed(path, most), f"{name} without a filter passed as well"


def check_agent_is_not_blind(units):
    found = settings(units.texts["fenwatch-agent"])
    for key, values in BLINDING.items():
        assert not values & set(found.get(key, [])), f"{key}={found[key]}"
    assert any("adjtimex" in value for value in found["SystemCallFilter"])


def check_services_are_supervised(units):
    for name in ("fenwatch-agent", "fenwatch-collector", "fenwatch-snmp", "fenwatch-snmp-traps", "fenwatch-check"):
        found = settings(units.texts[name])
        assert found["Type"] == ["notify"] and found["Restart"] == ["always"]
        assert int(found["WatchdogSec"][0]) > 0 and found["LimitCORE"] == ["0"]
        most = [{"fenwatch-check": "CAP_NET_RAW", "fenwatch-snmp-traps": "CAP_NET_BIND_SERVICE"}.get(name, "")]
        assert found["NoNewPrivileges"] == ["yes"] and found["CapabilityBoundingSet"] == most


def check_helper_sees_modules(units):
    """Without /proc/modules it would ask a kernel that has no nf_tables, and so load it."""
    assert "ProcSubset" not in settings(units.texts["fenwatch-facts-network"])


def check_agent_and_helpers_give_way(units):
    for name in ["fenwatch-agent", "fenwatch-snmp", "fenwatch-snmp-traps", "fenwatch-capture", "fenwatch-check",
                 "fenwatch-check-plugins@", *HELPERS]:
        found = settings(units.texts[name])
        assert found["Nice"] == ["10"] and found["IOSchedulingClass"][0] in ("idle", "best-effort"), name


def check_helpers_have_their_capabilities_alone(units):
    for name, (capabilities, families, private) in HELPERS.items():
        found = settings(units.texts[name])
        assert found["User"] == ["fenwatch-facts"] and found["NoNewPrivileges"] == ["yes"]
        assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == [capabilities], found
        assert found["RestrictAddressFamilies"] == [families] and found["LimitCORE"] == ["0"]
        assert found.get("PrivateNetwork") == private, found


def check_capture_has_one_capability_and_ends_for_good(units):
    found = settings(units.texts["fenwatch-capture"])
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == ["CAP_NET_RAW"], found
    assert found["RestrictAddressFamilies"] == ["AF_PACKET AF_UNIX AF_NETLINK"] and found["LimitCORE"] == ["0"]
    assert found["Restart"] == ["on-failure"] and found["RestartPreventExitStatus"] == ["77 78"], found
    assert found["NoNewPrivileges"] == ["yes"] and found["Type"] == ["notify"]


def check_who_gives_up_capabilities_may(units):
    """capset is among @privileged: without it they could not start."""
    for name in ("fenwatch-capture", "fenwatch-snmp-traps", "fenwatch-facts"):
        assert settings(units.texts[name])["SystemCallFilter"][-1] == "capset", name


def check_plugins_have_nothing(units):
    found = settings(units.texts["fenwatch-check-plugins@"])
    assert found["User"] == found["Group"] == ["fenwatch-plugins"] and "SupplementaryGroups" not in found, found
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == [""], found
    assert found["NoNewPrivileges"] == ["yes"] and found["LimitCORE"] == ["0"] and "KillMode" not in found, found


def check_sockets_leave_nothing(units):
    """What is stopped for good, as before its package goes, has no file in /run any more."""
    for name in SOCKETS:
        path = f"{units.folder}/{name}.socket"
        with open(path) as unit:
            found = settings(unit.read())
        assert not units.complaints(path) and found.get("RemoveOnStop") == ["yes"], (units.complaints(path), found)


CHECKS = [check_correct, check_misspelt_is_noticed, check_exposure, check_open_unit_is_noticed,
          check_agent_is_not_blind, check_helper_sees_modules,
          check_agent_and_helpers_give_way, check_services_are_supervised,
          check_helpers_have_their_capabilities_alone, check_capture_has_one_capability_and_ends_for_good,
          check_who_gives_up_capabilities_may, check_plugins_have_nothing, check_sockets_leave_nothing]


def main():
    print(f"1..{len(CHECKS)}")
    missing = not shutil.which("systemd-analyze")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        units = Units(sys.argv[1], folder)
        for number, check in enumerate(CHECKS, 1):
            name = check.__name__.removeprefix("check_").replace("_", " ")
            if missing:
                print(f"ok {number} - {name} # SKIP systemd-analyze is not installed")
                continue
            try:
                check(units)
                print(f"ok {number} - {name}")
            except AssertionError as why:
                failed += 1
                print(f"not ok {number} - {name}\n# {why}")
    sys.exit(1 if failed else 0)


main()
