"""Devices over SNMP: real snmpd of Debian's on loopback, read by fenwatch-snmp, which hands the agent what it read."""
import json
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import time

import wire
from snmpd import AUTH, COMMUNITY, MODULES, PRIV, Reader, Snmpd, credentials
from stage import check, free_port, main, skip, succeeds, until

def series(text):
    """{(name, {labels} as a sorted tuple): value}"""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line).groups()
        pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
        found[name, tuple(sorted(pairs))] = float(value)
    return found

# What does not change while it is looked at twice, and what only grows.
STEADY = {"ifMtu": "1.3.6.1.2.1.2.2.1.4", "ifAdminStatus": "1.3.6.1.2.1.2.2.1.7", "ifOperStatus": "1.3.6.1.2.1.2.2.1.8",
          "ifHighSpeed": "1.3.6.1.2.1.31.1.1.1.15"}
GROWING = {"ifHCInOctets": "1.3.6.1.2.1.31.1.1.1.6", "ifHCOutUcastPkts": "1.3.6.1.2.1.31.1.1.1.11"}

def by_index(read, name, oid):
    return {f"{oid}.{dict(labels)['ifIndex']}": value for (n, labels), value in read.items() if n == name}

def test_values_are_those_of_the_tools(lab):
    device = Snmpd(lab).start()
    reader = Reader(lab, None, *[("v" + v, device.port, v, "modules: [system, interfaces, host-resources, ucd]")
                                 for v in ("1", "2c", "3")])
    until(20, "snmpd answers", lambda: reader.test("v2c")[0] == 0)

    def as_the_tools(version):
        """What belongs to the machine may change between the two reads: then both are made anew."""
        before = device.walk(version, *STEADY.values(), *GROWING.values())
        status, text, why = reader.test("v" + version)
        after = device.walk(version, *GROWING.values())
        check(status == 0, f"version {version}: {why}")
        read = series(text)
        for name, oid in STEADY.items():
            tool = {o: float(v) for o, v in before.items() if o.startswith(oid + ".")}
            check(version == "1" or tool, f"{name} is there")
            check(by_index(read, name, oid) == tool, f"version {version}, {name}: {by_index(read, name, oid)} {tool}")
        for name, oid in GROWING.items():
            for key, value in by_index(read, name, oid).items():
                check(float(before[key]) <= value <= float(after[key]),
                      f"version {version}, {name}: {before[key]} <= {value} <= {after[key]}")
        has = {name for name, _ in read}
        check(("ifHCInOctets" in has) == (version != "1") and ("ifInOctets" in has) == (version == "1"),
              f"64 bits where there are any, else 32: version {version}")
        check(("sysLocation", (("sysLocation", "<script>alert(1)</script>"),)) in read, f"a text is one: {text[:800]}")
        macs = {dict(labels)["ifName"]: dict(labels).get("ifPhysAddress", "") for n, labels in read
                if n == "ifPhysAddress" and "ifName" in dict(labels)}
        # snmpd remembers for minutes what is gone.
        for name, mac in macs.items():
            if not os.path.exists(f"/sys/class/net/{name}"):
                continue
            with open(f"/sys/class/net/{name}/address") as f:
                check(f.read().strip().upper() == (mac or "00:00:00:00:00:00"), f"{name}: {mac}")
        check("lo" in macs, f"the loopback interface is there: {macs}")
        check(any(n == "laLoadFloat" and ("laNames", "Load-1") in labels for n, labels in read), "a float, by its name")
        return True
    for version in ("1", "2c", "3"):
        until(20, f"version {version} says the same", lambda v=version: as_the_tools(v))

def test_a_device_is_a_host_of_its_own(lab):
    device = Snmpd(lab).start()
    c, a = lab.pair()
    reader = Reader(lab, a, ("sw1", device.port, "2c", "every: 1s"), ("sw3", device.port, "3", "every: 1s")).start()
    for name in ("sw1", "sw3"):
        until(30, f"{name} is up", lambda: c.value(f'up{{instance="{name}",job="snmp"}}') == 1)
        until(10, "its series", lambda: c.value(f'ifHCInOctets{{instance="{name}",ifName="lo"}}') is not None)
        check(c.value(f'snmp_scrape_duration_seconds{{instance="{name}"}}') > 0, "how long it took")
    check(c.value('node_load1{instance="agent"}') is not None, "the agent's own go on")
    listed = c.cli("hosts").stdout
    check("sw1" in listed and "sw3" in listed and "agent" in listed, listed)

    # The agent dies with what it had; nothing that it acknowledged is lost, and the devices come back.
    a.kill()
    reader.logged("takes nothing")
    a.start()
    since = time.time()
    until(30, "read again", lambda: c.query('sysUpTime{instance="sw1"}')
          and c.query('timestamp(sysUpTime{instance="sw1"})')[0]["value"][1] > str(since + 1))

    # Without a collector it waits in the agent's spool.
    c.kill()
    down = time.time()
    time.sleep(7)
    c.start()
    until(40, "what was read meanwhile", lambda: float(
        (c.query('count_over_time(sysUpTime{instance="sw3"}[7s])', down + 7) or [{"value": [0, 0]}])[0]["value"][1]) >= 3)

    # It dies: it is down, and the other goes on.
    device.kill()
    until(60, "it is down", lambda: c.value('up{instance="sw1",job="snmp"}') == 0)
    reader.logged("sw1 cannot be read: it does not answer", 20)
    until(20, "the agent is not", lambda: c.value('up{instance="agent",job="node"}') == 1)
    device.start()
    until(60, "it is back", lambda: c.value('up{instance="sw1",job="snmp"}') == 1)
    check(reader.stop() == 0, "the reader ends well")
    secrets = [COMMUNITY, AUTH, PRIV]
    for text in (reader.log(), a.log(), c.log(), str(c.query('{instance=~"sw."}'))):
        check(not any(secret in text for secret in secrets), "no secret is told")
    for folder, _, names in os.walk(a.data):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                data = f.read()
            check(not any(secret.encode() in data for secret in secrets), f"a secret is in {name}")

