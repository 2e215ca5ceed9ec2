/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <net/if.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/notify.h>

#include "capture_report.h"
#include "listening.h"
#include "sandbox.h"
#include "seen.h"
#include "wire_tap.h"

static const char help[] =
	"Usage: fenwatch-capture [--config FILE]\n"
	"       fenwatch-capture --read FILE.pcap [--names]\n"
	"\n"
	"Hears on network interfaces which services answer how well, who depends on them,\n"
	"which hosts there are, and who still speaks protocols that should be gone; and hands\n"
	"it to the Fenwatch agent of this machine. It looks at headers, and keeps no payload.\n"
	"It listens nowhere until its configuration names an interface, and not on laptops.\n"
	"\n"
	"  --config FILE     by default " CAPTURE_CONFIG "\n"
	"  --check-config    says whether that file is right, and ends\n"
	"  --sample-config   prints a file with every key and what it means\n"
	"  --read FILE.pcap  prints what a recording shows, and ends; needs no right\n"
	"  --names           with --read: names of DNS and TLS too\n"
	"  --version, --help\n";

enum what { LISTEN, CHECK_CONFIG, SAMPLE_CONFIG, READ_FILE };

struct options {
	const char *config, *file;
	enum what what;
	bool names;
};

static int fail(int status, const struct fw_err *err)
{
	fw_log(FW_ERROR, "%s", err->text);
	return status;
}

/* ---- a recording ---- */

struct recording {
	struct watch watch;
	int64_t last_us;
	unsigned seconds;
};

/* Turns as they would have come. */
static void take(const struct packet *p, void *arg)
{
	struct recording *r = arg;
	if (r->last_us != 0 && p->at_us / 1000000 != r->last_us / 1000000)
		watch_turn(&r->watch, p->at_us);
	r->last_us = p->at_us;
	watch_packet(&r->watch, p);
}

static void print_all(struct recording *r)
{
	struct report_facts facts = {.cpu_us = (int64_t)(fw_cpu_ns() / 1000)};
	watch_turn(&r->watch, r->last_us + 60000000);
	const struct recent_totals totals = {.counts = r->watch.counts};
	facts.recent = recent_take(&(struct recent){0}, &totals);
	struct report report;
	report_make(&report, &r->watch, &facts);
	report_print(&report, stdout);
	report_done(&report);
	for (enum seen_kind kind = 0; kind < SEEN_KINDS; kind++) {
		struct fw_buf text;
		seen_write(&text, kind, &r->watch);
		printf("# %s\n", seen_kinds[kind]);
		if (text.length > 0)
			fwrite(text.data, 1, text.length, stdout);
		fw_buf_done(&text);
	}
}

/* Nobody where its package is not installed. */
static int find_reader(struct sandbox_user *user, struct fw_err *err)
{
	int rc = sandbox_find_user(user, SANDBOX_USER, err);
	return rc < 0 ? sandbox_find_user(user, "nobody", err) : rc;
}

/* A file is read with as little as packets are. */
static int read_file(const struct options *o)
{
	static struct recording recording;
	struct sandbox_user user;
	struct wire_tap *tap;
	struct fw_err err;
	int rc = find_reader(&user, &err);
	if (rc == 0)
		rc = wire_tap_open_file(&tap, o->file, &err);
	if (rc < 0)
		return fail(EX_DATAERR, &err);
	if (o->names)
		rc = wire_tap_allow_names(tap, true, &err);
	if (rc == 0)
		rc = sandbox_enter(&user, &err);
	watch_init(&recording.watch, 1, 0);
	while (rc == 0 && (rc = wire_tap_read(tap, 65536, take, &recording, &err)) > 0)
		rc = 0;
	wire_tap_close(tap);
	if (rc == 0)
		print_all(&recording);
	watch_done(&recording.watch);
	return rc < 0 ? fail(EX_DATAERR, &err) : EXIT_SUCCESS;
}

/* ---- interfaces ---- */

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	uv_stop(handle->loop);
}

static int run(
	uv_loop_t *loop, struct listening *l, const struct sandbox_user *user, struct fw_err *err)
{
	uv_signal_t signals[2];
	static const int numbers[2] = {SIGTERM, SIGINT};
	for (int i = 0; i < 2; i++) {
		uv_signal_init(loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, numbers[i]);
	}
	int rc = sandbox_enter(user, err);
	if (rc == 0)
		rc = listening_start(l, err);
	if (rc == 0) {
		fw_notify("READY=1");
		uv_run(loop, UV_RUN_DEFAULT);
		rc = listening_failed(l, err);
	}
	listening_close(l);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&signals[i], NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	return rc;
}

/* What a new start cannot mend has a status of its own, which the unit knows. */
static int status_of(int rc)
{
	return rc == -EPERM                       ? EX_NOPERM
		: rc == -ENOTSUP || rc == -EINVAL ? EX_CONFIG
						  : EXIT_FAILURE;
}

