#!/usr/bin/env python3
"""What it costs to read many devices over SNMP, and whether dead ones make others late.

usage: snmp.py BUILD [DEVICES [SECONDS [ROUNDS]]]     2000 devices of 50 interfaces every 60 s, 3 times

One fenwatch-snmp reads them by version 2c beside one agent, which sends it all to a real collector.
Devices are addresses of loopback behind one program (snmpdevices.c), a quarter of them dead, and
three real snmpd. CPU and memory are fenwatch-snmp's own, over whole rounds after the first.
"""
import os
import subprocess
import sys
import time

from lab import Lab, cpu_seconds, free_port, memory_kib, table, until

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(HERE, "..", "..", "packaging", "snmp-modules")
CORES, KIB = 0.25, 64 * 1024


def address(i):
    """The quarter that is dead has an odd number in the second place."""
    return f"127.{20 + (i % 4 == 3)}.{i >> 8}.{i & 255}"


def real(lab, n):
    """An snmpd of Debian's; its port."""
    port, folder = free_port(), os.path.join(lab.dir, f"snmpd{n}")
    os.mkdir(folder)
    conf = os.path.join(folder, "conf")
    with open(conf, "w") as f:
        f.write(f"agentaddress udp:127.0.0.1:{port}\nrocommunity public\n")
    child = subprocess.Popen(["/usr/sbin/snmpd", "-f", "-C", "-c", conf, "-I", "-smux", "-Lo", "-p", os.path.join(folder, "pid")],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=dict(os.environ, SNMP_PERSISTENT_DIR=folder, MIBS=""))
    lab.closers.append(child.kill)
    return port


def configure(lab, agent, devices, seconds):
    community, config = os.path.join(lab.dir, "community"), os.path.join(lab.dir, "snmp.yml")
    with open(community, "w") as f:
        f.write("community: public\n")
    os.chmod(community, 0o640)
    with open(config, "w") as f:
        f.write(f"socket: {agent.probe}\nmodules: [{MODULES}]\ndevices:\n")
        for name, where in devices:
            f.write(f"  - {{name: {name}, address: '{where}', version: 2c, credentials: {community}, every: {seconds}s}}\n")
    return config


def late(c, seconds, rounds, live):
    """Of the live ones, how many have fewer samples than rounds, and the longest read."""
    counts = c.query(f'count_over_time(sysUpTime{{instance=~"live.*|real.*"}}[{seconds * rounds}s])')
    missing = live - len(counts) + sum(float(r["value"][1]) < rounds for r in counts)
    return missing, c.value('max(snmp_scrape_duration_seconds{instance=~"live.*|real.*"})') or 0


def main():
    build = sys.argv[1]
    n, seconds, rounds = (int(a) for a in (sys.argv[2:] + ["2000", "60", "3"][len(sys.argv) - 2:]))
    lab = Lab(build)
    port = free_port()
    simulated = subprocess.Popen([os.path.join(build, "tests/bench/bench_snmpdevices"), str(port)], stdin=subprocess.PIPE)
    lab.closers.append(simulated.kill)
    try:
        c = lab.collector(store="{raw: 192MiB}").start()
        a = lab.agent(c, interval="15s").enrol().start()
        until(60, "the agent's socket", lambda: os.path.exists(a.probe))
        devices = [(f"{'dead' if i % 4 == 3 else 'live'}{i}", f"{address(i)}:{port}") for i in range(n - 3)]
        devices += [(f"real{i}", f"127.0.0.1:{real(lab, i)}") for i in range(3)]
        live = sum(not name.startswith("dead") for name, _ in devices)
        child = subprocess.Popen([lab.program("snmp"), "--config", configure(lab, a, devices, seconds)], stderr=subprocess.DEVNULL)
        lab.closers.append(child.kill)
        time.sleep(2 * seconds)  # connections, first schemas and inventory are no part of it
        before, began, anon, whole = cpu_seconds(child.pid), time.time(), 0, 0
        for _ in range(rounds * seconds // 5):
            time.sleep(5)
            now = memory_kib(child.pid)
            anon, whole = max(anon, now[0]), max(whole, now[1])
        cores = (cpu_seconds(child.pid) - before) / (time.time() - began)
        until(60, "the last of it is stored", lambda: late(c, seconds, rounds, live)[0] == 0 or time.time() > began + (rounds + 0.5) * seconds)
        missing, longest = late(c, seconds, rounds, live)
        series = c.value('count({instance=~"live.*|real.*"})')
        table([["devices (dead)", "series", "core", "Pss_Anon MiB", "Pss MiB", "live ones late", "longest read s"],
               [f"{n} ({n - live})", f"{series:.0f}", f"{cores:.3f}", f"{anon / 1024:.1f}", f"{whole / 1024:.1f}", missing, longest],
               ["target", "", CORES, "", KIB // 1024, 0, ""]])
    finally:
        lab.close()
    sys.exit(0 if missing == 0 and (n < 2000 or (cores <= CORES and whole <= KIB)) else 1)


if __name__ == "__main__":
    main()
