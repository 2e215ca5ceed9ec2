"""Devices that misbehave: counters that wrap and are set back, engines that begin anew, answers that are late, in the
wrong order, too big or too many."""
import os
import re
import shutil
import time

from ber import COUNTER, COUNTER64, GETBULK, TICKS, STRING, TOO_BIG, Device, text_of, tlv, whole
from snmpd import Reader, Snmpd
from stage import check, main, until

IF, IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
IN_32, IN_64, PORTS = f"{IF}.10", f"{IFX}.6", "1.3.6.1.2.1.2.1.0"


def raw(c, text):
    """[(seconds, value)] of one series."""
    found = c.query(text)
    return [(float(at), float(value)) for at, value in found[0]["values"]] if found else []


# ---- counters ----

STEP, BACK, FIRST = 1000, 9, (1 << 32) - 3500  # of a read; the read at which the device begins anew
UPTIME = "1.3.6.1.2.1.1.3.0"


def counted(step):
    """What has been counted at a read: the device counts on, and is set back once."""
    return FIRST + step * STEP if step < BACK else (step - BACK) * STEP


class Counting(Device):
    """A port whose counter goes on by STEP a read; a read begins with how long the device has run."""

    def __init__(self, bits):
        self.bits, self.step, self.began = bits, -1, time.time() - 86400
        super().__init__({}, Counting.count)

    def count(self, question):
        self.step += UPTIME[:-2] in map(text_of, question.names)
        if self.step == BACK and self.began < time.time() - 86400 + 1:
            self.began = time.time() - 1
        value = counted(max(self.step, 0)) % (1 << self.bits)
        self.things = {UPTIME: whole(int(100 * (time.time() - self.began)), TICKS), PORTS: whole(1), f"{IFX}.1.1": tlv(STRING, b"port1"),
                       **({f"{IN_64}.1": whole(value, COUNTER64)} if self.bits == 64 else {f"{IN_32}.1": whole(value, COUNTER)})}
        return self.well(question)


def increase(values):
    """As a counter has grown that may have been set back."""
    return sum(b - a if b >= a else b for (_, a), (_, b) in zip(values, values[1:]))


def test_counters_wrap_and_are_set_back(lab):
    narrow, wide = Counting(32), Counting(64)
    c, a = lab.pair()
    reader = Reader(lab, a, ("narrow", narrow.port, "2c", "every: 1s, timeout: 10s, modules: [system, interfaces]"),
                    ("wide", wide.port, "2c", "every: 1s, timeout: 10s, modules: [system, interfaces]")).start()
    until(20, "one has wrapped", lambda: narrow.step > 4)
    reader.reload("there are 2 devices now")
    check(reader.stop() == 0, "it ends well")
    with open(os.path.join(lab.dir, "counters")) as f:
        kept = f.read()
    check(re.fullmatch(rf"narrow\t{re.escape(IN_32)}\.1 1 \d+ 0 \d+\n", kept), f"what has wrapped is written down: {kept}")
    check(narrow.step < BACK, "this test was in time")
    reader.start()
    until(40, "both were set back", lambda: narrow.step > BACK + 3 and wide.step > BACK + 3)
    reader.stop()
    for device, name, metric in ((narrow, "narrow", "ifInOctets"), (wide, "wide", "ifHCInOctets")):
        series = f'{metric}{{instance="{name}",ifName="port1"}}'
        until(20, f"{name} is stored", lambda: len(raw(c, f"{series}[5m]")) > BACK)
        values = raw(c, f"{series}[5m]")
        end = values[-1][0]
        steps = [[counted(step) for step in range(device.step + 1)].index(v) for _, v in values]
        check(steps == sorted(set(steps)) and len(steps) > BACK, f"{name}, carried on where it has wrapped: {values}")
        check(c.value(f"resets({series}[5m])") == 1, f"{name} goes back once: {values}")
        check(not c.query(f'{{instance="{name}",__name__="{"ifHCInOctets" if metric == "ifInOctets" else "ifInOctets"}"}}'),
              "64 bits where there are any, else 32")
        # Each rate is that of the values; a step back is none below zero, and never 2^32 a second.
        for i in range(1, len(values)):
            (before, was), (at, value) = values[i - 1], values[i]
            told = float(c.query(f"irate({series}[5m])", at)[0]["value"][1])
            wanted = (value - was if value >= was else value) / round(at - before, 3)
            check(abs(told - wanted) <= wanted * 1e-9, f"{name} at {at}: {told}, wanted {wanted}")
        told = float(c.query(f"rate({series}[5m])", end)[0]["value"][1]) * 300
        grown = increase(values)
        check(grown <= told * (1 + 1e-9) <= grown * (1 + 4 / (len(values) - 1)), f"{name}: {told}, grown by {grown}")
        check(grown >= STEP * (steps[-1] - steps[0] - 2), f"what is lost is what the step back hides: {grown}")


# ---- engines ----

ENGINE = "exactEngineID 0x80001f8880aabbccddee\n"


