#!/usr/bin/env python3
"""What a packet costs fenwatch-capture: instructions and time, read from a file on the same path.

usage: capture.py BUILD

The file holds the heads of a busy office's packets, as the kernel would hand them over: 3,000
connections at once with handshakes, data of 800 bytes and acknowledgements, a tenth of IPv6,
DNS and ARP between. What an empty file costs is taken off. A second row has the packets in an
order that makes each one another connection's.
"""
import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import pcaps  # noqa: E402
from pcaps import ACK, BROADCAST, PSH, arp, dns, ether, tcp, udp  # noqa: E402

PACKETS, CONNECTIONS, TARGET_US = 400000, 3000, 1.6


def office(path, scattered):
    rng = random.Random(7)
    r = pcaps.Recording()
    body = b"x" * 746
    connections, at = [], 0.0
    for n in range(CONNECTIONS):
        six = n % 10 == 0
        client = f"2001:db8::{n % 400:x}" if six else f"10.1.{n % 400 >> 8}.{n % 400 & 255}"
        server = f"2001:db8:9::{n % 40:x}" if six else f"10.9.0.{n % 40}"
        seq, ack = r.connect(n * 1e-3, client, server, 20000 + n, (443, 445, 80, 1433)[n % 4])
        connections.append([client, server, 20000 + n, (443, 445, 80, 1433)[n % 4], seq, ack])
    at, c = 4.0, connections[0]
    while len(r.packets) < PACKETS:
        at += 6.4e-6
        if scattered or rng.random() < 0.2:
            c = rng.choice(connections)
        client, server, sport, dport, seq, ack = c
        kind = rng.random()
        if kind < 0.01:
            r.add(at, ether(udp(client, server, 40000 + sport % 999, 53, dns(sport, "h.council"))))
        elif kind < 0.012:
            r.add(at, ether(arp(1, sport, "10.1.0.9", "10.1.0.1"), sport, BROADCAST, 0x0806))
        elif kind < 0.6:
            r.add(at, ether(tcp(server, client, dport, sport, ack, seq, PSH | ACK, body), 2, sport))
            c[5] += len(body)
        else:
            r.add(at, ether(tcp(client, server, sport, dport, seq, ack, ACK), sport))
    return r.write(path, 128)


def instructions(argv):
    """In user space: as the processor counts them, else as valgrind does; None where neither is there."""
    for tool, found in ((["perf", "stat", "-x,", "-e", "instructions:u"], r"^(\d+),"),
                        (["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"],
                         r"Collected : (\d+)")):
        try:
            done = subprocess.run([*tool, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except OSError:
            continue
        count = re.search(found, done.stderr, re.M)
        if count:
            return int(count[1])
    return None


def measure(program, path):
    """(instructions, CPU seconds) of reading it."""
    argv = [program, "--read", path]
    times = []
    for _ in range(5):
        before = os.times()
        subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return instructions(argv), min(times)


def main():
    program = os.path.join(sys.argv[1], "agent/capture/fenwatch-capture")
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        none = measure(program, pcaps.Recording().write(os.path.join(folder, "none.pcap")))
        print(f"{'packets in':<28} {'instructions':>14} {'us of CPU':>10}   at most {TARGET_US}")
        for name, scattered in (("runs of a connection", False), ("another connection each", True)):
            count, seconds = measure(program, office(os.path.join(folder, "office.pcap"), scattered))
            us = (seconds - none[1]) / PACKETS * 1e6
            worst = max(worst, us)
            each = f"{(count - none[0]) / PACKETS:,.0f}" if count and none[0] else "-"
            print(f"{name:<28} {each:>14} {us:>10.2f}")
    print(f"a gigabit of 800-byte packets takes {worst * 0.156:.2f} of a core")
    sys.exit(0 if worst <= TARGET_US else 1)


if __name__ == "__main__":
    main()
