"""Hostile bytes on the agents' port: the sender is cut off with a reason in the log, others never notice.

FENWATCH_ROGUE_SERIES is how many series one agent brings, FENWATCH_ROGUE_FRAMES
how many malformed frames come, 5,000 on each connection.
"""
import os
import socket
import ssl
import struct
import time

import wire
from fleets import Fleet, nothing_lost_or_doubled
from stage import check, main, until

ROGUE_SERIES = int(os.environ.get("FENWATCH_ROGUE_SERIES", "30000"))
ROGUE_FRAMES = int(os.environ.get("FENWATCH_ROGUE_FRAMES", "200000"))
SERIES_LIMIT = 5000  # of one host
PIECE = 5000

SCHEMA = wire.Schema([("attack_value", {"column": f"{i:02d}"}) for i in range(10)])
CELLS = list(range(10))


class Bystander:
    """A healthy agent whose batches go on being acknowledged."""

    def __init__(self, c):
        self.peer = wire.Peer(c, wire.enrolled(c, "bystander"))
        self.peer.send(wire.SCHEMA, SCHEMA.message(1))
        self.number = 0

    def goes_on(self):
        self.number += 1
        self.peer.send(wire.BATCH, wire.batch(self.number, 1, int(time.time() * 1000), 50, [CELLS]))
        check(self.peer.wait_acked(self.number), "the bystander is still served")


def cut_off(lab, attack, expect):
    """Runs attack(peer) and demands: closed, one line with the name and the cause, bystander unharmed."""
    c = lab.collector().start()
    bystander = Bystander(c)
    bystander.goes_on()
    peer = wire.Peer(c, wire.enrolled(c, "attacker"))
    peer.send(wire.SCHEMA, SCHEMA.message(1))
    attack(peer)
    closed, why = peer.closed()
    check(closed, "the connection is closed")
    bystander.goes_on()
    line = until(5, "a log line", lambda: [x for x in c.log().splitlines() if "attacker" in x and expect in x])
    check(line, f"the cause is named: {expect}")


def test_a_frame_that_is_too_long(lab):
    cut_off(lab, lambda p: p.send_raw(struct.pack("<IBBHI", 1 << 21, wire.BATCH, 0, 0, 0)), "at most 1048576")


def test_a_frame_with_a_wrong_checksum(lab):
    cut_off(lab, lambda p: p.send(wire.BATCH, wire.batch(1, 1, 1, 1, [CELLS]), crc=12345), "checksum")


def test_a_frame_of_an_unknown_type(lab):
    cut_off(lab, lambda p: p.send(77, b"hello"), "type")


def test_a_batch_that_is_cut_short(lab):
    whole = wire.batch(1, 1, int(time.time() * 1000), 50, [CELLS])
    cut_off(lab, lambda p: p.send(wire.BATCH, whole[:-3]), "batch")


def test_deltas_that_end_early(lab):
    bad = (wire.u(1, 1) + wire.u(2, 1) + wire.u(3, 1) + wire.f64(6, int(time.time() * 1000)) + wire.u(9, 1)
           + wire.b(10, b"\xff\x03") + wire.b(11, b"\x02\x04"))
    cut_off(lab, lambda p: p.send(wire.BATCH, bad), "batch")


def zeros(mib):
    """So many MiB of zeros as one zstd frame: four bytes for each 128 KiB."""
    blocks = b"".join(struct.pack("<I", (131072 << 3) | 2 | (i == 8 * mib - 1))[:3] + b"\0" for i in range(8 * mib))
    return struct.pack("<I", 0xFD2FB528) + bytes([0xA0]) + struct.pack("<I", mib << 20) + blocks


def packed_batch(raw_length, packed):
    return (wire.u(1, 1) + wire.u(2, 1) + wire.u(3, 1) + wire.u(5, 1) + wire.f64(6, int(time.time() * 1000))
            + wire.u(9, 1) + wire.u(13, raw_length) + wire.b(14, packed))


def test_a_zstd_bomb(lab):
    cut_off(lab, lambda p: p.send(wire.BATCH, packed_batch(64 << 20, zeros(64))), "batch")


def test_a_zstd_bomb_of_a_gibibyte_that_says_so(lab):
    bomb = zeros(1024)
    check(len(bomb) < 40000, "it is a small one")
    cut_off(lab, lambda p: p.send(wire.BATCH, packed_batch(1 << 30, bomb)), "more than the limit")


