"""The collector answers as a real Prometheus does: the same samples, the same questions.

Debian's Prometheus is older than what the collector is held to. Samples lie a
millisecond off the grid and questions seven seconds off every step, so that it
does not matter which end of a range belongs to it; the other things that
changed since stand in CHANGED, each with its reason. Questions come from a
generator with a seed: a difference is told with both answers.
"""
import json
import math
import os
import random
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request

from samples import STALE, send
from stage import Process, check, free_port, main, skip, until

STEP = 15
SPAN = 2 * 3600

# Questions whose answer changed after Debian's version, each with its reason.
CHANGED = {
    r"predict_linear\((?:[^()]|\([^()]*\))* @ ": "with @, a range of steps lost its samples after the first one",
    r"stddev|stdvar": "of one NaN or infinity was 0",
    r"\b(rate|increase)\((?!cpu_total|took_bucket)": "a line that meets zero between half and all of a gap before the "
                                                    "first sample was followed back to there, not half the gap",
    r"timestamp\(.* @ ": "of a selector with @ and offset it was empty",
    r"(sinh|cosh|exp|\^).*%|%.*(sinh|cosh|exp|\^)": "a remainder of huge numbers tells their last bit: not comparable",
    r"\batan2\b": "kept the metric's name, unlike other arithmetic",
}


class Prometheus(Process):
    def __init__(self, lab, extra=""):
        if not shutil.which("prometheus"):
            skip("Debian's prometheus is not installed")
        self.api = free_port()
        config = os.path.join(lab.dir, "prometheus.yml")
        with open(config, "w") as f:
            f.write("global: {evaluation_interval: 1m}\n"
                    "storage: {tsdb: {out_of_order_time_window: 1d}}\n" + extra)
        super().__init__(lab, "prometheus",
                         ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={lab.dir}/prometheus",
                          f"--web.listen-address=127.0.0.1:{self.api}", "--web.enable-remote-write-receiver"])

    def start(self):
        super().start()
        until(60, "prometheus is ready", lambda: urllib.request.urlopen(
            f"http://127.0.0.1:{self.api}/-/ready", timeout=5).status == 200)
        return self


# ---- data ----

def counter(rng, n):
    value, out = rng.uniform(1e5, 1e6), []
    for _ in range(n):
        value = rng.uniform(1e5, 2e5) if rng.random() < 0.01 else value + rng.choice([0, 1, 7, 150, rng.random() * 10])
        out.append(value)
    return out


def gauge(rng, n):
    value, out = rng.uniform(-100, 100), []
    for _ in range(n):
        value += rng.gauss(0, 5)
        out.append(rng.choice([value, value, round(value), round(value, 2)]))
    return out


def odd(rng, n):
    return [rng.choice([0.0, -0.0, 1.0, -1.5, math.nan, 1e-300, 1e12, 0.1]) for _ in range(n)]


def constant(rng, n):
    return [float(rng.randint(0, 9))] * n


def holes(rng, samples):
    """Some gone, some followed by a stale mark, one left alone."""
    kind = rng.choice(["whole", "whole", "sparse", "gaps", "stale", "short"])
    if kind == "sparse":
        return [s for s in samples if rng.random() < 0.3]
    if kind == "short":
        at = rng.randrange(len(samples) - 3)
        return samples[at:at + rng.randint(1, 3)]
    if kind == "whole":
        return samples
    out, left = [], 0
    for at_ms, value in samples:
        if left == 0 and rng.random() < 0.02:
            left = rng.randint(5, 60)
            if kind == "stale":
                out.append((at_ms, STALE))
                left -= 1
                continue
        left = max(0, left - 1)
        if left == 0:
            out.append((at_ms, value))
    return out


