"""One list of devices, from what programs beside an agent hand over on its socket."""
import os
import socket
import struct
import subprocess
import time

import wire
from pcaps import ACK as TCP_ACK, BROADCAST, PSH, Recording, arp, ether, tcp
from stage import check, main, until

HELLO, HOST, DOCUMENT, ACK, GOODBYE = wire.HELLO, wire.HOST, wire.DOCUMENT, wire.ACK, wire.GOODBYE


class Program:
    """What stands beside the agent, and speaks to it as fenwatch-snmp does."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.stream, self.number = wire.Stream(self.socket), 0
        self.send(HELLO, wire.u(1, 1) + wire.b(7, "test 1.0"))

    def send(self, kind, payload):
        self.socket.sendall(wire.frame(kind, payload))

    def host(self, number, name, job="snmp"):
        self.send(HOST, wire.u(1, number) + wire.label(2, "instance", name) + wire.label(2, "job", job))

    def sweep(self, host, columns, cells):
        self.number += 1
        self.send(wire.SCHEMA, wire.Schema(columns).message(host))
        self.send(wire.BATCH, wire.batch(self.number, host, int(time.time() * 1000), 60000, [cells], host=host))

    def table(self, host, kind, lines):
        """Lines are sorted here; the body is as zstd keeps what it does not pack."""
        self.number += 1
        self.send(DOCUMENT, document(self.number, host, kind, lines))

    def durable(self):
        while True:
            kind, payload = self.stream.read(10)[:2]
            check(kind != GOODBYE, f"cut off: {payload}")
            if kind == ACK and wire.parse(payload).get(1, [0])[0] >= self.number:
                return


def stored(text):
    """A frame of zstd with one block that is not packed (RFC 8878); of nothing, nothing."""
    check(len(text) < 65536, "one block")
    size = b"\x20" + bytes([len(text)]) if len(text) < 256 else b"\x60" + struct.pack("<H", len(text) - 256)
    return text and b"\x28\xb5\x2f\xfd" + size + (len(text) << 3 | 1).to_bytes(3, "little") + text


def document(number, host, kind, lines):
    text, now = "".join(sorted(lines)).encode(), int(time.time() * 1000)
    return (wire.u(1, number) + wire.u(3, host) + wire.b(4, kind) + wire.u(5, now) + wire.u(6, 1) + wire.u(7, now) +
            wire.b(8, stored(text)) + wire.u(9, len(text)))


def item(key, **fields):
    return "+" + "\t".join([key, *(f"{name}={value}" for name, value in fields.items())]) + "\n"


def test_what_the_network_shows_is_one_list(lab):
    register = os.path.join(lab.dir, "register.d")
    os.mkdir(register)
    with open(os.path.join(register, "hosts.yml"), "w") as f:
        f.write("hosts: [{match: {job: snmp, instance: 'sw.*'}, firmware: '15.2(7)*'}]\n")
    c = lab.collector(extra="register: register.d/\n").start()
    a = lab.agent(c).enrol().start()
    a.wait_probe()
    now = int(time.time())
    program = Program(a.probe)
    program.host(1, "sw1")
    program.table(1, "device", [item("device", address="10.9.0.1", mac="02:00:00:00:00:01", name="edge-1", model="C2960",
                                       firmware="15.2(4)E8")])
    program.table(1, "macs", [item("02:00:00:00:00:50 7", port="Gi0/3"), item("02:00:00:00:00:51 7", port="Gi0/4")])
    program.table(1, "neighbours", [item("Gi0/9", name="phone", mac="02:00:00:00:00:52")])
    switches = [item("02:00:00:00:00:60", name="core-1", port="Gi1/7", switch="yes", last=now),
                item("02:00:00:00:00:61", name="core-0", port="Gi1/8", switch="yes", last=now - 86400)]
    program.table(0, "wire", [item("02:00:00:00:00:50", address="10.9.0.50", address6="2001:db8::50", speaks="smb1", first=now - 60,
                                   last=now), item("02:00:00:00:00:01", address="10.9.0.1", last=now), *switches])
    program.durable()

    def by_mac():
        found = {d["mac"]: d for d in c.get("/api/fenwatch/v1/devices")}
        return found if "02:00:00:00:00:50" in found and "02:00:00:00:00:52" in found else None
    found = until(20, "they are filed", by_mac)
    tv, phone, switch = (found["02:00:00:00:00:" + end] for end in ("50", "52", "01"))
    check((tv["state"], tv["switch"], tv["port"], tv["speaks"]) == ("unmanaged", "sw1", "Gi0/3", "smb1"), f"{tv}")
    check(tv["addresses"] == ["10.9.0.50", "2001:db8::50"] and tv["sources"] == ["wire", "bridge"], f"{tv}")
    check((phone["name"], phone["port"]) == ("phone", "Gi0/9"), f"{phone}")
    check((switch["host"], switch["name"]) == ("sw1", "edge-1") and switch["sources"][:2] == ["snmp", "wire"], f"{switch}")
    own = next(d for d in c.get("/api/fenwatch/v1/devices") if d["host"] == "agent")
    check((own["switch"], own["port"]) == ("core-1", "Gi1/7"), f"it hears where it hangs: {own}")
    until(10, "the agent is heard", lambda: [d["state"] for d in c.get("/api/fenwatch/v1/devices") if d["host"] == "agent"] == ["managed"])

    # Who depends on it, by each of its names; before anybody has listened, and after.
    silent = c.cli("depends", "edge-1")
    check(silent.returncode == 1 and "no capture runs" in silent.stdout, f"{silent}")
    line = dict(client="10.1.0.7", server="10.9.0.1", port="22", first=now, last=now, to_server="1 KiB", to_client="1 KiB")
    program.table(0, "clients", [item("10.9.0.1:22/tcp 10.1.0.7", **line)])
    program.durable()
    until(20, "somebody", lambda: "10.1.0.7" in c.cli("depends", "10.9.0.1").stdout)
    for name in ("sw1", "EDGE-1"):
        named = c.cli("depends", name)
        check(named.returncode == 0 and "10.1.0.7" in named.stdout and "agent has listened since" in named.stdout, f"{named}")
    nobody = c.cli("depends", "192.0.2.1")
    check(nobody.returncode == 1 and "no capture listens now" in nobody.stdout, f"{nobody}")
    check("has no address" in c.cli("depends", "localhost").stderr, "what each machine calls itself")

    # A capture that listens can vouch for nobody, but for what it left out.
    program.host(2, "agent", "capture")
    program.sweep(2, [("fenwatch_capture_sampled_out_packets_total", {}), ("fenwatch_capture_table_dropped_total", {"table": "flows"}),
                      ("fenwatch_capture_table_dropped_total", {"table": "peers"})], [0, 7, 1])
    program.durable()
    until(20, "it listens", lambda: c.cli("depends", "192.0.2.1").returncode == 0)
    said = c.cli("depends", "192.0.2.1").stdout
    check("has heard anybody use 192.0.2.1" in said and "made room" in said and "share of the conversations" not in said, said)

    table = c.cli("devices", "--state", "unmanaged")
    check(table.returncode == 0 and "sw1 Gi0/3" in table.stdout and "edge-1" not in table.stdout, table.stdout)
    check("is managed, quiet, silent or unmanaged" in c.cli("devices", "--state", "lost").stderr, "a mistake")

    # Its firmware is not the one that the register wants, and then it is.
    row = [p for p in c.get("/api/fenwatch/v1/patches") if p["host"] == "sw1"]
    check([(p["state"], p["os"], p["firmware"], p["wanted"]) for p in row] ==
          [("overdue", "C2960", "15.2(4)E8", "15.2(7)*")], f"{row}")
    check("firmware 15.2(4)E8, wanted 15.2(7)*" in c.cli("patches").stdout, c.cli("patches").stdout)
    one = c.cli("patches", "sw1")
    check(one.returncode == 1 and "C2960" in one.stdout, one.stdout)
    program.table(1, "device", [item("device", address="10.9.0.1", model="C2960", firmware="15.2(7)E5")])
    program.durable()
    until(10, "it is updated", lambda: c.cli("patches", "sw1").returncode == 0)

    # Of two switches at once nobody can tell.
    program.table(0, "wire", [item("02:00:00:00:00:60", name="core-1", port="Gi1/7", switch="yes", last=now),
                              item("02:00:00:00:00:61", name="core-0", port="Gi1/8", switch="yes", last=now)])
    program.durable()
    until(20, "it hangs on none", lambda: [d["port"] for d in c.get("/api/fenwatch/v1/devices") if d["host"] == "agent"] == [""])

    # What has gone from a table has gone from the list.
    program.table(0, "wire", [])
    program.table(1, "macs", [item("02:00:00:00:00:51 7", port="Gi0/4")])
    program.durable()
    until(20, "it has gone", lambda: "02:00:00:00:00:50" not in {d["mac"] for d in c.get("/api/fenwatch/v1/devices")})
    check(a.alive(), "the agent runs")


def hardware_of(n):
    return f"02:00:00:00:00:{100 + n:02x}"


def wire_of_fifty(path):
    """Fifty machines; the last five speak SMB1."""
    r, now = Recording(), time.time() - 60
    for n in range(50):
        r.add(now + n / 10, ether(arp(1, 100 + n, f"10.1.0.{n + 1}", "10.1.0.254"), 100 + n, BROADCAST, 0x0806))
        smb = b"\0\0\0\x20" + (b"\xff" if n >= 45 else b"\xfe") + b"SMB" + b"\0" * 28
        r.add(now + 10 + n / 10, ether(tcp(f"10.1.0.{n + 1}", "10.9.0.4", 51000, 445, 1, 1, PSH | TCP_ACK, smb), 100 + n))
    return r.write(path)


def enrol_machine(c, token, name, hardware, speaks):
    """An agent that tells its network card and, if it still does, how it is."""
    peer = wire.Peer(c, wire.enrolled(c, name, token))
    peer.send(DOCUMENT, document(1, 0, "hardware", [item("net/eth0", address=hardware)]))
    if speaks:
        schema = wire.Schema([("node_load1", {})])
        peer.send(wire.SCHEMA, schema.message(1))
        peer.send(wire.BATCH, wire.batch(2, 1, int(time.time() * 1000), 60000, [[1]]))
    check(peer.wait_acked(2 if speaks else 1), f"{name}: {peer.acked_live}")
    return peer


def test_fifty_machines_are_told_apart(lab):
    """Forty are enrolled: two of these are copies, and three have an agent that is not heard."""
    c = lab.collector().start()
    a = lab.agent(c).enrol().start()
    token = c.join_token("--uses", "40")
    names = [f"pc{n:02}" for n in range(38)] + ["copy00", "copy01"]
    peers = [enrol_machine(c, token, name, hardware_of(i if i < 38 else i - 38), i not in (35, 36, 37))
             for i, name in enumerate(names)]
    shown = subprocess.run([os.path.join(lab.build, "agent/capture/fenwatch-capture"), "--read",
                            wire_of_fifty(os.path.join(lab.dir, "fifty.pcap"))], capture_output=True, text=True, timeout=60,
                           env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    lines = shown.stdout.split("# wire\n")[1].splitlines(True)
    a.wait_probe()
    program = Program(a.probe)
    program.table(0, "wire", lines)
    program.durable()

    def listed():
        found = {d["mac"]: d for d in c.get("/api/fenwatch/v1/devices") if d["mac"].startswith("02:00:00:00:00:")}
        found.pop("02:00:00:00:00:02", None)
        return found if len(found) == 50 else None
    found = until(30, "all fifty", listed, 0.5)

    def those(condition):
        return {mac for mac, d in found.items() if condition(d)}
    check(those(lambda d: d["state"] == "managed") == {hardware_of(n) for n in range(35)}, f"managed: {found}")
    check(those(lambda d: d["state"] == "quiet") == {hardware_of(n) for n in (35, 36, 37)}, "their agents are not heard")
    check(those(lambda d: d["state"] == "unmanaged") == {hardware_of(n) for n in range(38, 50)}, "no agent")
    check(those(lambda d: d["speaks"] == "smb1") == {hardware_of(n) for n in range(45, 50)}, "who speaks SMB1")
    copies = {mac: {d["host"], *d["clones"]} for mac, d in found.items() if d["clones"]}
    check(copies == {hardware_of(n): {f"pc{n:02}", f"copy{n:02}"} for n in (0, 1)}, f"copies: {copies}")
    for peer in peers:
        peer.close()



main()
