/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <ares.h>

#include <fenwatch/log.h>
#include <fenwatch/notify.h>

#include "options.h"
#include "outcome.h"
#include "plugins.h"
#include "print.h"
#include "runner.h"
#include "schedule.h"
#include "web.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
	"Usage: fenwatch-check [--config FILE]\n"
	"       fenwatch-check test NAME [--config FILE]\n"
	"       fenwatch-check plugins [--config FILE]\n"
	"\n"
	"Tries what stands on the network (icmp, tcp, tls, http, dns), runs Nagios-style\n"
	"plugins, and hands what it finds to the Fenwatch agent of this machine.\n"
	"\n"
	"  test NAME        reads this check once, here and now, and prints what it gives;\n"
	"                   ends with 0 when it goes well, 1 when not\n"
	"  plugins          runs plugins for who connects to its standard input, as a unit of its\n"
	"                   own starts it, with a user of its own\n"
	"\n"
	"  --config FILE    by default " CHECK_CONFIG "\n"
	"  --check-config   say what is wrong with the configuration, and end\n"
	"  --sample-config  print a configuration that explains every key\n"
	"  --version, --help\n";

struct options {
	const char *config, *test;
	bool check, plugins;
};

struct program {
	uv_loop_t loop;
	uv_signal_t terminated, interrupted, hung_up;
	const char *path;
	struct check_config config;
	uv_timer_t watchdog;
	struct schedule *schedule;
	struct outcome *outcome;
	enum check_state tested;
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
		"fenwatch-check: '%s' is not understood, or lacks its value; see fenwatch-check "
		"--help\n",
		fw_escape(what, text, sizeof text));
	return EXIT_USAGE;
}

/* ---- one check, for a person ---- */

static void on_tested(const struct check_reading *reading, void *arg)
{
	struct program *p = arg;
	struct fw_buf text = {0};
	char line[CHECK_TEXT * 4];
	print_sweep(reading->sweep, &text);
	fwrite(text.data, 1, text.length, stdout);
	fw_buf_done(&text);
	printf("# %s is %s%s%s\n", reading->spec->name, check_state_names[reading->state],
		reading->text[0] ? ": " : "", fw_escape(reading->text, line, sizeof line));
	p->tested = reading->state;
	schedule_close(p->schedule);
	plugins_hang_up();
	web_close();
}

