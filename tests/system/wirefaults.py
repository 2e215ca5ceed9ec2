"""Hostile bytes on the agents' port: the sender is cut off with a reason in the log, others never notice."""
import os
import struct
import time

import wire
from stage import check, main, until

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


def test_a_zstd_bomb(lab):
    # One raw block header per 128 KiB of zeros (RLE blocks): 64 MiB from some kilobytes.
    blocks = b"".join(struct.pack("<I", (131072 << 3) | 2 | (i == 511))[:3] + b"\0" for i in range(512))
    bomb = struct.pack("<I", 0xFD2FB528) + bytes([0xA0]) + struct.pack("<I", 512 * 131072) + blocks
    bad = (wire.u(1, 1) + wire.u(2, 1) + wire.u(3, 1) + wire.u(5, 1) + wire.f64(6, int(time.time() * 1000))
           + wire.u(9, 1) + wire.u(13, 512 * 131072) + wire.b(14, bomb))
    cut_off(lab, lambda p: p.send(wire.BATCH, bad), "batch")


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


def test_nonsense_before_tls_and_instead_of_it(lab):
    import socket
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