def service_cannot(lab, program):
    """Root reads what is root's alone; where there is the service's group, root is told that the service cannot."""
    groups = os.path.join(lab.dir, "group")
    with open("/etc/group") as have, open(groups, "w") as f:
        f.write("".join(line for line in have if not line.startswith("fenwatch-snmp:")) + "fenwatch-snmp:x:64991:\n")
    there = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", f'mount --bind {groups} /etc/group; exec "$@"', "sh"]
    if not succeeds(*there, "true"):
        return
    for argv, status in (["--check-config"], 1), (["test", "sw1"], 0):
        done = subprocess.run([*there, *program, *argv], capture_output=True, text=True, timeout=60)
        check(done.returncode == status and "the service cannot read them: chgrp fenwatch-snmp" in done.stderr, f"{argv}: {done}")


def test_who_may_own_credentials(lab):
    """Root, whom the service's user cannot be; a person's own are good for a person."""
    device = Snmpd(lab).start()
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    if os.geteuid() != 0 or not succeeds(*as_nobody, lab.program("snmp"), "--version"):
        skip("needs root, whose programs others may run")
    c, a = lab.pair("nogroup")
    reader = Reader(lab, a, ("sw1", device.port, "2c", "every: 1s"))
    secret, program = os.path.join(lab.dir, "community"), reader.argv
    reader.argv = [*as_nobody, *program]
    os.chmod(lab.dir, 0o755)

    def known():
        return subprocess.run([*reader.argv, "test", "sw1"], capture_output=True, text=True, timeout=60).returncode == 0

    for owner, group, mode in (("nobody", "nogroup", 0o600), ("root", "nogroup", 0o660)):
        shutil.chown(secret, owner, group)
        os.chmod(secret, mode)
        before = reader.log().count("the file must be root's")
        reader.start()
        until(20, "it is refused", lambda n=before: reader.log().count("the file must be root's") > n)
        check(reader.stop() == 0, reader.log())
        check(known() == (owner == "nobody"), "a person's own is good, and no other that is not root's")
    check(not c.query('sysUpTime{instance="sw1"}'), "nothing was read")
    shutil.chown(secret, "root", "root")
    os.chmod(secret, 0o640)
    reader.start()
    reader.logged(f"chgrp fenwatch-snmp '{secret}'; chmod 640 '{secret}'", 20)
    check(reader.stop() == 0, reader.log())
    service_cannot(lab, program)
    shutil.chown(secret, "root", "nogroup")
    os.chmod(secret, 0o640)
    reader.start()
    until(30, "root's is read", lambda: c.value('sysUpTime{instance="sw1"}') is not None)


def test_its_file_is_read_anew(lab):
    """What stays goes on, what is new begins, what is gone ends; a file that is wrong changes nothing."""
    device, dead = Snmpd(lab).start(), free_port()
    c, a = lab.pair()
    well = (device.port, "2c", "every: 1s, inventory: 1s")
    best = (device.port, "3", well[2])
    ill = (dead, "2c", "every: 1s, timeout: 100ms, retries: 0")
    reader = Reader(lab, a, ("stays", *best), ("fails", *ill), ("goes", *well))
    reader.start(ASAN_OPTIONS="max_free_fill_size=1048576:free_fill_byte=120")  # what is forgotten is not there by chance

    def readings(name):
        return c.value(f'count_over_time(sysUpTime{{instance="{name}"}}[5m])') or 0

    def known():
        with open(os.path.join(lab.dir, "addresses")) as f:
            return {line.strip().split("\t")[1] for line in f}
    until(30, "both are read", lambda: min(readings("stays"), readings("goes")) > 2)
    reader.logged("fails cannot be read")

    def reload(said, *devices):
        Reader(lab, a, *devices)
        reader.reload(said)
    reload("the devices stay as they were", ("stays", *best), ("wrong", device.port, "4", "every: 1s"))
    before = readings("goes")
    until(30, "what was there goes on", lambda: readings("goes") > before + 1)
    until(10, "the receiver of traps is told where both are", lambda: known() == {"stays", "goes"})
    reload("there are 3 devices now", ("stays", *best), ("fails", *ill), ("new", *well))
    until(30, "the new one is read", lambda: readings("new") > 2)
    counts = {name: readings(name) for name in ("stays", "goes")}
    until(30, "an old one goes on", lambda: readings("stays") > counts["stays"] + 2)
    check(readings("goes") == counts["goes"] and not readings("wrong"), "what is gone is not read, nor what was wrong")
    check(reader.log().count("fails cannot be read") == 1, "what was told once is not told again")
    until(10, "the receiver of traps is told of those that are there, and of no other", lambda: known() == {"stays", "new"})
    a.kill()  # the agent's socket is known though the first file is forgotten
    a.start()
    later = readings("stays")
    until(30, "it finds the agent again", lambda: readings("stays") > later + 2)
    check(reader.stop() == 0, "it ends well")


