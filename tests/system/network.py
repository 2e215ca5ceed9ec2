"""Networks that fail: packets vanish, both ways, one way or one in five; links are slow; big packets disappear.

Each agent is a site of its own: a network namespace with a veth to this machine
and nftables in it that does the harm. All sites suffer at the same time. Who
is dead must be noticed within 45 s on both sides; when the harm is over every
sweep must be there. FENWATCH_HARM_SECONDS is how long it lasts, and
FENWATCH_HOLE_SECONDS how long no name is resolved.
"""
import fcntl
import heapq
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from datetime import datetime

import wire
from fleets import Fleet, nothing_lost_or_doubled
from stage import check, main, Skip, skip, until

HARM = int(os.environ.get("FENWATCH_HARM_SECONDS", "50"))
HOLE = int(os.environ.get("FENWATCH_HOLE_SECONDS", "15"))
HOOKS = 10
NOTICED = 45
SLACK = 5  # a busy machine is late


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.stderr.strip() or str(done.returncode) if done.returncode else ""


def must(*argv):
    why = run(*argv)
    check(not why, f"{' '.join(argv)}: {why}")


def lay(*lines):
    """Each a command of ip."""
    for line in lines:
        why = run("ip", *line.split())
        if why:
            skip(f"no namespaces of the network here: ip {line}: {why}")


