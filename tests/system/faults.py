"""Twenty faults on machines that were well: twenty tickets, each in its queue, each closed after its repair.

A fault is what a file of a recorded machine says, or what is done to an agent's process. Rules wait for
two seconds here instead of for minutes; a desk must have its ticket 60 s after that, and its end 60 s after
the repair. Agents are started anew after files were changed, as they read everything at once then.
"""
import json
import os
import shutil
import signal
import subprocess
import time

from desks import Desks, Jira, ServiceNow
from stage import check, main, until

MACHINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "machines")
HOLD_S, WITHIN_S = 2, 60

# The machine, what it was recorded as, and what its agent leaves out.
HOSTS = {"web01": ("debian-12", ""), "raid01": ("server-raid", ""), "pools01": ("server-pools", "lvm: off"),
         "disk01": ("storage-2016", ""), "lib01": ("debian-12", ""), "lib02": ("debian-12", "")}

BTRFS = "sys/fs/btrfs/5b6a1c2e-4d3f-4e8a-9b7c-1a2b3c4d5e6f/devinfo/3/missing"
BACKUP = "97 29 9:2 / /srv/backup rw - ext4 /dev/md2 rw\n"
ARCHIVE = "97 29 252:9 / /srv/archive rw - ext4 /dev/mapper/vg0-old--archive rw\n"
FILES_MOUNT = ",relatime shared:52 - ext4 /dev/md1 %s,quota"
UNIT = "Id=cron.service\nLoadState=loaded\nActiveState="

# Rule, host, queue, priority, file, what it says while all is well, what it says of the fault.
FILES = [
    ("FilesystemAlmostFull", "web01", "now", "P2", "recorded/statvfs", " 3901234 3634567 ", " 390123 123456 "),
    ("FilesystemInodesAlmostGone", "web01", "now", "P2", "recorded/statvfs", " 1310720 1270011\n", " 1310720 1270\n"),
    ("SystemdUnitFailed", "web01", "now", "P2", "recorded/systemctl-show", UNIT + "active", UNIT + "failed"),
    ("JobFailed", "web01", "now", "P2", "var/lib/fenwatch-jobs/backup", "0\n", "23\n"),
    ("CertificateEnds", "web01", "now", "P1", "etc/ssl/localcerts/web.pem", "400", "1"),  # days that it is made for
    ("MemoryGone", "web01", "now", "P1", "proc/meminfo", " 2680320 kB", " 80320 kB"),
    ("DescriptorsGone", "web01", "now", "P2", "proc/sys/fs/file-nr", "9223372036854775807", "1300"),
    ("LoadHigh", "web01", "now", "P3", "proc/loadavg", "0.08 0.03", "80.1 40.2"),
    ("ArrayDegraded", "raid01", "jira", "P2", "sys/block/md1/md/degraded", "0\n", "1\n"),
    ("ArrayDiskFailed", "raid01", "jira", "P3", "proc/mdstat", "sdd1[2] ", "sdd1[2](F) "),
    ("ArrayInactive", "raid01", "jira", "P2", "proc/mdstat", "md2 : active raid1 sdi1[0]\n", "md2 : inactive sdi1[0](S)\n"),
    ("FilesystemReadOnly", "raid01", "jira", "P2", "proc/1/mountinfo", "/srv/files rw" + FILES_MOUNT % "rw", "/srv/files ro" + FILES_MOUNT % "ro"),
    ("FilesystemAlmostFull", "pools01", "jira", "P3", "recorded/statvfs", " 22345678 19723456 ", " 2234567 1972345 "),
    ("MountMissing", "raid01", "jira", "P3", "proc/1/mountinfo", BACKUP + "29 1 ", "29 1 "),
    ("PoolDegraded", "pools01", "jira", "P2", "proc/spl/kstat/zfs/tank/state", "ONLINE\n", "DEGRADED\n"),
    ("BtrfsDeviceMissing", "pools01", "jira", "P2", BTRFS, "0\n", "1\n"),
    ("MountMissing", "pools01", "jira", "P3", "proc/1/mountinfo", ARCHIVE, ""),
    ("DiskFailing", "disk01", "hook", "P2", "recorded/smartctl/sdc.json", '"passed":true', '"passed":false'),
]
# What came later: the machine, and the rule, host, file, what it says while all is well, what it says of the fault.
LATER_HOSTS = {"web02": ("debian-12", ""), "hot01": ("rhel-9", ""), "lap01": ("laptop-2019", ""), "san01": ("server-64", "")}
LATER = [
    ("MemoryAlmostGone", "web02", "", "", "proc/meminfo", " 2680320 kB", " 80320 kB"),
    ("JobMissed", "web02", "", "", "var/lib/fenwatch-jobs/backup", "0 26h\n", "0 1s\n"),
    ("TemperatureHigh", "hot01", "", "", "sys/class/hwmon/hwmon0/temp2_input", "50000\n", "99000\n"),
    ("BatteryWorn", "lap01", "", "", "sys/devices/LNXSYSTM:00/PNP0C0A:00/power_supply/BAT0/energy_full", "45650000", "21650000"),
    ("PathFailed", "san01", "", "", "sys/block/sdc/device/state", "running\n", "offline\n"),
]
ON_THE_WORK_LIST = {"BatteryWorn"}  # it was so when its host first reported
# Rule, host, queue, priority, signal that is the fault, signal that is its repair: none, it is started again.
# In blue-light places a silent host is not waited for.
PROCESSES = [
    ("HostSilent", "lib01", "now", "P1", signal.SIGKILL, None),
    ("HostSilent", "lib02", "now", "P1", signal.SIGSTOP, signal.SIGCONT),
]
# What else was wrong when they were recorded, and is mended first.
MENDED = [
    ("raid01", "proc/1/mountinfo", "96 29 9:1 /public /srv/export/public\\040files rw,relatime shared:52 - ext4 /dev/md1 "
     "ro,quota,usrquota,errors=remount-ro,stripe=384\n", ""),
    ("raid01", "etc/fstab", "/srv/files/public /srv/export/public\\040files none bind 0 0\n", ""),
    ("raid01", "recorded/statvfs", " 401234567 255123456 ", " 901234567 855123456 "),
    ("disk01", "recorded/smartctl/nvme0n1.json", '"passed":false', '"passed":true'),
    ("disk01", "recorded/smartctl/nvme0n1.json", '"critical_warning":1', '"critical_warning":0'),
    ("san01", "sys/block/sdab/device/state", "transport-offline", "running"),
    ("san01", "sys/block/sdy/device/state", "offline", "running"),
]

