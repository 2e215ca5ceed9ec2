/* SPDX-License-Identifier: Apache-2.0 */
/* microhttpd on libuv: the daemon has one epoll descriptor, watched by one
 * uv_poll; whenever it is ready, or the time that the daemon names is over,
 * MHD_run does everything that is due. A request that reads the store has its
 * connection suspended, is answered by the workers, and is resumed. The daemon
 * does not look at suspended connections, so whether their clients are still
 * there is seen to here.
 *
 * microhttpd's own timeout counts from the last byte, so a client that sends one
 * byte in time would stay for ever. Each connection has a deadline for a whole
 * request, and for each piece of a long answer, looked at once a second.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <fenwatch/clock.h>
#include <fenwatch/conn.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>

#include "certificate.h"
#include "parts.h"
#include "shim.h"
#include "workers.h"

#define CONNECTIONS 2048
#define CONNECTIONS_PER_ADDRESS 1536 /* a proxy's, say; others still come in */
#define WRITERS 2                    /* threads that take writes apart */
#define HEADER_MEMORY (64u << 10)    /* of a connection: request line, headers, arguments */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define LOOK_EVERY_MS 100 /* whether clients that wait have gone away */

static const struct api_query usual = {
	.timeout_ms = 30000,
	.lookback_ms = PROMQL_LOOKBACK_MS,
	.max_samples = 10000000,
	.concurrency = 2,
	.held_bytes = INT64_C(512) << 20,
};

struct api {
	struct fw_owner owner; /* first: what a handle's data points to is the api */
	struct api_config config;
	struct MHD_Daemon *daemon;
	unsigned port;
	int64_t started_ms;
	bool ready;
	uv_poll_t poll;
	uv_timer_t due, second, look;
	LIST_HEAD(api_connections, api_connection) connections;
	struct workers *workers; /* for what reads the store */
	struct workers *writers; /* and what writes, which does not wait for slow questions */
	TAILQ_HEAD(flight, request) flight; /* that the workers have */
	struct api_stat stat;
	size_t held_bytes; /* of answers on their way */
	struct shim_regex *cors;
	struct api_certificate *certificate; /* or NULL */
	void (*on_closed)(void *arg);
	void *arg;
};

void api_stat(const struct api *api, struct api_stat *out)
{
	*out = api->stat;
}

const struct api_config *api_config(const struct api *api)
{
	return &api->config;
}

int64_t api_started_ms(const struct api *api)
{
	return api->started_ms;
}

bool api_is_ready(const struct api *api)
{
	return api->ready;
}

const char *api_cors_origin(const struct request *r)
{
	const struct shim_regex *cors = r->api->cors;
	return cors && r->origin && shim_regex_matches(cors, r->origin) ? r->origin : NULL;
}

unsigned api_port(const struct api *api)
{
	return api->port;
}

void api_set_ready(struct api *api, int ready)
{
	api->ready = ready != 0;
}

void api_set_register(struct api *api, struct registry *registry)
{
	api->config.registry = registry;
}

const struct api_certificate *api_certificate(const struct api *api)
{
	return api->certificate;
}