class Site:
    """A namespace behind a router, another one, in which the harm is done: what a sender's own
    machine drops it would hear of."""

    def __init__(self, lab, number):
        base = f"fw{os.getpid() % 100000}"
        self.name, self.router, wire = f"{base}s{number}", f"{base}r{number}", f"{base}v{number}"
        self.here, there = f"10.213.{number}.1", f"10.213.{number}.2"
        inner, outer = f"10.214.{number}.2", f"10.214.{number}.1"
        lab.closers.append(lambda: (run("ip", "netns", "del", self.name), run("ip", "netns", "del", self.router),
                                    run("ip", "link", "del", wire)))
        lay(f"netns add {self.name}", f"netns add {self.router}",
            f"link add {wire} type veth peer name wan netns {self.router}",
            f"-n {self.router} link add lan type veth peer name eth0 netns {self.name}",
            f"addr add {self.here}/24 dev {wire}", f"link set {wire} up",
            f"-n {self.router} addr add {there}/24 dev wan", f"-n {self.router} link set wan up",
            f"-n {self.router} addr add {outer}/24 dev lan", f"-n {self.router} link set lan up",
            f"-n {self.name} addr add {inner}/24 dev eth0", f"-n {self.name} link set eth0 up",
            f"-n {self.name} link set lo up", f"-n {self.name} route add default via {outer}",
            f"route add 10.214.{number}.0/24 via {there}",
            f"netns exec {self.router} sysctl -qw net.ipv4.ip_forward=1")

    def inside(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def at_router(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.router}", *argv]

    def harm(self, rules):
        """Rules of nftables for what leaves the site (out) and what comes to it (in), each counted."""
        lines = ["table inet harm {", "chain way { type filter hook forward priority 0;"]
        lines += [f'iifname "{lan}" {rules[way]} counter drop' for way, lan in (("out", "lan"), ("in", "wan"))
                  if way in rules]
        done = subprocess.run(self.at_router("nft", "-f", "-"), input="\n".join(lines + ["}", "}"]),
                              capture_output=True, text=True)
        if done.returncode:
            skip(f"no nftables here: {done.stderr.strip()}")
        if "slow" in rules:
            must("tc", "-n", self.router, "qdisc", "add", "dev", "wan", "root", "tbf", "rate", rules["slow"], "burst",
                 "1600", "latency", "400ms")

    def dropped(self):
        done = subprocess.run(self.at_router("nft", "list", "table", "inet", "harm"), capture_output=True, text=True)
        return sum(int(n) for n in re.findall(r"counter packets (\d+)", done.stdout))

    def heal(self):
        must(*self.at_router("nft", "delete", "table", "inet", "harm"))
        run("tc", "-n", self.router, "qdisc", "del", "dev", "wan", "root")


class Relay(threading.Thread):
    """Passes bytes on, each piece two seconds later, more or less."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.server, self.target, self.delays = socket.create_server(("127.0.0.1", 0)), target, False
        self.port, self.late = self.server.getsockname()[1], 0
        self.start()

    def run(self):
        while True:
            client, _ = self.server.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        try:
            while data := a.recv(4096):
                if self.delays:
                    time.sleep(random.uniform(0.5, 3.5))
                    self.late += 1
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def tunnel(name):
    """A network device whose packets we carry."""
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))  # TUNSETIFF: TUN, bare packets
    except OSError as error:
        skip(f"no packets can be carried here: /dev/net/tun: {error}")
    return fd


class Detour(threading.Thread):
    """A site to which each packet finds its own way: two seconds on average, and later ones come first."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        base = f"fw{os.getpid() % 100000}"
        self.name_of_site, near, far = base + "d", base + "n", base + "f"
        self.here = "10.215.1.1"
        self.ends = [tunnel(near), tunnel(far)]
        self.delays, self.overtaken, self.under_way = False, 0, []
        self.sent, self.newest = 0, [0, 0]
        lab.closers.append(lambda: run("ip", "netns", "del", self.name_of_site))
        lay(f"netns add {self.name_of_site}", f"link set {far} netns {self.name_of_site}",
            f"addr add {self.here}/30 dev {near}", f"link set {near} up",
            f"-n {self.name_of_site} addr add 10.215.1.2/30 dev {far}",
            f"-n {self.name_of_site} link set {far} up")
        self.start()

    def inside(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name_of_site}", *argv]

    def take(self, end):
        try:
            packet = os.read(self.ends[end], 65536)
        except OSError:
            return
        due = time.monotonic() + (random.uniform(1, 3) if self.delays else 0)
        self.sent += 1
        heapq.heappush(self.under_way, (due, self.sent, 1 - end, packet))

    def deliver(self):
        while self.under_way and self.under_way[0][0] <= time.monotonic():
            _, number, end, packet = heapq.heappop(self.under_way)
            self.overtaken += number < self.newest[end]
            self.newest[end] = max(self.newest[end], number)
            try:
                os.write(self.ends[end], packet)
            except OSError:
                pass  # a device that is full or down drops it

    def run(self):
        while True:
            wait = max(0, self.under_way[0][0] - time.monotonic()) if self.under_way else 1
            for fd in select.select(self.ends, [], [], wait)[0]:
                self.take(self.ends.index(fd))
            self.deliver()


def detour_or_none(lab):
    """The other harms are there without it, too."""
    try:
        return Detour(lab)
    except Skip as reason:
        print(f"# nothing is reordered: {reason}", flush=True)
        return None


def delay(relay, detour, delays):
    relay.delays = delays
    if detour:
        detour.delays = delays


class Nameserver(threading.Thread):
    """Swallows every question until it is told to answer: all names are this machine's."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.address, self.asked, self.answers = "127.0.0.77", set(), False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.bind((self.address, 53))
        except OSError as error:
            skip(f"no name server can be played here: {error}")
        lab.closers.append(self.socket.close)
        self.start()

    def run(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            end = packet.index(b"\0", 12)
            question, kind = packet[12:end + 5], struct.unpack_from(">H", packet, end + 1)[0]
            self.asked.add(packet[13:13 + packet[12]].decode())
            if self.answers:
                found = struct.pack(">HHHIH4B", 0xC00C, 1, 1, 0, 4, 127, 0, 0, 1) if kind == 1 else b""
                head = packet[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if found else 0, 0, 0)
                self.socket.sendto(head + question + found, peer)


def times_ms(collector, host):
    """When the sweeps of a host were made."""
    result = collector.query(f'node_load1{{instance="{host}"}}[1h]', at=time.time() + 5)
    return [round(t * 1000) for t, _ in result[0]["values"]] if result else []


def gaps(times):
    """Where a second has no sweep of its own; on a busy machine it may be taken some of it later."""
    return [(a, b) for a, b in zip(times[1:], times[2:]) if b // 1000 - a // 1000 != 1]


def complete(collector, host):
    """Every sweep of a host is there."""
    try:
        until(60, f"every sweep of {host} is there", lambda: not gaps(times_ms(collector, host)))
    except AssertionError:
        times = times_ms(collector, host)
        raise AssertionError(f"{host}, from {times[0]} to {times[-1]}: gaps {gaps(times)}")


def logged_at(log, pattern, since):
    """When the first line after `since` was written that fits; None."""
    for line in log.splitlines():
        found = re.match(r"(\S+)Z ", line)
        if found and re.search(pattern, line):
            at = datetime.fromisoformat(found.group(1) + "+00:00").timestamp()
            if at >= since:
                return at
    return None


# name, harm, whether the agent is cut off, whether agent and collector must notice it
SITES = [
    ("blackhole", {"out": "", "in": ""}, True, True, True),
    ("noway-up", {"out": ""}, True, True, True),
    ("noway-down", {"in": ""}, True, True, True),
    ("mtu", {"out": "meta length > 150"}, True, True, True),
    ("killed", {"out": "", "in": ""}, True, False, True),
    ("lossy", {"out": "numgen random mod 100 < 20", "in": "numgen random mod 100 < 20"}, False, False, False),
    ("modem", {"slow": "64kbit"}, False, False, False),
    ("unharmed", {}, False, False, False),
]


def agent_at(lab, c, name, site):
    agent = lab.agent(c, name=name).enrol()
    agent.reconfigure(f"127.0.0.1:{c.port}", f"{site.here}:{c.port}")
    agent.argv = site.inside(*agent.argv)
    return agent.start()


def open_sites(lab, c):
    agents = {}
    for number, (name, *_) in enumerate(SITES, 1):
        site = Site(lab, number)
        agents[name] = (site, agent_at(lab, c, name, site))
    return agents


def notices(c, agents, since):
    """What must be noticed and is not, or too late; with the seconds that it took."""
    wrong, took = [], []
    for name, _, _, by_agent, by_collector in SITES:
        sides = [("the agent", agents[name][1].log(), r"warning: collector .*; next attempt", by_agent),
                 ("the collector", c.log(), rf"info: {name} \(.*has gone", by_collector)]
        for side, log, pattern, due in sides:
            at = logged_at(log, pattern, since)
            if due and (at is None or at - since > NOTICED + SLACK):
                wrong.append(f"{name}: {side} after {'never' if at is None else round(at - since)} s")
            elif due:
                took.append(at - since)
    return wrong, took


def test_every_kind_of_harm_at_once(lab):
    if os.getuid() != 0:
        skip("namespaces of the network need root")
    c = lab.collector(store="{raw: 64MiB}")
    c.reconfigure(f'"127.0.0.1:{c.port}"', f'"0.0.0.0:{c.port}"')
    c.start()
    agents = open_sites(lab, c)
    relay = Relay(c.port)
    late = lab.agent(c, name="late", port=relay.port).enrol().start()
    names = [name for name, *_ in SITES] + ["late"]
    detour = detour_or_none(lab)
    if detour:
        agent_at(lab, c, "winding", detour)
        names.append("winding")
    for name in names:
        until(60, f"{name} sends", lambda n=name: len(times_ms(c, n)) >= 3)
    since = time.time()
    for name, rules, *_ in SITES:
        agents[name][0].harm(rules)
    delay(relay, detour, True)
    agents["killed"][1].kill()
    time.sleep(HARM)
    wrong, took = notices(c, agents, since)
    check(not wrong, f"not noticed within {NOTICED} s: {wrong}")
    print(f"# {max(took):.1f} s until the last of {len(took)} dead peers was noticed", flush=True)
    # The harm was felt, and who was not harmed noticed nothing.
    for name, rules, cut_off, *_ in SITES:
        age = time.time() - times_ms(c, name)[-1] / 1000
        check(not cut_off or age > HARM - 10, f"{name} is cut off, and its newest sweep is {age:.0f} s old")
        check("out" not in rules and "in" not in rules or agents[name][0].dropped() > 0, f"{name}: nothing dropped")
    check(relay.late > 5, "the relay was slow")
    check(not detour or detour.overtaken > 5, f"packets overtook each other: {detour and detour.overtaken}")
    check(logged_at(c.log(), r"unharmed \(.*has gone", since) is None, "who was not harmed stays connected")
    for name, *_ in SITES:
        agents[name][0].heal()
    delay(relay, detour, False)
    agents["killed"][1].start()
    healed = time.time() * 1000
    for name in names:
        until(90, f"{name} sends again", lambda n=name: times_ms(c, n)[-1] > healed + 2000)
        if name != "killed":
            complete(c, name)
    print(f"# {sum(len(times_ms(c, n)) for n in names)} sweeps of {len(names)} agents, none missing", flush=True)
    check(gaps(times_ms(c, "killed")), "control: the hole in what a dead agent did not send is found")
    check(late.alive(), "the one behind the slow relay lives")


IN_MOUNTS = ("import os, subprocess, sys\n"
             "subprocess.run(['mount', '--bind', sys.argv[1], '/etc/resolv.conf'], check=True)\n"
             "os.execv(sys.argv[2], sys.argv[2:])")


def resolving_at(lab, c, nameserver):
    """This collector asks that name server, and no other process does."""
    path = os.path.join(lab.dir, "resolv.conf")
    with open(path, "w") as f:
        f.write(f"nameserver {nameserver.address}\n")
    why = run("unshare", "--mount", "mount", "--bind", path, "/etc/resolv.conf")
    if why:
        skip(f"no resolv.conf of its own for a process here: {why}")
    c.argv = ["unshare", "--mount", sys.executable, "-c", IN_MOUNTS, path, *c.argv]


def make_an_alert(c):
    """One certificate on two machines is told at once."""
    first = wire.enrolled(c, "original")
    peer = wire.Peer(c, first)
    copy = wire.Identity("original")
    copy.key, copy.cert = first.key, first.cert
    wire.Peer(c, copy).close()
    return peer


def test_no_name_is_resolved_and_ten_webhooks_wait(lab):
    if os.getuid() != 0:
        skip("namespaces of mounts need root")
    nameserver, hooks, direct = Nameserver(lab), [lab.webhook() for _ in range(HOOKS)], lab.webhook()
    urls = [hook.url.replace("127.0.0.1", f"hook{number}.desk.test") for number, hook in enumerate(hooks)]
    feeds = [f'{{name: hook{number}, type: webhook, url: "{url}", live: true}}' for number, url in enumerate(urls)]
    feeds.append(f'{{name: direct, type: webhook, url: "{direct.url}", live: true}}')
    c = lab.collector(store="{raw: 64MiB}", extra=f"feeds: [{', '.join(feeds)}]\n")
    resolving_at(lab, c, nameserver)
    c.start()
    fleet = Fleet(lab, c, 20, name="good", interval=250, series=50, **{"from": "127.9.0.1"}).begin()
    fleet.all_connected(30)
    fleet.ask("mark")
    time.sleep(3)
    calm = fleet.stat()["ack_p99_ms"]
    peer = make_an_alert(c)
    until(60, "all names were asked for", lambda: len(nameserver.asked) == HOOKS)
    until(10, "control: who needs no name is told", lambda: direct.notices("firing"))
    fleet.ask("mark")
    time.sleep(HOLE)
    stat = fleet.stat()
    print(f"# acknowledgements p99 {calm} ms before, {stat['ack_p99_ms']} ms while {HOOKS} webhooks wait for a name",
          flush=True)
    waiting = [feed for feed in c.get("/api/fenwatch/v1/feeds") if feed["waiting"] > 0]
    check(len(waiting) == HOOKS and not any(hook.got for hook in hooks), f"the others wait: {waiting}")
    check(stat["lost"] == 0 and stat["connected"] == fleet.count, f"and no agent notices: {stat}")
    nameserver.answers = True
    until(180, "every webhook is told", lambda: all(hook.notices("firing") for hook in hooks))
    keys = [{key for _, key, _ in hook.notices("firing")} for hook in hooks]
    check(all(len(seen) == 1 for seen in keys), f"of one thing: {keys}")
    fleet.settle()
    nothing_lost_or_doubled(c, fleet)
    peer.close()


main()
