/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/notify.h>
#include <fenwatch/text.h>

#include "facts.h"
#include "rights.h"
#include "server.h"

enum { EXIT_USAGE = 2 };

#define FIRST_HANDED_ON 3 /* sd_listen_fds(3) */
#define IDLE_MS 60000

static const char help[] =
	"Usage: fenwatch-facts [--part WORD] [--socket PATH] [--agent USER]\n"
	"                      [--user USER] [--smartctl PATH] [--root DIR]\n"
	"\n"
	"Tells the Fenwatch agent of this machine what takes more rights than it has: SMART,\n"
	"libraries that were replaced while they run, whether nftables refuses anything,\n"
	"serial numbers. It answers six fixed questions and takes no text.\n"
	"\n"
	"  --part WORD       answers only what is of the hardware, of processes or of the\n"
	"                    network; by default all\n"
	"  --socket PATH     where it listens, by default " FACTS_SOCKET "; a socket that\n"
	"                    systemd hands over goes first, and then it ends when nobody asks\n"
	"  --agent USER      whose questions are answered, by default fenwatch; root's are too\n"
	"  --user USER       what it becomes when root starts it, by default fenwatch-facts\n"
	"  --smartctl PATH   the program, by default " FACTS_SMARTCTL "\n"
	"  --root DIR        where /proc, /sys, /dev and /etc are looked for\n"
	"  --version, --help\n";

struct options {
	const char *part, *socket, *agent, *user, *smartctl, *root;
};

struct program {
	uv_loop_t loop;
	uv_signal_t terminated, interrupted;
	struct server *server;
	struct machine machine;
};

static int fail(const struct fw_err *err)
{
	fw_log(FW_ERROR, "%s", err->text);
	return EXIT_FAILURE;
}

static int usage(const char *what)
{
	char text[256];
	fprintf(stderr,
		"fenwatch-facts: '%s' is not an option or lacks its value; see fenwatch-facts "
		"--help\n",
		fw_escape(what, text, sizeof text));
	return EXIT_USAGE;
}

/* ---- the socket ---- */

/* The one that systemd has made, or -ENOENT. */
static int take_handed_on(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint64_t number;
	if (!pid || !n || fw_parse_u64(pid, &number) < 0 || number != (uint64_t)getpid() ||
		strcmp(n, "1") != 0)
		return -ENOENT;
	return FIRST_HANDED_ON;
}

static int make_folder(const char *path)
{
	char *folder = fw_strdup(path);
	char *slash = strrchr(folder, '/');
	int rc = 0;
	if (slash && slash > folder) {
		*slash = '\0';
		rc = fw_mkdir_all(folder, 0755);
	}
	fw_free(folder);
	return rc;
}

/* Only who may write to it can connect: root, and the agent's group. */
static int bind_socket(int fd, const char *path, const struct rights_user *agent)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >=
		(int)sizeof address.sun_path)
		return -ENAMETOOLONG;
	int rc = make_folder(path);
	if (rc < 0)
		return rc;
	unlink(path);
	mode_t before = umask(0777);
	rc = bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
	umask(before);
	if (rc == 0 && geteuid() == 0 && chown(path, 0, agent->gid) < 0)
		rc = -errno;
	if (rc == 0 && chmod(path, 0660) < 0)
		rc = -errno;
	if (rc == 0 && listen(fd, 8) < 0)
		rc = -errno;
	return rc;
}

static int make_socket(const char *path, const struct rights_user *agent, struct fw_err *err)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : bind_socket(fd, path, agent);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		fw_close(fd);
	return fw_fail_sys(err, rc, "socket '%s'", path);
}

/* ---- running ---- */

