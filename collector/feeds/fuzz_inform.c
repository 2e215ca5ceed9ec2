/* SPDX-License-Identifier: Apache-2.0 */
/* What a stranger answers to a notification: the real feed of SNMP, on a loop, and a port that
 * has the input for its answers. The first byte chooses version and what an answer is made
 * of: the input alone, or what was asked with the input laid over it, so that numbers fit and
 * the library reads on. Each delivery ends once, whatever is said. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <unistd.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <fenwatch/mem.h>

#include "feed.h"
#include "notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_BYTES 4096
#define MOST_TURNS 64
#define REPORT 0xa8
#define RESPONSE 0xa2

extern const struct feed feed_snmp;

static struct port {
	uv_loop_t loop;
	uv_udp_t udp;
	char space[MOST_BYTES];
	const uint8_t *data;
	size_t size;
	unsigned ends;
	void *configs[2]; /* of 2c, and of 3 */
} port;

/* What was asked becomes an answer, and every pair of the input a byte of it. */
static size_t overlay(uint8_t *reply, size_t length)
{
	for (size_t i = 0; i + 1 < length; i++)
		if (reply[i] == SNMP_MSG_INFORM || reply[i] == SNMP_MSG_GET)
			reply[i] = port.data[0] & 4 ? REPORT : RESPONSE;
	for (size_t i = 1; i + 1 < port.size && length > 0; i += 2)
		reply[port.data[i] % length] ^= port.data[i + 1];
	return length;
}

static void on_space(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(port.space, sizeof port.space);
}

static void on_asked(
	uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	(void)flags;
	if (n <= 0)
		return;
	uint8_t reply[MOST_BYTES];
	size_t length = port.size - 1;
	memcpy(reply, port.data + 1, length);
	if (port.data[0] & 2) {
		memcpy(reply, buf->base, (size_t)n);
		length = overlay(reply, (size_t)n);
	}
	uv_buf_t said = uv_buf_init((char *)reply, (unsigned)length);
	uv_udp_try_send(udp, &said, 1, from);
}

static void on_finished(struct delivery *delivery, enum verdict verdict, const char *why)
{
	(void)delivery;
	(void)verdict;
	if (!why)
		abort();
	port.ends++;
}

static void *configure(const char *text)
{
	static struct fw_arena arena;
	const struct fw_yaml *root;
	void *config = fw_arena_alloc(&arena, feed_snmp.config_size);
	struct fw_err err;
	if (fw_yaml_parse(text, strlen(text), &arena, &root, &err) < 0 ||
		fw_conf_bind(root, feed_snmp.options, config, &arena, &err) < 0 ||
		feed_snmp.check(config, &err) < 0)
		abort();
	return config;
}

static void write_secret(char path[32])
{
	static const char words[] = "correct horse\n";
	int fd = mkstemp(path);
	if (fd < 0 || write(fd, words, sizeof words - 1) != sizeof words - 1)
		abort();
	close(fd);
}

static void start(void)
{
	static char path[32] = "/tmp/fenwatch-inform-XXXXXX";
	struct sockaddr_in any;
	struct sockaddr_storage bound;
	int length = sizeof bound;
	write_secret(path);
	uv_loop_init(&port.loop);
	uv_udp_init(&port.loop, &port.udp);
	uv_ip4_addr("127.0.0.1", 0, &any);
	uv_udp_bind(&port.udp, (const struct sockaddr *)&any, 0);
	uv_udp_recv_start(&port.udp, on_space, on_asked);
	uv_udp_getsockname(&port.udp, (struct sockaddr *)&bound, &length);
	unsigned number = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	char *two = fw_format(
		"{server: '127.0.0.1:%u', version: 2c, community_file: %s}", number, path);
	char *three = fw_format(
		"{server: '127.0.0.1:%u', user: fenwatch, auth_file: %s, privacy_file: %s}", number,
		path, path);
	port.configs[0] = configure(two);
	port.configs[1] = configure(three);
	fw_free(two);
	fw_free(three);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct notice_pair labels[] = {{"alertname", "R"}, {"instance", "web01"}};
	static const struct notice notice = {.key = "fw1-1",
		.status = "firing",
		.idempotency = "",
		.labels = labels,
		.n_labels = 2,
		.generator_url = "",
		.external_url = "",
		.receipt = ""};
	if (size < 2 || size > MOST_BYTES)
		return 0;
	if (!port.configs[0])
		start();
	port.data = data;
	port.size = size;
	port.ends = 0;
	struct delivery delivery = {.notice = &notice,
		.config = port.configs[(data[0] & 9) == 9], /* its keys take time to make */
		.loop = &port.loop,
		.on_finished = on_finished};
	feed_snmp.deliver(&delivery);
	for (unsigned i = 0; i < MOST_TURNS && port.ends == 0; i++)
		uv_run(&port.loop, i < 3 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	if (port.ends == 0)
		feed_snmp.cancel(&delivery);
	for (unsigned i = 0; i < 3; i++) /* what it closed */
		uv_run(&port.loop, UV_RUN_NOWAIT);
	if (port.ends != 1)
		abort();
	return 0;
}