def test_a_wrong_key_and_an_engine_that_began_anew(lab):
    device = Snmpd(lab).start()
    right = Reader(lab, None, ("sw1", device.port, "3", "every: 1s"))
    until(20, "it answers", lambda: right.test("sw1")[0] == 0)
    wrong = Reader(lab, None, ("sw1", device.port, "3", "every: 1s"), auth="not-the-password")
    status, _, why = wrong.test("sw1")
    check(status == 1 and "does not take the password of 'auth'" in why, f"{status}: {why}")
    os.chmod(os.path.join(lab.dir, "user"), 0o644)
    status, _, why = wrong.test("sw1")
    check(status == 1 and "chmod 640" in why, f"a file that all may read: {why}")

    c, a = lab.pair()
    reader = Reader(lab, a, ("sw1", device.port, "3", "every: 1s, timeout: 300ms")).start()
    until(30, "it is read", lambda: c.value('sysUpTime{instance="sw1"}') is not None)
    old = c.value('sysUpTime{instance="sw1"}')
    device.kill()
    reader.logged("does not answer", 20)
    device.start()
    until(40, "its new clock is taken",
          lambda: (c.value('sysUpTime{instance="sw1"}') or old) < min(old, 100000) and c.value(
              'changes(sysUpTime{instance="sw1"}[5s])') >= 1)
    reader.stop()

def test_each_mistake_is_one_sentence(lab):
    """What is met before a device is read for the first time."""
    device, nobody = Snmpd(lab).start(), free_port()
    there, well = f"127.0.0.1:{device.port}", credentials(lab, "well", f"community: {COMMUNITY}\n")

    def user(file, name="watcher", auth=AUTH, priv=PRIV):
        return credentials(lab, file, f"user: {name}\nauth: {auth}\npriv: {priv}\n")
    devices = {
        "well": (there, "2c", well, ""), "as-user": (there, "3", user("right"), ""),  # the controls
        "community": (there, "2c", credentials(lab, "other", "community: another-canary\n"), "nor would it where the community is wrong"),
        "port": (f"127.0.0.1:{nobody}", "3", user("right"), "it does not answer"),
        "user": (there, "3", user("nobody", name="nobody"), "it does not know the user"),
        "auth": (there, "3", user("auth", auth="not-the-password"), "the password of 'auth'"),
        "priv": (there, "3", user("priv", priv="not-the-password"), "the password of 'priv'"),
        "name": ("nowhere.invalid", "2c", well, "'nowhere.invalid' has no address"),
        "file": (there, "2c", os.path.join(lab.dir, "none"), "no such file"),
    }
    config = os.path.join(lab.dir, "mistakes.yml")
    with open(config, "w") as f:
        f.write(f"modules: [{MODULES}]\ndevices:\n" + "".join(
            f"  - {{name: {name}, address: '{where}', version: {version}, credentials: {file}, modules: [system], "
            f"timeout: {'300ms' if name in ('community', 'port') else '3s'}}}\n"
            for name, (where, version, file, _) in devices.items()))

    def run(*argv):
        done = subprocess.run([lab.program("snmp"), "--config", config, *argv], capture_output=True, text=True, timeout=60)
        check("canary" not in done.stderr and "not-the-password" not in done.stderr, f"a secret is told: {done.stderr}")
        return done.returncode, done.stdout, done.stderr
    until(20, "it answers", lambda: run("test", "well")[0] == 0 and run("test", "as-user")[0] == 0)
    for name, (where, _, _, said) in devices.items():
        status, out, why = run("test", name)
        check((status, bool(out)) == ((1, False) if said else (0, True)), f"{name}: {status} {out} {why}")
        check(not said or (why.startswith(f"fenwatch-snmp: {name} at {where.split(':')[0]}, port ") and said in why
                           and why.count("\n") == 1), f"{name}: {why}")
    for argv, said in ((["test", "none"], "there is no device 'none'"), (["test"], "the name of one device"),
                       (["test", "well", "--json"], "--json belongs to discover"), (["look", "well"], "no command 'look'")):
        status, out, why = run(*argv)
        check(status == 2 and said in why and why.count("\n") == 1 and not out, f"{argv}: {status} {why}")
    # Without a question to anybody: what is wrong with the files, each once.
    wrong = {"short": ("user: watcher\nauth: short\n", 0o640, "a password has 8 to"), "md5": ("user: a\nprotocol: MD5\n", 0o640, "protocol"),
             "open": ("user: watcher\n", 0o644, "chmod 640"), "other-kind": (f"community: {COMMUNITY}\n", 0o640, "'user' must have")}
    bad = os.path.join(lab.dir, "bad.yml")
    with open(bad, "w") as f:
        f.write(f"modules: [{MODULES}]\ndevices:\n" + "".join(
            f"  - {{name: {name}{i}, address: '127.0.0.1:{nobody}', timeout: 100ms, retries: 0, modules: [system], credentials: {file}}}\n"
            for name, (text, _, _) in wrong.items() for file in [credentials(lab, "wrong-" + name, text)] for i in (1, 2)))
    for name, (_, mode, said) in wrong.items():
        os.chmod(os.path.join(lab.dir, "wrong-" + name), mode)
        status, out, why = run("--config", bad, "test", name + "1")
        check(status == 1 and said in why and not out, f"a device that does not answer, {name}: {status} {out} {why}")
    status, out, why = run("--config", bad, "--check-config")
    check(status == 1 and not out and why.count("\n") == len(wrong) and all(said in why for _, _, said in wrong.values()),
          f"the configuration: {status} {out} {why}")
    traps = os.path.join(lab.dir, "traps.yml")
    for listen, file, said in (("nonsense", well, "'listen' must have"), ("127.0.0.1:0", well, "'listen' must have"),
                               ("127.0.0.1:1162", bad, "credentials"), ("127.0.0.1:1162", well, "")):
        with open(traps, "w") as f:
            f.write(f"listen: ['{listen}']\ncommunities: [{file}]\n")
        status, out, why = run("--config", traps, "--traps", "--check-config")
        check((status == 0) == (not said) and said in why and ("is well" in out) == (not said), f"{listen}, {file}: {status} {out} {why}")

    status, out, why = run("discover", "127.0.0.1-127.0.0.1", "--credentials", os.path.join(lab.dir, "wrong-short"))
    check(status == 1 and "a password has 8 to" in why, f"what is wrong with the file: {status} {why}")
    place = ["discover", "127.0.0.0/28", "--port", str(device.port), "--rate", "1000", "--json", "--credentials"]
    for file, found, said in ((well, 1, "14 addresses were asked, 1 answered.\n"), (user("nobody", name="nobody"), 0, "0 answered, 1 refused"),
                              (user("auth", auth="not-the-password"), 0, "0 answered, 1 refused")):
        status, out, why = run(*place, file)
        check(status == 0 and len(json.loads(out)) == found and said in why, f"{status} {out} {why}")


