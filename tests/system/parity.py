"""node_exporter and the agent read the same machine at the same moment: names, types, labels, values.

What differs stands in DIFFERENCES, each with its reason; one that no longer
differs fails. A value that moves is right when it lies between the agent's
reading before and the one after; a gauge may lie as far outside as it moved in
all of the agent's readings. Recorded machines do not move. `mistaken` is the
negative control: a reading with mistakes in it, which must all be found.
"""
import math
import os
import re
import shutil
import subprocess
import urllib.request

from stage import Process, check, free_port, main, skip, skip_where_unseen, until

EXPORTER = "prometheus-node-exporter"
MACHINES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "machines")

# node_exporter's collectors, and the agent's sources that give the same. Those of files can
# be pointed at a recorded machine.
OF_FILES = {"arp": "arp", "bonding": "bonding", "btrfs": "btrfs", "conntrack": "conntrack", "cpu": "cpu processors",
            "cpufreq": "processors", "diskstats": "disk", "dmi": "hardware", "edac": "edac", "entropy": "entropy",
            "filefd": "descriptors", "hwmon": "hwmon", "interrupts": "interrupts", "loadavg": "load", "mdadm": "md",
            "meminfo": "memory", "netclass": "network", "netdev": "network", "netstat": "netstat", "nvme": "nvme",
            "os": "os", "powersupplyclass": "power", "pressure": "pressure", "processes": "processes",
            "schedstat": "schedstat", "sockstat": "sockstat", "softnet": "softnet", "stat": "cpu",
            "thermal_zone": "thermal", "vmstat": "vmstat", "zfs": "zfs"}
OF_CALLS = {"filesystem": "filesystem", "selinux": "selinux", "tcpstat": "connections", "time": "time",
            "timex": "timex", "udp_queues": "connections", "uname": "uname"}
# The same scope as newer ones have by default; Debian's own leaves more out.
SCOPE = ["--collector.cpu.info", "--collector.netdev.device-exclude=^$", "--no-collector.netdev.netlink",
         "--collector.netclass.ignore-invalid-speed",
         "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys)($|/)"]

SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)')
ASKED = re.compile("node_scrape_collector_|node_exporter_build_info|promhttp_|fenwatch_")  # not the machine
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text, everything=False):
    """({name: type}, {(name, labels): value}); a label without a value is none."""
    types, values = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            types[line.split()[2]] = line.split()[3]
        match = None if line.startswith("#") else SAMPLE.fullmatch(line)
        if match and (not ASKED.match(match[1]) or everything):
            labels = frozenset(pair for pair in LABEL.findall(match[2] or "") if pair[1])
            values[match[1], labels] = float(match[3])
    return types, values


class Exporter:
    def __init__(self, lab, collectors, tree=None):
        if not shutil.which(EXPORTER):
            skip(f"{EXPORTER} is not installed")
        self.port = free_port()
        argv = [EXPORTER, f"--web.listen-address=127.0.0.1:{self.port}", "--web.disable-exporter-metrics",
                "--collector.disable-defaults", *SCOPE, *(f"--collector.{name}" for name in collectors)]
        if tree:
            argv += [f"--path.procfs={tree}/proc", f"--path.sysfs={tree}/sys", f"--path.rootfs={tree}",
                     f"--path.udev.data={tree}/run/udev/data"]
        self.process = Process(lab, "node_exporter", argv).start()
        lab.processes.append(self.process)
        until(30, "node_exporter answers", self.read)

    def read(self, everything=False):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as reply:
            return parse(reply.read().decode(), everything)


    def succeeded(self):
        """The collectors that gave something, or found that there is nothing to give."""
        success = {dict(labels)["collector"]: value for (name, labels), value in self.read(everything=True)[1].items()
                   if name == "node_scrape_collector_success"}
        return {name for name, value in success.items() if value == 1}


class Ours:
    def __init__(self, lab, sources, root="/"):
        self.program, self.sources = lab.program("agent"), sources
        self.config = os.path.join(lab.dir, "print.yml")
        with open(self.config, "w") as f:
            f.write(f"name: here\nroot: {root}\n")

    def read(self):
        done = subprocess.run([self.program, "--config", self.config, "--print", *self.sources], capture_output=True,
                              text=True, timeout=120)
        check(done.returncode == 0, f"--print: {done.stderr}")
        return parse(done.stdout)