RULES = """groups:
- name: machine
  interval: 1s
  rules:
  - {alert: MemoryGone, expr: node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.05, for: 2s,
     labels: {severity: critical}}
  - {alert: DescriptorsGone, expr: node_filefd_allocated / node_filefd_maximum > 0.9, for: 2s,
     labels: {severity: warning}}
  - {alert: LoadHigh, expr: node_load1 > 50, for: 2s, labels: {severity: info}}
"""
REGISTER = """
suppliers: [{name: Contoso}, {name: Fabrikam}]
hosts:
  - {host: web01, supplier: Contoso, tier: vip}
  - {match: {instance: "lib.*"}, supplier: Contoso, tier: blue-light}
  - {match: {instance: "(raid|pools).*"}, supplier: Fabrikam}
"""



# ---- machines ----

def certificate(path, days):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=web01", "-days", days, "-keyout", path + ".key", "-out", path], check=True,
                   capture_output=True)


def text_of(path):
    if not os.path.exists(path):
        return ""
    with open(path) as f:
        return f.read()


def swap(path, before, after):
    """The file says `after` instead; one that says nothing is not there."""
    text = text_of(path)
    check(before in text, f"{path} says {before!r}")
    text = text.replace(before, after, 1) if before else text + after
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if text:
        with open(path, "w") as f:
            f.write(text)
    elif os.path.exists(path):
        os.unlink(path)


