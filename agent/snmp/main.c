/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "credentials.h"
#include "device.h"
#include "devices.h"
#include "discover.h"
#include "library.h"
#include "print.h"
#include "reader.h"
#include "traps.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
	"Usage: fenwatch-snmp [--config FILE]\n"
	"       fenwatch-snmp --check-config [--config FILE]\n"
	"       fenwatch-snmp test HOST [--config FILE]\n"
	"       fenwatch-snmp discover RANGE --credentials FILE [--json | --yaml]\n"
	"       fenwatch-snmp --traps [--check-config] [--config FILE]\n"
	"\n"
	"Reads devices that have no agent over SNMP, and hands the agent beside it what it read.\n"
	"\n"
	"  --config FILE     configuration, by default " DEVICES_PATH "\n"
	"  --check-config    read the configuration, its modules and credentials, say what is\n"
	"                    wrong, and end\n"
	"  --sample-config   print a configuration that explains every key\n"
	"  --traps           take traps and informs instead; its configuration is by default\n"
	"                    " TRAPS_PATH "\n"
	"  --version, --help\n"
	"\n"
	"  test HOST         read the device of this name once, here and now, and print what it\n"
	"                    gave in Prometheus' text format\n"
	"  discover RANGE    ask every address of A-B or A/BITS whether it speaks SNMP, and print\n"
	"                    those that do\n"
	"  --credentials FILE  a user of version 3, or a community; up to 8 times\n"
	"  --rate N          questions a second, by default 50\n"
	"  --port N          by default 161\n"
	"  --v1              tell a community by version 1 instead of 2c\n"
	"  --json, --yaml    for programs, or as lines of `devices` for the configuration\n";

static int fail(const char *sentence)
{
	char text[1024];
	fprintf(stderr, "fenwatch-snmp: %s\n", fw_escape(sentence, text, sizeof text));
	return EXIT_FAILURE;
}

static int usage(const char *format, const char *what)
{
	char text[256], sentence[512];
	snprintf(sentence, sizeof sentence, format, fw_escape(what, text, sizeof text));
	fprintf(stderr, "fenwatch-snmp: %s; see fenwatch-snmp --help\n", sentence);
	return EXIT_USAGE;
}

static void put_out(const struct fw_buf *text)
{
	if (text->length > 0)
		fwrite(text->data, 1, text->length, stdout);
}

/* ---- once ---- */

static int fail_device(const struct device_settings *d, const char *why)
{
	char sentence[1024];
	snprintf(sentence, sizeof sentence, "%.200s at %.255s, port %u: %.500s", d->name, d->host,
		d->port, why);
	return fail(sentence);
}

struct trial {
	struct device *device;
	int status;
};

static void on_tried(struct device *d, struct sweep *sweep, const char *why, void *arg)
{
	struct trial *trial = arg;
	struct fw_buf text = {0};
	char sentence[256];
	if (!sweep) {
		trial->status = fail_device(device_settings(d), why);
		return;
	}
	print_sweep(sweep, &text);
	put_out(&text);
	fw_buf_done(&text);
	snprintf(sentence, sizeof sentence, "it is not read whole: %s", why ? why : "");
	if (why)
		fail_device(device_settings(d), sentence);
}

/* As comments, so that all of it stays in Prometheus' format. */
static bool on_tried_table(
	struct device *d, const char *kind, const struct fw_buf *lines, void *arg)
{
	struct fw_cursor rest = {(char *)lines->data, (char *)lines->data + lines->length}, line;
	(void)d;
	(void)arg;
	while (fw_cut_line(&rest, &line))
		printf("# %s: %.*s\n", kind, (int)(line.end - line.at - 1), line.at + 1);
	return true;
}

static void on_trial_end(struct device *d, void *arg)
{
	(void)arg;
	device_free(d);
}

static int command_test(const struct devices *settings, const char *name)
{
	uv_loop_t loop;
	struct trial trial = {.status = EXIT_SUCCESS};
	const struct device_settings *device = devices_find(settings, name);
	struct device_config config = {.settings = device,
		.once = true,
		.on_read = on_tried,
		.on_table = on_tried_table,
		.on_end = on_trial_end,
		.arg = &trial};
	struct fw_err err;
	if (!device)
		return usage("there is no device '%s' in the configuration", name);
	if (credentials_check(device->credentials, device->version == SNMP_V3, &err) < 0)
		return fail_device(device, err.text);
	uv_loop_init(&loop);
	trial.device = device_new(&loop, &config);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	if (credentials_check_service(device->credentials, &err) < 0)
		fail(err.text);
	return trial.status;
}