def test_a_zstd_bomb_of_a_gibibyte_that_lies(lab):
    cut_off(lab, lambda p: p.send(wire.BATCH, packed_batch(1 << 20, zeros(1024))), "batch")


def test_lengths_of_2_to_the_63(lab):
    cut_off(lab, lambda p: p.send(wire.BATCH, wire.u(1, 1) + wire.varint(11 << 3 | 2) + wire.varint(1 << 63)), "batch")


def test_a_million_messages_in_each_other(lab):
    # Groups that open and never close: what is read by recursion would need a stack for each.
    cut_off(lab, lambda p: p.send(wire.HOST, wire.u(1, 1) + bytes([15 << 3 | 3]) * 1_000_000), "host")


def label_of(size, said=None):
    """A schema with one series that has a label of `size` bytes, or says that it has."""
    label = b"x" * size
    head = wire.b(1, os.urandom(16)) + wire.u(2, 2) + wire.b(3, "name") + wire.b(3, "key")
    symbol = wire.varint(3 << 3 | 2) + wire.varint(size if said is None else said) + label
    return head + symbol + wire.b(4, wire.varint(0)) + wire.b(5, wire.varint(1)) + wire.b(6, bytes([1, 2])) \
        + wire.b(7, b"\0") + wire.b(8, b"\1") + wire.b(9, b"\0")


def test_a_label_of_16_mib(lab):
    # No frame is so long; its head alone is enough to be cut off.
    cut_off(lab, lambda p: p.send(wire.SCHEMA, b"", length=len(label_of(16 << 20))), "at most 1048576")


def test_a_label_that_says_it_has_16_mib(lab):
    cut_off(lab, lambda p: p.send(wire.SCHEMA, label_of(1000, 16 << 20)), "schema")


def test_a_label_that_fills_its_frame(lab):
    cut_off(lab, lambda p: p.send(wire.SCHEMA, label_of((1 << 20) - 200)), "schema")


def test_a_million_columns(lab):
    names = b"".join(wire.varint(0) for _ in range(1_000_000))
    bad = wire.b(1, os.urandom(16)) + wire.u(2, 2) + wire.b(3, "x") + wire.b(4, names)
    cut_off(lab, lambda p: p.send(wire.SCHEMA, bad[:(1 << 20) - 16]), "schema")


def test_a_schema_whose_hash_lies(lab):
    message = bytearray(wire.Schema([("other", {})]).message(2))
    message[2] ^= 0xFF
    cut_off(lab, lambda p: p.send(wire.SCHEMA, bytes(message)), "schema")


def test_bits_flipped_anywhere_in_a_frame(lab):
    c = lab.collector().start()
    bystander = Bystander(c)
    identity = wire.enrolled(c, "attacker")
    good = wire.frame(wire.BATCH, wire.batch(1, 1, int(time.time() * 1000), 50, [CELLS]))
    for bit in range(0, len(good) * 8, 29):
        peer = wire.Peer(c, identity)
        peer.send(wire.SCHEMA, SCHEMA.message(1))
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << (bit % 8)
        peer.send_raw(bytes(bad))
        kind, _ = peer.read(0.3)
        check(peer.acked_live == 0, f"bit {bit}: a damaged frame is never acknowledged")
        peer.close()
    peer = wire.Peer(c, identity)
    check(peer.acked_live == 0, "none of them was stored either")
    peer.send(wire.SCHEMA, SCHEMA.message(1))
    peer.send_raw(good)
    check(peer.wait_acked(1), "the same frame without damage is taken")
    peer.close()
    bystander.goes_on()


def test_a_frame_replayed_on_a_new_connection(lab):
    c = lab.collector().start()
    identity = wire.enrolled(c, "replay")
    now = int(time.time() * 1000)
    frame = wire.batch(1, 1, now, 50, [CELLS])
    for _ in range(5):
        peer = wire.Peer(c, identity)
        peer.send(wire.SCHEMA, SCHEMA.message(1))
        peer.send(wire.BATCH, frame)
        check(peer.wait_acked(1), "acknowledged")
        peer.close()
    values = c.query('attack_value{column="01"}[1m]', now / 1000 + 1)[0]["values"]
    check(len(values) == 1, f"stored once: {values}")


def good_fleet(lab, c):
    fleet = Fleet(lab, c, 10, name="good", interval=250, series=50, **{"from": "127.9.0.1"}).begin()
    fleet.all_connected(30)
    return fleet


def unharmed(c, fleet):
    stat = fleet.stat()
    check(stat["lost"] == 0 and stat["connected"] == fleet.count, f"the others stay: {stat}")
    fleet.settle()
    return nothing_lost_or_doubled(c, fleet)