def boots_of(device, written=None):
    """How often snmpd was started, as it has written it down itself."""
    path = os.path.join(device.lab.dir, device.name, "snmpd.conf")
    with open(path) as f:
        text = f.read()
    if written is not None:
        with open(path, "w") as f:
            f.write(re.sub(r"(?m)^engineBoots \d+", f"engineBoots {written}", text))
    return int(re.search(r"(?m)^engineBoots (\d+)", text).group(1))


def counting_its_starts(device):
    """With -C it would not read what it has written down."""
    folder = os.path.join(device.lab.dir, "conf")
    at = device.argv.index("-C")
    os.mkdir(folder)
    shutil.copy(device.argv[at + 2], os.path.join(folder, "snmpd.conf"))
    del device.argv[at:at + 3]
    device.env["SNMPCONFPATH"] = folder + ":" + device.env["SNMP_PERSISTENT_DIR"]
    return device


def begin_anew(device, boots=None):
    """It writes down who it is at its end; `boots`: it forgets how often it was started."""
    device.stop()
    if boots is not None:
        boots_of(device, boots)
    device.start()
    return time.time()


def test_an_engine_begins_anew_and_its_clock_goes_back(lab):
    device = counting_its_starts(Snmpd(lab, extra=ENGINE)).start()
    c, a = lab.pair()
    reader = Reader(lab, a, ("sw1", device.port, "3", "every: 3s, timeout: 300ms, modules: [system]")).start()

    def reads():
        return raw(c, 'sysUpTime{instance="sw1"}[1m]')

    def read_since(at):
        return [v for when, v in reads() if when > at]

    def refused():
        """Packets that it found outside of its time window (usmStatsNotInTimeWindows), since its start."""
        return int(list(device.walk("2c", "1.3.6.1.6.3.15.1.1.2").values())[0])

    def boots():
        return int(list(device.walk("2c", "1.3.6.1.6.3.10.2.1.2").values())[0])
    until(30, "it is read", reads)
    check(refused() == 0, "while nothing happens none is")

    # Started once more between two reads: what we know of its clock is outside of its window.
    def begins_anew_unseen():
        before = reads()[-1][0]
        until(20, "a read", lambda: read_since(before))
        began = begin_anew(device)
        until(20, "read after a restart", lambda: read_since(began))
        check(read_since(began)[-1] < 100 * (time.time() - began + 1), "its clock is the new one")
        return refused() > 0
    until(60, "a time window was missed, and the device read for all that", begins_anew_unseen)

    # As if it had never been started before: a factory reset, or a disk that was put back.
    for _ in range(3):
        before = boots()
        begin_anew(device)
        until(10, "once more", lambda: boots() == before + 1)
    began = begin_anew(device, 0)
    until(10, "it says so itself", lambda: boots() == 1)
    until(30, "read although its clock went back", lambda: read_since(began))
    reader.stop()


# ---- answers ----

ROWS = 30
TABLE = {PORTS: whole(ROWS), **{f"{IF}.{column}.{row}": value for row in range(1, ROWS + 1) for column, value in (
    (2, tlv(STRING, b"port%d" % row)), (4, whole(1500 + row)), (8, whole(1 + row % 2)), (14, whole(row * row, COUNTER)))}}


def late(device, question):
    """Before the right one come those of other questions, and after it comes itself once more."""
    right = question.answer(device.rows(question))
    device.kept = [*getattr(device, "kept", []), right]
    return [question.answer([], error=5, another=1), question.answer([], another=-1), *device.kept[-3:], right]


def small(device, question):
    rows = device.rows(question)
    device.refused = getattr(device, "refused", 0) + (len(rows) > 7)
    return [question.answer(rows) if len(rows) <= 7 else question.answer([], error=TOO_BIG)]


def gross(device, question):
    """Far more rows than it was asked for."""
    return [question.answer(device.rows(question, 40)[:2000])]


def unordered(device, question):
    rows = device.rows(question)
    return [question.answer(list(reversed(rows)) if question.kind == GETBULK and question.repetitions > 1 else rows)]


def table_of(c, name):
    return {(r["metric"]["__name__"], r["metric"].get("ifIndex", "")): float(r["value"][1])
            for r in c.query(f'{{instance="{name}",__name__=~"if.*"}}')}