def equal(a, b):
    return a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


class Comparison:
    """What theirs and ours have in common and what not, over several rounds."""

    def __init__(self, machine):
        self.machine, self.used = machine, set()
        self.types = ({}, {})
        self.low, self.high = {}, {}
        self.missing, self.extra, self.wrong = {}, {}, {}
        self.well = set()

    def without_labels(self, reading):
        """Labels that only one of both has are left out before anything is compared."""
        for entry in DIFFERENCES:
            if entry.kind != "label" or not entry.is_of(self.machine):
                continue
            for name, labels in [s for s in reading[1] if re.fullmatch(entry.name, s[0])]:
                less = frozenset(pair for pair in labels if pair[0] != entry.label)
                if less != labels:
                    self.used.add(entry)
                    reading[1][name, less] = reading[1].pop((name, labels))
        return reading

    def add(self, before, theirs, after):
        before, theirs, after = (self.without_labels(r) for r in (before, theirs, after))
        ours = {**before[1], **after[1]}
        self.types[0].update(theirs[0])
        self.types[1].update({**before[0], **after[0]})
        for series, value in [*before[1].items(), *after[1].items()]:
            self.low[series] = min(value, self.low.get(series, value))
            self.high[series] = max(value, self.high.get(series, value))
        for series, value in theirs[1].items():
            if series in ours:
                self.judge(series, before[1].get(series), value, after[1].get(series))
            else:
                self.missing[series] = value
        for series, value in ours.items():
            if series not in theirs[1]:
                self.extra[series] = value

    def judge(self, series, before, value, after):
        both = [v for v in (before, after) if v is not None]
        slack = 0
        if self.machine == "here":
            slack = next((by for name, by in MOVED_BY_ASKING.items() if re.fullmatch(name, series[0])), 0)
        if self.types[1].get(series[0]) == "gauge":
            slack = max(slack, self.high[series] - self.low[series])
        if any(equal(v, value) for v in both) or min(both) - slack <= value <= max(both) + slack:
            self.well.add(series)
        else:
            self.wrong[series] = (before, value, after)

    def found(self):
        for name in sorted(self.types[0].keys() & self.types[1].keys()):
            if self.types[0][name] != self.types[1][name]:
                yield "type", name, {}, f"{self.types[0][name]} there, {self.types[1][name]} here"
        for kind, series in (("missing", self.missing), ("extra", self.extra)):
            for (name, labels), value in series.items():
                if (name, labels) not in self.well:
                    yield kind, name, dict(labels), str(value)
        for (name, labels), values in self.wrong.items():
            if (name, labels) not in self.well:
                yield "value", name, dict(labels), "{} before, {} there, {} after".format(*values)

    def unexplained(self):
        """What differs without a reason; what differs with one is printed and noted as used."""
        left, explained = [], {}
        for kind, name, labels, sentence in self.found():
            entry = next((e for e in DIFFERENCES if e.is_of(self.machine) and e.covers(kind, name, labels)), None)
            if entry:
                explained.setdefault(entry, []).append(name)
            else:
                left.append(f"{kind} {name}{labels}: {sentence}")
        for entry, names in explained.items():
            print(f"# {self.machine}: {entry.kind} {len(names)} x {min(names)} ...: {entry.why}")
        self.used |= explained.keys()
        return left

    def stale(self):
        return [f"{e.kind} {e.name} {e.labels}" for e in DIFFERENCES if self.machine in e.machines and e not in self.used]


class Difference:
    """One thing in which both differ, on the machines named; one whose name ends in "?" may lack it."""

    def __init__(self, machines, kind, name, why, label=None, **labels):
        self.machines, self.kind, self.name, self.why = machines.split(), kind, name, why
        self.label, self.labels = label, labels

    def is_of(self, machine):
        return machine in self.machines or machine + "?" in self.machines

    def covers(self, kind, name, labels):
        return re.fullmatch(self.kind, kind) and re.fullmatch(self.name, name) and \
            all(re.fullmatch(pattern, labels.get(key, "")) for key, pattern in self.labels.items())


