/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that answer SNMP 1 and 2c, as many as there are addresses of loopback, on one socket.
 *
 * usage: bench_snmpdevices PORT
 *
 * Each has SNMPv2-MIB's system and IF-MIB with 50 interfaces, whose counters go on with the
 * clock. Who is asked at 127.x.y.z with an even x is one of them; with an odd x it is dead. An answer
 * has no more than 1,400 bytes, as that of a device on Ethernet. Ends with its standard input. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS 50
#define IDS 16 /* numbers of a name */
#define THINGS 4096
#define ASKED 64
#define ANSWER_BYTES 1400

enum {
	INTEGER = 2,
	STRING = 4,
	OBJECT = 6,
	SEQUENCE = 0x30,
	COUNTER = 0x41,
	GAUGE,
	TICKS,
	COUNTER64 = 0x46,
	END = 0x82,
	GETNEXT = 0xa1,
	RESPONSE = 0xa2,
	GETBULK = 0xa5
};

struct name {
	uint32_t ids[IDS];
	size_t n;
};

struct thing {
	struct name name;
	uint8_t type;
	uint32_t port; /* 0: of the device itself */
};

static struct thing things[THINGS];
static size_t n_things;

/* ---- what a device has ---- */

static int compare(const struct name *a, const struct name *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (a->ids[i] != b->ids[i])
			return a->ids[i] < b->ids[i] ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

static void add(const char *text, uint8_t type, uint32_t port)
{
	struct thing *t = &things[n_things++];
	*t = (struct thing){.type = type, .port = port};
	for (char *at = (char *)text; *at; at += *at == '.')
		t->name.ids[t->name.n++] = (uint32_t)strtoul(at, &at, 10);
	t->name.ids[t->name.n++] = port;
}

static void add_column(const char *text, uint8_t type)
{
	for (uint32_t port = 1; port <= PORTS; port++)
		add(text, type, port);
}

static void add_table(const char *entry, const char *types)
{
	static const uint8_t meaning[128] = {['i'] = INTEGER,
		['s'] = STRING,
		['c'] = COUNTER,
		['g'] = GAUGE,
		['t'] = TICKS,
		['C'] = COUNTER64};
	for (unsigned i = 0; types[i]; i++) {
		char text[64];
		snprintf(text, sizeof text, "%s.%u", entry, i + 1);
		if (types[i] != '-')
			add_column(text, meaning[(unsigned char)types[i]]);
	}
}

static void make_things(void)
{
	static const uint8_t system[] = {STRING, OBJECT, TICKS, STRING, STRING, STRING};
	for (unsigned i = 0; i < sizeof system; i++) {
		char text[64];
		snprintf(text, sizeof text, "1.3.6.1.2.1.1.%u", i + 1);
		add(text, system[i], 0);
	}
	add("1.3.6.1.2.1.2.1", INTEGER, 0);
	add_table("1.3.6.1.2.1.2.2.1", "isiigsiitccccccccccc");
	add_table("1.3.6.1.2.1.31.1.1.1", "sccccCCCCCCCC-giist");
}

/* ---- writing, from the end ---- */

struct out {
	uint8_t bytes[8192];
	size_t at; /* where it begins */
};

static void head(struct out *o, uint8_t type, size_t end)
{
	size_t length = end - o->at;
	if (length > 127) {
		o->bytes[--o->at] = (uint8_t)length;
		o->bytes[--o->at] = (uint8_t)(length >> 8);
		o->bytes[--o->at] = 0x82;
	} else {
		o->bytes[--o->at] = (uint8_t)length;
	}
	o->bytes[--o->at] = type;
}

static void put_number(struct out *o, uint8_t type, uint64_t value)
{
	size_t end = o->at;
	do
		o->bytes[--o->at] = (uint8_t)value;
	while (value >>= 8);
	if (o->bytes[o->at] & 0x80)
		o->bytes[--o->at] = 0;
	head(o, type, end);
}

static void put_text(struct out *o, uint8_t type, const void *text, size_t length)
{
	size_t end = o->at;
	o->at -= length;
	memcpy(o->bytes + o->at, text, length);
	head(o, type, end);
}

static void put_name(struct out *o, const struct name *name)
{
	size_t end = o->at;
	for (size_t i = name->n; i-- > 2;) {
		uint32_t id = name->ids[i];
		o->bytes[--o->at] = id & 0x7f;
		while (id >>= 7)
			o->bytes[--o->at] = (uint8_t)(0x80 | (id & 0x7f));
	}
	o->bytes[--o->at] = (uint8_t)(40 * name->ids[0] + name->ids[1]);
	head(o, OBJECT, end);
}

/* ---- answering ---- */

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A counter goes on at a pace of its own, now and then not at all, as they do. */
static void put_value(struct out *o, const struct thing *t, uint32_t device)
{
	static const uint8_t object[] = {0x2b, 6, 1, 4, 1};
	uint32_t column = t->name.ids[t->name.n - 2];
	uint64_t pace = (device * 2654435761u ^ t->port * 40503u ^ column * 9176u) % 4000;
	uint64_t count = pace < 1000 ? pace : now_ms() * pace / 10;
	char text[32];
	int length = snprintf(text, sizeof text, t->port ? "Gi0/%u" : "device", t->port);
	if (t->type == STRING)
		put_text(o, STRING, text, (size_t)length);
	else if (t->type == OBJECT)
		put_text(o, OBJECT, object, sizeof object);
	else if (t->type == TICKS)
		put_number(o, TICKS, t->port ? 100 : (uint32_t)(now_ms() / 10));
	else if (t->type == INTEGER || t->type == GAUGE)
		put_number(o, t->type, column == 1 ? t->port : column == 15 ? 1000 : 1);
	else
		put_number(o, t->type, t->type == COUNTER ? (uint32_t)count : count);
}

static const struct thing *behind(const struct name *name)
{
	size_t low = 0, high = n_things;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare(&things[middle].name, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n_things ? &things[low] : NULL;
}

static void put_binding(
	struct out *o, const struct thing *t, const struct name *asked, uint32_t device)
{
	size_t end = o->at;
	if (t)
		put_value(o, t, device);
	else
		put_text(o, END, "", 0);
	put_name(o, t ? &t->name : asked);
	head(o, SEQUENCE, end);
}

struct question {
	uint64_t version, id, repetitions;
	const uint8_t *community;
	size_t community_length, n;
	struct name names[ASKED];
};

/* What is answered is chosen first, as it is written from its end. */
static void answer(struct out *o, const struct question *q, uint32_t device)
{
	const struct thing *chosen[ANSWER_BYTES / 20];
	size_t n = 0, most = sizeof chosen / sizeof *chosen,
	       rows = q->repetitions ? q->repetitions : 1;
	if (rows * q->n < most)
		most = rows * q->n;
	for (; n < most; n++) {
		const struct thing *before = n < q->n ? NULL : chosen[n - q->n];
		chosen[n] = n < q->n                               ? behind(&q->names[n])
			: before && before + 1 < things + n_things ? before + 1
								   : NULL;
	}
	o->at = sizeof o->bytes;
	while (n-- > 0)
		put_binding(o, chosen[n], &q->names[n % q->n], device);
	head(o, SEQUENCE, sizeof o->bytes);
	put_number(o, INTEGER, 0);
	put_number(o, INTEGER, 0);
	put_number(o, INTEGER, q->id);
	head(o, RESPONSE, sizeof o->bytes);
	put_text(o, STRING, q->community, q->community_length);
	put_number(o, INTEGER, q->version);
	head(o, SEQUENCE, sizeof o->bytes);
}

/* ---- reading ---- */

struct in {
	const uint8_t *at, *end;
};

/* The next element; its type, or 0 where there is none. */
static uint8_t cut(struct in *in, struct in *out)
{
	if (in->end - in->at < 2)
		return 0;
	uint8_t type = *in->at++;
	size_t length = *in->at++;
	for (size_t n = length & 0x80 ? length & 0x7f : 0, first = 1; n > 0 && in->at < in->end;
		n--) {
		length = (first ? 0 : length << 8) | *in->at++;
		first = 0;
	}
	if (length > (size_t)(in->end - in->at))
		return 0;
	*out = (struct in){in->at, in->at + length};
	in->at += length;
	return type;
}

static uint64_t cut_number(struct in *in)
{
	struct in part = {0};
	uint64_t value = 0;
	cut(in, &part);
	while (part.at < part.end)
		value = value << 8 | *part.at++;
	return value;
}

static void read_name(struct in part, struct name *out)
{
	uint32_t id = 0;
	*out = (struct name){.ids = {*part.at / 40, *part.at % 40}, .n = 2};
	for (part.at++; part.at < part.end && out->n < IDS; part.at++) {
		id = id << 7 | (*part.at & 0x7f);
		if (*part.at & 0x80)
			continue;
		out->ids[out->n++] = id;
		id = 0;
	}
}

static bool read_question(struct in in, struct question *q)
{
	struct in message, pdu, list, pair, name;
	if (cut(&in, &message) != SEQUENCE)
		return false;
	q->version = cut_number(&message);
	if (q->version > 1 || cut(&message, &pair) != STRING)
		return false;
	q->community = pair.at;
	q->community_length = (size_t)(pair.end - pair.at);
	uint8_t type = cut(&message, &pdu);
	if (type != GETNEXT && type != GETBULK)
		return false;
	q->id = cut_number(&pdu);
	cut_number(&pdu);
	uint64_t repetitions = cut_number(&pdu);
	q->repetitions = type == GETBULK && repetitions < 1000 ? repetitions : 0;
	q->n = 0;
	if (cut(&pdu, &list) != SEQUENCE)
		return false;
	while (q->n < ASKED && cut(&list, &pair) == SEQUENCE && cut(&pair, &name) == OBJECT &&
		name.at < name.end)
		read_name(name, &q->names[q->n++]);
	return q->n > 0;
}

/* ---- the socket ---- */

static void serve(int fd)
{
	static struct out out;
	uint8_t bytes[4096], control[256];
	struct sockaddr_in from;
	struct iovec part = {bytes, sizeof bytes};
	struct msghdr message = {.msg_name = &from,
		.msg_namelen = sizeof from,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	struct question q;
	ssize_t n = recvmsg(fd, &message, 0);
	struct cmsghdr *head_of = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!head_of || head_of->cmsg_type != IP_PKTINFO)
		return;
	/* It is answered from where it was asked: the address of the packet's way in. */
	struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(head_of);
	uint32_t device = ntohl(info->ipi_addr.s_addr);
	info->ipi_spec_dst = info->ipi_addr;
	info->ipi_ifindex = 0;
	if (device >> 16 & 1 || !read_question((struct in){bytes, bytes + n}, &q))
		return;
	answer(&out, &q, device);
	part = (struct iovec){out.bytes + out.at, sizeof out.bytes - out.at};
	sendmsg(fd, &message, 0);
}

int main(int argc, char **argv)
{
	int on = 1, room = 8 << 20, fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at = {.sin_family = AF_INET};
	if (argc != 2)
		return 2;
	at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		perror("bind");
		return 1;
	}
	make_things();
	struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	while (poll(polls, 2, -1) > 0 && !polls[1].revents)
		serve(fd);
	return 0;
}