# What a switch has and snmpd has not: BRIDGE-MIB, Q-BRIDGE-MIB, LLDP, CDP, ENTITY-MIB, as
# `OID type value`, for pass_persist.
SWITCH = """
.1.0.8802.1.1.2.1.3.7.1.2.5 integer 5
.1.0.8802.1.1.2.1.3.7.1.3.5 string Gi0/5
.1.0.8802.1.1.2.1.4.1.1.4.0.5.1 integer 4
.1.0.8802.1.1.2.1.4.1.1.5.0.5.1 octet 02 00 00 00 00 52
.1.0.8802.1.1.2.1.4.1.1.9.0.5.1 string phone
.1.0.8802.1.1.2.1.4.2.1.3.0.5.1.1.4.10.9.0.82 integer 2
.1.3.6.1.2.1.17.1.1.0 octet 02 00 00 00 00 01
.1.3.6.1.2.1.17.1.4.1.2.3 integer 1
.1.3.6.1.2.1.17.1.4.1.2.4 integer 77
.1.3.6.1.2.1.17.7.1.2.2.1.2.7.2.0.0.0.0.80 integer 3
.1.3.6.1.2.1.17.7.1.2.2.1.2.7.2.0.0.0.0.81 integer 4
.1.3.6.1.2.1.17.7.1.2.2.1.2.7.2.0.0.0.0.255 integer 4
.1.3.6.1.2.1.17.7.1.2.2.1.3.7.2.0.0.0.0.80 integer 3
.1.3.6.1.2.1.17.7.1.2.2.1.3.7.2.0.0.0.0.81 integer 3
.1.3.6.1.2.1.17.7.1.2.2.1.3.7.2.0.0.0.0.255 integer 4
.1.3.6.1.2.1.47.1.1.1.1.5.1 integer 3
.1.3.6.1.2.1.47.1.1.1.1.10.1 string 15.2(4)E8
.1.3.6.1.2.1.47.1.1.1.1.13.1 string C2960
.1.3.6.1.4.1.9.9.23.1.2.1.1.3.1.4 integer 1
.1.3.6.1.4.1.9.9.23.1.2.1.1.4.1.4 octet 0A 09 00 54
.1.3.6.1.4.1.9.9.23.1.2.1.1.6.1.4 string router
"""
TABLES = """
import sys
def key(oid): return [int(i) for i in oid.strip(".").split(".")]
while True:
    line = sys.stdin.readline().strip()
    if line == "PING":
        print("PONG", flush=True)
        continue
    if not line:
        sys.exit()
    rows = sorted((r.split(" ", 2) for r in open(sys.argv[1]).read().splitlines() if r), key=lambda r: key(r[0]))
    asked = key(sys.stdin.readline())
    found = [r for r in rows if (key(r[0]) > asked if line == "getnext" else key(r[0]) == asked)]
    print("\\n".join(found[0]) if found else "NONE", flush=True)
"""

def switch(lab, rows=SWITCH, below=(".1.0.8802.1.1.2", ".1.3.6.1.2.1.17", ".1.3.6.1.2.1.47", ".1.3.6.1.4.1.9.9.23"), **more):
    """(snmpd that has these tables, too, the file that it reads them from)"""
    table, script = os.path.join(lab.dir, more.get("name", "snmpd") + ".table"), os.path.join(lab.dir, "tables.py")
    for path, text in ((table, rows), (script, TABLES)):
        with open(path, "w") as f:
            f.write(text)
    passes = "".join(f"pass_persist {oid} /usr/bin/env python3 {script} {table}\n"
                     for oid in below)
    return Snmpd(lab, extra=passes, **more), table

def tables(text):
    """{kind: {key: {field: value}}} of what `fenwatch-snmp test` prints."""
    found = {}
    for kind, line in re.findall(r"^# (\w+): (.*)$", text, re.M):
        key, *fields = line.split("\t")
        found.setdefault(kind, {})[key] = dict(f.split("=", 1) for f in fields)
    return found

def as_mac(text):
    return ":".join(f"{int(part, 16):02x}" for part in re.findall(r"[0-9A-Fa-f]+", text))

