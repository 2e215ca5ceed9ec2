/* SPDX-License-Identifier: Apache-2.0 */
/* icmp: one echo. By a socket that needs no privilege where the kernel gives us one
 * (net.ipv4.ping_group_range), else by a raw one, which takes CAP_NET_RAW. */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include <fenwatch/file.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#include "metrics.h"
#include "options.h"
#include "reach.h"

#define ECHO_BYTES 40
#define ECHO_HEADER 8

struct echo {
	struct fw_owner owner;
	uv_poll_t poll;
	struct check_run *run;
	struct reach reach;
	int fd;
	bool v6, raw;
	uint64_t sent_ns;
	int64_t setup_us;
	uint8_t packet[ECHO_BYTES]; /* type, code, checksum, id, sequence, random bytes */
};

static void on_echo_closed(struct fw_owner *owner)
{
	struct echo *e = FW_CONTAINER(owner, struct echo, owner);
	fw_close(e->fd);
	fw_free(e);
}

static void echo_close(struct echo *e)
{
	reach_cancel(&e->reach);
	if (e->fd >= 0)
		fw_owner_close(&e->owner);
	else
		fw_free(e);
}

static void echo_end(struct echo *e, const char *why)
{
	struct check_run *run = e->run;
	echo_close(e);
	check_finish(run, why ? CHECK_CRITICAL : CHECK_OK, "%s", why ? why : "");
}

/* ---- the answer ---- */

/* Whether these bytes answer what we sent: a raw socket hears of all echoes, and of a
 * ping socket the kernel has chosen the id. */
static bool is_answer(const struct echo *e, const uint8_t *bytes, size_t length)
{
	if (e->raw && !e->v6) {
		size_t header = length > 0 ? (size_t)(bytes[0] & 15) * 4 : 0;
		if (header < sizeof(struct iphdr) || length < header)
			return false;
		bytes += header;
		length -= header;
	}
	return length == ECHO_BYTES && bytes[0] == (e->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) &&
		(!e->raw || memcmp(bytes + 4, e->packet + 4, 2) == 0) &&
		memcmp(bytes + 6, e->packet + 6, ECHO_BYTES - 6) == 0;
}

static int64_t hop_limit(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		int hops;
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
			(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&hops, CMSG_DATA(c), sizeof hops);
			return hops;
		}
	}
	return -1;
}

static void take_answer(struct echo *e, struct msghdr *message)
{
	struct sweep *sweep = e->run->sweep;
	int64_t hops = hop_limit(message);
	check_add_phase(sweep, PROBE_ICMP_DURATION, "resolve", e->reach.us);
	check_add_phase(sweep, PROBE_ICMP_DURATION, "setup", e->setup_us);
	check_add_phase(sweep, PROBE_ICMP_DURATION, "rtt", check_us(e->sent_ns, uv_hrtime()));
	if (hops >= 0)
		check_add(sweep, PROBE_ICMP_HOP_LIMIT, hops);
	echo_end(e, NULL);
}

/* One packet a call: others come after what else the loop has to do. */
static void on_echo(uv_poll_t *poll, int status, int events)
{
	struct echo *e = FW_CONTAINER(poll, struct echo, poll);
	uint8_t bytes[256];
	char control[128];
	struct iovec room = {bytes, sizeof bytes};
	struct msghdr message = {.msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	(void)events;
	ssize_t got = status < 0 ? status : recvmsg(e->fd, &message, MSG_DONTWAIT);
	if (got < 0 && (status < 0 || (errno != EAGAIN && errno != EINTR)))
		echo_end(e, fw_strerror(status < 0 ? status : -errno));
	else if (got > 0 && is_answer(e, bytes, (size_t)got))
		take_answer(e, &message);
}

/* ---- the question ---- */

/* RFC 1071; of version 6 the kernel makes it, since it has the addresses in it. */
static uint16_t checksum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void write_packet(struct echo *e)
{
	fw_random(e->packet + 4, ECHO_BYTES - 4);
	e->packet[0] = e->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	uint16_t sum = e->v6 ? 0 : checksum(e->packet, ECHO_BYTES);
	e->packet[2] = (uint8_t)(sum >> 8);
	e->packet[3] = (uint8_t)sum;
}

static int open_socket(struct echo *e)
{
	int family = e->v6 ? AF_INET6 : AF_INET, protocol = e->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	int on = 1;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
	if (fd < 0) {
		fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
		e->raw = fd >= 0;
	}
	if (fd < 0)
		return -errno;
	setsockopt(fd, e->v6 ? IPPROTO_IPV6 : IPPROTO_IP, e->v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL,
		&on, sizeof on);
	return fd;
}

/* Connected, so that the kernel passes on what comes from the target alone. */
static int send_echo(struct echo *e)
{
	uint64_t begun_ns = uv_hrtime();
	e->v6 = e->reach.address.ss_family == AF_INET6;
	if (e->v6)
		((struct sockaddr_in6 *)&e->reach.address)->sin6_port = 0;
	int fd = open_socket(e);
	int rc = fd < 0 ? fd : uv_poll_init(e->run->loop, &e->poll, fd);
	if (rc < 0) {
		if (fd >= 0)
			fw_close(fd);
		return rc;
	}
	e->fd = fd;
	fw_owner_init(&e->owner, on_echo_closed);
	fw_owner_adopt(&e->owner, &e->poll);
	write_packet(e);
	if (connect(fd, (const struct sockaddr *)&e->reach.address, reach_length(&e->reach)) < 0)
		return -errno;
	e->sent_ns = uv_hrtime();
	e->setup_us = check_us(begun_ns, e->sent_ns);
	if (send(fd, e->packet, sizeof e->packet, 0) < 0)
		return -errno;
	return uv_poll_start(&e->poll, UV_READABLE, on_echo);
}

static void on_icmp_reached(struct reach *reach, const char *why)
{
	struct echo *e = FW_CONTAINER(reach, struct echo, reach);
	int rc = why ? 0 : send_echo(e);
	if (rc == -EPERM || rc == -EACCES)
		why = "no socket for echoes: it takes CAP_NET_RAW, or net.ipv4.ping_group_range";
	else if (rc < 0)
		why = fw_strerror(rc);
	if (why)
		echo_end(e, why);
}

static int start_icmp(struct check_run *run, struct fw_err *err)
{
	struct echo *e = fw_alloc(sizeof *e);
	e->run = run;
	e->fd = -1;
	int rc = reach_start(&e->reach, run, on_icmp_reached, err);
	if (rc < 0)
		fw_free(e);
	else
		run->state = e;
	return rc;
}

static void cancel_icmp(struct check_run *run)
{
	echo_close(run->state);
}

/* Without a port: none would mean anything. */
static int prepare_icmp(struct check_spec *spec, struct fw_err *err)
{
	int rc = reach_split(spec, 1, err);
	if (rc == 0 && spec->port != 1)
		return fw_fail(err, -EINVAL, "target of icmp has no port");
	return rc;
}

const struct check_kind check_icmp = {
	.name = "icmp",
	.help = "an echo is answered",
	.options = check_options_icmp,
	.prepare = prepare_icmp,
	.start = start_icmp,
	.cancel = cancel_icmp,
};
