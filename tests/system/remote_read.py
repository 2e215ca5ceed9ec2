"""remote_read: a real Prometheus uses the ring as if it were its disk, and its chunks are those of a real Prometheus."""
import json
import os
import random
import struct
import time
import urllib.request

import promql
from samples import STALE, field, fields, read_varint, send, snappy, unsnap, varint
from stage import check, main
from wire import crc32c

STREAMED = b"\x10\x01"
QUESTIONS = [
    "cpu_total", "load{instance='a:1'}", "{job='y', __name__=~'lo.*|up'}", "odd", "load - on (instance) limit",
    "sum by (job) (irate(cpu_total{mode!='idle'}[2m]))", "increase(cpu_total[5m])", "max_over_time(load[10m])",
    "histogram_quantile(0.9, sum by (le, job) (rate(took_bucket[5m])))", "count({__name__!=''})",
    "build_info * on (instance) group_left up", "load offset 10m", "absent(nothing)", "avg_over_time(alone[3m:30s])",
]


# ---- as its disk ----

def reading_from(lab, collector):
    """A Prometheus without samples of its own, that asks the collector for all."""
    token = os.path.join(lab.dir, "token")
    with open(token, "w") as f:
        f.write(collector.token)
    prometheus = promql.Prometheus(lab, (
        f"remote_read: [{{url: \"http://127.0.0.1:{collector.api}/api/v1/read\", read_recent: true, "
        f"authorization: {{credentials_file: {token}}}}}]\n"))
    lab.processes.append(prometheus.start())
    return prometheus


def answers(base, token, end):
    return [promql.ask(base, token, "/api/v1/query_range", {
        "query": question, "start": end - 3600, "end": end, "step": 60}) for question in QUESTIONS]


def differences(theirs, ours):
    return [f"{question}: {why}" for question, a, b in zip(QUESTIONS, theirs, ours) if (why := promql.difference(a, b))]


def test_a_prometheus_answers_from_the_ring(lab):
    collector = lab.collector(store="{raw: 64MiB}").start()
    prometheus = reading_from(lab, collector)
    start = (int(time.time()) - promql.SPAN - 600) // 600 * 600
    series, end = promql.made_up(random.Random(5), start), start + promql.SPAN - 593
    write = f"http://127.0.0.1:{collector.api}/api/v1/write"
    send(write, series, collector.token)
    here, there = (f"http://127.0.0.1:{p.api}" for p in (collector, prometheus))
    ours, theirs = answers(here, collector.token, end), answers(there, None, end)
    full = sum(bool(a["status"] == "success" and a["data"]["result"]) for a in theirs)
    check(full == len(QUESTIONS), f"{full} of {len(QUESTIONS)} answers have something in them")
    check(not differences(theirs, ours), differences(theirs, ours))
    with urllib.request.urlopen(there + "/api/v1/status/tsdb", timeout=30) as reply:
        own = json.load(reply)["data"]["headStats"]["numSeries"]
    check(own == 0, f"Prometheus has {own} series of its own")
    one_changed(collector, write, series, end)
    after = answers(there, None, end)
    changed = differences(theirs, after)
    check(any("load" in each for each in changed), f"the control: one sample is another one now, and who noticed? {changed}")
    check(not differences(after, answers(here, collector.token, end)), "and it is the same here as there")


def one_changed(collector, write, series, end):
    """Of the samples that were sent one becomes another."""
    labels, samples = next((labels, samples) for labels, samples in series
                           if labels["__name__"] == "load" and samples[0][0] < (end - 1800) * 1000 < samples[-1][0])
    at_ms, value = min(samples, key=lambda s: abs(s[0] - (end - 1800) * 1000))
    send(write, [(labels, [(at_ms, 1e9)])], collector.token)


# ---- chunk by chunk ----

def read(base, token, name, start_ms, end_ms, how=b""):
    """(content type, body)"""
    query = b"\x08" + varint(start_ms) + b"\x10" + varint(end_ms) + field(3, field(2, b"__name__") + field(3, name))
    request = urllib.request.Request(base + "/api/v1/read", data=snappy(field(1, query) + how), method="POST")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.headers["Content-Type"], reply.read()


def labels_of(series):
    pairs = [dict(fields(value)) for number, value in fields(series) if number == 1]
    return tuple((pair[1].decode(), pair[2].decode()) for pair in pairs)


