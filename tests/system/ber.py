"""SNMP's own bytes, where net-snmp's tools are too slow or too well-behaved, and a device that is neither."""
import socket
import threading

INTEGER, STRING, SEQUENCE, COUNTER, TICKS, COUNTER64, END = 2, 4, 0x30, 0x41, 0x43, 0x46, 0x82
RESPONSE, GETBULK = 0xa2, 0xa5
TOO_BIG = 1


def tlv(tag, body):
    return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x82]) + len(body).to_bytes(2, "big")) + body


def whole(value, tag=INTEGER):
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def number(oid):
    first, second, *rest = map(int, oid.split("."))
    out = bytes([first * 40 + second])
    for part in rest:
        piece = [part & 127]
        while part := part >> 7:
            piece.insert(0, part & 127 | 128)
        out += bytes(piece)
    return tlv(6, out)


def variable(oid, value):
    return tlv(SEQUENCE, number(oid) + value)


def parts(data):
    """[(tag, body)] of what stands one behind another."""
    found = []
    while data:
        size, at = data[1], 2
        if size & 128:
            at += size & 127
            size = int.from_bytes(data[2:at], "big")
        found.append((data[0], data[at:at + size]))
        data = data[at + size:]
    return found


def name_of(body):
    ids, part = [body[0] // 40, body[0] % 40], 0
    for byte in body[1:]:
        part = part << 7 | byte & 127
        if not byte & 128:
            ids.append(part)
            part = 0
    return tuple(ids)


def text_of(name):
    return ".".join(map(str, name))


class Question:
    """Of version 2c; `answer` makes the packet that belongs to it, or one that does not."""

    def __init__(self, packet):
        (_, message), = parts(packet)
        _, (_, self.community), (self.kind, pdu) = parts(message)
        (_, self.id), (_, _), (_, most), (_, names) = parts(pdu)
        self.repetitions = int.from_bytes(most, "big") if self.kind == GETBULK else 1
        self.names = [name_of(parts(one)[0][1]) for _, one in parts(names)]

    def answer(self, variables, error=0, another=0):
        told = int.from_bytes(self.id, "big") + another
        pdu = tlv(RESPONSE, whole(told) + whole(error) + whole(0) + tlv(SEQUENCE, b"".join(variables)))
        return tlv(SEQUENCE, whole(1) + tlv(STRING, self.community) + pdu)


class Device:
    """One that answers with what `things` has, {OID: value as its bytes}, or misbehaves: `behave` gives the packets."""

    def __init__(self, things, behave=None):
        self.things, self.behave = things, behave or Device.well
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.asked = self.socket.getsockname()[1], 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            packet, who = self.socket.recvfrom(65536)
            self.asked += 1
            for answer in self.behave(self, Question(packet)):
                self.socket.sendto(answer, who)

    def rows(self, question, more=0):
        """What it is asked for, and so many rows more, in the order of the protocol."""
        known = sorted(tuple(map(int, oid.split("."))) for oid in self.things)
        names, found = question.names, []
        for _ in range(question.repetitions + more):
            following = [next((k for k in known if k > name), None) for name in names]
            found += [variable(text_of(after), self.things[text_of(after)]) if after else variable(text_of(name), tlv(END, b""))
                      for name, after in zip(names, following)]
            names = [after or name for name, after in zip(names, following)]
        return found

    def well(self, question):
        return [question.answer(self.rows(question))]
