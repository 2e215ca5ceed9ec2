#!/usr/bin/env python3
"""Each of the rules that are public for hosts fires on a recorded machine with its fault, and not on one that is well.

usage: firing.py BUILD-ROOT

The alerts of node-mixin, as dashboards.py has them, and public host rules, both in our own words. A machine's
series are those that its record under tests/machines has, for an hour and a half; where the record itself has no such fault, a
change to it is the fault. `fenwatch rules test` and Debian's promtool must say of each that it fires on the one and
not on the other. Speaks TAP.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from dashboards import ALERTS

MACHINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "machines")
MINUTES = 90
FOR = "5m"
TIMEX = {"node_timex_offset_seconds": 0.0001, "node_timex_sync_status": 1, "node_timex_maxerror_seconds": 0.2}


def stays(value):
    return lambda _: f"{value:.15g}x{MINUTES}"


def share(of):
    """Of what the record has."""
    return lambda value: f"{value * of:.15g}x{MINUTES}"


def grows(a_minute):
    return lambda value: f"{value:.15g}+{a_minute}x{MINUTES}"


def shrinks(to):
    """From what is recorded to a part of it, in that time."""
    return lambda value: f"{value:.15g}-{value * (1 - to) / MINUTES:.15g}x{MINUTES}"


def rises(begin, a_minute):
    return lambda _: f"{begin}+{a_minute}x{MINUTES}"


RECORDED = {}  # the record has the fault

# Rule, the machine with the fault, what is changed in its record, a machine without it.
CASES = [
    ("NodeFilesystemSpaceFillingUp", "debian-12", {"node_filesystem_avail_bytes": shrinks(0.1)}, "debian-12"),
    ("NodeFilesystemAlmostOutOfSpace", "debian-12", {"node_filesystem_avail_bytes": share(0.02)}, "debian-12"),
    ("NodeFilesystemFilesFillingUp", "debian-12", {"node_filesystem_files_free": shrinks(0.1)}, "debian-12"),
    ("NodeFilesystemAlmostOutOfFiles", "debian-12", {"node_filesystem_files_free": share(0.02)}, "debian-12"),
    ("NodeNetworkReceiveErrs", "rhel-9", {"node_network_receive_errs_total": grows(60),
                                          "node_network_receive_packets_total": grows(600)}, "rhel-9"),
    ("NodeNetworkTransmitErrs", "rhel-9", {"node_network_transmit_errs_total": grows(60),
                                           "node_network_transmit_packets_total": grows(600)}, "rhel-9"),
    ("NodeHighNumberConntrackEntriesUsed", "server-2024", {"node_nf_conntrack_entries_limit": stays(1)}, "server-2024"),
    ("NodeTextFileCollectorScrapeError", "laptop-2019", {"node_textfile_scrape_error": stays(1)}, "debian-12"),
    ("NodeClockSkewDetected", "debian-12", {"node_timex_offset_seconds": rises(0.06, 0.001)}, "debian-12"),
    ("NodeClockNotSynchronising", "debian-12", {"node_timex_sync_status": stays(0),
                                                "node_timex_maxerror_seconds": stays(16)}, "debian-12"),
    ("NodeRAIDDegraded", "server-raid", RECORDED, "server-64"),
    ("NodeRAIDDiskFailure", "server-raid", RECORDED, "server-64"),
    ("NodeFileDescriptorLimit", "centos-7", {"node_filefd_maximum": stays(1)}, "centos-7"),
    ("NodeCPUHighUsage", "debian-12", {'node_cpu_seconds_total{.*mode="user"': grows(58),
                                       'node_cpu_seconds_total{.*mode="idle"': grows(1)}, "debian-12"),
    ("NodeSystemSaturation", "debian-12", {"node_load1": stays(40)}, "debian-12"),
    ("NodeMemoryMajorPagesFaults", "debian-12", {"node_vmstat_pgmajfault": grows(60000)}, "debian-12"),
    ("NodeMemoryHighUtilization", "debian-12", {"node_memory_MemAvailable_bytes": share(0.05)}, "debian-12"),
    ("NodeDiskIOSaturation", "debian-12", {"node_disk_io_time_weighted_seconds_total": grows(1200)}, "debian-12"),
    ("NodeSystemdServiceFailed", "server-2024", RECORDED, "debian-12"),
    ("NodeSystemdServiceCrashlooping", "debian-12", {"node_systemd_service_restart_total": grows(1)}, "debian-12"),
    ("NodeBondingDegraded", "server-2024", RECORDED, "debian-12"),
    ("MemoryLow", "debian-12", {"node_memory_MemAvailable_bytes": share(0.05)}, "debian-12"),
    ("ReceivesFull", "rhel-9", {"node_network_receive_bytes_total": grows(60 * 10**10)}, "rhel-9"),
    ("TransmitsFull", "rhel-9", {"node_network_transmit_bytes_total": grows(60 * 10**10)}, "rhel-9"),
    ("DiskBusy", "debian-12", {"node_disk_io_time_seconds_total": grows(58)}, "debian-12"),
    ("DiskFillsInADay", "debian-12", {"node_filesystem_avail_bytes": shrinks(0.1)}, "debian-12"),
    ("InodesGoInADay", "debian-12", {"node_filesystem_files_free": shrinks(0.1)}, "debian-12"),
    ("FilesystemDoesNotAnswer", "debian-12", {"node_filesystem_device_error": stays(1)}, "debian-12"),
    ("ReadsSlow", "debian-12", {"node_disk_read_time_seconds_total": grows(30),
                                "node_disk_reads_completed_total": grows(60)}, "debian-12"),
    ("WritesSlow", "debian-12", {"node_disk_write_time_seconds_total": grows(30),
                                 "node_disk_writes_completed_total": grows(60)}, "debian-12"),
    ("CpuStolen", "debian-12", {'node_cpu_seconds_total{.*mode="steal"': grows(12)}, "debian-12"),
    ("CpuWaitsForDisks", "debian-12", {'node_cpu_seconds_total{.*mode="iowait"': grows(12)}, "debian-12"),
    ("SwapFull", "rhel-9", {"node_memory_SwapFree_bytes": share(0.01)}, "rhel-9"),
    ("TooHot", "server-2u", {"node_hwmon_temp_celsius": share(20)}, "laptop-2019"),
    ("OutOfMemoryKill", "debian-12", {"node_vmstat_oom_kill": grows(1)}, "debian-12"),
    ("MemoryCorrected", "server-2u", {"node_edac_correctable_errors_total": grows(1)}, "rhel-9"),
    ("MemoryUncorrectable", "server-2u", {"node_edac_uncorrectable_errors_total": stays(1)}, "rhel-9"),
    ("ContextSwitches", "debian-12", {"node_context_switches_total": lambda _: f"0+1x{MINUTES - 30} "
                                      f"{MINUTES}+100000x30"}, "debian-12"),
]

OTHERS = '{fstype!~"^(fuse.*|tmpfs|cifs|nfs)"}'
HOST_RULES = [
    ("MemoryLow", "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.1"),
    ("ReceivesFull", "rate(node_network_receive_bytes_total[5m]) / node_network_speed_bytes > 0.8 and "
     "node_network_speed_bytes > 0"),
    ("TransmitsFull", "rate(node_network_transmit_bytes_total[5m]) / node_network_speed_bytes > 0.8 and "
     "node_network_speed_bytes > 0"),
    ("DiskBusy", "rate(node_disk_io_time_seconds_total[5m]) > 0.8"),
    ("DiskFillsInADay", f"predict_linear(node_filesystem_avail_bytes{OTHERS}[3h], 86400) <= 0 and "
     "node_filesystem_avail_bytes > 0"),
    ("InodesGoInADay", f"predict_linear(node_filesystem_files_free{OTHERS}[1h], 86400) <= 0 and "
     "node_filesystem_files_free > 0"),
    ("FilesystemDoesNotAnswer", f"node_filesystem_device_error{OTHERS} == 1"),
    ("ReadsSlow", "rate(node_disk_read_time_seconds_total[2m]) / rate(node_disk_reads_completed_total[2m]) > 0.1 and "
     "rate(node_disk_reads_completed_total[2m]) > 0"),
    ("WritesSlow", "rate(node_disk_write_time_seconds_total[2m]) / rate(node_disk_writes_completed_total[2m]) > 0.1 and "
     "rate(node_disk_writes_completed_total[2m]) > 0"),
    ("CpuStolen", 'avg without (cpu) (rate(node_cpu_seconds_total{mode="steal"}[5m])) * 100 > 10'),
    ("CpuWaitsForDisks", 'avg without (cpu) (rate(node_cpu_seconds_total{mode="iowait"}[5m])) > 0.1'),
    ("SwapFull", "(1 - node_memory_SwapFree_bytes / node_memory_SwapTotal_bytes) * 100 > 80 and "
     "node_memory_SwapTotal_bytes > 0"),
    ("TooHot", "node_hwmon_temp_celsius > node_hwmon_temp_max_celsius"),
    ("OutOfMemoryKill", "delta(node_vmstat_oom_kill[30m]) > 0"),
    ("MemoryCorrected", "increase(node_edac_correctable_errors_total[5m]) > 0"),
    ("MemoryUncorrectable", "node_edac_uncorrectable_errors_total > 0"),
    ("ContextSwitches", 'rate(node_context_switches_total[15m]) / count without (mode, cpu) '
     '(node_cpu_seconds_total{mode="idle"}) / (rate(node_context_switches_total[1d]) / count without (mode, cpu) '
     '(node_cpu_seconds_total{mode="idle"})) > 2 and rate(node_context_switches_total[1d]) > 0'),
]


# ---- what is asked ----

def series_of(machine, exprs, changes):
    """Those that the expressions name, as the record has them or changed."""
    names = set(re.findall(r"node_\w+", " ".join(exprs)))
    with open(os.path.join(MACHINES, machine + ".prom")) as f:
        lines = [line.rsplit(" ", 1) for line in f if not line.startswith("#")]
    lines += [(name, value) for name, value in TIMEX.items()]
    series = []
    for text, value in lines:
        name, _, labels = text.partition("{")
        if name in names:
            change = next((how for pattern, how in changes.items() if re.match(pattern + r"(?!\w)", text)), share(1))
            more = f',{labels}' if labels else "}"
            series.append({"series": f'{name}{{instance="{machine}",job="node"{more}', "values": change(float(value))})
    return series


def rule_file(name, rules):
    return {"groups": [{"name": "hosts", "interval": "1m", "rules": [
        {"alert": name, "expr": expr, "for": FOR, "labels": {"number": str(number)}}
        for number, expr in enumerate(rules)]}]}


def trial(machine, exprs, changes, fires):
    """One of promtool's tests: that each of these rules fires, or that none does."""
    numbers = range(len(exprs))
    text = 'count by (number) (ALERTS{alertstate="firing",number=~"%s"})'
    asked = [{"expr": f"({text % number}) > bool 0", "eval_time": f"{MINUTES}m",
              "exp_samples": [{"labels": f'{{number="{number}"}}', "value": 1}] if fires else []} for number in numbers]
    return {"interval": "1m", "input_series": series_of(machine, exprs, changes),
            "promql_expr_test": asked}


