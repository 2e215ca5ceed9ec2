/* SPDX-License-Identifier: Apache-2.0 */
/* microhttpd on libuv: the daemon has one epoll descriptor, watched by one
 * uv_poll; whenever it is ready, or the time that the daemon names is over,
 * MHD_run does everything that is due. A request that reads the store has its
 * connection suspended, waits its turn for the pool, and is resumed with its
 * answer ready.
 *
 * microhttpd's own timeout counts from the last byte, so a client that sends one
 * byte in time would stay for ever. Each connection has a deadline for a whole
 * request besides, looked at once a second.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>

#include "parts.h"

#define CONNECTIONS 1024
#define CONNECTIONS_PER_ADDRESS 256
#define HEADER_MEMORY (64u << 10) /* of a connection: request line, headers, arguments */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define KEY_FILE_LIMIT (256u << 10)

struct api {
	struct fw_owner owner; /* first: what a handle's data points to is the api */
	struct api_config config;
	struct MHD_Daemon *daemon;
	unsigned port;
	bool ready, canceled;
	uv_poll_t poll;
	uv_timer_t due, second;
	LIST_HEAD(api_connections, api_connection) connections;
	struct request_list waiting;
	unsigned n_running;
	struct fw_buf cert, key;
	void (*on_closed)(void *arg);
	void *arg;
};

const struct api_config *api_config(const struct api *api)
{
	return &api->config;
}

bool api_is_ready(const struct api *api)
{
	return api->ready;
}

const bool *api_canceled(const struct api *api)
{
	return &api->canceled;
}

unsigned api_port(const struct api *api)
{
	return api->port;
}

void api_set_ready(struct api *api, int ready)
{
	api->ready = ready != 0;
}

void api_set_register(struct api *api, const struct registry *registry)
{
	api->config.registry = registry;
}

/* ---- the daemon's turns ---- */

static void on_due(uv_timer_t *timer);

static void run(struct api *api)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	MHD_run(api->daemon);
	if (MHD_get_timeout(api->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&api->due, on_due, wait_ms, 0);
	else
		uv_timer_stop(&api->due);
}

static void on_due(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

/* ---- connections and their deadlines ---- */

static struct api_connection *find_connection(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

void api_await(struct api *api, struct MHD_Connection *connection, bool awaiting)
{
	struct api_connection *c = find_connection(connection);
	(void)api;
	if (c)
		c->deadline_ms = awaiting ? fw_mono_ms() + API_DEADLINE_MS : 0;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct api *api = arg;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		struct api_connection *c = fw_alloc(sizeof *c);
		c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				->connect_fd;
		c->deadline_ms = fw_mono_ms() + API_DEADLINE_MS;
		LIST_INSERT_HEAD(&api->connections, c, link);
		*context = c;
	} else if (*context) {
		struct api_connection *c = *context;
		LIST_REMOVE(c, link);
		fw_free(c);
		*context = NULL;
	}
}

static void on_second(uv_timer_t *timer)
{
	struct api *api = timer->data;
	int64_t now_ms = fw_mono_ms();
	struct api_connection *c;
	LIST_FOREACH (c, &api->connections, link)
		if (c->deadline_ms && c->deadline_ms < now_ms)
			shutdown(c->fd, SHUT_RDWR); /* the daemon sees the end and closes it */
	run(api);
}

/* ---- the pool ---- */

static void start_waiting(struct api *api);

static void on_work(uv_work_t *work)
{
	struct request *r = work->data;
	r->route->answer(r);
}

static void on_worked(uv_work_t *work, int status)
{
	struct request *r = work->data;
	struct api *api = r->api;
	(void)status;
	api->n_running--;
	MHD_resume_connection(r->connection);
	start_waiting(api);
	run(api);
	fw_owner_drop(&api->owner);
}

static void start_waiting(struct api *api)
{
	while (api->n_running < API_QUERIES_AT_ONCE && !STAILQ_EMPTY(&api->waiting)) {
		struct request *r = STAILQ_FIRST(&api->waiting);
		STAILQ_REMOVE_HEAD(&api->waiting, next);
		r->work.data = r;
		api->n_running++;
		uv_queue_work(api->config.loop, &r->work, on_work, on_worked);
	}
}

void api_queue(struct api *api, struct request *request)
{
	MHD_suspend_connection(request->connection);
	fw_owner_hold(&api->owner);
	STAILQ_INSERT_TAIL(&api->waiting, request, next);
	start_waiting(api);
}

/* ---- opening and closing ---- */

static bool is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	}
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int read_address(
	const struct api_config *config, struct sockaddr_storage *address, struct fw_err *err)
{
	char host[256];
	unsigned port;
	int rc = fw_split_host_port(config->listen, host, sizeof host, &port);
	if (rc == 0 && uv_ip4_addr(host, (int)port, (struct sockaddr_in *)address) < 0)
		rc = uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)address);
	if (rc < 0)
		return fw_fail(err, -EINVAL,
			"api listens on '%s': write an address and a port, such as 127.0.0.1:7480 or [::]:7480",
			config->listen);
	if (is_loopback(address))
		return 0;
	if (!config->auth)
		return fw_fail(err, -EINVAL,
			"api listens on '%s' without tokens: that is allowed on loopback only",
			config->listen);
	if (!config->tls_cert || !config->tls_key)
		return fw_fail(err, -EINVAL,
			"api listens on '%s' without TLS: give its certificate and key, or listen on loopback",
			config->listen);
	return 0;
}

