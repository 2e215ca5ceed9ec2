/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/notify.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fenwatch/text.h>

/* The name is a path, or after '@' one in the abstract namespace. */
static socklen_t make_address(const char *name, struct sockaddr_un *address)
{
	size_t length = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || length >= sizeof address->sun_path)
		return 0;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, name, length);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* A lost word to the service manager has no cure here: a watchdog that hears
 * nothing restarts the program, which is what it is for. */
void fw_notify(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t length = name ? make_address(name, &address) : 0;
	if (length == 0)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length);
	close(fd);
}

int64_t fw_notify_watchdog_ms(void)
{
	uint64_t pid, usec;
	const char *pid_text = getenv("WATCHDOG_PID"), *text = getenv("WATCHDOG_USEC");
	if (!getenv("NOTIFY_SOCKET") || !text || fw_parse_u64(text, &usec) < 0)
		return 0;
	if (pid_text && (fw_parse_u64(pid_text, &pid) < 0 || pid != (uint64_t)getpid()))
		return 0;
	return (int64_t)(usec / 2000);
}