static void stop(struct program *p)
{
	server_close(p->server);
	p->server = NULL;
	uv_close((uv_handle_t *)&p->terminated, NULL);
	uv_close((uv_handle_t *)&p->interrupted, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	if (!uv_is_closing((uv_handle_t *)handle))
		stop(handle->data);
}

static void on_idle(void *arg)
{
	stop(arg);
}

static void watch_signals(struct program *p)
{
	uv_signal_init(&p->loop, &p->terminated);
	uv_signal_init(&p->loop, &p->interrupted);
	p->terminated.data = p->interrupted.data = p;
	uv_signal_start(&p->terminated, on_signal, SIGTERM);
	uv_signal_start(&p->interrupted, on_signal, SIGINT);
}

/* 0: there is no such part. */
static uint32_t codes_of(const char *part)
{
	uint32_t codes = 0;
	for (int code = FACTS_DISKS; code < FACTS_CODES; code++)
		if (strcmp(part, "all") == 0 || strcmp(part, facts_limits[code].part) == 0)
			codes |= UINT32_C(1) << code;
	return codes;
}

static int serve(struct program *p, const struct options *o, const struct rights_user *agent,
	int fd, bool handed_on, struct fw_err *err)
{
	const struct server_config config = {
		.fd = fd,
		.uid = agent->uid,
		.codes = codes_of(o->part),
		.smartctl = o->smartctl,
		.machine = &p->machine,
		.idle_ms = handed_on ? IDLE_MS : 0,
		.on_idle = on_idle,
		.arg = p,
	};
	uv_loop_init(&p->loop);
	int rc = server_open(&p->server, &p->loop, &config, err);
	if (rc == 0) {
		watch_signals(p);
		fw_notify("READY=1");
		uv_run(&p->loop, UV_RUN_DEFAULT);
	}
	uv_loop_close(&p->loop);
	return rc;
}

static uint64_t capabilities_for(uint32_t codes)
{
	uint64_t all = 0;
	for (int code = FACTS_DISKS; code < FACTS_CODES; code++)
		if (codes >> code & 1)
			all |= facts_limits[code].capabilities;
	return all;
}

/* Users are those of the machine that the helper runs on. */
static int run(struct program *p, const struct options *o, struct fw_err *err)
{
	struct machine here;
	struct rights_user agent, user;
	int rc = machine_open(&here, "/", err);
	if (rc < 0)
		return rc;
	rc = rights_find_user(&here, o->agent, &agent, err);
	if (rc == 0 && geteuid() == 0)
		rc = rights_find_user(&here, o->user, &user, err);
	int fd = rc < 0 ? rc : take_handed_on();
	bool handed_on = fd >= 0;
	if (rc == 0 && !handed_on)
		rc = fd = make_socket(o->socket, &agent, err);
	if (rc >= 0)
		rc = rights_settle(&here, geteuid() == 0 ? &user : NULL,
			capabilities_for(codes_of(o->part)), err);
	machine_close(&here);
	return rc < 0 ? rc : serve(p, o, &agent, fd, handed_on, err);
}

enum {
	OPT_PART = 256,
	OPT_SOCKET,
	OPT_AGENT,
	OPT_USER,
	OPT_SMARTCTL,
	OPT_ROOT,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option long_options[] = {
	{"part", required_argument, NULL, OPT_PART},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"agent", required_argument, NULL, OPT_AGENT},
	{"user", required_argument, NULL, OPT_USER},
	{"smartctl", required_argument, NULL, OPT_SMARTCTL},
	{"root", required_argument, NULL, OPT_ROOT},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	const char **const places[] = {
		&o->part, &o->socket, &o->agent, &o->user, &o->smartctl, &o->root};
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option >= OPT_PART && option <= OPT_ROOT) {
			*places[option - OPT_PART] = optarg;
		} else if (option == OPT_VERSION) {
			puts("fenwatch-facts " FW_VERSION);
			return EXIT_SUCCESS;
		} else if (option == OPT_HELP) {
			fputs(help, stdout);
			return EXIT_SUCCESS;
		} else {
			return usage(argv[optind - 1]);
		}
	}
	if (codes_of(o->part) == 0)
		return usage(o->part);
	return optind < argc ? usage(argv[optind]) : -1;
}

int main(int argc, char **argv)
{
	static struct program program;
	struct options options = {
		"all", FACTS_SOCKET, "fenwatch", "fenwatch-facts", FACTS_SMARTCTL, "/"};
	struct fw_err err;
	fw_log_init("fenwatch-facts", FW_INFO);
	int status = parse(argc, argv, &options);
	if (status >= 0)
		return status;
	if (machine_open(&program.machine, options.root, &err) < 0)
		return fail(&err);
	program.machine.recorded = false; /* its programs and devices are asked all the same */
	int rc = run(&program, &options, &err);
	machine_close(&program.machine);
	return rc < 0 ? fail(&err) : EXIT_SUCCESS;
}
