/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "config.h"
#include "enrol.h"
#include "explain.h"
#include "plan.h"
#include "print.h"
#include "run.h"
#include "sampler.h"
#include "spool.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
	"Usage: fenwatch-agent [--config FILE]\n"
	"       fenwatch-agent --check-config [--config FILE]\n"
	"       fenwatch-agent --print [SOURCE...]\n"
	"       fenwatch-agent --explain SOURCE...\n"
	"       fenwatch-agent enrol [--config FILE] [--collector HOST:PORT] [--token-file FILE]\n"
	"       fenwatch-agent spool stat [--config FILE]\n"
	"\n"
	"Watches this machine and sends what it sees to a Fenwatch collector.\n"
	"\n"
	"  --config FILE          configuration, by default " CONFIG_PATH "\n"
	"  --check-config         read the configuration, say what is wrong with it, and end\n"
	"  --sample-config        print a configuration that explains every key\n"
	"  --print [SOURCE...]    read all sources (or these) once, here and now, and print\n"
	"                         them; needs no collector and no enrolment\n"
	"  --explain SOURCE...    what a source reads, why, how often, which series it gives,\n"
	"                         and whether it is on here\n"
	"  --list-sources         name the sources, with what each reads\n"
	"  --privacy              print everything that an agent may send, and what for\n"
	"  --version, --help\n"
	"\n"
	"  enrol                  make a key and have it certified by the collector\n"
	"    --collector HOST:PORT  where; by default the first of the configuration\n"
	"    --token-file FILE      holds a join token ('fenwatch token new --join');\n"
	"                           otherwise it is read from standard input\n"
	"  spool stat             what waits for the collector\n";

struct options {
	const char *config, *collector, *token_file;
	bool check, print, explain;
	char **words;
	int n_words;
};

static int fail(const char *sentence)
{
	char text[512];
	fprintf(stderr, "fenwatch-agent: %s\n", fw_escape(sentence, text, sizeof text));
	return EXIT_FAILURE;
}

static int usage(const char *format, const char *what)
{
	char text[256], sentence[512];
	snprintf(sentence, sizeof sentence, format, fw_escape(what, text, sizeof text));
	fprintf(stderr, "fenwatch-agent: %s; see fenwatch-agent --help\n", sentence);
	return EXIT_USAGE;
}

/* Without --config, these two work on a machine that has no configuration yet. */
static int load(const struct options *o, struct config *config, struct fw_err *err)
{
	if (!o->config && (o->print || o->explain) && access(CONFIG_PATH, F_OK) < 0)
		return config_parse(config, "none", "", 0, err);
	return config_load(config, o->config ? o->config : CONFIG_PATH, err);
}

static int plan_words(const struct options *o, struct source_plan *plans, struct fw_err *err)
{
	if (o->n_words == 0)
		return 0;
	for (size_t i = 0; sources[i]; i++)
		plans[i].on = false;
	for (int i = 0; i < o->n_words; i++) {
		int index = config_find_source(o->words[i], err);
		if (index < 0)
			return index;
		plans[index].on = true;
	}
	return 0;
}

static int command_print(const struct options *o, const struct config *config)
{
	struct fw_err err;
	struct machine machine;
	struct fw_buf text = {0}, inventory = {0};
	struct source_plan *plans = plan_new();
	plan_sources(config, NULL, plans);
	int rc = plan_words(o, plans, &err);
	if (rc >= 0)
		rc = machine_open(&machine, config->root, &err);
	if (rc >= 0) {
		machine.facts = config->facts;
		machine.choices = &config->choices;
		struct sweep *sweep = sampler_once(&machine, plans, o->n_words == 0, &inventory);
		print_sweep(sweep, &text);
		fw_buf_append(&text, inventory.data, inventory.length);
		fwrite(text.data, 1, text.length, stdout);
		sweep_free(sweep);
		machine_close(&machine);
	}
	fw_buf_done(&text);
	fw_buf_done(&inventory);
	fw_free(plans);
	return rc < 0 ? fail(err.text) : EXIT_SUCCESS;
}