/* ---- the configuration, for a person ---- */

static int check_file(const char *path, bool v3)
{
	struct fw_err err;
	bool well = credentials_check(path, v3, &err) >= 0 &&
		credentials_check_service(path, &err) >= 0;
	return well ? EXIT_SUCCESS : fail(err.text);
}

static bool is_like_another(const struct devices *s, size_t i)
{
	size_t k = 0;
	while (strcmp(s->devices[k].credentials, s->devices[i].credentials) != 0 ||
		(s->devices[k].version == SNMP_V3) != (s->devices[i].version == SNMP_V3))
		k++;
	return k < i;
}

static int say_well(int status)
{
	if (status == EXIT_SUCCESS)
		puts("The configuration is well.");
	return status;
}

static int check_devices(const struct devices *s)
{
	int status = EXIT_SUCCESS;
	for (size_t i = 0; i < s->n_devices; i++)
		if (!is_like_another(s, i))
			status |= check_file(
				s->devices[i].credentials, s->devices[i].version == SNMP_V3);
	return say_well(status);
}

static int check_traps(const struct trap_settings *s)
{
	int status = EXIT_SUCCESS;
	for (size_t i = 0; i < s->communities.count; i++)
		status |= check_file(s->communities.items[i], false);
	for (size_t i = 0; i < s->users.count; i++)
		status |= check_file(s->users.items[i], true);
	return say_well(status);
}

/* ---- the command line ---- */

struct options {
	const char *config; /* NULL: the usual one */
	bool check, sample, traps;
	struct discover_settings discover;
	enum discover_form form;
	const char *of_discover; /* an option that no other command has */
	char **words;
	int n_words;
};

static int sample_config(const struct options *o)
{
	struct fw_buf text = {0};
	fw_conf_sample(o->traps ? traps_table : devices_table, &text);
	put_out(&text);
	fw_buf_done(&text);
	return EXIT_SUCCESS;
}

static const char *path_of(const struct options *o)
{
	return o->config ? o->config : DEVICES_PATH;
}

static int command(const struct options *o, struct devices *settings)
{
	const char *word = o->n_words > 0 ? o->words[0] : "";
	struct fw_err err;
	if (o->check)
		return check_devices(settings);
	if (!word[0])
		return reader_run(settings, path_of(o), &err) < 0 ? fail(err.text) : EXIT_SUCCESS;
	if (strcmp(word, "test") != 0)
		return usage("there is no command '%s'", word);
	if (o->n_words != 2)
		return usage("test is followed by %s", "the name of one device");
	return command_test(settings, o->words[1]);
}

static int run_devices(const struct options *o)
{
	struct devices settings;
	struct fw_err err;
	if (devices_read(&settings, path_of(o), &err) < 0)
		return fail(err.text);
	library_start("fenwatch-snmp");
	int status = command(o, &settings);
	devices_done(&settings);
	return status;
}

static int print_discovery(const struct options *o)
{
	struct discovery found;
	struct fw_buf text = {0};
	struct fw_err err;
	if (discover_run(&o->discover, &found, &err) < 0)
		return fail(err.text);
	discover_print(&found, &o->discover, o->form, &text);
	put_out(&text);
	fprintf(stderr, "%u addresses were asked, %zu answered", range_count(&o->discover.range),
		found.n);
	if (found.n_refused > 0)
		fprintf(stderr, ", %u refused every user and password", found.n_refused);
	fputs(".\n", stderr);
	fw_buf_done(&text);
	discover_done(&found);
	return EXIT_SUCCESS;
}

/* What is in the configuration is shown as such, where there is one. */
static int run_discover(struct options *o)
{
	struct devices known;
	struct fw_err err;
	if (o->n_words != 2)
		return usage("discover is followed by %s", "a range, FIRST-LAST or NETWORK/BITS");
	if (range_parse(o->words[1], &o->discover.range, &err) < 0)
		return usage("%s", err.text);
	if (range_count(&o->discover.range) > DISCOVER_ADDRESSES)
		return usage("'%s' has more than 65,536 addresses", o->words[1]);
	if (o->discover.n_credentials == 0)
		return usage("discover needs %s", "--credentials FILE");
	bool has_config = o->config || access(DEVICES_PATH, F_OK) == 0;
	if (has_config && devices_read(&known, path_of(o), &err) < 0)
		return fail(err.text);
	library_start("fenwatch-snmp");
	o->discover.known = has_config ? &known : NULL;
	int status = print_discovery(o);
	if (has_config)
		devices_done(&known);
	return status;
}

