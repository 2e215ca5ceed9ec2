"""Forecasts of the day a filesystem fills, held against what machines then did.

Forty described machines (machines.py) and a second set of the same with other dice
and every number turned by up to a quarter. A forecast is an alarm when its likely
moment lies within seven days of the cut; it is right when the trace's own future
fills within seven days.
"""
import collections
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import machines  # noqa: E402
from stage import check  # noqa: E402

WITHIN_H = 7 * 24
PRECISION, RECALL, INSIDE = 0.9, 0.8, 0.7
FIRST = [(1, 0.0)]
SECOND = [(2, 0.25), (3, 0.25), (4, 0.25)]  # seed, and how far each number is turned
WEEKLY = [(7, 0.25)]  # among them one whose habit of weeks once made its alarm flap
OPENS_BELOW_D, CLOSES_ABOVE_D = 7, 10  # as the alert FilesystemFullSoon has them

Told = collections.namedtuple("Told", "earliest_h likely_h latest_h")


def ms(hours):
    return round(hours * 3600_000)


def ask(program, questions):
    """[(trace, [moments])] -> for each its answers: Told in hours from the moment, or None."""
    lines = []
    for trace, moments in questions:
        lines.append(f"size {trace.size}")
        lines += [f"used {ms(h)} {used:.6f}" for h, used, _ in trace.points if used is not None and h <= moments[-1]]
        lines += [f"ask {ms(h)}" for h in moments]
    done = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=240)
    check(done.returncode == 0, f"{program}: {done.stderr}")
    answers = iter(done.stdout.splitlines())

    def read(moment):
        line = next(answers)
        return None if line == "silent" else Told(*[int(x) / 3600_000 - moment for x in line.split()[:3]])
    return [[read(h) for h in moments] for _, moments in questions]


def predict_linear(trace, range_h):
    """Prometheus' function over `range_h`, seven days ahead: the hours until full, or None."""
    points = [(h - trace.cut_h, used) for h, used, _ in trace.points
              if used is not None and trace.cut_h - range_h < h <= trace.cut_h]
    if len(points) < 2:
        return None
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    square = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / square
    return WITHIN_H if mean_y + slope * (WITHIN_H - mean_x) >= trace.size else None


class Score:
    def __init__(self):
        self.right, self.false, self.missed, self.silent, self.inside = [], [], [], [], 0

    def add(self, trace, alarm, told=None):
        truth = trace.fills_within(WITHIN_H)
        kind = self.right if alarm and truth else self.false if alarm else self.missed if truth else self.silent
        kind.append(trace)
        if kind is self.right and told:
            self.inside += told.earliest_h <= trace.fills_in_h <= told.latest_h

    @property
    def precision(self):
        return len(self.right) / max(1, len(self.right) + len(self.false))

    @property
    def recall(self):
        return len(self.right) / max(1, len(self.right) + len(self.missed))

    def __str__(self):
        names = ["false: " + t.name for t in self.false] + ["missed: " + t.name for t in self.missed]
        return ("precision %.2f, recall %.2f, %.0f %% within the range told (%d right, %d false, %d missed, "
                "%d rightly silent; %s)" % (self.precision, self.recall, 100 * self.inside / max(1, len(self.right)),
                                            len(self.right), len(self.false), len(self.missed), len(self.silent),
                                            ", ".join(names) or "nothing wrong"))


def made(sets):
    return [trace for seed, shake in sets for trace in machines.traces(seed, shake)]


def score(program, traces):
    result = Score()
    for trace, (told,) in zip(traces, ask(program, [(t, [t.cut_h]) for t in traces])):
        result.add(trace, told is not None and told.likely_h <= WITHIN_H, told)
    return result


def hold_to_the_bar(program, traces):
    check(not any(t.was_full() for t in traces), "no trace is full before its cut")
    result = score(program, traces)
    print("#", result)
    check(result.precision >= PRECISION and result.recall >= RECALL, str(result))
    check(result.inside >= INSIDE * len(result.right), str(result))
    check(not [t.name for t in result.false if t.saw], "an alarm on a saw: " + str(result))


def test_forty_machines(program):
    traces = made(FIRST)
    check(len(traces) == 40, f"{len(traces)} traces")
    fill = sum(t.fills_within(WITHIN_H) for t in traces)
    check(12 <= fill <= 28, f"{fill} of them fill")
    hold_to_the_bar(program, traces)


def test_the_same_with_other_dice_and_other_numbers(program):
    hold_to_the_bar(program, made(SECOND))


def test_predict_linear_does_not_reach_that(program):
    traces = made(FIRST)
    for range_h in (6, 24, WITHIN_H):
        result = Score()
        for trace in traces:
            result.add(trace, predict_linear(trace, range_h) is not None)
        print("# predict_linear over %d h:" % range_h, result)
        check(result.precision < PRECISION or result.recall < RECALL, str(result))


def test_an_alarm_does_not_flap(program):
    """From a week before the cut to a week after it, every three hours: how often it opens."""
    traces = made(FIRST + SECOND + WEEKLY)
    moments = [machines.HISTORY_D * 24 + h for h in range(-WITHIN_H, WITHIN_H + 1, 3)]
    for trace, answers in zip(traces, ask(program, [(t, moments) for t in traces])):
        opened, firing = 0, False
        for told in answers:
            days = told.likely_h / 24 if told else None
            if firing:
                firing = days is not None and days <= CLOSES_ABOVE_D
            elif days is not None and days < OPENS_BELOW_D:
                opened, firing = opened + 1, True
        check(opened <= 1, f"'{trace.name}' opens {opened} times")
        check(opened == 0 or not trace.saw, f"'{trace.name}' is a saw and opens")


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        try:
            test(sys.argv[1])
            print(f"ok {number} - {name}", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"not ok {number} - {name}\n# {error}", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
