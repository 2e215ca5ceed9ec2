/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "parse.h"

#define ANSWER_BYTES 16384

struct reading {
	unsigned states;
	void (*each)(const struct tcp_socket *socket, void *arg);
	void *arg;
};

static void map_address(struct in6_addr *out, const void *words, bool is_v6)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	if (is_v6) {
		memcpy(out->s6_addr, words, 16);
	} else {
		memcpy(out->s6_addr, prefix, sizeof prefix);
		memcpy(out->s6_addr + 12, words, 4);
	}
}

static void give(const struct reading *r, struct tcp_socket *socket, unsigned state)
{
	if (state > SOCKET_CLOSING || !(r->states & 1u << state))
		return;
	socket->state = state;
	r->each(socket, r->arg);
}

/* ---- sock_diag ---- */

static int ask(int fd, uint8_t family, unsigned states)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = states},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent =
		sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel);
	return sent < 0 ? -errno : 0;
}

static void take_socket(const struct reading *r, const struct nlmsghdr *head)
{
	const struct inet_diag_msg *message = NLMSG_DATA(head);
	if (head->nlmsg_len < NLMSG_LENGTH(sizeof *message))
		return;
	bool is_v6 = message->idiag_family == AF_INET6;
	struct tcp_socket socket = {
		.received = message->idiag_rqueue,
		.to_send = message->idiag_state == SOCKET_LISTEN ? 0 : message->idiag_wqueue,
		.local_port = ntohs(message->id.idiag_sport),
		.remote_port = ntohs(message->id.idiag_dport),
	};
	map_address(&socket.local, message->id.idiag_src, is_v6);
	map_address(&socket.remote, message->id.idiag_dst, is_v6);
	give(r, &socket, message->idiag_state);
}

/* 1 when there is more to come. */
static int take_messages(const struct reading *r, const struct nlmsghdr *head, size_t length)
{
	for (; NLMSG_OK(head, length); head = NLMSG_NEXT(head, length)) {
		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(head);
			bool whole = head->nlmsg_len >= NLMSG_LENGTH(sizeof *error);
			return whole && error->error < 0 ? error->error : -EBADMSG;
		}
		if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			take_socket(r, head);
	}
	return 1;
}

static int dump(int fd, uint8_t family, const struct reading *r)
{
	int rc = ask(fd, family, r->states);
	if (rc < 0)
		return rc;
	struct nlmsghdr *answer = fw_alloc(ANSWER_BYTES);
	do {
		ssize_t got = recv(fd, answer, ANSWER_BYTES, 0);
		if (got < 0 && errno == EINTR)
			rc = 1;
		else
			rc = got <= 0 ? -EIO : take_messages(r, answer, (size_t)got);
	} while (rc > 0);
	fw_free(answer);
	return rc;
}

static int read_diag(const struct reading *r)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	int rc = dump(fd, AF_INET, r);
	if (rc == 0)
		rc = dump(fd, AF_INET6, r);
	fw_close(fd);
	return rc;
}

/* ---- /proc/net/tcp: "sl local_address rem_address st tx_queue:rx_queue ...", addresses as
 * words of the machine's own byte order in hex ---- */

static bool cut_word_hex(struct fw_cursor *c, uint32_t *word)
{
	struct fw_cursor digits = {c->at, c->at + 8};
	uint64_t value;
	if (c->end - c->at < 8 || !cut_hex(&digits, &value) || digits.at != digits.end)
		return false;
	*word = (uint32_t)value;
	c->at += 8;
	return true;
}

static bool cut_end(struct fw_cursor *c, bool is_v6, struct in6_addr *address, uint16_t *port)
{
	uint32_t words[4];
	uint64_t number;
	fw_skip_blanks(c);
	for (int i = 0; i < (is_v6 ? 4 : 1); i++)
		if (!cut_word_hex(c, &words[i]))
			return false;
	if (!fw_cut_literal(c, ":") || !cut_hex(c, &number) || number > UINT16_MAX)
		return false;
	map_address(address, words, is_v6);
	*port = (uint16_t)number;
	return true;
}

static void cut_queues(struct fw_cursor *line, struct tcp_socket *socket)
{
	uint64_t to_send, received;
	if (!cut_hex(line, &to_send) || !fw_cut_literal(line, ":") || !cut_hex(line, &received))
		return;
	socket->to_send = (uint32_t)to_send;
	socket->received = (uint32_t)received;
}

static int read_table(struct machine *m, const char *path, bool is_v6, const struct reading *r)
{
	struct fw_cursor c, line;
	int rc = machine_read(m, path, &c);
	if (rc < 0)
		return rc;
	while (fw_cut_line(&c, &line)) {
		struct tcp_socket socket = {0};
		uint64_t number, state;
		if (fw_cut_u64(&line, &number) && fw_cut_literal(&line, ":") &&
			cut_end(&line, is_v6, &socket.local, &socket.local_port) &&
			cut_end(&line, is_v6, &socket.remote, &socket.remote_port) &&
			cut_hex(&line, &state) && state <= SOCKET_CLOSING) {
			cut_queues(&line, &socket);
			give(r, &socket, (unsigned)state);
		}
	}
	return 0;
}

int sockets_each(struct machine *m, unsigned states,
	void (*each)(const struct tcp_socket *socket, void *arg), void *arg, struct fw_err *err)
{
	const struct reading r = {states, each, arg};
	if (!m->recorded && read_diag(&r) == 0)
		return 0;
	int rc = read_table(m, "proc/net/tcp", false, &r);
	int rc6 = read_table(m, "proc/net/tcp6", true, &r);
	if (rc < 0 && rc6 < 0)
		return rc == -ENOENT ? fw_fail(err, -ENODATA, "this machine has no /proc/net/tcp")
				     : fw_fail_sys(err, rc, "/proc/net/tcp");
	return 0;
}
