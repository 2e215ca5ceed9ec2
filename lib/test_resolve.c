/* SPDX-License-Identifier: Apache-2.0 */
/* Names are asked for on the wire of a network of the test's own, whose only name
 * server is the test itself. Where no such network may be made the tests are skipped. */
#include <fenwatch/resolve.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

enum answer { ADDRESS, NO_SUCH_NAME, SILENCE };
enum { NO_ERROR = 0x8180, NAME_ERROR = 0x8183, TYPE_A = 1 };

struct place {
	uv_loop_t loop;
	uv_udp_t server;
	enum answer answer;
	unsigned asked, told;
	struct fw_resolved resolved;
	char why[128];
};

static const char *skipped; /* why there is no network */

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		skipped = path;
	if (fd >= 0)
		close(fd);
}

/* Root of a user namespace may have its own network and its own /etc. */
static int make_network(void **state)
{
	static const char conf[] = "/tmp/fenwatch-test-resolv.conf";
	char map[64];
	uid_t uid = getuid();
	(void)state;
	if (unshare((uid ? CLONE_NEWUSER : 0) | CLONE_NEWNET | CLONE_NEWNS) < 0) {
		skipped = "no namespaces for this user";
		return 0;
	}
	if (uid) {
		snprintf(map, sizeof map, "0 %u 1", uid);
		write_to("/proc/self/uid_map", map);
	}
	struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &up) < 0)
		skipped = "no loopback";
	close(fd);
	write_to(conf, "nameserver 127.0.0.1\noptions ndots:0\n");
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (mount(conf, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
		skipped = "no resolv.conf";
	unlink(conf);
	mount("/dev/null", "/etc/hosts", NULL, MS_BIND, NULL); /* fails where there is none */
	return 0;
}

/* ---- the name server ---- */

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	static char room[1024];
	(void)handle;
	(void)size;
	*buf = uv_buf_init(room, sizeof room);
}

/* The question comes back, and behind it 192.0.2.7 where an address was asked for. */
static void on_question(uv_udp_t *server, ssize_t length, const uv_buf_t *buf,
	const struct sockaddr *from, unsigned flags)
{
	static const uint8_t record[] = {
		0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7};
	struct place *place = server->data;
	uint8_t *at = (uint8_t *)buf->base;
	(void)flags;
	if (length <= 12 || place->answer == SILENCE)
		return;
	size_t end = 12 + strlen((const char *)at + 12) + 1;
	bool has_record = place->answer == ADDRESS && at[end + 1] == TYPE_A;
	unsigned code = place->answer == NO_SUCH_NAME ? NAME_ERROR : NO_ERROR;
	place->asked++;
	at[2] = (uint8_t)(code >> 8);
	at[3] = (uint8_t)code;
	at[7] = has_record ? 1 : 0;
	memset(at + 8, 0, 4);
	memcpy(at + end + 4, record, sizeof record);
	uv_buf_t reply =
		uv_buf_init(buf->base, (unsigned)(end + 4 + (has_record ? sizeof record : 0)));
	assert_true(uv_udp_try_send(server, &reply, 1, from) > 0);
}

static int open_place(void **state)
{
	static struct place place;
	struct sockaddr_in here;
	place = (struct place){.server = {.data = NULL}};
	uv_loop_init(&place.loop);
	uv_udp_init(&place.loop, &place.server);
	place.server.data = &place;
	uv_ip4_addr("127.0.0.1", 53, &here);
	if (!skipped &&
		(uv_udp_bind(&place.server, (struct sockaddr *)&here, 0) < 0 ||
			uv_udp_recv_start(&place.server, on_room, on_question) < 0))
		skipped = "port 53 is not free";
	*state = &place;
	return 0;
}

static int close_place(void **state)
{
	struct place *place = *state;
	uv_close((uv_handle_t *)&place->server, NULL);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	return 0;
}

/* ---- tests ---- */

static void on_resolved(const struct fw_resolved *resolved, void *arg)
{
	struct place *place = arg;
	place->told++;
	place->resolved = *resolved;
	snprintf(place->why, sizeof place->why, "%s", resolved->why);
}

/* False where there is no network of our own. */
static bool resolve(struct place *place, const char *name, enum answer answer)
{
	struct fw_resolve *started;
	place->answer = answer;
	if (skipped) {
		print_message("# skipped: %s\n", skipped);
		return false;
	}
	assert_int_equal(
		fw_resolve_start(&started, &place->loop, name, 7443, on_resolved, place, NULL), 0);
	assert_int_equal(place->told, 0);
	while (place->told == 0)
		uv_run(&place->loop, UV_RUN_ONCE);
	assert_int_equal(place->told, 1);
	return true;
}

static void a_name_becomes_addresses(void **state)
{
	struct place *place = *state;
	if (!resolve(place, "collector.example", ADDRESS))
		return;
	const struct sockaddr_in *found =
		(const struct sockaddr_in *)(void *)place->resolved.addresses;
	assert_int_equal(place->resolved.n_addresses, 1);
	assert_int_equal(found->sin_family, AF_INET);
	assert_int_equal(ntohl(found->sin_addr.s_addr), 0xc0000207);
	assert_int_equal(ntohs(found->sin_port), 7443);
	assert_int_equal(place->asked, 2); /* A and AAAA */
}

static void localhost_is_known_without_asking(void **state)
{
	struct place *place = *state;
	if (!resolve(place, "localhost", NO_SUCH_NAME))
		return;
	const struct sockaddr_storage *found = place->resolved.addresses;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&found[0];
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&found[1];
	assert_int_equal(place->asked, 0);
	assert_int_equal(place->resolved.n_addresses, 2);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(ntohs(v4->sin_port), 7443);
	assert_memory_equal(&v6->sin6_addr, &in6addr_loopback, sizeof in6addr_loopback);
	assert_int_equal(ntohs(v6->sin6_port), 7443);
}

static void a_name_that_is_none_is_told(void **state)
{
	struct place *place = *state;
	if (!resolve(place, "nobody.example", NO_SUCH_NAME))
		return;
	assert_int_equal(place->resolved.n_addresses, 0);
	assert_non_null(strstr(place->why, "not found"));
}

static void a_silent_server_is_given_up(void **state)
{
	struct place *place = *state;
	if (!resolve(place, "slow.example", SILENCE))
		return;
	assert_int_equal(place->resolved.n_addresses, 0);
	assert_true(strlen(place->why) > 5);
}

static void a_cancelled_question_tells_nothing(void **state)
{
	struct place *place = *state;
	struct fw_resolve *started;
	if (skipped)
		return;
	place->answer = SILENCE;
	assert_int_equal(fw_resolve_start(&started, &place->loop, "slow.example", 7443, on_resolved,
				 place, NULL),
		0);
	uv_run(&place->loop, UV_RUN_NOWAIT);
	fw_resolve_cancel(started);
	for (int i = 0; i < 5; i++)
		uv_run(&place->loop, UV_RUN_NOWAIT);
	assert_int_equal(place->told, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
	const struct CMUnitTest tests[] = {
		CASE(a_name_becomes_addresses),
		CASE(localhost_is_known_without_asking),
		CASE(a_name_that_is_none_is_told),
		CASE(a_silent_server_is_given_up),
		CASE(a_cancelled_question_tells_nothing),
	};
	return cmocka_run_group_tests(tests, make_network, NULL);
}
