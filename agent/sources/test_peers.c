/* SPDX-License-Identifier: Apache-2.0 */
/* Peers of a machine whose socket tables the test writes, read after read; and the
 * kernel's own answer of both kinds. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../documents.h"
#include "sockets.h"
#include "test_tree.h"

#define DAY_MS INT64_C(86400000)
#define T0_MS (INT64_C(20780) * DAY_MS + 3600000) /* an hour into a day */

extern const struct source source_peers;

static char folder[] = "/tmp/fenwatch-peers-XXXXXX";
static struct machine machine;

static void write_file(const char *name, const char *text)
{
	struct fw_err err;
	char *path = fw_format("%s/%s", folder, name);
	*strrchr(path, '/') = '\0';
	assert_int_equal(fw_mkdir_all(path, 0700), 0);
	path[strlen(path)] = '/';
	if (fw_file_replace(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.text);
	fw_free(path);
}

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue\n"
#define SSH_LISTENS "   0: 00000000:0016 00000000:0000 0A 00000000:00000000\n"
#define SSH_FROM_10_0_0_2 "   1: 0100000A:0016 0200000A:8000 01 00000000:00000000\n"
#define SSH_FROM_10_0_0_3_ENDS "   2: 0100000A:0016 0300000A:8001 06 00000000:00000000\n"

static void keep(const struct document_news *news, void *arg)
{
	(void)arg;
	assert_int_equal(documents_keep(folder, news, NULL), 0);
}

/* One read; its table is kept and, as text, given back. */
static char *read_peers(int64_t now_ms)
{
	struct fw_err err;
	struct fw_buf answer = {0}, text = {0};
	machine.now_ms = now_ms;
	machine.documents = documents_new(folder, &source_peers);
	if (source_peers.read(NULL, &machine, NULL, &err) < 0)
		fail_msg("%s", err.text);
	documents_print(machine.documents, false, &text);
	documents_finish(machine.documents, now_ms, &answer);
	documents_each(&source_peers, answer.data, answer.length, keep, NULL);
	documents_free(machine.documents);
	machine.documents = NULL;
	fw_buf_done(&answer);
	return (char *)text.data;
}

static void expect(int64_t now_ms, const char *wanted)
{
	char *text = read_peers(now_ms);
	assert_string_equal(text, wanted);
	fw_free(text);
}

static int setup(void **state)
{
	struct fw_err err;
	(void)state;
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(machine_open(&machine, folder, &err), 0);
	write_file("etc/services", "# names\nssh\t\t22/tcp   # SSH\nssh 22/udp\nhttp 80/tcp www\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	machine_close(&machine);
	return test_remove_tree(folder);
}

static void test_first_and_last(void **state)
{
	(void)state;
	write_file("proc/net/tcp", HEAD SSH_LISTENS SSH_FROM_10_0_0_2 SSH_FROM_10_0_0_3_ENDS);
	expect(T0_MS,
		"# INVENTORY peers 2 items\n"
		"# INVENTORY peers 22/tcp 10.0.0.2\tservice=ssh\tfirst=1795395600\tlast=1795395600\n"
		"# INVENTORY peers 22/tcp 10.0.0.3\tservice=ssh\tfirst=1795395600\tlast=1795395600\n");
	/* Two days later only one of them still comes. */
	write_file("proc/net/tcp", HEAD SSH_LISTENS SSH_FROM_10_0_0_2);
	expect(T0_MS + 2 * DAY_MS,
		"# INVENTORY peers 2 items\n"
		"# INVENTORY peers 22/tcp 10.0.0.2\tservice=ssh\tfirst=1795395600\tlast=1795564800\n"
		"# INVENTORY peers 22/tcp 10.0.0.3\tservice=ssh\tfirst=1795395600\tlast=1795395600\n");
	/* The service has ended: who came is still known, and after 400 days forgotten. */
	write_file("proc/net/tcp", HEAD);
	expect(T0_MS + 401 * DAY_MS,
		"# INVENTORY peers 1 items\n"
		"# INVENTORY peers 22/tcp 10.0.0.2\tservice=ssh\tfirst=1795395600\tlast=1795564800\n");
	expect(T0_MS + 403 * DAY_MS, "# INVENTORY peers 0 items\n");
}

/* The same peers within a day make no document. */
static void test_nothing_new_is_nothing_sent(void **state)
{
	(void)state;
	write_file("proc/net/tcp", HEAD SSH_LISTENS SSH_FROM_10_0_0_2);
	fw_free(read_peers(T0_MS));
	machine.now_ms = T0_MS + 3600000;
	machine.documents = documents_new(folder, &source_peers);
	struct fw_buf answer = {0};
	assert_int_equal(source_peers.read(NULL, &machine, NULL, NULL), 0);
	documents_finish(machine.documents, machine.now_ms, &answer);
	documents_each(&source_peers, answer.data, answer.length, keep, NULL);
	assert_int_equal(answer.length, 3); /* well, no sentence, no document */
	fw_buf_done(&answer);
	documents_free(machine.documents);
}

/* Ports that nobody listens on, the machine itself, and half-open connections. */
static void test_who_is_no_peer(void **state)
{
	(void)state;
	write_file("proc/net/tcp",
		HEAD SSH_LISTENS
		"   1: 0100007F:0050 00000000:0000 0A 0\n" /* listens on loopback only */
		"   2: 0100000A:8000 0200000A:0016 01 0\n" /* a client of somebody else's ssh */
		"   3: 0100007F:0016 0100007F:8000 01 0\n" /* loopback */
		"   4: 0100000A:0016 0100000A:8000 01 0\n" /* itself by its own address */
		"   5: 0100000A:0016 0900000A:8000 03 0\n" /* being opened, perhaps by nobody */
		"   6: 0100000A:0050 0200000A:8000 01 0\n");
	expect(T0_MS, "# INVENTORY peers 0 items\n");
}

static void test_ipv6(void **state)
{
	(void)state;
	write_file("proc/net/tcp6",
		HEAD
		"   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0\n"
		"   1: B80D0120000000000000000001000000:0050 B80D0120000000000000000002000000:8000 01 0\n"
		"   2: 0000000000000000FFFF00000100000A:0050 0000000000000000FFFF00000200000A:8000 01 0\n");
	expect(T0_MS,
		"# INVENTORY peers 2 items\n"
		"# INVENTORY peers 80/tcp 10.0.0.2\tservice=http\tfirst=1795395600\tlast=1795395600\n"
		"# INVENTORY peers 80/tcp 2001:db8::2\tservice=http\tfirst=1795395600\tlast=1795395600\n");
	/* What was written is read again as the same peers. */
	char *text = read_peers(T0_MS + 60000);
	assert_non_null(strstr(text, "peers 2 items"));
	fw_free(text);
}

static void write_crowd(unsigned first, unsigned n)
{
	struct fw_buf text = {0};
	fw_buf_puts(&text, HEAD SSH_LISTENS);
	for (unsigned i = first; i < first + n; i++)
		fw_buf_printf(&text, "%4u: 0100000A:0016 %02X%02X000A:8000 01 0\n", i, i % 256,
			i / 256 + 1);
	write_file("proc/net/tcp", (const char *)text.data);
	fw_buf_done(&text);
}

/* 500 are kept, the rest is one; who has not come for a month makes room. */
static void test_a_crowd(void **state)
{
	(void)state;
	write_crowd(0, 2000);
	char *text = read_peers(T0_MS);
	assert_non_null(strstr(text, "peers 501 items"));
	assert_non_null(strstr(text, "22/tcp others\t"));
	fw_free(text);
	write_crowd(2000, 10);
	text = read_peers(T0_MS + 10 * DAY_MS);
	assert_non_null(strstr(text, "peers 501 items"));
	fw_free(text);
	text = read_peers(T0_MS + 31 * DAY_MS);
	assert_non_null(strstr(text, "peers 11 items"));
	fw_free(text);
}

static void test_no_tcp(void **state)
{
	(void)state;
	struct fw_err err;
	assert_int_equal(source_peers.read(NULL, &machine, NULL, &err), -ENODATA);
}

/* ---- the kernel's own answers ---- */

/* A network of our own: what else runs on this machine neither counts nor has to be read. */
static bool enter_own_network(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &loopback), 0);
	close(fd);
	return true;
}