static int listen_to(const struct capture_config *config)
{
	struct listening *l;
	struct sandbox_user user;
	struct fw_err err;
	uv_loop_t loop;
	if (config->interfaces.count == 0) {
		fw_log(FW_INFO, "no interface is configured: nothing is captured");
		fw_notify("READY=1\nSTATUS=no interface is configured");
		return EXIT_SUCCESS; /* that it was ready keeps its unit from trying again */
	}
	int rc = capture_may_listen(config->agent, &err);
	if (rc < 0)
		return fail(EX_NOPERM, &err);
	rc = sandbox_find_user(&user, config->user, &err);
	if (rc < 0)
		return fail(status_of(rc), &err);
	uv_loop_init(&loop);
	rc = listening_open(&l, &loop, config, &err);
	if (rc == 0)
		rc = run(&loop, l, &user, &err);
	uv_loop_close(&loop);
	return rc < 0 ? fail(status_of(rc), &err) : EXIT_SUCCESS;
}

static int print_sample(void)
{
	struct fw_buf text = {0};
	fw_conf_sample(capture_config_table, &text);
	fwrite(text.data, 1, text.length, stdout);
	fw_buf_done(&text);
	return EXIT_SUCCESS;
}

static int find_interface(const char *name, struct fw_err *err)
{
	return strcmp(name, "any") == 0 || if_nametoindex(name) > 0
		? 0
		: fw_fail(err, -ENODEV, "'%s': there is no such interface", name);
}

/* What would keep it from listening, with the status of a start. */
static int check_place(const struct capture_config *config)
{
	struct sandbox_user user;
	struct fw_err err;
	if (config->interfaces.count == 0)
		return EXIT_SUCCESS;
	if (capture_may_listen(config->agent, &err) < 0)
		return fail(EX_NOPERM, &err);
	int rc = sandbox_find_user(&user, config->user, &err);
	for (size_t i = 0; rc == 0 && i < config->interfaces.count; i++)
		rc = find_interface(config->interfaces.items[i], &err);
	return rc < 0 ? fail(status_of(rc), &err) : EXIT_SUCCESS;
}

static int check_config(const struct capture_config *config, const char *path)
{
	struct capture_authority authority;
	struct fw_err err;
	if (capture_authority_load(&authority, config->names, &err) < 0)
		return fail(EX_CONFIG, &err);
	int status = check_place(config);
	if (status == EXIT_SUCCESS)
		printf("%s is right: %zu interfaces, %s\n", path, config->interfaces.count,
			capture_authority_holds(&authority, fw_wall_ms()) ? "names are kept"
									  : "no names");
	return status;
}

static int with_config(const struct options *o)
{
	struct capture_config config;
	struct fw_err err;
	if (capture_config_load(&config, o->config, &err) < 0)
		return fail(EX_CONFIG, &err);
	int status = o->what == LISTEN ? listen_to(&config) : check_config(&config, o->config);
	capture_config_done(&config);
	return status;
}

/* ---- options ---- */

static int usage(const char *what)
{
	char text[256];
	fprintf(stderr,
		"fenwatch-capture: '%s' is not an option or lacks its value; see fenwatch-capture "
		"--help\n",
		fw_escape(what, text, sizeof text));
	return EX_USAGE;
}

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check-config", no_argument, NULL, 'k'},
	{"sample-config", no_argument, NULL, 's'},
	{"read", required_argument, NULL, 'r'},
	{"names", no_argument, NULL, 'n'},
	{"version", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static void take_option(struct options *o, int option)
{
	if (option == 'c')
		o->config = optarg;
	if (option == 'k')
		o->what = CHECK_CONFIG;
	if (option == 's')
		o->what = SAMPLE_CONFIG;
	if (option == 'n')
		o->names = true;
	if (option == 'r') {
		o->what = READ_FILE;
		o->file = optarg;
	}
}

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == '?')
			return usage(argv[optind - 1]);
		if (option == 'v')
			puts("fenwatch-capture " FW_VERSION);
		if (option == 'h')
			fputs(help, stdout);
		if (option == 'v' || option == 'h')
			return EXIT_SUCCESS;
		take_option(o, option);
	}
	if (o->names && o->what != READ_FILE)
		return usage("--names");
	return optind < argc ? usage(argv[optind]) : -1;
}

int main(int argc, char **argv)
{
	struct options options = {.config = CAPTURE_CONFIG};
	fw_log_init("fenwatch-capture", FW_INFO);
	signal(SIGPIPE, SIG_IGN);
	int status = parse(argc, argv, &options);
	if (status >= 0)
		return status;
	switch (options.what) {
	case READ_FILE:
		return read_file(&options);
	case SAMPLE_CONFIG:
		return print_sample();
	default:
		return with_config(&options);
	}
}
