"""Public dashboards and rules are filled by an agent as by node_exporter and a real Prometheus.

Every query of Node Exporter Full, and rules over the same metrics as node-mixin's 15
recording rules and 26 alerts, in our own words: what gives Prometheus something on this
machine gives the collector something, with the labels that it has there. Comparisons are
asked with `bool`, as it is not the state of this machine that is tested.
"""
import json
import os
import re
import shutil
import time
import urllib.parse
import urllib.request

from stage import Process, check, free_port, main, skip, until

DASHBOARD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "query", "node-exporter-full.txt")
EXPORTER = "prometheus-node-exporter"
# What newer ones do by themselves, and what the dashboard says is to be switched on.
SCOPE = ["--collector.netclass.ignore-invalid-speed", "--collector.systemd", "--collector.processes",
         "--collector.interrupts", "--collector.tcpstat", "--collector.cpu.info"]
# States that no connection or process may be in when the other side looks.
FLEETING = re.compile("node_tcp_connection_states|node_processes_state")

DISK = 'device=~"(sd|vd|xvd|nvme|mmcblk|dm-|md|dasd|rbd).*"'
REAL = 'fstype!="",mountpoint!=""'
RECORDED = {
    "instance:node_num_cpu:sum": 'count without (mode, cpu) (node_cpu_seconds_total{mode="idle",job="node"})',
    "instance:node_cpu_utilisation:rate5m":
        '1 - avg without (cpu) (sum without (mode) (rate(node_cpu_seconds_total{mode=~"steal|iowait|idle",job="node"}[5m])))',
    "instance:node_load1_per_cpu:ratio": 'node_load1{job="node"} / instance:node_num_cpu:sum{job="node"}',
    "instance:node_memory_utilisation:ratio":
        '1 - (node_memory_MemAvailable_bytes{job="node"} or (node_memory_MemFree_bytes{job="node"} + '
        'node_memory_Cached_bytes{job="node"} + node_memory_Buffers_bytes{job="node"} + node_memory_Slab_bytes{job="node"})) '
        '/ node_memory_MemTotal_bytes{job="node"}',
    "instance:node_vmstat_pgmajfault:rate5m": 'rate(node_vmstat_pgmajfault{job="node"}[5m])',
    "instance_device:node_disk_io_time_seconds:rate5m": f'rate(node_disk_io_time_seconds_total{{job="node",{DISK}}}[5m])',
    "instance_device:node_disk_io_time_weighted_seconds:rate5m":
        f'rate(node_disk_io_time_weighted_seconds_total{{job="node",{DISK}}}[5m])',
}
for way in ("receive", "transmit"):
    for fact in ("bytes", "drop"):
        for kind, device in (("excluding_lo", 'device!="lo"'), ("physical", 'device!~"veth.+|lo"')):
            RECORDED[f"instance:node_network_{way}_{fact}_{kind}:rate5m"] = \
                f'sum without (device) (rate(node_network_{way}_{fact}_total{{job="node",{device}}}[5m]))'


def fills(name, left, of, most, ahead):
    return [(name, f'100 * {left}{{job="node",{REAL}}} / {of}{{job="node",{REAL}}} < {share} and '
             f'predict_linear({left}{{job="node",{REAL}}}[6h], {hours} * 3600) < 0 and '
             f'node_filesystem_readonly{{job="node",{REAL}}} == 0') for share, hours in zip(most, ahead)]


def is_full(name, left, of):
    return [(name, f'100 * {left}{{job="node",{REAL}}} / {of}{{job="node",{REAL}}} < {share} and '
             f'node_filesystem_readonly{{job="node",{REAL}}} == 0') for share in (5, 3)]