def test_tables_are_those_of_the_tools(lab):
    device, table = switch(lab)
    device.start()
    names = "system, interfaces, identity, arp, bridge, lldp, cdp"
    reader = Reader(lab, None, *[("v" + v, device.port, v, f"modules: [{names}]") for v in ("1", "2c", "3")])
    until(20, "snmpd answers", lambda: reader.test("v2c")[0] == 0)

    def as_the_tools(version):
        """What belongs to the machine may change between the two reads: then both are made anew."""
        walk = device.walk(version, "1.3.6.1.2.1.17", "1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.4.22.1.2",
                           "1.3.6.1.2.1.4.20.1.2", "1.3.6.1.2.1.2.2.1.6")
        status, text, why = reader.test("v" + version)
        check(status == 0, why)
        found = tables(text)

        def at(oid):
            return {key[len(oid) + 1:]: value.strip('"') for key, value in walk.items() if key.startswith(oid + ".")}
        names_of, ports = at("1.3.6.1.2.1.31.1.1.1.1"), at("1.3.6.1.2.1.17.1.4.1.2")
        state, wanted = at("1.3.6.1.2.1.17.7.1.2.2.1.3"), {}
        for index, port in at("1.3.6.1.2.1.17.7.1.2.2.1.2").items():
            vlan, *mac = index.split(".")
            if state[index] == "3":
                wanted[":".join(f"{int(b):02x}" for b in mac) + " " + vlan] = {"port": names_of.get(ports[port], port)}
        check(len(wanted) == 2 and found["macs"] == wanted, f"version {version}: {found.get('macs')} {wanted}")
        check("lo" in [row["port"] for row in wanted.values()], f"a port has its name: {wanted}")
        wanted = {index.split(".", 1)[1]: as_mac(mac) for index, mac in at("1.3.6.1.2.1.4.22.1.2").items()}
        told = {key: row["mac"] for key, row in found.get("arp", {}).items() if ":" not in key}
        check(told == wanted, f"version {version}: {told} {wanted}")
        cards = {a: as_mac(at("1.3.6.1.2.1.2.2.1.6")[i]) for a, i in at("1.3.6.1.2.1.4.20.1.2").items() if a != "127.0.0.1"}
        told = {key: row["mac"] for key, row in found["device"].items() if key != "device" and ":" not in key}
        check(told == {a: mac for a, mac in cards.items() if mac}, f"version {version}: {told} {cards}")
        own = found["device"]["device"]
        check((own["mac"], own["model"], own["firmware"]) == ("02:00:00:00:00:01", "C2960", "15.2(4)E8"), f"{own}")
        check(found["neighbours"] == {"Gi0/5 1": {"name": "phone", "mac": "02:00:00:00:00:52", "address": "10.9.0.82"},
                                      "lo 4": {"name": "router", "address": "10.9.0.84"}}, f"{found['neighbours']}")
        return True
    for version in ("1", "2c", "3"):
        until(20, f"version {version} says the same", lambda v=version: as_the_tools(v))

    # All the way: who hangs where, and that it has gone.
    c, a = lab.pair()
    reader = Reader(lab, a, ("sw1", device.port, "2c", f"every: 1s, inventory: 1s, modules: [{names}]")).start()

    def where(mac):
        return [(d["switch"], d["port"], d["name"]) for d in c.get("/api/fenwatch/v1/devices") if d["mac"] == mac]
    until(40, "a host on its port", lambda: where("02:00:00:00:00:50") == [("sw1", "lo", "")])
    check(where("02:00:00:00:00:52") == [("sw1", "Gi0/5", "phone")], f"{where('02:00:00:00:00:52')}")
    check(where("02:00:00:00:00:ff") == [], "the switch's own is not on a port")
    row = [p for p in c.get("/api/fenwatch/v1/patches") if p["host"] == "sw1"]
    check([(p["os"], p["firmware"]) for p in row] == [("C2960", "15.2(4)E8")], f"one row of all its lines: {row}")
    until(20, "what its tables cost", lambda: c.value('snmp_scrape_pdus_returned{instance="sw1",module="bridge"}'))
    with open(table, "w") as f:
        f.write("".join(line + "\n" for line in SWITCH.splitlines() if ".80 " not in line))
    until(20, "it has gone", lambda: where("02:00:00:00:00:50") == [])
    check(where("02:00:00:00:00:51") == [("sw1", "4", "")], f"the other stays: {where('02:00:00:00:00:51')}")
    reader.stop()