def made_up(rng, start):
    """[(labels, samples)]; every name is a family with labels that match others' in part."""
    times = [(start + i * STEP) * 1000 + 1 for i in range(SPAN // STEP)]
    series = []

    def add(values, **labels):
        labels["__name__"] = labels.pop("name")
        series.append((labels, holes(rng, list(zip(times, values)))))
    for instance in ("a:1", "b:1", "c:1"):
        job = "x" if instance != "c:1" else "y"
        for mode in ("idle", "user", "sys.tem"):
            add(counter(rng, len(times)), name="cpu_total", job=job, instance=instance, mode=mode)
        add(gauge(rng, len(times)), name="load", job=job, instance=instance)
        add(gauge(rng, len(times)), name="limit", job=job, instance=instance, site="s1" if job == "x" else "s2")
        add(odd(rng, len(times)), name="odd", job=job, instance=instance)
        add(constant(rng, len(times)), name="up", job=job, instance=instance)
        add([1.0] * len(times), name="build_info", job=job, instance=instance, version="v" + instance[0])
        counts = [counter(rng, len(times)) for _ in range(4)]
        for i, le in enumerate(("0.1", "1", "5", "+Inf")):
            summed = [sum(c[t] for c in counts[:i + 1]) for t in range(len(times))]
            labels = {"__name__": "took_bucket", "job": job, "instance": instance, "le": le}
            series.append((labels, list(zip(times, summed))))
    add(gauge(rng, len(times)), name="alone")
    return [(labels, samples) for labels, samples in series if samples]


# ---- questions ----

LABELS = ("job", "instance", "mode", "site", "version", "le", "none")
METRICS = ("cpu_total", "cpu_total", "load", "load", "load", "limit", "limit", "odd", "up", "build_info", "took_bucket",
           "alone", "missing")
VALUES = {"job": ("x", "y", ""), "instance": ("a:1", "b:1", "c:1"), "mode": ("idle", "user", "sys.tem"),
          "site": ("s1", "s2", ""), "version": ("va", "vb"), "le": ("1", "+Inf"), "none": ("", "z")}
PATTERNS = (".*", ".+", "x|y", "[ab]:1", ".*a.*", "id.*|us.*", "s.1", "")
MAPS = ("abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "deg", "rad", "atan", "asinh", "tanh", "cosh",
        "sinh", "asin", "acos", "acosh", "atanh", "timestamp", "absent", "sort", "sort_desc", "round")
# Of huge numbers these give what the last bit of the number says.
PERIODIC = ("sin", "cos", "tan")
# NaN and infinity are no times: what Prometheus makes of them depends on its processor.
DATES = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")
RANGES = ("rate", "increase", "delta", "irate", "idelta", "deriv", "changes", "resets", "avg_over_time",
          "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time", "present_over_time",
          "stddev_over_time", "stdvar_over_time", "absent_over_time")
AGGREGATIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")


class Generator:
    """The whole grammar, by chance; what it makes is always well formed, seldom wrong in type."""

    def __init__(self, rng, now):
        self.rng, self.now = rng, now

    def pick(self, *ways):
        return self.rng.choice(ways)

    def duration(self):
        return self.pick("20s", "30s", "40s", "1m", "1m30s", "2m", "5m", "10m", "1h")

    def number(self):
        return self.pick("0", "1", "2", "-1", "0.5", "1e3", "-2.5", "100", "1e-3", "7", "Inf", "NaN", "0x10")

    def labels(self, least=0):
        return ", ".join(self.rng.sample(LABELS, self.rng.randint(least, 2)))

    def matcher(self):
        name = self.rng.choice(LABELS)
        op = self.pick("=", "=", "!=", "=~", "!~")
        return f'{name}{op}"{self.rng.choice(PATTERNS if "~" in op else VALUES[name])}"'

    def selector(self):
        matchers = ",".join(self.matcher() for _ in range(self.pick(0, 0, 0, 0, 1, 1, 2)))
        return self.rng.choice(METRICS) + (f"{{{matchers}}}" if matchers else self.pick("", "", "{}"))

    def when(self):
        parts = []
        if self.rng.random() < 0.15:
            parts.append(f"offset {self.pick('', '-')}{self.duration()}")
        if self.rng.random() < 0.1:
            parts.append(self.pick("@ start()", "@ end()", f"@ {self.now - 10 * self.rng.randint(0, 300)}"))
        self.rng.shuffle(parts)
        return "".join(" " + p for p in parts)

    def matrix(self, depth):
        if depth > 0 and self.rng.random() < 0.3:
            inner = self.vector(depth - 1)
            inner = inner if inner[-1] == ")" and "(" in inner and inner.count(" ") == 0 else f"({inner})"
            step = self.pick("", "10s", "20s", "30s", "1m")
            return f"{inner}[{self.pick('1m', '2m', '5m', '10m')}:{step}]{self.when()}"
        return f"{self.selector()}[{self.duration()}]{self.when()}"

    def scalar(self, depth):
        if depth <= 0:
            return self.number()
        return self.pick(self.number, self.number, lambda: "time()", lambda: "pi()",
                         lambda: f"scalar({self.vector(depth - 1)})", lambda: f"-({self.scalar(depth - 1)})",
                         lambda: f"({self.scalar(depth - 1)}) {self.arithmetic()} ({self.scalar(depth - 1)})",
                         lambda: f"({self.scalar(depth - 1)}) {self.comparison()} bool ({self.scalar(depth - 1)})")()

    def arithmetic(self):
        return self.pick("+", "-", "*", "/", "%", "^", "atan2")

    def comparison(self):
        return self.pick("==", "!=", "<", ">", "<=", ">=")

    def matching(self):
        how = self.pick("", "on", "on", "ignoring")
        if not how:
            return ""
        group = self.pick("", "", "group_left", "group_right", "group_left", "group_right")
        if group:
            group = f" {group} ({self.pick('', 'site', 'version')})"
        names = self.pick("instance", "instance", "job", "instance, job", "mode", "le", "", "version, site",
                          "mode, le, site, version")
        return f" {how} ({names}){group}"

    def binary(self, depth):
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        kind = self.rng.random()
        if kind < 0.2:
            how = self.pick("", " on (instance)", " on ()", " ignoring (mode)", " on (job, instance)")
            op = self.pick("and", "or", "unless") + how
        elif kind < 0.5:
            op = self.comparison() + self.pick("", " bool") + self.matching()
        else:
            op = self.arithmetic() + self.matching()
        if kind >= 0.2 and self.rng.random() < 0.4:
            op = re.sub(r" (on|ignoring) .*", "", op)
            left, right = self.pick((left, self.scalar(depth - 1)), (self.scalar(depth - 1), right))
        return f"({left}) {op} ({right})"

    def aggregate(self, depth):
        inner = self.vector(depth - 1)
        by = self.pick("", "", f" by ({self.labels()})", f" without ({self.labels()})")
        op = self.pick(*AGGREGATIONS, "topk", "bottomk", "quantile", "count_values")
        if op in ("topk", "bottomk"):
            # Of equal values those that come first count, and that is not the same everywhere.
            inner = self.pick("cpu_total", f"avg_over_time(load[{self.duration()}])")
            return f"{op}{by} ({self.pick('1', '2', '5', '0', '-1')}, {inner})"
        if op == "quantile":
            return f"{op}{by} ({self.pick('0', '0.5', '0.9', '1', '-1', '2', 'NaN')}, {inner})"
        if op == "count_values":
            # Every digit of the value counts, and sums have better last ones now.
            return f'{op}{by} ("v", {self.selector()}{self.when()})'
        return f"{op}{by} ({inner})" if self.rng.random() < 0.7 else f"{op}({inner}){by}"

    def call(self, depth):
        v = lambda: self.vector(depth - 1)  # noqa: E731
        s = lambda: self.scalar(depth - 2)  # noqa: E731
        return self.pick(
            lambda: f"{self.rng.choice(MAPS)}({v()})", lambda: f"{self.rng.choice(RANGES)}({self.matrix(depth - 1)})",
            lambda: f"{self.rng.choice(RANGES)}({self.matrix(depth - 1)})", lambda: f"vector({s()})",
            lambda: f"{self.rng.choice(DATES)}(timestamp({v()}))",
            lambda: f"{self.rng.choice(PERIODIC)}({self.selector()}{self.when()})",
            lambda: f"round({v()}, {self.pick('0.1', '1', '5', '2.5')})", lambda: f"clamp({v()}, {s()}, {s()})",
            lambda: f"clamp_min({v()}, {s()})", lambda: f"clamp_max({v()}, {s()})",
            lambda: f"quantile_over_time({self.pick('0', '0.5', '0.9', '1', '-1', '2')}, {self.matrix(depth - 1)})",
            lambda: f"predict_linear({self.matrix(depth - 1)}, {self.pick('60', '-30', '3600')})",
            lambda: f"histogram_quantile({self.pick('0.5', '0.9', '0', '1', '-1', '2')}, {self.histogram()})",
            lambda: f'label_replace({v()}, "{self.rng.choice(LABELS)}", "{self.pick("$1", "new", "", "$2-$1", "x${1}y")}", '
                    f'"{self.rng.choice(LABELS)}", "{self.pick("(.*)", "(.).*", "(.*):(.*)", "a.*", "")}")',
            lambda: f'label_join({v()}, "{self.rng.choice(LABELS)}", "{self.pick("-", "")}", "job", "instance")',
            lambda: f"{self.pick('hour', 'minute', 'day_of_week', 'year')}()")()

    def histogram(self):
        return self.pick("took_bucket", f"rate(took_bucket[{self.duration()}])", "sum by (le) (rate(took_bucket[5m]))",
                         "sum by (le, job) (took_bucket)", "took_bucket{le!=\"+Inf\"}")

    def vector(self, depth):
        if depth <= 0:
            return self.selector() + self.when()
        return self.pick(lambda: self.selector() + self.when(), lambda: self.binary(depth), lambda: self.aggregate(depth),
                         lambda: self.call(depth), lambda: self.call(depth), lambda: f"-({self.vector(depth - 1)})",
                         lambda: f"({self.vector(depth - 1)})")()

    def question(self):
        depth = self.pick(1, 2, 2, 3)
        return self.vector(depth) if self.rng.random() < 0.92 else self.scalar(depth)


# ---- answers ----

def ask(base, token, path, parameters):
    request = urllib.request.Request(base + path, data=urllib.parse.urlencode(parameters).encode())
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        return json.load(error)


def close(a, b):
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    return x == y or math.isclose(x, y, rel_tol=1e-8, abs_tol=1e-9)


def rows(data):
    """{labels: {time: value}}, or the value alone."""
    if data["resultType"] in ("scalar", "string"):
        return {(): {data["result"][0]: data["result"][1]}}
    return {tuple(sorted(r["metric"].items())): {at: v for at, v in (r.get("values") or [r["value"]])}
            for r in data["result"]}


# Which two series are named first depends on the order in which they are read; that the
# parameter of query_range is named is new.
NAMED = re.compile(r"^invalid parameter \"query\": |: \[.*|\{.*\} on the|\(.*\)$")


def difference(theirs, ours):
    if theirs["status"] != ours["status"]:
        return "one of them is an error"
    if theirs["status"] == "error":
        a, b = (NAMED.sub("", reply["error"]) for reply in (theirs, ours))
        return None if a == b and theirs["errorType"] == ours["errorType"] else "the errors differ"
    if theirs["data"]["resultType"] != ours["data"]["resultType"]:
        return "the types differ"
    a, b = rows(theirs["data"]), rows(ours["data"])
    if a.keys() != b.keys():
        return f"series: {sorted(a.keys() ^ b.keys())[:3]}"
    for labels, points in a.items():
        if points.keys() != b[labels].keys():
            return f"{dict(labels)}: times {sorted(points.keys() ^ b[labels].keys())[:3]}"
        for at, value in points.items():
            if not close(value, b[labels][at]):
                return f"{dict(labels)} at {at}: {value} there, {b[labels][at]} here"
    return None


def is_compared(question):
    return not any(re.search(pattern, question) for pattern in CHANGED)


def test_random_questions(lab):
    seed = int(os.environ.get("FENWATCH_SEED", "1"))
    rng = random.Random(seed)
    prometheus = Prometheus(lab)
    lab.processes.append(prometheus.start())
    collector = lab.collector(store="{raw: 64MiB}").start()
    start = (int(time.time()) - SPAN - 600) // 600 * 600
    series = made_up(rng, start)
    send(f"http://127.0.0.1:{prometheus.api}/api/v1/write", series)
    send(f"http://127.0.0.1:{collector.api}/api/v1/write", series, collector.token)
    there, here = f"http://127.0.0.1:{prometheus.api}", f"http://127.0.0.1:{collector.api}"
    now = start + SPAN - 593
    generator, differ, errors, empty = Generator(rng, now), [], 0, 0
    count = int(os.environ.get("FENWATCH_QUESTIONS", "400"))
    for _ in range(count):
        question = generator.question()
        if not is_compared(question):
            continue
        at = now - 10 * rng.randint(0, 400)
        parameters, path = {"query": question, "time": at}, "/api/v1/query"
        if rng.random() < 0.4:
            parameters = {"query": question, "start": at - 600, "end": at, "step": rng.choice([10, 30, 60, 90])}
            path = "/api/v1/query_range"
        theirs, ours = ask(there, None, path, parameters), ask(here, collector.token, path, parameters)
        errors += theirs["status"] == "error"
        empty += theirs["status"] == "success" and not theirs["data"]["result"]
        why = difference(theirs, ours)
        if why:
            differ.append(f"{parameters}: {why}\n  there: {str(theirs)[:700]}\n  here:  {str(ours)[:700]}")
    print(f"# seed {seed}: {count} questions, {errors} errors, {empty} empty answers, {len(differ)} differences")
    check(errors + empty < count * 0.7, "most questions have answers")
    check(not differ, f"{len(differ)} differences:\n" + "\n".join(differ[:20]))


def test_a_difference_is_found(lab):
    """Negative control: answers with one thing wrong each."""
    good = {"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"a": "b"}, "value": [1, "2"]}, {"metric": {"a": "c"}, "value": [1, "NaN"]}]}}
    check(difference(good, json.loads(json.dumps(good))) is None, "the same answer is the same")
    for change in (lambda d: d["result"].pop(), lambda d: d["result"][0]["value"].__setitem__(1, "2.0000001"),
                   lambda d: d["result"][1]["value"].__setitem__(1, "0"),
                   lambda d: d["result"][0]["metric"].__setitem__("a", "x"),
                   lambda d: d["result"][0]["value"].__setitem__(0, 2), lambda d: d.__setitem__("resultType", "matrix")):
        bad = json.loads(json.dumps(good))
        change(bad["data"])
        check(difference(good, bad), f"not found: {bad}")
    error = {"status": "error", "errorType": "execution", "error": "one"}
    check(difference(good, error) and difference(error, dict(error, error="two")), "errors are compared")


if __name__ == "__main__":
    main()