static int run_traps(const struct options *o)
{
	struct trap_settings settings;
	struct fw_err err;
	if (o->n_words > 0)
		return usage("with --traps there is no command '%s'", o->words[0]);
	const char *path = o->config ? o->config : TRAPS_PATH;
	if (traps_read(&settings, path, &err) < 0)
		return fail(err.text);
	int status = o->check ? check_traps(&settings) : traps_run(&settings, path);
	traps_done(&settings);
	return status;
}

enum {
	OPT_CONFIG = 256,
	OPT_CHECK,
	OPT_SAMPLE,
	OPT_TRAPS,
	OPT_CREDENTIALS,
	OPT_RATE,
	OPT_PORT,
	OPT_V1,
	OPT_JSON,
	OPT_YAML,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"check-config", no_argument, NULL, OPT_CHECK},
	{"sample-config", no_argument, NULL, OPT_SAMPLE},
	{"traps", no_argument, NULL, OPT_TRAPS},
	{"credentials", required_argument, NULL, OPT_CREDENTIALS},
	{"rate", required_argument, NULL, OPT_RATE},
	{"port", required_argument, NULL, OPT_PORT},
	{"v1", no_argument, NULL, OPT_V1},
	{"json", no_argument, NULL, OPT_JSON},
	{"yaml", no_argument, NULL, OPT_YAML},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static bool take_number(const char *text, uint64_t most, unsigned *out)
{
	uint64_t number;
	if (fw_parse_u64(text, &number) < 0 || number == 0 || number > most)
		return false;
	*out = (unsigned)number;
	return true;
}

/* One of those that belong to discover: NULL, or what is wrong with its value. */
static const char *take_discover(int option, struct discover_settings *d, enum discover_form *form)
{
	switch (option) {
	case OPT_CREDENTIALS:
		if (d->n_credentials == DISCOVER_CREDENTIALS)
			return "--credentials comes at most 8 times, and '%s' is one more";
		d->credentials[d->n_credentials++] = optarg;
		return NULL;
	case OPT_RATE:
		return take_number(optarg, DISCOVER_RATE_MOST, &d->rate)
			? NULL
			: "--rate is 1 to 1000, not '%s'";
	case OPT_PORT:
		return take_number(optarg, UINT16_MAX, &d->port) ? NULL
								 : "--port is 1 to 65535, not '%s'";
	case OPT_V1:
		d->v1 = true;
		return NULL;
	default:
		*form = option == OPT_JSON ? DISCOVER_JSON : DISCOVER_YAML;
		return NULL;
	}
}

static const char *name_of(int option)
{
	const struct option *o = long_options;
	while (o->val != option)
		o++;
	return o->name;
}

static int parse_discover(int option, struct options *o)
{
	const char *wrong = take_discover(option, &o->discover, &o->form);
	o->of_discover = name_of(option);
	return wrong ? usage(wrong, optarg) : -1;
}

/* -1: go on; otherwise the exit status. */
static int parse_option(int option, const char *word, struct options *o)
{
	switch (option) {
	case OPT_CONFIG:
		o->config = optarg;
		return -1;
	case OPT_CHECK:
		o->check = true;
		return -1;
	case OPT_SAMPLE:
		o->sample = true;
		return -1;
	case OPT_TRAPS:
		o->traps = true;
		return -1;
	case OPT_VERSION:
		puts("fenwatch-snmp " FW_VERSION);
		return EXIT_SUCCESS;
	case OPT_HELP:
		fputs(help, stdout);
		return EXIT_SUCCESS;
	case ':':
		return usage("%s needs a value", word);
	case '?':
		return usage("there is no option '%s'", word);
	default:
		return parse_discover(option, o);
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	int option, status = -1;
	while (status < 0 && (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
		status = parse_option(option, argv[optind - 1], o);
	o->words = argv + optind;
	o->n_words = argc - optind;
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {
		.discover = {
			.rate = DISCOVER_RATE, .port = 161, .timeout_ms = DISCOVER_TIMEOUT_MS}};
	fw_log_init("fenwatch-snmp", FW_INFO);
	signal(SIGPIPE, SIG_IGN);
	int status = parse(argc, argv, &options);
	if (status >= 0)
		return status;
	if (options.sample)
		return sample_config(&options);
	if (!options.traps && options.n_words > 0 && strcmp(options.words[0], "discover") == 0)
		return run_discover(&options);
	if (options.of_discover)
		return usage("--%s belongs to discover", options.of_discover);
	return options.traps ? run_traps(&options) : run_devices(&options);
}