static int explain_words(const struct options *o, const struct source_plan *plans,
	struct machine *machine, struct fw_buf *text, struct fw_err *err)
{
	for (int i = 0; i < o->n_words; i++) {
		int index = config_find_source(o->words[i], err);
		if (index < 0)
			return index;
		fw_buf_puts(text, i > 0 ? "\n" : "");
		explain_source(sources[index], &plans[index], machine, text);
	}
	return 0;
}

static int command_explain(const struct options *o, const struct config *config)
{
	struct fw_err err;
	struct machine machine;
	struct fw_buf text = {0};
	if (o->n_words == 0)
		return usage("--explain is followed by %s; --list-sources names them", "SOURCE...");
	struct source_plan *plans = plan_new();
	plan_sources(config, NULL, plans);
	int rc = machine_open(&machine, config->root, &err);
	machine.facts = config->facts;
	if (rc >= 0) {
		machine.choices = &config->choices;
		rc = explain_words(o, plans, &machine, &text, &err);
		machine_close(&machine);
	}
	if (rc >= 0)
		fwrite(text.data, 1, text.length, stdout);
	fw_buf_done(&text);
	fw_free(plans);
	return rc < 0 ? fail(err.text) : EXIT_SUCCESS;
}

static int command_enrol(const struct options *o, const struct config *config)
{
	struct fw_err err;
	if (o->n_words > 1)
		return usage("enrol takes no '%s'; the token comes on standard input", o->words[1]);
	return enrol(config, o->collector, o->token_file, &err) < 0 ? fail(err.text) : EXIT_SUCCESS;
}

static void print_spool(const struct spool_stat *stat)
{
	char size[32], most[32], oldest[32];
	printf("frames waiting   %llu\n", (unsigned long long)stat->frames);
	printf("sweeps waiting   %llu\n", (unsigned long long)stat->sweeps);
	printf("bytes            %s of %s in %llu segments\n",
		fw_format_size(stat->bytes, size, sizeof size),
		fw_format_size(stat->max_bytes, most, sizeof most),
		(unsigned long long)stat->segments);
	printf("oldest           %s\n",
		stat->oldest_ms ? fw_time_format(stat->oldest_ms, oldest, sizeof oldest) : "-");
	printf("dropped          %llu frames, %llu sweeps\n",
		(unsigned long long)stat->dropped_frames, (unsigned long long)stat->dropped_sweeps);
}

static int command_spool(const struct options *o, const struct config *config)
{
	struct fw_err err;
	struct spool *spool;
	struct spool_stat stat;
	bool made;
	if (o->n_words != 2 || strcmp(o->words[1], "stat") != 0)
		return usage("'spool' is followed by stat, not by '%s'",
			o->n_words > 1 ? o->words[1] : "nothing");
	int rc = fw_become_owner(config->data, &err);
	if (rc < 0)
		return fail(err.text);
	char *dir = fw_format("%s/spool", config->data);
	struct spool_config spool_config = plan_spool(config, NULL, dir);
	spool_config.look_only = true;
	rc = spool_open(&spool, &spool_config, &made, &err);
	if (rc >= 0) {
		spool_stat(spool, &stat);
		print_spool(&stat);
		spool_close(spool);
	}
	fw_free(dir);
	return rc < 0 ? fail(err.text) : EXIT_SUCCESS;
}

static int need_collectors(const struct options *o, const struct config *config)
{
	struct fw_err err;
	if (config->collectors.count > 0)
		return 0;
	fw_fail(&err, -EINVAL, "config '%s': 'collectors' is missing: [HOST:PORT, ...]",
		o->config ? o->config : CONFIG_PATH);
	return fail(err.text);
}