struct seen {
	uint16_t port;
	unsigned listening, connected, foreign;
};

static void look(const struct tcp_socket *socket, void *arg)
{
	struct seen *seen = arg;
	bool ours = socket->local_port == seen->port;
	bool client = socket->remote_port == seen->port;
	seen->foreign += !ours && !client;
	if (!ours)
		return;
	assert_int_equal(socket->local.s6_addr[12], 127);
	seen->listening += socket->state == SOCKET_LISTEN;
	seen->connected += socket->state != SOCKET_LISTEN;
}

static void test_both_ways_of_asking(void **state)
{
	(void)state;
	struct machine here;
	struct fw_err err;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!enter_own_network()) {
		print_message("this machine lets nobody have a network of his own\n");
		skip();
	}
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
	assert_int_equal(machine_open(&here, "/", &err), 0);
	for (int recorded = 0; recorded < 2; recorded++) {
		struct seen seen = {.port = ntohs(address.sin_port)};
		here.recorded = recorded;
		assert_int_equal(sockets_each(&here, SOCKETS_LISTENING, look, &seen, &err), 0);
		assert_int_equal(seen.listening, 1);
		assert_int_equal(seen.connected, 0);
		assert_int_equal(sockets_each(&here, SOCKETS_CONNECTED, look, &seen, &err), 0);
		assert_int_equal(seen.listening, 1);
		assert_int_equal(seen.connected, 1);
		assert_int_equal(seen.foreign, 0);
	}
	machine_close(&here);
	close(client);
	close(server);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_first_and_last),
		TEST(test_nothing_new_is_nothing_sent),
		TEST(test_who_is_no_peer),
		TEST(test_ipv6),
		TEST(test_a_crowd),
		TEST(test_no_tcp),
		cmocka_unit_test(test_both_ways_of_asking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
