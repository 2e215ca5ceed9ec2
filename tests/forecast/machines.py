"""Forty machines, described by what happens on their disks, and how full that made them.

A machine is a size, what lies on it from the start, and a list of habits: programs
and people that write and delete. Each habit is played in steps of ten minutes over
four weeks and on into eight days more: that future, and nothing else, says whether
the filesystem fills. Sizes are GB; times are days before the cut (the moment of the
forecast) or hours of the day. The dice are seeded, so a seed gives the same disks
everywhere; `shake` turns every number of a description by up to that share.
"""
import random

STEP_H = 1 / 6
HISTORY_D, FUTURE_D = 28, 8
NEVER = -99


class Clock:
    """Hours since the first sample; the day of the week and the hour of the day from it."""

    def __init__(self, cut_hour, cut_weekday):
        self.h = 0.0
        self.offset_h = (cut_hour - HISTORY_D * 24) % 24
        self.first_weekday = (cut_weekday - HISTORY_D) % 7

    @property
    def hour(self):
        return (self.h + self.offset_h) % 24

    @property
    def midnight(self):
        """Number of midnights that have passed."""
        return int((self.h + self.offset_h) // 24)

    @property
    def weekday(self):
        return (self.first_weekday + self.midnight) % 7

    @property
    def to_cut_d(self):
        return HISTORY_D - self.h / 24


class Habit:
    size = 0.0

    def start(self, dice, clock):
        self.dice = dice


class Grow(Habit):
    """Data that comes and stays: at some hours, on some days, faster from day to day."""

    def __init__(self, a_day, hours=(0, 24), workdays=False, faster=0.0, rough=0.3):
        self.a_day, self.hours, self.workdays, self.faster, self.rough = a_day, hours, workdays, faster, rough

    def step(self, clock):
        on = self.hours[0] <= clock.hour < self.hours[1] and not (self.workdays and clock.weekday >= 5)
        if on:
            a_day = self.a_day * (1 + self.faster) ** (HISTORY_D - clock.to_cut_d)
            share = STEP_H / (self.hours[1] - self.hours[0])
            self.size += a_day * share * max(0, self.dice.gauss(1, self.rough))


class Log(Habit):
    """A log that is rotated, packed and thrown away after `keep` rotations."""

    def __init__(self, a_day, every=1, at=0, keep=7, packed=0.1, weekday=6):
        self.a_day, self.every, self.at, self.keep, self.packed, self.weekday = a_day, every, at, keep, packed, weekday
        self.open, self.old, self.rotated = 0.0, [], -1

    def start(self, dice, clock):
        super().start(dice, clock)
        self.old = [self.a_day * self.every * self.packed] * self.keep
        self.open = self.a_day * (clock.weekday if self.every == 7 else 0)

    def step(self, clock):
        self.open += self.a_day * STEP_H / 24 * max(0, self.dice.gauss(1, 0.4))
        due = clock.midnight % self.every == 0 if self.every != 7 else clock.weekday == self.weekday
        if due and clock.hour >= self.at and self.rotated != clock.midnight:
            self.rotated = clock.midnight
            self.old = (self.old + [self.open * self.packed])[-self.keep:] if self.keep else []
            self.open = 0.0
        self.size = self.open + sum(self.old)


class Dump(Habit):
    """A file that is written at night and gone some hours later."""

    def __init__(self, gb, at=2, lasts=2, every=1, rough=0.05):
        self.gb, self.at, self.lasts, self.every, self.rough = gb, at, lasts, every, rough
        self.left, self.began, self.target = 0.0, -1, 0.0

    def step(self, clock):
        if clock.midnight % self.every == 0 and clock.hour >= self.at and self.began != clock.midnight:
            self.began, self.left = clock.midnight, self.lasts
            self.target = self.gb * max(0.2, self.dice.gauss(1, self.rough))
        self.left -= STEP_H
        written = min(1, 1.5 * (self.lasts - self.left) / self.lasts)
        self.size = self.target * written if self.left > 0 else 0.0


class Backups(Habit):
    """One a night, `keep` of them; larger by a share from night to night."""

    def __init__(self, gb, at=1, keep=7, larger=0.0, had=None, rough=0.02, full_every=0, full=0.0):
        self.gb, self.at, self.keep, self.larger, self.rough = gb, at, keep, larger, rough
        self.had = keep if had is None else had
        self.full_every, self.full, self.made = full_every, full, -1

    def start(self, dice, clock):
        super().start(dice, clock)
        self.files = [self.gb * dice.gauss(1, self.rough) for _ in range(int(self.had))]

    def step(self, clock):
        if clock.hour >= self.at and self.made != clock.midnight:
            self.made = clock.midnight
            gb = self.gb * (1 + self.larger) ** clock.midnight
            if self.full_every and clock.midnight % self.full_every == 0:
                gb = self.full
            self.files = (self.files + [gb * max(0.2, self.dice.gauss(1, self.rough))])[-int(self.keep):]
        self.size = sum(self.files)


class Extents(Habit):
    """A database that fills its files and adds another when they are full."""

    def __init__(self, a_day, extent):
        self.a_day, self.extent, self.filled = a_day, extent, 0.0

    def step(self, clock):
        self.filled += self.a_day * STEP_H / 24 * max(0, self.dice.gauss(1, 0.5))
        while self.filled > self.size:
            self.size += self.extent


class Once(Habit):
    """Installed, copied or restored, over some hours; and perhaps removed."""

    def __init__(self, gb, day, hours=0.3, removed=NEVER):
        self.gb, self.day, self.hours, self.removed = gb, day, hours, removed

    def step(self, clock):
        done = (self.day - clock.to_cut_d) * 24 / self.hours
        self.size = self.gb * min(1, max(0, done)) if clock.to_cut_d > self.removed else 0.0


class Kernels(Habit):
    """A new one now and then; the oldest goes when there are more than `keep`."""

    def __init__(self, gb, days, keep=3, had=2):
        self.gb, self.days, self.keep, self.n = gb, list(days), keep, had

    def step(self, clock):
        while self.days and clock.to_cut_d <= self.days[0]:
            self.days.pop(0)
            self.n = min(self.n + 1, self.keep)
        self.size = self.gb * self.n


class Runaway(Habit):
    """Something that writes without end, for some hours before the cut."""

    def __init__(self, an_hour, hours):
        self.an_hour, self.hours = an_hour, hours

    def step(self, clock):
        if clock.to_cut_d * 24 <= self.hours:
            self.size += self.an_hour * STEP_H * max(0, self.dice.gauss(1, 0.2))


class Tidied(Habit):
    """Data that a script or a person takes back: above a level, or on days."""

    def __init__(self, a_day, above=None, down_to=0.0, every=None, days=(), takes=0.0, rough=0.4, had=0.0,
                 last=NEVER):
        self.a_day, self.above, self.down_to, self.every, self.days = a_day, above, down_to, every, list(days)
        self.takes, self.rough, self.size, self.last, self.done = takes, rough, had, last, 0

    def step(self, clock):
        self.size += self.a_day * STEP_H / 24 * max(0, self.dice.gauss(1, self.rough))
        if clock.to_cut_d <= self.last:
            return  # the script has been broken since
        if self.above and self.size > self.above:
            self.size = self.down_to
        if self.every and clock.midnight // self.every > self.done:
            self.done = clock.midnight // self.every
            self.size = self.down_to
        while self.days and clock.to_cut_d <= self.days[0]:
            self.days.pop(0)
            self.size = max(0, self.size - self.takes)


class Temp(Habit):
    """Files that come and go: about `gb` of them, for about `hours` each."""

    def __init__(self, gb, rough, hours=8):
        self.gb, self.rough, self.hours, self.size = gb, rough, hours, gb

    def step(self, clock):
        pull = STEP_H / self.hours
        self.size += (self.gb - self.size) * pull + self.rough * (2 * pull) ** 0.5 * self.dice.gauss(0, 1)
        self.size = max(0, self.size)


class Machine:
    def __init__(self, name, size, base, *habits, history=HISTORY_D, awake=None, reboots=(), saw=False,
                 cut=(10, 2)):
        self.name, self.size, self.base, self.habits = name, size, base, habits
        self.history, self.awake, self.reboots, self.saw, self.cut = history, awake, reboots, saw, cut


def office(clock):
    """A laptop: on workdays, from nine to half past five."""
    return clock.weekday < 5 and 9 <= clock.hour < 17.5


def forty():
    """The descriptions; habits are made anew for each play. `saw`: goes up and down and never fills."""
    return [
        # Growth.
        Machine("mail store, steady", 500, 408, Grow(2.6), Log(1, keep=14), cut=(10, 2)),
        Machine("copy under way, that will end below full", 900, 210, Once(480, 0.3, 14), Log(1, keep=14), cut=(15, 1)),
        Machine("scans, on working days", 1000, 690, Grow(15, (8, 18), True), cut=(11, 3)),
        Machine("laptop that collects films", 240, 113, Grow(4.3, (9, 17.5), True), Temp(8, 3), awake=office,
                cut=(15, 2)),
        Machine("CCTV without retention", 8000, 1300, Grow(215, rough=0.1), cut=(16, 4)),
        Machine("home folders, slowly", 2000, 1420, Grow(9, (8, 19), True), Temp(20, 6), cut=(9, 1)),
        # Growth that becomes faster.
        Machine("telemetry of a fleet that doubles", 400, 120, Grow(4.2, faster=0.05), cut=(12, 2)),
        Machine("queue that is not read any more", 200, 22, Grow(2, faster=0.07), Log(2, keep=5), cut=(14, 3)),
        Machine("table that grows faster, early", 2000, 300, Grow(10, faster=0.04), cut=(10, 0)),
        # Steps, and what follows them.
        Machine("installation, then nothing", 60, 31, Once(15, 6), Log(0.2), cut=(10, 2)),
        Machine("two releases, a week apart", 80, 45, Once(9, 12), Once(9, 5), Log(0.5, keep=4), cut=(12, 4)),
        Machine("migration over two days, then quiet", 3000, 700, Once(1700, 5, 48), Grow(4), cut=(10, 1)),
        Machine("restore last night, then quiet", 500, 120, Once(290, 0.9, 7), Grow(0.5), cut=(15, 2)),
        Machine("copy that was taken back", 500, 260, Once(140, 9, 5, 4), Grow(0.8), cut=(11, 3)),
        # Databases that grow in steps.
        Machine("database of 2 GB files", 120, 66, Extents(1.7, 2), Log(0.6, keep=7), cut=(10, 3)),
        Machine("database of 10 GB files", 600, 330, Extents(8.6, 10), Dump(15, 3, 2), cut=(9, 2)),
        Machine("database of 10 GB files, slow", 600, 420, Extents(1.1, 10), Dump(15, 3, 2), cut=(9, 4)),
        # Logs.
        Machine("web server, logs rotated daily", 40, 22, Log(5, keep=14), saw=True, cut=(23, 2)),
        Machine("proxy, logs rotated weekly", 100, 28, Log(7, 7, keep=4), saw=True, cut=(20, 5)),
        Machine("proxy, weekly, and content grows", 100, 18, Log(5, 7, keep=4), Grow(1.25), cut=(9, 2)),
        Machine("logs rotated daily, and data grows", 100, 41, Log(4, keep=10), Grow(1.65), cut=(8, 3)),
        # Nightly dumps.
        Machine("nightly dump below a steady base", 200, 92, Dump(70, 1, 3), Log(0.5), saw=True, cut=(3, 2)),
        Machine("nightly dump over a growing base", 200, 85, Dump(25, 1, 4, rough=0.02), Grow(2.8), cut=(10, 1)),
        Machine("dump each Sunday", 300, 150, Dump(95, 3, 6, every=7), Grow(0.3), saw=True, cut=(12, 3)),
        # Backups with retention.
        Machine("backups, fourteen kept", 1000, 40, Backups(58, keep=14), saw=True, cut=(10, 2)),
        Machine("backups, seven kept, that grow", 1000, 30, Backups(72, keep=7, larger=0.021), cut=(10, 3)),
        Machine("full on Sundays, then increments", 2000, 60, Backups(40, keep=14, full_every=7, full=520), saw=True,
                cut=(9, 4)),
        Machine("backups that are never removed", 4000, 400, Backups(108, keep=99, had=0), cut=(11, 2)),
        # Noise and quiet.
        Machine("build server, files come and go", 200, 105, Temp(45, 14, 10), Log(0.4), cut=(16, 3)),
        Machine("nothing happens", 50, 41, Log(0.01), cut=(10, 0)),
        # In hours.
        Machine("core dumps in a loop", 100, 52, Runaway(4.2, 5), Log(1), cut=(10, 2)),
        Machine("debug log left on", 300, 150, Runaway(5, 14), Dump(20, 2, 1), cut=(17, 1)),
        # Sawtooth and clean-up.
        Machine("spool emptied above 70 GB", 100, 15, Tidied(8.5, above=70, down_to=6), saw=True, cut=(9, 2)),
        Machine("clean-up every ten days", 250, 90, Tidied(11, every=10), saw=True, cut=(18, 4)),
        Machine("clean-up script broken", 250, 60, Tidied(11, every=5, last=12), cut=(10, 2)),
        Machine("people delete, growth goes on", 400, 190, Tidied(8.5, days=[11], takes=48), cut=(10, 3)),
        # Gaps.
        Machine("server with reboots and a day without power", 500, 330, Grow(5.1), Log(3, keep=4),
                reboots=[(20, 0.4), (13, 26), (3, 0.3)], cut=(10, 1)),
        Machine("laptop, nothing special", 240, 150, Grow(0.5, (9, 17.5), True), Temp(6, 3), awake=office, cut=(15, 3)),
        # Small and large.
        Machine("/boot of 500 MB", 0.5, 0.02, Kernels(0.11, [23, 9, -3]), cut=(10, 2)),
        Machine("archive of 200 TB", 200000, 121000, Grow(2500, rough=0.5), cut=(12, 3)),
    ]


# What may be turned: how much, how fast, how long; not the clock's hours and the calendar.
AMOUNTS = ("a_day", "gb", "faster", "extent", "an_hour", "full", "larger", "above", "down_to", "takes", "rough")
MOMENTS = ("day", "last")


def shaken(machine, dice, shake):
    for habit in machine.habits:
        for name in AMOUNTS + MOMENTS:
            value = getattr(habit, name, None)
            if value is not None and value != NEVER:
                setattr(habit, name, value * dice.uniform(1 - shake, 1 + shake))
    machine.base = min(machine.base * dice.uniform(1 - shake / 2, 1 + shake / 2), machine.size * 0.95)
    machine.cut = (dice.randrange(24) if machine.awake is None else dice.randrange(10, 17),
                   dice.randrange(7) if machine.awake is None else dice.randrange(5))
    return machine


def play(machine, dice):
    """[(hours since the start, GB used or None where it was off)], with the future behind the cut."""
    clock = Clock(*machine.cut)
    for habit in machine.habits:
        habit.start(dice, clock)
    points = []
    steps = round((HISTORY_D + FUTURE_D) * 24 / STEP_H)
    for i in range(steps + 1):
        clock.h = i * STEP_H
        for habit in machine.habits:
            habit.step(clock)
        used = min(machine.base + sum(habit.size for habit in machine.habits), machine.size)
        off = (machine.awake and not machine.awake(clock)) or clock.to_cut_d > machine.history
        off = off or any(day >= clock.to_cut_d > day - hours / 24 for day, hours in machine.reboots)
        points.append((clock.h, None if off else used, used))
    return points


class Trace:
    """What the collector has seen at the cut, and what then came."""

    def __init__(self, machine, dice):
        self.name, self.size, self.saw = machine.name, machine.size, machine.saw
        self.points = play(machine, dice)
        self.cut_h = HISTORY_D * 24
        # Full is full: where it was so before the cut, there is nothing left to forecast.
        self.full_h = next((h for h, _, used in self.points if used >= machine.size * 0.9999), None)

    @property
    def fills_in_h(self):
        return None if self.full_h is None else self.full_h - self.cut_h

    def fills_within(self, hours):
        return self.full_h is not None and 0 < self.fills_in_h <= hours

    def was_full(self):
        return self.full_h is not None and self.full_h <= self.cut_h


def traces(seed, shake=0.0):
    """Forty traces. Shaken ones that were full before the cut are shaken anew."""
    out = []
    for i in range(len(forty())):
        dice = random.Random(seed * 1000 + i)
        for _ in range(50):
            machine = forty()[i]
            if shake:
                machine = shaken(machine, dice, shake)
            trace = Trace(machine, dice)
            if not trace.was_full():
                break
        out.append(trace)
    return out


if __name__ == "__main__":
    import sys
    for t in traces(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0):
        print("%-45s %5.1f%% %s" % (t.name, 100 * t.points[round(t.cut_h / STEP_H)][2] / t.size,
                                    "never" if t.full_h is None else "%.1f d" % (t.fills_in_h / 24)))
