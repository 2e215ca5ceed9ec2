/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

/* The helper answers at its own time-outs, so this is only met where it does not run on. */
#define PATIENCE_MS 60000

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >=
		(int)sizeof address.sun_path)
		return -ENAMETOOLONG;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	int rc = errno == ECONNREFUSED ? -ENOENT : -errno;
	fw_close(fd);
	return rc;
}

static int connect_for(enum facts_code code, const char *path)
{
	char own[sizeof((struct sockaddr_un *)NULL)->sun_path];
	const char *dot = strrchr(path, '.');
	int before = (int)(dot ? (size_t)(dot - path) : strlen(path));
	int length = snprintf(
		own, sizeof own, "%.*s-%s%s", before, path, facts_limits[code].part, path + before);
	int fd = length < (int)sizeof own ? connect_to(own) : -ENOENT;
	return fd == -ENOENT ? connect_to(path) : fd;
}

static int wait_for_answer(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int n;
	do
		n = poll(&wait, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n < 0 ? -errno : -ETIMEDOUT;
}

static int converse(int fd, const struct facts_request *request, struct fw_buf *body)
{
	uint8_t bytes[FACTS_REQUEST_BYTES];
	facts_put_request(request, bytes);
	if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes)
		return -errno;
	int rc = wait_for_answer(fd);
	if (rc < 0)
		return rc;
	size_t size = FACTS_HEAD_BYTES + FACTS_ANSWER_LIMIT;
	uint8_t *packet = fw_alloc(size);
	ssize_t got = recv(fd, packet, size, MSG_DONTWAIT | MSG_TRUNC);
	rc = got < 0 ? -errno : got == 0 ? -ECONNRESET : (int)got;
	if (rc > 0)
		rc = facts_get_answer(request->code, packet, (size_t)got, body);
	fw_free(packet);
	return rc;
}

int facts_ask(struct machine *m, const struct facts_request *request, struct fw_buf *body,
	struct fw_err *err)
{
	if (m->recorded)
		return facts_perform(m, NULL, request, body);
	if (!m->facts)
		return fw_fail(err, -ENOENT, "without the helper fenwatch-facts");
	int fd = connect_for(request->code, m->facts);
	if (fd < 0)
		return fw_fail_sys(err, fd, "the helper fenwatch-facts at '%s'", m->facts);
	int rc = converse(fd, request, body);
	fw_close(fd);
	return rc < 0 ? fw_fail_sys(err, rc, "the helper fenwatch-facts") : 0;
}