# A power supply, a printer, sensors of a switch, and storage: as their MIBs have them.
PARTS = """
.1.3.6.1.2.1.25.2.3.1.2.1 objectid .1.3.6.1.2.1.25.2.1.4
.1.3.6.1.2.1.25.2.3.1.3.1 string /volume1
.1.3.6.1.2.1.25.2.3.1.4.1 integer 4096
.1.3.6.1.2.1.25.2.3.1.5.1 integer 937500000
.1.3.6.1.2.1.25.2.3.1.6.1 integer 500000001
.1.3.6.1.2.1.25.2.3.1.7.1 counter 3
.1.3.6.1.2.1.25.3.2.1.2.1 objectid .1.3.6.1.2.1.25.3.1.5
.1.3.6.1.2.1.25.3.2.1.3.1 string HP LaserJet
.1.3.6.1.2.1.25.3.2.1.5.1 integer 3
.1.3.6.1.2.1.25.3.2.1.6.1 counter 12
.1.3.6.1.2.1.25.3.5.1.1.1 integer 4
.1.3.6.1.2.1.33.1.2.1.0 integer 2
.1.3.6.1.2.1.33.1.2.2.0 integer 0
.1.3.6.1.2.1.33.1.2.3.0 integer 42
.1.3.6.1.2.1.33.1.2.4.0 integer 98
.1.3.6.1.2.1.33.1.2.5.0 integer 545
.1.3.6.1.2.1.33.1.2.6.0 integer -12
.1.3.6.1.2.1.33.1.2.7.0 integer 27
.1.3.6.1.2.1.33.1.3.1.0 counter 7
.1.3.6.1.2.1.33.1.3.3.1.3.1 integer 231
.1.3.6.1.2.1.33.1.3.3.1.3.2 integer 229
.1.3.6.1.2.1.33.1.3.3.1.4.1 integer 34
.1.3.6.1.2.1.33.1.4.1.0 integer 3
.1.3.6.1.2.1.33.1.4.4.1.2.1 integer 230
.1.3.6.1.2.1.33.1.4.4.1.3.1 integer 41
.1.3.6.1.2.1.33.1.4.4.1.5.1 integer 63
.1.3.6.1.2.1.33.1.6.1.0 gauge 0
.1.3.6.1.2.1.43.8.2.1.9.1.1 integer 250
.1.3.6.1.2.1.43.8.2.1.9.1.2 integer 550
.1.3.6.1.2.1.43.8.2.1.10.1.1 integer -3
.1.3.6.1.2.1.43.8.2.1.10.1.2 integer 120
.1.3.6.1.2.1.43.8.2.1.18.1.1 string Tray 1
.1.3.6.1.2.1.43.8.2.1.18.1.2 string Tray 2
.1.3.6.1.2.1.43.10.2.1.4.1.1 counter 123456
.1.3.6.1.2.1.43.11.1.1.6.1.1 string Black Cartridge
.1.3.6.1.2.1.43.11.1.1.8.1.1 integer 9000
.1.3.6.1.2.1.43.11.1.1.9.1.1 integer 4100
.1.3.6.1.2.1.47.1.1.1.1.2.1001 string Fan 1
.1.3.6.1.2.1.47.1.1.1.1.2.1002 string Inlet
.1.3.6.1.2.1.47.1.1.1.1.7.1001 string fan1
.1.3.6.1.2.1.47.1.1.1.1.7.1002 string inlet
.1.3.6.1.2.1.47.1.1.1.1.9.1002 string FW07
.1.3.6.1.2.1.47.1.1.1.1.13.1002 string ST8000
.1.3.6.1.2.1.99.1.1.1.1.1001 integer 10
.1.3.6.1.2.1.99.1.1.1.1.1002 integer 8
.1.3.6.1.2.1.99.1.1.1.2.1001 integer 9
.1.3.6.1.2.1.99.1.1.1.2.1002 integer 8
.1.3.6.1.2.1.99.1.1.1.3.1001 integer 0
.1.3.6.1.2.1.99.1.1.1.3.1002 integer 1
.1.3.6.1.2.1.99.1.1.1.4.1001 integer 5400
.1.3.6.1.2.1.99.1.1.1.4.1002 integer -155
.1.3.6.1.2.1.99.1.1.1.5.1001 integer 1
.1.3.6.1.2.1.99.1.1.1.5.1002 integer 1
"""
BELOW = [f".1.3.6.1.2.1.{n}" for n in ("25.2.3", "25.3.2", "25.3.5", "33", "43", "47", "99")]


def columns_of(module):
    """[(name, OID without .0, kind, {label: OID})] of a module's metrics, read by other means than the program's."""
    with open(os.path.join(MODULES, module + ".yml")) as f:
        text = f.read()
    found = []
    for table in re.split(r"(?m)^  - index:|^scalars:", text)[1:]:
        labels = dict(re.findall(r"(\w+): ([\d.]+)", "".join(re.findall(r"(?ms)labels:(.*?)metrics:", table))))
        for one in re.split(r"- \{?name: ", table)[1:]:
            name, oid = re.match(r"(\w+),?\s+oid: ([\d.]+)", one).groups()
            kind = re.search(r"type: (\w+)", one)
            found.append((name, oid.removesuffix(".0") if "index" not in table else oid, kind.group(1) if kind else "gauge", labels))
    return found


def test_modules_of_parts_are_those_of_the_tools(lab):
    modules = {"ups": 16, "printer": 9, "sensors": 10, "storage": 8}
    device, _ = switch(lab, PARTS, BELOW)
    device.argv[device.argv.index("-smux")] = "-smux,hr_storage,hr_device,hr_print,host"  # else its own are there
    device.start()
    reader = Reader(lab, None, *[(m, device.port, "2c", f"modules: [{m}]") for m in modules])
    until(20, "snmpd answers", lambda: reader.test("ups")[0] == 0)
    walk = {oid: value.strip('"') for oid, value in device.walk("2c", *BELOW).items()}
    for module, least in modules.items():
        status, text, why = reader.test(module)
        check(status == 0 and not why, why)
        told = {key: value for key, value in series(text).items() if not key[0].startswith("snmp_scrape")}
        wanted = 0
        for name, oid, kind, labels in columns_of(module):
            for at, value in walk.items():
                if not at.startswith(oid + "."):
                    continue
                index, wanted = at[len(oid) + 1:], wanted + 1
                looked = {label: walk[f"{of}.{i}"].lstrip(".") for label, of in labels.items() for i in (index, index.split(".")[0]) if f"{of}.{i}" in walk}
                same = [(dict(pairs), number) for (told_as, pairs), number in told.items()
                        if told_as in (name, name + "_info") and set(looked.items()) <= set(pairs) and
                        (index == "0" or ".".join(v for k, v in pairs if k.endswith("Index")) == index)]
                check(len(same) == 1, f"{module}: {name} {index}: {same} {looked}")
                check(same[0][1] == (float(value) if kind in ("gauge", "counter") else 1), f"{module}: {name} {index}: {same} {value}")
                check(kind != "text" or same[0][0][name] == value, f"{module}: {name} {index}: {same} {value}")
        check(len(told) == wanted >= least, f"{module}: all and nothing else: {wanted} of {sorted(told)}")


# What they say of themselves by their makers' MIBs, and what `fenwatch patches` makes of it.
MAKERS = {
    ("RS1221+", "DSM 7.2.2-72806"): {"6574.1.5.1.0": "RS1221+", "6574.1.5.2.0": "S1", "6574.1.5.3.0": "DSM 7.2.2-72806"},
    ("FAS8040", "NetApp Release 9.14.0"): {"789.1.1.2.0": "NetApp Release 9.14.0", "789.1.1.5.0": "FAS8040", "789.1.1.9.0": "S2"},
    ("PowerEdge R740", "6.10.30.00"): {"674.10892.5.1.1.8.0": "6.10.30.00", "674.10892.5.1.3.2.0": "S3", "674.10892.5.1.3.12.0": "PowerEdge R740"},
    ("ProLiant DL380", "2.78"): {"232.2.2.2.1.0": "S4", "232.2.2.4.2.0": "ProLiant DL380", "232.9.2.2.2.0": "2.78"},
    ("VMware ESXi", "7.0.3"): {"6876.1.1.0": "VMware ESXi", "6876.1.2.0": "7.0.3", "6876.1.4.0": "21930508"},
}