void api_set_certificate(struct api *api, struct api_certificate *certificate)
{
	api_certificate_drop(api->certificate);
	api->certificate = certificate;
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

static struct api_connection *connection_new(struct api *api, struct MHD_Connection *connection)
{
	struct api_connection *c = fw_alloc(sizeof *c);
	c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	c->deadline_ms = fw_mono_ms() + API_DEADLINE_MS;
	c->certificate = certificate_hold(api->certificate);
	if (c->certificate)
		certificate_pin(c->certificate, connection);
	LIST_INSERT_HEAD(&api->connections, c, link);
	return c;
}

static void connection_free(struct api_connection *c)
{
	LIST_REMOVE(c, link);
	api_certificate_drop(c->certificate);
	fw_free(c);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct api *api = arg;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = connection_new(api, connection);
	} else if (*context) {
		connection_free(*context);
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

/* ---- what the workers have ---- */

static bool has_gone(const struct pollfd *fd)
{
	return (fd->revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* A client that has closed its side waits for nothing any more. */
static void on_look(uv_timer_t *timer)
{
	struct api *api = timer->data;
	struct pollfd *fds = fw_alloc_array(api->stat.working + 1, sizeof *fds);
	struct request *r;
	size_t n = 0;
	TAILQ_FOREACH (r, &api->flight, flight) {
		const struct api_connection *c = find_connection(r->connection);
		fds[n++] = (struct pollfd){.fd = c ? c->fd : -1, .events = POLLRDHUP};
	}
	poll(fds, n, 0);
	n = 0;
	TAILQ_FOREACH (r, &api->flight, flight) {
		if (!has_gone(&fds[n++]) || r->canceled)
			continue;
		r->canceled = true;
		api->stat.canceled++;
	}
	fw_free(fds);
}

static void on_worked(struct request *r)
{
	struct api *api = r->api;
	TAILQ_REMOVE(&api->flight, r, flight);
	api->stat.answered++;
	if (--api->stat.working == 0)
		uv_timer_stop(&api->look);
	MHD_resume_connection(r->connection);
	run(api);
	fw_owner_drop(&api->owner);
}

void api_count_too_long(struct api *api)
{
	api->stat.too_long++;
}

bool api_hold(struct api *api, size_t bytes)
{
	if (api->held_bytes + bytes > (size_t)api->config.query.held_bytes)
		return false;
	api->held_bytes += bytes;
	return true;
}

void api_release(struct api *api, size_t bytes)
{
	api->held_bytes -= bytes;
}

static struct workers *workers_of(const struct api *api, const struct request *request)
{
	return request->route->writes ? api->writers : api->workers;
}

void api_answered(struct api *api, struct request *request)
{
	workers_answered(workers_of(api, request), request);
}

bool api_queue(struct api *api, struct request *request)
{
	request->queued_ms = fw_mono_ms();
	MHD_suspend_connection(request->connection);
	if (!workers_put(workers_of(api, request), request)) {
		MHD_resume_connection(request->connection);
		api->stat.refused++;
		return false;
	}
	fw_owner_hold(&api->owner);
	TAILQ_INSERT_TAIL(&api->flight, request, flight);
	if (api->stat.working++ == 0 && !api->owner.closing)
		uv_timer_start(&api->look, on_look, LOOK_EVERY_MS, LOOK_EVERY_MS);
	return true;
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

static int read_certificate(struct api *api, struct fw_err *err)
{
	const struct api_config *config = &api->config;
	if (!config->tls_cert && !config->tls_key)
		return 0;
	if (!config->tls_cert || !config->tls_key)
		return fw_fail(err, -EINVAL, "api: TLS needs both, a certificate and its key");
	return api_certificate_read(&api->certificate, config->tls_cert, config->tls_key, err);
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
		certificate_option(),
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
		(api->certificate ? MHD_USE_TLS : 0);
	return MHD_start_daemon(flags, 0, NULL, NULL, request_on_access, api,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_ADDRESS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(API_DEADLINE_MS / 1000),
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, api,
		MHD_OPTION_NOTIFY_COMPLETED, request_on_completed, api, MHD_OPTION_ARRAY,
		api->certificate ? tls : none, MHD_OPTION_END);
}

static void free_api(struct api *api)
{
	shim_regex_free(api->cors);
	api_certificate_drop(api->certificate);
	fw_free(api);
}

static void on_writers_closed(void *arg)
{
	struct api *api = arg;
	MHD_stop_daemon(api->daemon);
	if (api->on_closed)
		api->on_closed(api->arg);
	free_api(api);
}

static void on_workers_closed(void *arg)
{
	struct api *api = arg;
	workers_close(api->writers, on_writers_closed, api);
}

static void on_owner_done(struct fw_owner *owner)
{
	struct api *api = (struct api *)owner;
	workers_close(api->workers, on_workers_closed, api);
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
	uv_timer_init(api->config.loop, &api->look);
	fw_owner_adopt(&api->owner, &api->look);
	uv_poll_start(&api->poll, UV_READABLE, on_ready);
	uv_timer_start(&api->second, on_second, 1000, 1000);
}

static void set_usual(struct api_query *query)
{
	if (!query->timeout_ms)
		query->timeout_ms = usual.timeout_ms;
	if (!query->lookback_ms)
		query->lookback_ms = usual.lookback_ms;
	if (!query->max_samples)
		query->max_samples = usual.max_samples;
	if (!query->concurrency)
		query->concurrency = usual.concurrency;
	if (!query->held_bytes)
		query->held_bytes = usual.held_bytes;
}

static int compile_cors(struct api *api, struct fw_err *err)
{
	char why[200];
	if (!api->config.cors)
		return 0;
	api->cors = shim_regex_new(api->config.cors, why, sizeof why);
	return api->cors ? 0 : fw_fail(err, -EINVAL, "api: 'cors' is no expression: %s", why);
}

static int start(struct api *api, const struct sockaddr_storage *address, struct fw_err *err)
{
	const char *listen = api->config.listen;
	int fd = listen_on(address, listen, &api->port, err);
	if (fd < 0)
		return fd;
	api->daemon = start_daemon(api, fd);
	if (api->daemon)
		return 0;
	fw_close(fd);
	return fw_fail(err, -EINVAL, "api: cannot start on '%s'", listen);
}

static int start_workers(
	struct api *api, struct workers **out, unsigned threads, struct fw_err *err)
{
	const struct workers_config config = {
		.loop = api->config.loop,
		.threads = threads,
		.queue = API_QUEUE,
		.work = request_work,
		.on_worked = on_worked,
	};
	return workers_open(out, &config, err);
}

int api_open(struct api **out, const struct api_config *config, struct fw_err *err)
{
	struct sockaddr_storage address = {0};
	int rc = read_address(config, &address, err);
	if (rc < 0)
		return rc;
	struct api *api = fw_alloc(sizeof *api);
	api->config = *config;
	api->started_ms = fw_wall_ms();
	set_usual(&api->config.query);
	LIST_INIT(&api->connections);
	TAILQ_INIT(&api->flight);
	rc = compile_cors(api, err);
	if (rc == 0)
		rc = read_certificate(api, err);
	if (rc == 0)
		rc = start(api, &address, err);
	if (rc == 0)
		rc = start_workers(
			api, &api->workers, (unsigned)api->config.query.concurrency, err);
	if (rc == 0)
		rc = start_workers(api, &api->writers, WRITERS, err);
	if (rc < 0) {
		if (api->workers)
			workers_close(api->workers, NULL, NULL);
		if (api->daemon)
			MHD_stop_daemon(api->daemon);
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
	struct request *r;
	TAILQ_FOREACH (r, &api->flight, flight)
		r->canceled = true; /* ends soon, and is waited for */
	int fd = MHD_quiesce_daemon(api->daemon);
	if (fd >= 0)
		fw_close(fd);
	fw_owner_close(&api->owner);
}