def say(lab, fault, before, after):
    path = os.path.join(lab.dir, fault[1] + ".tree", fault[4])
    if path.endswith(".pem"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        certificate(path, after)
    else:
        swap(path, before, after)


def machines(lab, hosts=HOSTS, faults=FILES):
    """Every machine as it was recorded, but well."""
    for host, (recorded, _) in hosts.items():
        shutil.copytree(os.path.join(MACHINES, recorded), os.path.join(lab.dir, host + ".tree"), symlinks=True)
    for host, path, before, after in (m for m in MENDED if m[0] in hosts):
        swap(os.path.join(lab.dir, host + ".tree", path), before, after)
    for fault in faults:
        _, host, _, _, path, well, broken = fault
        text = text_of(os.path.join(lab.dir, host + ".tree", path))
        if not well or well not in text:
            say(lab, fault, broken if broken in text else "", well)


def read_anew(agents, faults=FILES):
    for host in {fault[1] for fault in faults}:
        agents[host].kill()
        agents[host].start()


# ---- the estate ----

def queues(lab):
    """Three desks, {queue: (opened, closed)} of them, and the feeds that lead there."""
    desks, hook = Desks(now=ServiceNow(), jira=Jira()), lab.webhook()
    lab.closers.append(desks.close)
    for name, words in (("now", "pw"), ("jira", "jira")):
        with open(os.path.join(lab.dir, name), "w") as f:
            f.write(words + "\n")
    url = f"http://127.0.0.1:{desks.port}"
    feeds = [{"name": "now", "type": "servicenow", "url": url + "/now", "table": "incident", "user": "fenwatch",
              "password_file": os.path.join(lab.dir, "now"), "live": True, "match": [{"supplier": "Contoso"}]},
             {"name": "jira", "type": "jira", "url": url + "/jira", "project": "OPS",
              "token_file": os.path.join(lab.dir, "jira"), "live": True, "match": [{"supplier": "Fabrikam"}]},
             {"name": "hook", "type": "webhook", "url": hook.url, "live": True, "otherwise": True}]

    def told(status):
        return [body["groupKey"] for _, _, body in hook.notices(status)]

    def all_of(which):
        return {"now": list(getattr(desks.vendors["now"], which)), "jira": list(getattr(desks.vendors["jira"], which)),
                "hook": told("firing" if which == "opened" else "resolved")}
    return desks, all_of, feeds


def estate(lab, feeds):
    os.makedirs(os.path.join(lab.dir, "register.d"))
    for name, text in (("rules.yml", RULES), ("register.d/all.yml", REGISTER)):
        with open(os.path.join(lab.dir, name), "w") as f:
            f.write(text)
    holds = ", ".join(f"{rule}: {{hold: {HOLD_S}s}}" for rule in sorted({fault[0] for fault in FILES})
                      if rule not in RULES)
    c = lab.collector(extra=f"register: register.d/\nrules: [rules.yml]\nbuiltin_rules: {{{holds}}}\n"
                            f"feeds: {json.dumps(feeds)}\n").start()
    agents = {}
    for host, (_, left_out) in HOSTS.items():
        extra = f"root: {lab.dir}/{host}.tree\n" + (f"sources: {{{left_out}}}\n" if left_out else "")
        agents[host] = lab.agent(c, name=host, extra=extra).enrol().start()
    for host in HOSTS:
        until(30, f"the pace of {host} is known", lambda h=host: len(heard(c, h)) >= 4)
    return c, agents


def heard(c, host):
    found = c.query(f'node_time_seconds{{instance="{host}"}}[1m]')
    return found[0]["values"] if found else []


def alerts_of(c):
    """{(rule, host): (key, priority)} of what fires."""
    return {(a["rule"], a["host"]): (a["key"], a["annotations"].get("priority"))
            for a in c.alerts(state="firing")}


def test_twenty_faults_are_twenty_tickets(lab):
    machines(lab)
    desks, all_of, feeds = queues(lab)
    c, agents = estate(lab, feeds)
    check(alerts_of(c) == {} and not any(all_of("opened").values()), f"all is well: {alerts_of(c)}")

    wanted = {fault[:2]: fault[2:4] for fault in FILES + PROCESSES}
    check(len(wanted) == 20, "there are twenty")
    broken_at = time.time()
    for fault in FILES:
        say(lab, fault, fault[5], fault[6])
    read_anew(agents)
    for _, host, _, _, fault, _ in PROCESSES:
        os.killpg(agents[host].child.pid, fault)
    found = until(HOLD_S + WITHIN_S, "each fault is an alert",
                  lambda: (lambda now: now.keys() == wanted.keys() and now)(alerts_of(c)))
    check({what: priority for what, (_, priority) in found.items()} ==
          {what: priority for what, (_, priority) in wanted.items()}, f"priorities: {found}")
    should = {queue: sorted(key for what, (key, _) in found.items() if wanted[what][0] == queue)
              for queue in ("now", "jira", "hook")}

    def settled(which):
        return {queue: sorted(keys) for queue, keys in all_of(which).items()} == should
    until(WITHIN_S, "each has a ticket in its queue", lambda: settled("opened"))
    print(f"# 20 tickets {time.time() - broken_at:.0f} s after the faults, {HOLD_S} s of them held")
    check(not any(all_of("closed").values()), "none is closed")

    repaired_at = time.time()
    for fault in FILES:
        say(lab, fault, fault[6], fault[5])
    read_anew(agents)
    for _, host, _, _, _, repair in PROCESSES:
        if repair is None:
            agents[host].child.wait()
            agents[host].start()
        else:
            os.killpg(agents[host].child.pid, repair)
    until(WITHIN_S, "each is closed", lambda: settled("closed"))
    print(f"# all closed {time.time() - repaired_at:.0f} s after their repair")
    check(settled("opened") and alerts_of(c) == {}, f"one ticket each: {all_of('opened')}")
    check(not desks.mistakes, f"{desks.mistakes}")


def test_rules_that_came_later_see_a_fault_of_a_recorded_machine(lab):
    machines(lab, LATER_HOSTS, LATER)
    hook = lab.webhook()
    holds = ", ".join(f"{fault[0]}: {{hold: {HOLD_S}s}}" for fault in LATER)
    c = lab.collector(extra=f"builtin_rules: {{{holds}}}\nnoise: {{storm: 0, host: 0, site: 0, estate: 0}}\nfeeds: " + json.dumps(
        [{"name": "desk", "type": "webhook", "url": hook.url, "live": True}]) + "\n").start()
    agents = {host: lab.agent(c, name=host, extra=f"root: {lab.dir}/{host}.tree\n").enrol().start() for host in LATER_HOSTS}
    for host in LATER_HOSTS:
        until(60, f"the pace of {host} is known", lambda h=host: len(heard(c, h)) >= 4)
    wanted = {fault[:2] for fault in LATER}
    check(not wanted & alerts_of(c).keys(), f"none of it is there while all is well: {alerts_of(c)}")
    for fault in LATER:
        say(lab, fault, fault[5], fault[6])
    read_anew(agents, LATER)
    until(HOLD_S + WITHIN_S, "each fault is an alert", lambda: wanted <= alerts_of(c).keys() or check(
        False, f"without {wanted - alerts_of(c).keys()}"))

    def told(status):
        return sorted({(body["alerts"][0]["labels"]["alertname"], body["alerts"][0]["labels"]["instance"])
                       for _, _, body in hook.notices(status)} & wanted)
    should = sorted(what for what in wanted if what[0] not in ON_THE_WORK_LIST)
    until(WITHIN_S, "each is told", lambda: told("firing") == should)
    for fault in LATER:
        say(lab, fault, fault[6], fault[5])
    read_anew(agents, LATER)
    until(WITHIN_S, "each is over", lambda: told("resolved") == should and not wanted & alerts_of(c).keys())
    check_that_a_replay_agrees(c, wanted)


def check_that_a_replay_agrees(c, wanted):
    """The engine, asked what it would have done over what is stored by now, says what it did."""
    def replay(what):
        return json.loads(c.cli("--json", "rules", "replay", what, "--from", "-1h", "--to", "-0s").stdout)

    def ended(data):
        return {(a["rule"], a["labels"]["instance"]) for a in data["alerts"] if a["firing"] and a.get("resolved")}
    found = replay("all")
    check(ended(found) & wanted == wanted, f"without {wanted - ended(found)}: {found['alerts']}")
    one = replay("MemoryAlmostGone")
    check([r["rule"] for r in one["rules"]] == ["MemoryAlmostGone"] and ended(one) == {("MemoryAlmostGone", "web02")}, f"{one}")
    print(f"# {len(found['alerts'])} alerts over {found['evaluations']} sweeps")
    table = c.cli("rules", "replay", "MemoryAlmostGone", "--from", "-1h", "--to", "-0s")
    check(table.returncode == 0 and "MemoryAlmostGone" in table.stdout and "web02" in table.stdout, table.stdout)
    for what, sentence in (("HostCloned", "raised by what happens"), ("MemoryAlmostGome", "did you mean 'MemoryAlmostGone'?")):
        refused = c.cli("rules", "replay", what, "--from", "-1h", "--to", "-0s")
        check(refused.returncode != 0 and sentence in refused.stderr, f"{refused}")


if __name__ == "__main__":
    main()