SPACE = "node_filesystem_avail_bytes", "node_filesystem_size_bytes"
FILES = "node_filesystem_files_free", "node_filesystem_files"
ALERTS = (
    fills("NodeFilesystemSpaceFillingUp", *SPACE, (40, 20), (24, 4)) + is_full("NodeFilesystemAlmostOutOfSpace", *SPACE)
    + fills("NodeFilesystemFilesFillingUp", *FILES, (40, 20), (24, 4)) + is_full("NodeFilesystemAlmostOutOfFiles", *FILES) + [
        ("NodeNetworkReceiveErrs",
         'rate(node_network_receive_errs_total{job="node"}[2m]) / rate(node_network_receive_packets_total{job="node"}[2m]) > 0.01'),
        ("NodeNetworkTransmitErrs",
         'rate(node_network_transmit_errs_total{job="node"}[2m]) / rate(node_network_transmit_packets_total{job="node"}[2m]) > 0.01'),
        ("NodeHighNumberConntrackEntriesUsed", 'node_nf_conntrack_entries{job="node"} / node_nf_conntrack_entries_limit > 0.75'),
        ("NodeTextFileCollectorScrapeError", 'node_textfile_scrape_error{job="node"} == 1'),
        ("NodeClockSkewDetected",
         'node_timex_offset_seconds{job="node"} > 0.05 and deriv(node_timex_offset_seconds{job="node"}[5m]) >= 0 or '
         'node_timex_offset_seconds{job="node"} < -0.05 and deriv(node_timex_offset_seconds{job="node"}[5m]) <= 0'),
        ("NodeClockNotSynchronising",
         'min_over_time(node_timex_sync_status{job="node"}[5m]) == 0 and node_timex_maxerror_seconds{job="node"} >= 16'),
        ("NodeRAIDDegraded", f'node_md_disks_required{{job="node",{DISK}}} - ignoring (state) '
         f'node_md_disks{{job="node",state="active",{DISK}}} > 0'),
        ("NodeRAIDDiskFailure", f'node_md_disks{{job="node",state="failed",{DISK}}} > 0'),
        ("NodeFileDescriptorLimit", '100 * node_filefd_allocated{job="node"} / node_filefd_maximum{job="node"} > 70'),
        ("NodeFileDescriptorLimit", '100 * node_filefd_allocated{job="node"} / node_filefd_maximum{job="node"} > 90'),
        ("NodeCPUHighUsage",
         '100 * sum without (mode) (avg without (cpu) (rate(node_cpu_seconds_total{job="node",mode!~"iowait|idle"}[2m]))) > 90'),
        ("NodeSystemSaturation", 'node_load1{job="node"} / '
         'count without (mode, cpu) (node_cpu_seconds_total{job="node",mode="idle"}) > 2'),
        ("NodeMemoryMajorPagesFaults", 'rate(node_vmstat_pgmajfault{job="node"}[5m]) > 500'),
        ("NodeMemoryHighUtilization",
         '100 - 100 * node_memory_MemAvailable_bytes{job="node"} / node_memory_MemTotal_bytes{job="node"} > 90'),
        ("NodeDiskIOSaturation", f'rate(node_disk_io_time_weighted_seconds_total{{job="node",{DISK}}}[5m]) > 10'),
        ("NodeSystemdServiceFailed", 'node_systemd_unit_state{job="node",state="failed"} == 1'),
        ("NodeSystemdServiceCrashlooping", 'increase(node_systemd_service_restart_total{job="node"}[5m]) > 2'),
        ("NodeBondingDegraded", 'node_bonding_slaves{job="node"} - node_bonding_active{job="node"} != 0'),
    ])


def rule_file():
    rules = [{"record": name, "expr": expr} for name, expr in RECORDED.items()]
    alerts = [{"alert": name, "expr": expr, "for": "15m", "labels": {"severity": "warning", "number": str(i)},
               "annotations": {"summary": '{{ $labels.instance }}: {{ printf "%.2f" $value }}'}}
              for i, (name, expr) in enumerate(ALERTS)]
    return json.dumps({"groups": [{"name": "recorded", "interval": "1s", "rules": rules},
                                  {"name": "alerts", "interval": "1s", "rules": alerts}]})


# ---- both sides ----

class Side:
    def __init__(self, base, token, instance):
        self.base, self.token, self.instance, self.at = base, token, instance, None

    def get(self, path, **parameters):
        request = urllib.request.Request(self.base + path + "?" + urllib.parse.urlencode(parameters, doseq=True))
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)["data"]

    def labels(self, query):
        """The names of labels of what a query gives: None where that is nothing."""
        query = query.replace('instance="node-1:9100"', f'instance="{self.instance}"')
        data = self.get("/api/v1/query", query=query, time=self.at or time.time())
        if data["resultType"] != "vector":
            return frozenset() if data["result"] else None
        return frozenset().union(*(r["metric"] for r in data["result"])) if data["result"] else None


def with_bool(query):
    """The same, answered 0 or 1 where two sides may differ in what is the case. A matcher has no blanks around it."""
    return re.sub(r" (==|!=|>=|<=|<|>) (?!bool)", r" \1 bool ", query)