def verdict(program, *words):
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          check=False)
    return done.returncode == 0, done.stdout


def judge(folder, name, exprs, wanted, tests):
    """(whether both find that these tests hold, or that they do not; what they said)"""
    path = os.path.join(folder, "test.yml")
    with open(os.path.join(folder, "rules.yml"), "w") as f:
        json.dump(rule_file(name, exprs), f)
    with open(path, "w") as f:
        json.dump({"rule_files": ["rules.yml"], "tests": tests}, f)
    found = [verdict(os.path.join(sys.argv[1], "cli/fenwatch"), "rules", "test", path),
             verdict("promtool", "test", "rules", path)]
    return all(holds == wanted for holds, _ in found), "".join(text for _, text in found)


def main():
    if not shutil.which("promtool"):
        print("1..0 # SKIP promtool is not installed")
        return
    rules, folder = ALERTS + HOST_RULES, tempfile.mkdtemp()
    missing = {name for name, _ in rules} ^ {case[0] for case in CASES}
    results = [(not missing, f"every rule has its fault {sorted(missing)}", "")]
    for name, sick, changes, well in CASES:
        exprs = [expr for rule, expr in rules if rule == name]
        fires, rests = ([trial(machine, exprs, how, wanted) for machine, how in ((sick, changes), (well, {}))]
                        for wanted in (True, False))
        # And told the other way round they are wrong.
        judged = [judge(folder, name, exprs, wanted, tests) for wanted, tests in (
            (True, [fires[0], rests[1]]), (False, [rests[0]]), (False, [fires[1]]))]
        results.append((all(right for right, _ in judged), f"{name} fires on {sick}{' with a fault' if changes else ''} and "
                        f"not on {well}", "".join(text for right, text in judged if not right)))
    print(f"1..{len(results)}")
    for number, (good, what, text) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
        for line in text.splitlines():
            print("# " + line)
    shutil.rmtree(folder)
    sys.exit(0 if all(good for good, _, _ in results) else 1)


main()