def chunks(body):
    """{labels: [(from, to, bytes)]} of a stream of frames, each of whose sums is right."""
    found, at = {}, 0
    while at < len(body):
        length, at = read_varint(body, at)
        frame = body[at + 4:at + 4 + length]
        check(int.from_bytes(body[at:at + 4], "big") == crc32c(frame), "a frame whose sum is wrong")
        at += 4 + length
        for series in (value for number, value in fields(frame) if number == 1):
            for chunk in (dict(fields(value)) for number, value in fields(series) if number == 2):
                check(chunk[3] == 1, "a chunk that is not of XOR")
                found.setdefault(labels_of(series), []).append((chunk[1], chunk[2], chunk[4]))
    return found


def sampled(body):
    """{labels: [(time, bits)]} of an answer that is whole."""
    results = [value for number, value in fields(unsnap(body)) if number == 1]
    check(len(results) == 1, f"{len(results)} answers to one question")
    return {labels_of(series): [(dict(fields(value)).get(2, 0), dict(fields(value)).get(1, bytes(8)))
                                for number, value in fields(series) if number == 2]
            for number, series in fields(results[0]) if number == 1}


class Bits:
    def __init__(self, data):
        self.number, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, n):
        self.left -= n
        return self.number >> self.left & ((1 << n) - 1)

    def signed(self, n):
        value = self.take(n)
        return value - (1 << n) if value > 1 << (n - 1) else value

    def varint(self):
        value = shift = 0
        while (byte := self.take(8)) >= 0x80:
            value, shift = value | (byte & 0x7F) << shift, shift + 7
        return value | byte << shift


def unchunked(data):
    """[(time, bits)] of a chunk, as the format has it that Prometheus describes."""
    bits, out, leading, width = Bits(data[2:]), [], 0, 0
    n = int.from_bytes(data[:2], "big")
    at = bits.varint()
    at, value, step = at >> 1 ^ -(at & 1), bits.take(64), 0
    for i in range(n):
        if i == 1:
            step = bits.varint()
        elif i > 1:
            ones = 0
            while ones < 4 and bits.take(1):
                ones += 1
            step += bits.signed((0, 14, 17, 20, 64)[ones]) if ones else 0
        if i > 0:
            at += step
            if bits.take(1):
                if bits.take(1):
                    leading, width = bits.take(5), bits.take(6) or 64
                value ^= bits.take(width) << (64 - leading - width)
        out.append((at, struct.pack("<Q", value)))
    return out


def of_both(lab):
    """(collector, Prometheus): the same in both, of which each series fits a chunk."""
    collector = lab.collector(store="{raw: 64MiB}").start()
    prometheus = promql.Prometheus(lab)
    lab.processes.append(prometheus.start())
    rng, start = random.Random(11), (int(time.time()) - 5400) // 7200 * 7200 + 60
    values = {"counter": promql.counter, "gauge": promql.gauge, "odd": promql.odd, "constant": promql.constant}
    series = []
    for kind, make in values.items():
        times = [(start + i * 15) * 1000 + rng.randrange(-400, 400) for i in range(70)]
        samples = list(zip(times, make(rng, len(times))))
        samples[-1] = (times[-1], STALE)
        series.append(({"__name__": "kept", "kind": kind}, samples))
    for peer, token in ((prometheus, None), (collector, collector.token)):
        send(f"http://127.0.0.1:{peer.api}/api/v1/write", series, token)
    return collector, prometheus, series


def test_chunks_are_those_of_a_prometheus(lab):
    collector, prometheus, series = of_both(lab)
    first, last = series[0][1][0][0] - 1000, series[0][1][-1][0] + 1000
    got = []
    for peer, token in ((prometheus, None), (collector, collector.token)):
        kind, body = read(f"http://127.0.0.1:{peer.api}", token, b"kept", first, last, STREAMED)
        check("ChunkedReadResponse" in kind, kind)
        got.append(chunks(body))
    theirs, ours = got
    check(len(theirs) == len(series) and theirs == ours, f"other bytes:\n{theirs}\n{ours}")
    kind, body = read(f"http://127.0.0.1:{collector.api}", collector.token, b"kept", first, last)
    whole = sampled(body)
    taken = {labels: [s for _, _, data in parts for s in unchunked(data)] for labels, parts in ours.items()}
    check(kind == "application/x-protobuf" and taken == whole, f"samples are not as in chunks:\n{whole}\n{taken}")
    check(all(len(samples) == 70 and samples[-1][1] == STALE for samples in whole.values()), "all, and stale at the end")
    labels, samples = series[1]
    send(f"http://127.0.0.1:{collector.api}/api/v1/write", [(labels, [(samples[9][0], 1e9)])], collector.token)
    _, body = read(f"http://127.0.0.1:{collector.api}", collector.token, b"kept", first, last, STREAMED)
    changed = chunks(body)
    check([l for l in theirs if theirs[l] != changed[l]] == [(("__name__", "kept"), ("kind", "gauge"))],
          "the control: one sample is another one now")


main()