def both(lab):
    if not shutil.which(EXPORTER) or not shutil.which("prometheus"):
        skip(f"{EXPORTER} and prometheus are not both installed")
    rules = os.path.join(lab.dir, "rules.yml")
    with open(rules, "w") as f:
        f.write(rule_file())
    ports = free_port(), free_port()
    config = os.path.join(lab.dir, "prometheus.yml")
    with open(config, "w") as f:
        f.write(f"global: {{scrape_interval: 4s}}\nrule_files: [{rules}]\nscrape_configs:\n- job_name: node\n"
                f"  static_configs: [{{targets: ['127.0.0.1:{ports[0]}'], labels: {{instance: 'node-1:9100'}}}}]\n")
    for name, argv in (("node_exporter", [EXPORTER, f"--web.listen-address=127.0.0.1:{ports[0]}", *SCOPE]),
                       ("prometheus", ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={lab.dir}/tsdb",
                                       f"--web.listen-address=127.0.0.1:{ports[1]}"])):
        lab.processes.append(Process(lab, name, argv).start())
    c = lab.collector(extra=f"rules: [{rules}]\n").start()
    lab.agent(c, host="node-1", extra="sources: {interrupts: on}\n").enrol().start()
    sides = Side(f"http://127.0.0.1:{ports[1]}", None, "node-1:9100"), \
        Side(f"http://127.0.0.1:{c.api}", c.token, "node-1")
    for side in sides:
        until(40, "rules have recorded", lambda: side.labels(list(RECORDED)[-1]))
    until(20, "and both have something now", lambda: is_settled(sides))
    return sides


def is_settled(sides):
    """All is asked of one moment at which both had read the machine twice: a scrape that fails later changes nothing."""
    at = time.time()
    for side in sides:
        side.at = at
    return all(side.labels("count_over_time(node_load1[1m]) > 1 and node_load1") for side in sides)


def lacking(there, here, queries):
    """(those that ours leaves empty or without a label, how many Prometheus fills)"""
    found, filled = [], 0
    for query in queries:
        theirs, ours = there.labels(query), here.labels(query)
        filled += theirs is not None
        if FLEETING.search(query):
            continue
        if theirs is not None and ours is None:
            found.append(f"empty: {query}")
        elif theirs is not None and theirs - ours:
            found.append(f"without {set(theirs - ours)}: {query}")
    return found, filled


def shape(value, path=""):
    """Where which kind of value stands in an answer; labels and annotations have any names."""
    if isinstance(value, dict) and not path.endswith(("labels", "annotations")):
        return set().union(*(shape(v, f"{path}/{k}") for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*(shape(v, path + "[]") for v in value)) if value else set()
    return {f"{path} {'number' if isinstance(value, (int, float)) else type(value).__name__}"}


def test_dashboards_and_rules_are_filled(lab):
    with open(DASHBOARD) as f:
        queries = [with_bool(line.strip()) for line in f if line.strip() and not line.startswith("#")]
    check(len(queries) > 270 and len(RECORDED) == 15 and len(ALERTS) == 26, "they are all here")
    there, here = both(lab)
    began = time.monotonic()
    found, filled = lacking(there, here, queries)
    print(f"# {filled} of {len(queries)} queries of the dashboard are filled, {time.monotonic() - began:.1f} s", flush=True)
    check(filled > 150, f"most queries of the dashboard have an answer at all: {filled}")
    check(not found, "the dashboard:\n" + "\n".join(found))
    found, filled = lacking(there, here, list(RECORDED) + [with_bool(expr) for _, expr in ALERTS])
    check(filled > 20, f"most rules have something to look at: {filled}")
    check(not found, "the rules:\n" + "\n".join(found))
    for side in (there, here):
        rules = [r for g in side.get("/api/v1/rules")["groups"] for r in g["rules"]]
        check(len(rules) == 41 and all(r["health"] == "ok" for r in rules),
              f"all are evaluated: {[(r['name'], r.get('lastError')) for r in rules if r['health'] != 'ok']}")
    theirs, ours = shape(there.get("/api/v1/rules")), shape(here.get("/api/v1/rules"))
    check(theirs <= ours, f"rules have the shape that they have there: {theirs - ours}")
    # What a Grafana asks to fill the dashboard's variables.
    for name, match in (("job", "node_uname_info"), ("nodename", 'node_uname_info{job="node"}'),
                        ("instance", 'node_uname_info{job="node"}')):
        check(here.get(f"/api/v1/label/{name}/values", **{"match[]": match}), f"the variable {name}")
    # Negative control: of what an agent has not the lack is found, and of a label, too.
    found, _ = lacking(there, here, ["node_exporter_build_info", 'label_replace(node_load1{instance="node-1:9100"}, "x", "y", "instance", ".*:9100")'])
    check([f.split(":")[0] for f in found] == ["empty", "without {'x'}"], f"a lack is found: {found}")


if __name__ == "__main__":
    main()