static int test(struct program *p, const struct check_spec *spec)
{
	plugins_open(&p->loop, &p->config, true);
	p->schedule = schedule_once(&p->loop, spec, on_tested, p);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	return p->tested == CHECK_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- running ---- */

static void on_signal(uv_signal_t *handle, int number)
{
	struct program *p = handle->data;
	(void)number;
	if (uv_is_closing((uv_handle_t *)handle))
		return;
	fw_notify("STOPPING=1");
	schedule_close(p->schedule);
	outcome_close(p->outcome);
	plugins_hang_up();
	web_close();
	uv_close((uv_handle_t *)&p->terminated, NULL);
	uv_close((uv_handle_t *)&p->interrupted, NULL);
	uv_close((uv_handle_t *)&p->hung_up, NULL);
	uv_close((uv_handle_t *)&p->watchdog, NULL);
}

static struct schedule *schedule_of(struct program *p, const struct schedule *before)
{
	const struct schedule_plan plan = {
		.specs = p->config.specs,
		.n_specs = p->config.n_specs,
		.most_plugins = (size_t)p->config.most_plugins,
		.sink = outcome_take,
		.arg = p->outcome,
	};
	return schedule_open(&p->loop, &plan, before);
}

/* What runs is left and begins anew; who stays is read when it was to be. */
static void on_hung_up(uv_signal_t *handle, int number)
{
	struct program *p = handle->data;
	struct check_config was = p->config, new;
	struct schedule *before = p->schedule;
	struct fw_err err;
	(void)number;
	if (check_config_load(&new, p->path, false, &err) < 0) {
		fw_log(FW_ERROR, "SIGHUP: %s; the checks stay as they were", err.text);
		return;
	}
	if (strcmp(new.socket, was.socket) != 0)
		fw_log(FW_WARNING, "SIGHUP: 'socket' takes effect with the next start");
	p->config = new;
	outcome_replace(p->outcome, new.specs, new.n_specs);
	p->schedule = schedule_of(p, before);
	schedule_close(before);
	plugins_hang_up();
	check_config_done(&was);
	fw_log(FW_NOTICE, "SIGHUP: there are %zu checks now", p->config.n_specs);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	fw_notify("WATCHDOG=1");
}

static void watch(struct program *p)
{
	uint64_t watchdog_ms = (uint64_t)fw_notify_watchdog_ms();
	uv_signal_init(&p->loop, &p->terminated);
	uv_signal_init(&p->loop, &p->interrupted);
	uv_signal_init(&p->loop, &p->hung_up);
	p->terminated.data = p->interrupted.data = p->hung_up.data = p;
	uv_signal_start(&p->hung_up, on_hung_up, SIGHUP);
	uv_signal_start(&p->terminated, on_signal, SIGTERM);
	uv_signal_start(&p->interrupted, on_signal, SIGINT);
	uv_timer_init(&p->loop, &p->watchdog);
	if (watchdog_ms)
		uv_timer_start(&p->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
}

static int serve(struct program *p, struct fw_err *err)
{
	const struct check_config *config = &p->config;
	int rc = outcome_open(
		&p->outcome, &p->loop, config->socket, config->specs, config->n_specs, err);
	if (rc < 0)
		return rc;
	plugins_open(&p->loop, config, false);
	p->schedule = schedule_of(p, NULL);
	watch(p);
	fw_log(FW_INFO, "fenwatch-check " FW_VERSION " has %zu checks", config->n_specs);
	fw_notify("READY=1");
	uv_run(&p->loop, UV_RUN_DEFAULT);
	return 0;
}

static int run(struct program *p, const struct options *o)
{
	struct fw_err err;
	const struct check_spec *spec =
		o->test ? check_config_find(&p->config, o->test, &err) : NULL;
	int status = EXIT_SUCCESS;
	if (o->test && !spec)
		return fail(&err);
	uv_loop_init(&p->loop);
	signal(SIGPIPE, SIG_IGN);
	if (web_open(&p->loop, &err) < 0)
		return fail(&err);
	if (spec)
		status = test(p, spec);
	else if (serve(p, &err) < 0)
		status = fail(&err);
	uv_loop_close(&p->loop);
	return status;
}

/* ---- running plugins for another ---- */

static int become_user_of_plugins(const struct check_config *config, struct fw_err *err)
{
	struct runner_user user;
	if (geteuid() != 0)
		return 0;
	int rc = runner_find_user(&user, config->plugins_user, err);
	return rc < 0 ? rc : runner_become(&user, err);
}

static int run_plugins(const struct check_config *config)
{
	struct fw_err err;
	int kind;
	socklen_t size = sizeof kind;
	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &kind, &size) < 0 ||
		kind != SOCK_SEQPACKET) {
		fw_fail(&err, -ENOTSOCK,
			"standard input is no connection of fenwatch-check, whose unit "
			"fenwatch-check-plugins starts this");
		return fail(&err);
	}
	if (become_user_of_plugins(config, &err) < 0)
		return fail(&err);
	runner_serve(STDIN_FILENO, config, true);
	return EXIT_SUCCESS;
}

/* ---- the command line ---- */

enum { OPT_CONFIG = 256, OPT_CHECK, OPT_SAMPLE, OPT_VERSION, OPT_HELP };

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"check-config", no_argument, NULL, OPT_CHECK},
	{"sample-config", no_argument, NULL, OPT_SAMPLE},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static int print_sample(void)
{
	struct fw_buf text = {0};
	fw_conf_sample(check_config_table, &text);
	fwrite(text.data, 1, text.length, stdout);
	fw_buf_done(&text);
	return EXIT_SUCCESS;
}

static int say(const char *text)
{
	fputs(text, stdout);
	return EXIT_SUCCESS;
}

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_CONFIG)
			o->config = optarg;
		else if (option == OPT_CHECK)
			o->check = true;
		else if (option == OPT_SAMPLE)
			return print_sample();
		else if (option == OPT_VERSION)
			return say("fenwatch-check " FW_VERSION "\n");
		else if (option == OPT_HELP)
			return say(help);
		else
			return usage(argv[optind - 1]);
	}
	if (argc - optind == 2 && strcmp(argv[optind], "test") == 0)
		o->test = argv[optind + 1];
	else if (argc - optind == 1 && strcmp(argv[optind], "plugins") == 0)
		o->plugins = true;
	else if (optind < argc)
		return usage(argv[optind]);
	return -1;
}

int main(int argc, char **argv)
{
	static struct program program;
	struct options options = {.config = CHECK_CONFIG};
	struct fw_err err;
	fw_log_init("fenwatch-check", FW_INFO);
	int status = parse(argc, argv, &options);
	if (status >= 0)
		return status;
	ares_library_init(ARES_LIB_INIT_ALL);
	program.path = options.config;
	bool own = options.check || options.test;
	if (check_config_load(&program.config, options.config, own, &err) < 0)
		return fail(&err);
	if (options.check)
		status = check_config_files(&program.config, options.config, &err) < 0
			? fail(&err)
			: say("The configuration is well.\n");
	else
		status = options.plugins ? run_plugins(&program.config) : run(&program, &options);
	check_config_done(&program.config);
	return status;
}