ALL = "here laptop-2019 server-2024 server-2011 server-2u debian-12 ubuntu-22.04"
STORAGE = "server-64 server-raid server-pools"
NEWER = "node_exporter 1.5 has not got it, newer ones have"
HARMLESS = "asking would wake it, or keep it awake"
ROOT = "only root may read it; it goes into the inventory, not into series"
ASKING = "the connection by which node_exporter is asked"
VMS = " debian-12 ubuntu-22.04"
DIFFERENCES = [
    Difference(ALL, "label", "node_network_info", NEWER, label="adminstate"),
    Difference("here? server-2024 " + STORAGE, "label", "node_disk_info", NEWER, label="rotational"),
    Difference("server-64", "label", "node_disk_info", "newer ones give the serial number on the label", label="serial"),
    Difference("here? laptop-2019 server-2u", "label", "node_hwmon_sensor_label",
               "1.5 wrote it in small letters with underscores, newer ones as the driver says", label="label"),
    Difference("here? server-2u", "label", "node_dmi_info", ROOT, label="board_serial"),
    Difference("here? server-2u?", "label", "node_dmi_info", ROOT, label="chassis_serial"),
    Difference("here? server-2u", "label", "node_dmi_info", ROOT, label="product_serial"),
    Difference("here? server-2u", "label", "node_dmi_info", ROOT, label="product_uuid"),
    Difference("here? laptop-2019", "missing", "node_disk_.*", "newer ones leave zram out, as they do loop devices",
               device=r"zram\d+"),
    Difference("here laptop-2019 server-2024 server-2011? server-2u" + VMS, "missing",
               "node_network_(address_assign_type|carrier_(up|down)_changes_total|device_id|dormant|flags|iface_.*"
               "|name_assign_type|net_dev_group|protocol_type)",
               "numbers of a device that no dashboard or rule asks for; what matters of its flags is adminstate"),
    Difference("here", "missing", "node_processes_threads_state",
               "each thread of each process would have to be read, and nobody asks for it"),
    Difference("here", "missing", "node_time_(clocksource|zone).*", "no dashboard or rule asks for it"),
    Difference("here? laptop-2019 server-2u" + VMS, "extra", "node_cpu_vulnerabilities_info", NEWER),
    Difference("here", "extra", "node_filesystem_mount_info", NEWER),
    Difference("here?", "label", "node_filesystem_device_error", NEWER, label="device_error"),
    Difference("here?", "extra", "node_filesystem_readonly", "1.5 says nothing more of a mount that cannot be asked"),
    Difference("here? server-2024" + VMS, "extra", "node_network_receive_nohandler_total", NEWER),
    Difference("here? server-2024 server-64" + VMS, "extra", "node_softnet_(flow_limit_count|received_rps)_total", NEWER),
    Difference("here?", "extra", "node_fstab_mount_status", "a script for its textfile collector does"),
    Difference("server-64 here?", "label", "node_nvme_info", NEWER, label="cntlid"),
    Difference("server-64 server-raid here?", "extra", "node_md_(raid_disks|degraded)", NEWER),
    Difference("server-64 server-raid here?", "extra", "node_md_(disk_)?info", "a script for its textfile collector does"),
    Difference("server-pools", "label", "node_btrfs_device_size_bytes", "the kernel is asked, which 1.5 cannot here",
               label="btrfs_dev_uuid"),
    Difference("server-pools", "extra", "node_btrfs_device_(unused_bytes|errors_total)",
               "the kernel is asked, which 1.5 cannot here"),
    Difference("server-pools here?", "extra", "node_btrfs_.*commit.*", NEWER),
    Difference("server-pools here?", "extra", "node_zfs_zpool_state", NEWER, state="suspended"),
    Difference("server-pools", "extra", "node_zfs_arc_memory_available_bytes", "1.5 passes over what may be negative"),
    Difference("server-pools", "(missing|extra)", "node_zfs_zpool_dataset_.*", "1.5 cuts a name at its first blank",
               dataset="tank/shared.*"),
    Difference("here? server-2024", "extra", "node_pressure_irq_stalled_seconds_total", NEWER),
    Difference("here? laptop-2019", "extra", "node_os_support_end_timestamp_seconds", NEWER),
    Difference("here laptop-2019 server-2024 server-2011" + VMS, "extra", "node_netstat_.*",
               "a public dashboard asks for it; node_exporter gives it when told to"),
    Difference("server-2024", "missing", "node_memory_SomethingNew_bytes", "a field that is not in the agent's table"),
    Difference("laptop-2019", "missing", "node_cpu(_guest)?_seconds_total",
               "1.5 made up a CPU 2, which is offline and not in /proc/stat", cpu="2"),
    Difference("server-2011", "missing", "node_cpu_guest_seconds_total", "this kernel does not count it", mode="nice"),
    Difference("laptop-2019", "missing", "node_interrupts_total", "1.5 counts columns, where CPU 2 is offline", cpu="2"),
    Difference("laptop-2019", "extra", "node_interrupts_total", "the same column by the CPU's own number", cpu="3"),
    Difference("laptop-2019", "missing", "node_hwmon_temp_celsius", "the zone's own file; it is node_thermal_zone_temp",
               sensor="temp0"),
    Difference("laptop-2019", "missing", "node_hwmon_.*", HARMLESS + ": the graphics card is suspended",
               chip="0000:00:1c_0_0000:01:00_0"),
    Difference("server-2u", "missing", "node_hwmon_.*", HARMLESS + ": a disk that turns; smart gives its temperature",
               chip="target0:0:0_0:0:0:0"),
    Difference("server-2u", "missing", "node_hwmon_pwm_auto_.*", "a driver's own file, which is no documented attribute"),
    Difference("server-2u", "extra", "node_hwmon_.*", "1.5 gives only one of two chips without a device and with one name",
               chip="acpi_fan_hwmon7"),
    Difference("here?", "(missing|extra)", "node_tcp_connection_states", ASKING + ", and others that came and went"),
    Difference("here?", "value", "node_tcp_connection_states", ASKING, state=".x_queued_bytes"),
    Difference("here?", "(missing|extra)", "node_processes_state", "a process that came and went between two readings"),
]