static int command_run(const struct config *config)
{
	struct fw_err err;
	prctl(PR_SET_DUMPABLE, 0);
	if (run(config, &err) < 0) {
		fw_log(FW_ERROR, "%s", err.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int command(const struct options *o, const struct config *config)
{
	const char *word = o->n_words > 0 ? o->words[0] : "";
	if (o->print)
		return command_print(o, config);
	if (o->explain)
		return command_explain(o, config);
	if (o->check) {
		int status = need_collectors(o, config);
		if (status == EXIT_SUCCESS)
			puts("The configuration is well.");
		return status;
	}
	if (strcmp(word, "enrol") == 0)
		return command_enrol(o, config);
	if (strcmp(word, "spool") == 0)
		return command_spool(o, config);
	if (word[0])
		return usage("there is no command '%s'", word);
	int status = need_collectors(o, config);
	return status == EXIT_SUCCESS ? command_run(config) : status;
}

static int list_sources(void)
{
	for (size_t i = 0; sources[i]; i++)
		printf("%-16s %s\n", sources[i]->name, sources[i]->help);
	return EXIT_SUCCESS;
}

static int privacy(void)
{
	struct fw_buf text = {0};
	explain_privacy(&text);
	fwrite(text.data, 1, text.length, stdout);
	fw_buf_done(&text);
	return EXIT_SUCCESS;
}

static int sample_config(void)
{
	struct fw_buf text = {0};
	fw_conf_sample(config_table, &text);
	fwrite(text.data, 1, text.length, stdout);
	fw_buf_done(&text);
	return EXIT_SUCCESS;
}

/* The agent is to be small: one arena, memory given back soon, one thread in the
 * loop's pool, and nothing of OpenSSL that it does not use. */
static void stay_small(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
	mallopt(M_TRIM_THRESHOLD, 64 << 10);
	setenv("UV_THREADPOOL_SIZE", "1", 1);
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

enum {
	OPT_CONFIG = 256,
	OPT_CHECK,
	OPT_PRINT,
	OPT_EXPLAIN,
	OPT_PRIVACY,
	OPT_LIST,
	OPT_SAMPLE,
	OPT_VERSION,
	OPT_HELP,
	OPT_COLLECTOR,
	OPT_TOKEN_FILE
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"check-config", no_argument, NULL, OPT_CHECK},
	{"print", no_argument, NULL, OPT_PRINT},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"privacy", no_argument, NULL, OPT_PRIVACY},
	{"list-sources", no_argument, NULL, OPT_LIST},
	{"sample-config", no_argument, NULL, OPT_SAMPLE},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{"collector", required_argument, NULL, OPT_COLLECTOR},
	{"token-file", required_argument, NULL, OPT_TOKEN_FILE},
	{0},
};

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPT_CONFIG:
			o->config = optarg;
			break;
		case OPT_COLLECTOR:
			o->collector = optarg;
			break;
		case OPT_TOKEN_FILE:
			o->token_file = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case OPT_PRINT:
			o->print = true;
			break;
		case OPT_EXPLAIN:
			o->explain = true;
			break;
		case OPT_PRIVACY:
			return privacy();
		case OPT_LIST:
			return list_sources();
		case OPT_SAMPLE:
			return sample_config();
		case OPT_VERSION:
			puts("fenwatch-agent " FW_VERSION);
			return EXIT_SUCCESS;
		case OPT_HELP:
			fputs(help, stdout);
			return EXIT_SUCCESS;
		default:
			return usage("'%s' is not an option or lacks its value", argv[optind - 1]);
		}
	}
	o->words = argv + optind;
	o->n_words = argc - optind;
	return -1;
}

/* A file that could hold only a part of it is no answer to what this machine sends. */
static int check_written(int status)
{
	char sentence[128];
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	snprintf(sentence, sizeof sentence, "what is printed cannot be written: %s",
		fw_strerror(-errno));
	return fail(sentence);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct config config;
	struct fw_err err;
	stay_small();
	fw_log_init("fenwatch-agent", FW_INFO);
	int status = parse(argc, argv, &options);
	if (status >= 0)
		return status;
	if (load(&options, &config, &err) < 0)
		return fail(err.text);
	status = command(&options, &config);
	config_done(&config);
	return check_written(status);
}