def bring(peer, number, refused):
    """A schema of series that nobody has seen, and a sweep of it; whether that was acknowledged."""
    schema = wire.Schema([("rogue", {"n": f"{number}-{i}"}) for i in range(PIECE)])
    peer.send(wire.SCHEMA, schema.message(1 + number))
    peer.send(wire.BATCH, wire.batch(1 + number, 1 + number, int(time.time() * 1000), 50, [[1] * PIECE]))
    check(peer.wait_acked(1 + number, 30), f"{number * PIECE} series are answered: {refused()}")


def test_a_million_series_of_one_agent_end_at_its_limit(lab):
    c = lab.collector(store="{raw: 64MiB}").start()
    fleet = good_fleet(lab, c)
    peer = wire.Peer(c, wire.enrolled(c, "rogue"))
    start = time.time()

    def refusals():
        return [line for line in c.log().splitlines() if "rogue" in line and "columns, the limit is" in line]
    bring(peer, 0, refusals)
    check(not refusals(), "control: as many as are allowed")
    for number in range(1, ROGUE_SERIES // PIECE):
        bring(peer, number, refusals)
    check(refusals(), "the log names who brings more, and the limit")
    kept = len(c.query("rogue[1h]", time.time() + 1))
    check(kept == SERIES_LIMIT, f"{SERIES_LIMIT} of them are kept: {kept}")
    total = unharmed(c, fleet)
    print(f"# {ROGUE_SERIES} series in {time.time() - start:.0f} s, {kept} kept; {total} sweeps of others, "
          "none lost", flush=True)


def throw(c, identity, blob):
    """All of it on one connection, as far as it is let."""
    peer = wire.Peer(c, identity)
    try:
        peer.send_raw(blob)
    except (OSError, ssl.SSLError):
        pass
    closed, _ = peer.closed()
    peer.close()
    return closed


def test_a_million_malformed_frames(lab):
    c = lab.collector(store="{raw: 64MiB}").start()
    fleet = good_fleet(lab, c)
    rogue = wire.enrolled(c, "rogue")
    kinds = [(wire.BATCH, b"\xff" * 8), (wire.SCHEMA, b"\x0a\x7f"), (wire.HOST, b"\x0f"), (wire.DOCUMENT, b"\x42\x7f"),
             (wire.EVENT, b"\xff\xff"), (wire.HELLO, b"\x12"), (wire.WELCOME, b""), (99, b"")]
    blobs = [wire.frame(kind, payload) * PIECE for kind, payload in kinds]
    blobs.append(wire.frame(wire.BATCH, b"damaged", crc=1) * PIECE)
    start = time.time()
    for number in range(ROGUE_FRAMES // PIECE):
        check(throw(c, rogue, blobs[number % len(blobs)]), f"who sends {blobs[number % len(blobs)][:14]} is cut off")
    took = time.time() - start
    lines = [line for line in c.log().splitlines() if "rogue" in line and "refused" in line]
    check(lines, "the log names who sends them")
    check(len(lines) <= 20 * (took / 10 + 2), f"and is not flooded: {len(lines)} lines in {took:.0f} s")
    total = unharmed(c, fleet)
    print(f"# {ROGUE_FRAMES} malformed frames in {took:.0f} s; {total} sweeps of others, none lost", flush=True)


def test_one_that_sends_25_times_as_much_slows_nobody_down(lab):
    c = lab.collector(store="{raw: 64MiB}").start()
    fleet = good_fleet(lab, c)
    flood = Fleet(lab, c, 2, name="flood", interval=10, series=200, **{"from": "127.1.0.1"}).begin()
    flood.all_connected(30)
    time.sleep(5)
    print(f"# acknowledgements of others p99 {fleet.stat()['ack_p99_ms']} ms", flush=True)
    unharmed(c, fleet)
    flood.settle()
    nothing_lost_or_doubled(c, flood)


def test_nonsense_before_tls_and_instead_of_it(lab):
    c = lab.collector().start()
    bystander = Bystander(c)
    for text in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(500), b"\x16\x03\x01\xff\xff" + b"x" * 100):
        with socket.create_connection(("127.0.0.1", c.port), 5) as s:
            s.sendall(text)
            s.settimeout(15)
            try:
                while s.recv(4096):
                    pass
            except OSError:
                pass
    bystander.goes_on()
    check("127.0.0.1" in c.log(), "the log names the address")


main()