# Gauges that move by asking, and by how much: processes, sockets and memory of those who ask and of
# whoever else is at work on this machine. Whether a value is the right one recorded machines tell.
MOVED_BY_ASKING = {"node_memory_.*_bytes": 128 << 20, "node_procs_running": 64, "node_procs_blocked": 64,
                   "node_processes_state": 64, "node_processes_pids": 64, "node_processes_threads": 256,
                   "node_filefd_allocated": 1024,
                   "node_netstat_Tcp_CurrEstab": 16, "node_sockstat_TCP_alloc": 16, "node_sockstat_TCP_inuse": 16,
                   "node_sockstat_sockets_used": 32, "node_tcp_connection_states": 16}


def start(lab, machine):
    """Both, with what node_exporter finds on this machine: what it fails at is not asked for again."""
    root = "/" if machine == "here" else f"{MACHINES}/{machine}"
    sources = {**OF_FILES, **(OF_CALLS if machine == "here" else {})}
    tree = None if machine == "here" else root
    good = Exporter(lab, sources, tree).succeeded()
    failed = {s for collector in sources.keys() - good for s in sources[collector].split()}
    good = {collector for collector in good if not failed & set(sources[collector].split())}
    return Exporter(lab, good, tree), Ours(lab, {s for collector in good for s in sources[collector].split()}, root)


def judge(lab, machine, at_least, rounds=1):
    exporter, ours = start(lab, machine)
    comparison = Comparison(machine)
    for _ in range(rounds):
        comparison.add(ours.read(), exporter.read(), ours.read())
    left = comparison.unexplained()
    print(f"# {machine}: {len(comparison.well)} series are the same", flush=True)
    check(not left, "differs without a reason:\n" + "\n".join(left))
    check(not comparison.stale(), f"no longer differs, take it out: {comparison.stale()}")
    check(len(comparison.well) >= at_least, f"only {len(comparison.well)} series are the same, not {at_least}")


def test_this_machine(lab):
    judge(lab, "here", 300, rounds=6)