def test_answers_late_too_big_too_many_and_in_disorder(lab):
    devices = {f.__name__: Device(dict(TABLE), f) for f in (Device.well, late, small, gross, unordered)}
    c, a = lab.pair()
    reader = Reader(lab, a, *[(name, d.port, "2c", "every: 1s, timeout: 5s, retries: 1, modules: [interfaces]")
                              for name, d in devices.items()]).start()
    for name in devices:
        until(30, f"{name} is read", lambda: table_of(c, name))
    well = table_of(c, "well")
    check(len(well) == 1 + 3 * ROWS and well["ifInErrors", "30"] == 900, f"all that it has: {well}")
    for name in ("well", "late", "small", "gross"):
        check(table_of(c, name) == well, f"{name} gives the same: {set(table_of(c, name).items()) ^ set(well.items())}")
        ended = c.query(f'fenwatch_snmp_walk_ended{{instance="{name}"}}')
        check(not ended, f"{name} is read to its end: {ended}")
    check(devices["small"].refused > 0 and len(devices["late"].kept) > 1, "they did misbehave")
    check(c.value('snmp_scrape_packets_sent{instance="small"}') > c.value('snmp_scrape_packets_sent{instance="well"}'),
          "small parts are more packets")
    ended = c.query('fenwatch_snmp_walk_ended{instance="unordered"}')
    check([e["metric"]["reason"] for e in ended] == ["its OIDs do not ascend"], f"disorder is told: {ended}")
    check(table_of(c, "unordered") != well, "what is in disorder is not whole")
    check("cannot be read" not in reader.log(), reader.log())

    # What changes is said, once: that it is silent, why else it cannot be read, that it can.
    secret = os.path.join(lab.dir, "community")
    devices["well"].behave = lambda device, question: []
    reader.logged("well cannot be read: it does not answer", 20)
    os.chmod(secret, 0o644)
    reader.logged("well cannot be read: credentials", 20)
    os.chmod(secret, 0o640)
    devices["well"].behave = Device.well
    reader.logged("well is read again", 20)
    said = [line.split(": ", 1)[1] for line in reader.log().splitlines() if "read" in line.split(": ", 1)[1].split()]
    said = [line for line in said if not line.startswith("reading")]
    check(len(said) == 4 and "unordered is not read whole: module 'interfaces': its OIDs do not ascend" in said, f"each once: {said}")
    reader.stop()


def test_what_a_device_has_too_much_is_left_out_by_ports(lab):
    ports = range(1, 251)
    columns = {**{f"{IF}.{column}": whole(1) for column in (3, 4, 7, 8, 9, 13, 14, 15, 19, 20)},
               **{f"{IFX}.{column}": whole(5, COUNTER64) for column in range(6, 14)}, **{f"{IFX}.{column}": whole(1) for column in (15, 16, 17, 19)}}
    device = Device({PORTS: whole(250), "1.3.6.1.2.1.1.3.0": whole(7), **{f"{oid}.{port}": value for oid, value in columns.items() for port in ports}})
    reader = Reader(lab, None, ("big", device.port, "2c", "modules: [interfaces, system]"))
    status, text, why = reader.test("big")
    check(status == 0 and why.endswith("it is not read whole: module 'interfaces': the device has more series than are allowed\n"), f"{status} {why}")
    of = {}
    for name, port in re.findall(r'(?m)^(\w+)\{.*ifIndex="(\d+)"', text):
        of.setdefault(int(port), set()).add(name)
    check(sorted(of) == list(range(1, len(of) + 1)) and 200 < len(of) < 250, f"the first ports: {sorted(of)}")
    check({len(names) for names in of.values()} == {len(columns)}, f"each has all: {of}")
    check("\nsysUpTime 7\n" in text, "what still has room is there")


# ---- who speaks for whom ----

def silences(c):
    """{host: why its silence is not told, "" where it is} of those that are silent."""
    return {x["host"]: (x["held"] or {"reason": ""})["reason"] for x in c.alerts(rule="HostSilent")}


def test_devices_of_a_silent_agent_are_one_incident(lab):
    devices = [Device(dict(TABLE)) for _ in range(4)]
    hook = lab.webhook()
    c, a = lab.pair(extra=f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"
                          "builtin_rules: {HostSilent: {hold: 8s}}\n")
    Reader(lab, a, *[(f"sw{i}", d.port, "2c", "every: 1s, timeout: 2s, retries: 1, modules: [interfaces]")
                     for i, d in enumerate(devices)]).start()

    def told(status):
        return sorted(b["alerts"][0]["labels"]["instance"] for _, _, b in hook.notices(status, "HostSilent"))
    until(30, "their pace is known", lambda: all(len(raw(c, f'ifNumber{{instance="sw{i}"}}[1m]')) > 6 for i in range(4)))
    # The control: it dies while its agent is heard.
    devices[3].behave = lambda device, question: []
    until(60, "the dead one is told of", lambda: told("firing") == ["sw3"])
    until(30, "and is down", lambda: c.value('up{instance="sw3",job="snmp"}') == 0)
    until(20, "the others are not", lambda: c.value('up{instance="sw0",job="snmp"}') == 1)
    a.kill()
    until(60, "all are silent", lambda: silences(c) == {"agent": "", "sw3": "", **{f"sw{i}": "unobserved" for i in range(3)}})
    until(60, "and down", lambda: all(c.value(f'up{{instance="{n}"}}') == 0 for n in ("agent", "sw0", "sw1", "sw2")))
    until(30, "their agent is told of", lambda: told("firing") == ["agent", "sw3"])
    a.start()
    until(60, "they are heard again", lambda: silences(c) == {"sw3": ""})
    until(30, "that is told", lambda: told("resolved") == ["agent"])
    check(told("firing") == ["agent", "sw3"], f"nothing of the others: {told('firing')}")


main()