/* A socket of ours, so that a failure has its reason. */
static int listen_on(const struct sockaddr_storage *address, const char *text, unsigned *port,
	struct fw_err *err)
{
	int yes = 1;
	struct sockaddr_storage bound;
	socklen_t size = address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						       : sizeof(struct sockaddr_in6);
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fw_fail_sys(err, -errno, "api: cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(fd, (const struct sockaddr *)address, size) < 0 || listen(fd, SOMAXCONN) < 0) {
		int rc = -errno;
		fw_close(fd);
		return fw_fail_sys(err, rc, "api: cannot listen on '%s'", text);
	}
	size = sizeof bound;
	getsockname(fd, (struct sockaddr *)&bound, &size);
	*port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
						 : ((struct sockaddr_in6 *)&bound)->sin6_port);
	return fd;
}

static int read_tls_files(struct api *api, struct fw_err *err)
{
	const struct api_config *config = &api->config;
	if (!config->tls_cert && !config->tls_key)
		return 0;
	if (!config->tls_cert || !config->tls_key)
		return fw_fail(err, -EINVAL, "api: TLS needs both, a certificate and its key");
	int rc = fw_file_read(config->tls_cert, KEY_FILE_LIMIT, &api->cert, err);
	if (rc >= 0)
		rc = fw_file_read(config->tls_key, KEY_FILE_LIMIT, &api->key, err);
	return rc < 0 ? fw_fail_in(err, rc, "api") : 0;
}

static void on_log(void *arg, const char *format, va_list args)
{
	char line[512];
	(void)arg;
	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\n")] = '\0';
	fw_log(FW_DEBUG, "api: %s", line);
}

static struct MHD_Daemon *start_daemon(struct api *api, int fd)
{
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, api->cert.data},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, api->key.data},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
		(api->cert.data ? MHD_USE_TLS : 0);
	return MHD_start_daemon(flags, 0, NULL, NULL, request_on_access, api,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_ADDRESS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(API_DEADLINE_MS / 1000),
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, api,
		MHD_OPTION_NOTIFY_COMPLETED, request_on_completed, api, MHD_OPTION_ARRAY,
		api->cert.data ? tls : none, MHD_OPTION_END);
}

static void free_api(struct api *api)
{
	fw_buf_done(&api->cert);
	fw_buf_done(&api->key);
	fw_free(api);
}

static void on_owner_done(struct fw_owner *owner)
{
	struct api *api = (struct api *)owner;
	MHD_stop_daemon(api->daemon);
	if (api->on_closed)
		api->on_closed(api->arg);
	free_api(api);
}

static void watch(struct api *api)
{
	int epoll_fd = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	fw_owner_init(&api->owner, on_owner_done);
	uv_poll_init(api->config.loop, &api->poll, epoll_fd);
	fw_owner_adopt(&api->owner, &api->poll);
	uv_timer_init(api->config.loop, &api->due);
	fw_owner_adopt(&api->owner, &api->due);
	uv_timer_init(api->config.loop, &api->second);
	fw_owner_adopt(&api->owner, &api->second);
	uv_poll_start(&api->poll, UV_READABLE, on_ready);
	uv_timer_start(&api->second, on_second, 1000, 1000);
}

int api_open(struct api **out, const struct api_config *config, struct fw_err *err)
{
	struct sockaddr_storage address = {0};
	int rc = read_address(config, &address, err);
	if (rc < 0)
		return rc;
	struct api *api = fw_alloc(sizeof *api);
	api->config = *config;
	LIST_INIT(&api->connections);
	STAILQ_INIT(&api->waiting);
	rc = read_tls_files(api, err);
	if (rc >= 0)
		rc = listen_on(&address, config->listen, &api->port, err);
	if (rc >= 0) {
		int fd = rc;
		api->daemon = start_daemon(api, fd);
		if (!api->daemon) {
			fw_close(fd);
			rc = fw_fail(err, -EINVAL, "api: cannot start on '%s'%s", config->listen,
				api->cert.data
					? ": are the certificate and key in PEM, and do they belong together?"
					: "");
		}
	}
	if (rc < 0) {
		free_api(api);
		return rc;
	}
	watch(api);
	*out = api;
	return 0;
}

void api_close(struct api *api, void (*on_closed)(void *arg), void *arg)
{
	api->on_closed = on_closed;
	api->arg = arg;
	api->canceled = true; /* what runs on the pool ends soon, and is waited for */
	int fd = MHD_quiesce_daemon(api->daemon);
	if (fd >= 0)
		fw_close(fd);
	fw_owner_close(&api->owner);
}