def test_a_laptop(lab):
    judge(lab, "laptop-2019", 280)


def test_a_server(lab):
    judge(lab, "server-2024", 385)


def test_an_old_server(lab):
    judge(lab, "server-2011", 195)


def test_virtual_machines(lab):
    judge(lab, "debian-12", 230)
    judge(lab, "ubuntu-22.04", 230)


def test_the_hardware_of_a_server(lab):
    judge(lab, "server-2u", 260)


def test_many_of_everything(lab):
    judge(lab, "server-64", 3000)


def test_a_failed_disk(lab):
    judge(lab, "server-raid", 240)


def test_pools(lab):
    judge(lab, "server-pools", 285)


def test_a_btrfs_of_two_disks(lab):
    """The kernel's own answers: real disks of a real filesystem, one of them with errors."""
    if os.geteuid() != 0 or not shutil.which("mkfs.btrfs"):
        skip("needs root and mkfs.btrfs")
    loops = []

    def run(*argv):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            skip(f"{argv[0]} cannot be used here: {done.stderr.strip()}")
        return done.stdout.strip()

    for name in ("one", "two"):
        with open(f"{lab.dir}/{name}.img", "wb") as image:
            image.truncate(256 << 20)
        loops.append(run("losetup", "--find", "--show", image.name))
        lab.closers.append(lambda loop=loops[-1]: subprocess.run(["losetup", "-d", loop]))
    run("mkfs.btrfs", "-q", "-L", "pair", "-d", "raid1", "-m", "raid1", *loops)
    os.mkdir(f"{lab.dir}/pair")
    run("mount", "-t", "btrfs", loops[0], f"{lab.dir}/pair")
    lab.closers.append(lambda: subprocess.run(["umount", f"{lab.dir}/pair"]))
    skip_where_unseen(f"{lab.dir}/pair")
    with open(f"{lab.dir}/pair/file", "wb") as f:
        f.write(os.urandom(8 << 20))
    os.sync()
    with open(f"{lab.dir}/two.img", "r+b") as image:  # a disk that forgets
        image.seek(40 << 20)
        image.write(bytes(180 << 20))
    subprocess.run(["btrfs", "scrub", "start", "-B", f"{lab.dir}/pair"], capture_output=True, timeout=60)
    exporter, ours = Exporter(lab, ["btrfs"]), Ours(lab, ["btrfs"])
    comparison = Comparison("here")
    comparison.add(ours.read(), exporter.read(), ours.read())
    left = comparison.unexplained()
    check(not left, "differs without a reason:\n" + "\n".join(left))
    errors = [comparison.high[series] for series in comparison.well if series[0] == "node_btrfs_device_errors_total"]
    check(len(errors) == 10 and max(errors) > 0, f"errors of both disks: {errors}")
    check(len(comparison.well) >= 25, f"only {len(comparison.well)} are the same")


def test_mistakes_are_found(lab):
    """The negative control: each kind of mistake in an answer that was right."""
    exporter, ours = start(lab, "laptop-2019")
    theirs = exporter.read()

    def found(change):
        types, values = ours.read()
        change(types, values)
        comparison = Comparison("laptop-2019")
        comparison.add((types, dict(values)), (theirs[0], dict(theirs[1])), (types, dict(values)))
        return comparison.unexplained()

    load, none = ("node_load1", frozenset()), frozenset()
    battery = ("node_power_supply_energy_full", frozenset({("power_supply", "BAT0")}))
    check(found(lambda t, v: None) == [], "nothing is wrong at first")
    for what, change in {
            "value node_load1": lambda t, v: v.update({load: v[load] + 0.01}),
            "missing node_power_supply_energy_full": lambda t, v: v.pop(battery),
            "extra node_made_up": lambda t, v: v.update({("node_made_up", none): 1}),
            "extra node_load1{'cpu'": lambda t, v: v.update({("node_load1", frozenset({("cpu", "0")})): v[load]}),
            "type node_load1": lambda t, v: t.update(node_load1="counter"),
    }.items():
        sentences = found(change)
        check(len(sentences) == 1 and sentences[0].startswith(what), f"{what}: {sentences}")


main()