def test_firmware_of_storage_controllers_and_hypervisors(lab):
    c, a = lab.pair()
    devices = [switch(lab, "".join(f".1.3.6.1.4.1.{oid} string {text}\n" for oid, text in maker.items()),
                      [f".1.3.6.1.4.1.{n}" for n in ("6574", "789", "674", "232", "6876")], name=f"box{i}")[0].start()
               for i, maker in enumerate(MAKERS.values())]
    reader = Reader(lab, a, *[(d.name, d.port, "2c", "every: 1s, inventory: 1s, modules: [system, identity]") for d in devices]).start()
    wanted = {f"box{i}": what for i, what in enumerate(MAKERS)}
    until(30, "the firmware of each", lambda: {p["host"]: (p["os"], p["firmware"]) for p in c.get("/api/fenwatch/v1/patches")
                                              if p["host"] in wanted} == wanted)
    listed = c.cli("patches").stdout
    check(all(f"firmware {firmware}" in listed for _, firmware in MAKERS), listed)
    reader.stop()


def discover(lab, argv):
    done = subprocess.run([lab.program("snmp"), "discover", *argv], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr

def test_a_range_is_looked_through_on_request(lab):
    """Three real ones on a network of loopback: one with the community, one with another, one that
    is a switch; and nobody at the other addresses."""
    port = free_port()
    Snmpd(lab, "first", address="127.0.77.1", port=port).start()
    other = Snmpd(lab, "other", address="127.0.77.2", port=port)
    conf = os.path.join(lab.dir, "other.conf")
    with open(conf) as f:
        text = f.read()
    with open(conf, "w") as f:
        f.write(text.replace(COMMUNITY, "another-community").replace("watcher", "somebody"))
    other.start()
    switch(lab, name="switch", address="127.0.77.5", port=port)[0].start()
    community = credentials(lab, "community", f"community: {COMMUNITY}\n")
    user = credentials(lab, "user", f"user: watcher\nauth: {AUTH}\npriv: {PRIV}\n")
    config = os.path.join(lab.dir, "snmp.yml")
    with open(config, "w") as f:
        f.write(f"modules: [{MODULES}]\ndevices:\n  - {{name: known, address: '127.0.77.1:{port}', "
                f"credentials: {user}, modules: [system]}}\n")
    place = ["127.0.77.0/29", "--config", config, "--port", str(port), "--rate", "200"]

    def found(*more):
        status, out, why = discover(lab, [*place, "--json", *more])
        check(status == 0 and "6 addresses were asked" in why, f"{status}: {why}")
        return {d["address"]: d for d in json.loads(out)}
    until(20, "both answer", lambda: len(found("--credentials", community)) == 2)
    by_community = found("--credentials", community)
    check(sorted(by_community) == ["127.0.77.1", "127.0.77.5"], f"not who has another one: {by_community}")
    check([d["known"] for d in by_community.values()] == ["known", None], f"{by_community}")
    both = found("--credentials", user, "--credentials", community)
    check([d["version"] for d in both.values()] == ["3", "3"], f"the first that is answered counts: {both}")
    check(found("--credentials", community, "--v1")["127.0.77.5"]["version"] == "1", "version 1, where it is asked for")
    modules = by_community["127.0.77.5"]["modules"]
    check("lldp" in modules and "cdp" in modules and "interfaces" in modules and "ups" not in modules, f"{modules}")
    check("lldp" not in by_community["127.0.77.1"]["modules"], f"{by_community}")

    # What is printed for the configuration is one.
    status, lines, why = discover(lab, [*place, "--yaml", "--credentials", community])
    check(status == 0 and lines.count("name:") == 1, f"what is known is left out: {lines} {why}")
    with open(config, "a") as f:
        f.write(lines)
    name = re.search(r'name: "([^"]+)"', lines).group(1)
    test = subprocess.run([lab.program("snmp"), "--config", config, "test", name], capture_output=True, text=True, timeout=60)
    check(test.returncode == 0 and "# neighbours: Gi0/5 1" in test.stdout, f"{lines} {test.stderr}")
    table = discover(lab, [*place, "--credentials", community])[1]
    check(table.startswith("ADDRESS") and "127.0.77.5" in table and "127.0.77.2" not in table, table)
    for argv, said in ((["10.0.0.0/8", "--credentials", community], "more than 65,536"), (["127.0.77.1"], "--credentials FILE"),
                       (["x", "--credentials", community], "neither ADDRESS"), (["--rate", "0"], "--rate is 1 to 1000, not '0'"),
                       (["--bogus"], "there is no option '--bogus'"), (["--port"], "--port needs a value"),
                       (["10.0.0.1-10.0.0.300", "--credentials", community], "'10.0.0.300' is no address")):
        status, out, why = discover(lab, argv)
        check(status == 2 and said in why and not out, f"{argv}: {why}")
    status, out, why = discover(lab, ["127.0.77.6-127.0.77.7", "--config", config, "--port", str(port), "--yaml", "--credentials", community])
    check((status, out) == (0, "") and "2 addresses were asked, 0 answered" in why, f"nobody is no mistake: {status} {out} {why}")
    check(not any(COMMUNITY in text or AUTH in text for text in (lines, table, json.dumps(both))), "no secret is told")

class Relay:
    """Between the reader and a device: lets `packets` of it through, and is silent then."""

    def __init__(self, port, packets):
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.port, self.back_port, self.packets = self.front.getsockname()[1], port, packets
        self.seen = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.settimeout(2)
        while True:
            data, who = self.front.recvfrom(65536)
            self.seen += 1
            if self.seen > self.packets:
                continue
            try:
                back.sendto(data, ("127.0.0.1", self.back_port))
                self.front.sendto(back.recv(65536), who)
            except OSError:
                continue

def test_silence_in_the_middle_delays_nobody(lab):
    device = Snmpd(lab).start()
    relay = Relay(device.port, 3)
    dead = [(f"dead{i}", free_port(), "3" if i % 2 else "2c", "every: 1s, timeout: 2s") for i in range(20)]
    c, a = lab.pair()
    reader = Reader(lab, a, ("live", device.port, "2c", "every: 1s"),
                    ("half", relay.port, "2c", "every: 1s, timeout: 200ms, modules: [system, interfaces]"), *dead).start()
    until(30, "the live one is read", lambda: c.value('sysUpTime{instance="live"}') is not None)
    reader.logged("half cannot be read: it does not answer", 20)
    reader.logged("dead19 cannot be read: it does not answer", 40)
    until(30, "twenty seconds of it", lambda: c.value('count_over_time(sysUpTime{instance="live"}[20s])') >= 18)
    check(not c.query('{instance="half",__name__=~"sys.*|if.*"}'), "half of a device is none of it")
    check(relay.seen > 3, "the relay has fallen silent")
    reader.stop()

class Notary:
    """Between a program and its agent: passes on what both say, and notes each sweep, and which of them
    the agent has acknowledged. Its clock is that of the sweeps."""

    def __init__(self, lab, agent):
        self.path, self.agent, self.lock = os.path.join(lab.dir, "notary.sock"), agent, threading.Lock()
        self.sent, self.acknowledged = set(), set()  # (instance, time in ms)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(4)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            program = self.server.accept()[0]
            agent = socket.socket(socket.AF_UNIX)
            try:
                agent.connect(self.agent.probe)
            except OSError:
                program.close()
                continue
            waiting, names = {}, {}
            for source, sink, note in ((program, agent, self.note_sweep), (agent, program, self.note_ack)):
                threading.Thread(target=self.pass_on, args=(source, sink, note, waiting, names), daemon=True).start()

    def pass_on(self, source, sink, note, waiting, names):
        """Noted before it is passed on: an acknowledgement that nobody heard is one."""
        stream = wire.Stream(source)
        while True:
            kind, payload = stream.read(600)
            if kind is None:
                break
            with self.lock:
                note(kind, wire.parse(payload), waiting, names)
            try:
                sink.sendall(wire.frame(kind, payload))
            except OSError:
                break
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def note_sweep(self, kind, message, waiting, names):
        if kind == wire.HOST:
            labels = [wire.parse(one) for one in message[2]]
            names[message[1][0]] = {one[1][0]: one[2][0] for one in labels}[b"instance"].decode()
        elif kind == wire.BATCH:
            sweep = names[message[4][0]], message[6][0]
            waiting[message[1][0]] = sweep
            self.sent.add(sweep)

    def note_ack(self, kind, message, waiting, names):
        for number in [n for n in waiting if kind == wire.ACK and n <= message.get(1, [0])[0]]:
            self.acknowledged.add(waiting.pop(number))

def test_what_was_acknowledged_outlives_kills(lab):
    """kill -9 of fenwatch-snmp and of the agent at any moment, and a collector that is away: each sweep
    that the agent acknowledged is stored, and none twice."""
    device, (c, a) = Snmpd(lab).start(), lab.pair()
    notary = Notary(lab, a)
    names = [f"sw{i}" for i in range(6)]
    reader = Reader(lab, a, *[(name, device.port, "2c", "every: 1s, timeout: 300ms, modules: [system]") for name in names],
                    way=notary.path).start()
    until(30, "the first are acknowledged", lambda: len(notary.acknowledged) > 6)
    dice = random.Random(7)
    for turn in range(12):
        time.sleep(dice.uniform(0.2, 3))
        victim = (a, reader, c)[turn % 3]
        victim.kill()
        time.sleep(dice.uniform(0, 1.5))
        victim.start()
    gathered = os.path.join(a.data, "spool", "gathering")
    c.kill()
    for end in (a.stop, a.kill):  # what is gathered for one frame goes to disk, and is there after the next start
        time.sleep(3)
        until(20, "something is gathered", lambda: os.path.getsize(gathered) > 0)
        end()
        check(os.path.getsize(gathered) > 0, "nothing is gathered")
        a.start()
    c.start()
    until(30, "it has become frames", lambda: os.path.getsize(gathered) == 0)
    count = len(notary.acknowledged)
    until(60, "it goes on", lambda: len(notary.acknowledged) > count + 12)
    reader.stop()

    def stored():
        found = []
        for name in names:
            for result in c.query(f'sysUpTime{{instance="{name}"}}[30m]'):
                found += [(name, round(at * 1000)) for at, _ in result["values"]]
        return found
    until(60, "all of it is stored", lambda: notary.acknowledged <= set(stored()))
    found = stored()
    check(len(found) == len(set(found)), "none is stored twice")
    check(set(found) <= notary.sent, f"and none that nobody sent: {sorted(set(found) - notary.sent)[:5]}")
    check(len(notary.acknowledged) > 60, f"{len(notary.acknowledged)} were acknowledged")
    invented = {("sw0", max(at for _, at in found) + 1)}
    check(not notary.acknowledged | invented <= set(found), "one that was lost would be missed")

main()
