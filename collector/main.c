/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/text.h>

#include "collector.h"
#include "config.h"
#include "report.h"
#include "snapshots.h"
#include "state.h"
#include "store.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
	"Usage: fenwatch-collector [--config FILE]\n"
	"       fenwatch-collector --check-config [--config FILE]\n"
	"       fenwatch-collector store check|stat [--config FILE]\n"
	"       fenwatch-collector store restore [--config FILE] SNAPSHOT\n"
	"       fenwatch-collector rules check|test [--json] FILE...\n"
	"\n"
	"Keeps what agents send, answers questions, raises alerts.\n"
	"\n"
	"  --config FILE      configuration, by default " CONFIG_PATH "\n"
	"  --check-config     read the configuration, say what is wrong with it, and end\n"
	"  --sample-config    print a configuration that explains every key\n"
	"  --json             what 'rules' says, as JSON\n"
	"  --version, --help\n"
	"\n"
	"Without a running collector:\n"
	"  store check        read every block and record, and say what is damaged or missing\n"
	"  store stat         how much is stored, from when to when, and how far it reaches\n"
	"  store restore      check the snapshot in that folder and go on from it, where no\n"
	"                     collector was; the next start makes the rings whole\n"
	"  rules check        say what is wrong with rule files\n"
	"  rules test         run files of tests, as promtool has them\n";

struct options {
	const char *config;
	bool check, sample, json;
	char **words;
	int n_words;
};

static int complain(const char *sentence, int status)
{
	char text[512];
	fprintf(stderr, "fenwatch-collector: %s\n", fw_escape(sentence, text, sizeof text));
	return status;
}

/* 0: go on; otherwise 1 + the exit status. */
static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, 'k'},
		{"sample-config", no_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	*options = (struct options){.config = CONFIG_PATH};
	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (c) {
		case 'c':
			options->config = optarg;
			break;
		case 'k':
			options->check = true;
			break;
		case 's':
			options->sample = true;
			break;
		case 'j':
			options->json = true;
			break;
		case 'v':
			puts("fenwatch-collector " FW_VERSION);
			return 1 + EXIT_SUCCESS;
		case 'h':
			fputs(help, stdout);
			return 1 + EXIT_SUCCESS;
		default:
			return 1 + complain("see fenwatch-collector --help", EXIT_USAGE);
		}
	}
	options->words = argv + optind;
	options->n_words = argc - optind;
	return 0;
}

static int print_sample(void)
{
	struct fw_buf sample = {0};
	fw_conf_sample(config_table, &sample);
	fwrite(sample.data, 1, sample.length, stdout);
	fw_buf_done(&sample);
	return EXIT_SUCCESS;
}

/* ---- store check, store stat ---- */

static void on_fault(const char *sentence, void *arg)
{
	char text[512];
	(void)arg;
	printf("%s\n", fw_escape(sentence, text, sizeof text));
}

static void on_tally(const struct store_tally *tally, void *arg)
{
	char host[300], job[300];
	(void)arg;
	printf("host        %s (%s): %llu sweeps of %u series\n",
		fw_escape(fw_label_value(tally->labels, tally->n_labels, "instance"), host,
			sizeof host),
		fw_escape(fw_label_value(tally->labels, tally->n_labels, "job"), job, sizeof job),
		(unsigned long long)tally->sweeps, tally->schema->n_columns);
}

static void print_tier(const struct store_stat *stat, const struct store_reach reach[STORE_TIERS],
	enum store_tier t)
{
	const struct store_tier_stat *tier = &stat->tiers[t];
	char from[32], to[32], all[32], used[32], warning[256];
	printf("%-11s %s, %s used, %llu blocks\n", reach[t].name,
		fw_format_size(tier->bytes, all, sizeof all),
		fw_format_size(tier->used_bytes, used, sizeof used),
		(unsigned long long)tier->blocks);
	if (tier->blocks > 0)
		printf("%-11s reaches %s to %s\n", "",
			fw_time_format(tier->oldest_ms, from, sizeof from),
			fw_time_format(tier->newest_ms, to, sizeof to));
	if (reach[t].days > 0)
		printf("%-11s holds %.1f days at the load of the last; %.0f are meant\n", "",
			reach[t].days, reach[t].target_days);
	if (store_reach_warning(reach, t, warning, sizeof warning))
		printf("%-11s %s\n", "", warning);
}

static void print_stat(const struct store_stat *stat)
{
	struct store_reach reach[STORE_TIERS];
	store_reach(stat, reach);
	for (int tier = 0; tier < STORE_TIERS; tier++)
		print_tier(stat, reach, (enum store_tier)tier);
	printf("hosts       %llu\n", (unsigned long long)stat->hosts);
	printf("schemas     %llu\n", (unsigned long long)stat->schemas);
	printf("sweeps      %llu\n", (unsigned long long)stat->sweeps);
	printf("samples     %llu\n", (unsigned long long)stat->samples);
	if (stat->packed_samples > 0)
		printf("            %.2f bytes each\n",
			(double)stat->packed_bytes / (double)stat->packed_samples);
	if (stat->log_samples > 0)
		printf("log         %llu of these sweeps and %llu of these samples, in no block yet\n",
			(unsigned long long)stat->log_sweeps,
			(unsigned long long)stat->log_samples);
}

/* As the user of the service: what is left behind must not be root's. */
static int take_data(const struct config *config, struct fw_err *err)
{
	char lock[4096];
	int rc = fw_become_owner(config->data, err);
	snprintf(lock, sizeof lock, "%s/lock", config->data);
	return rc < 0 ? rc : fw_file_lock(lock, err);
}

static int look_at_store(const struct config *config, bool check)
{
	char dir[4096];
	struct store_stat stat = {0};
	struct fw_err err;
	snprintf(dir, sizeof dir, "%s/store", config->data);
	if (access(dir, F_OK) < 0 && errno == ENOENT) { /* nor a folder for a lock */
		fw_fail(&err, -ENOENT, "there is no store in %s", dir);
		return complain(err.text, EXIT_FAILURE);
	}
	int fd = take_data(config, &err);
	if (fd < 0)
		return complain(err.text, EXIT_FAILURE);
	const struct store_inspector inspector = {
		.on_fault = check ? on_fault : NULL,
		.on_tally = check ? on_tally : NULL,
	};
	int faults = store_check(dir, &inspector, &stat, &err);
	fw_close(fd);
	if (faults < 0)
		return complain(err.text, EXIT_FAILURE);
	print_stat(&stat);
	if (check || faults > 0)
		printf("faults      %d%s\n", faults, check ? "" : ": 'store check' names them");
	return check && faults > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int check_store(const struct config *config, const struct options *options)
{
	(void)options;
	return look_at_store(config, true);
}

static int stat_store(const struct config *config, const struct options *options)
{
	(void)options;
	return look_at_store(config, false);
}

static bool on_copied(uint64_t bytes, uint64_t of_bytes, void *arg)
{
	(void)arg;
	if (isatty(STDERR_FILENO) && of_bytes > 0)
		fprintf(stderr, "\r%3.0f %%%s", fmin(100 * (double)bytes / (double)of_bytes, 100),
			bytes >= of_bytes ? "\n" : "");
	return true;
}

static int restore(const struct config *config, const struct options *options)
{
	const char *snapshot = options->words[2];
	struct store_stat stat = {0};
	struct fw_err err;
	int rc = fw_mkdir_all(config->data, 0700);
	if (rc < 0) {
		fw_fail_sys(&err, rc, "cannot make the folder '%s'", config->data);
		return complain(err.text, EXIT_FAILURE);
	}
	int fd = take_data(config, &err);
	if (fd < 0)
		return complain(err.text, EXIT_FAILURE);
	const struct store_inspector inspector = {.on_fault = on_fault};
	const struct store_progress progress = {.on_copied = on_copied};
	rc = snapshots_restore(snapshot, config->data, &inspector, &progress, &stat, &err);
	fw_close(fd);
	if (rc < 0)
		return complain(err.text, EXIT_FAILURE);
	print_stat(&stat);
	return EXIT_SUCCESS;
}

/* ---- rules check, rules test ---- */

static int look_at_rules(const struct options *options)
{
	struct fw_buf out = {0};
	char *const *files = options->words + 2;
	size_t n = (size_t)options->n_words - 2;
	int status = strcmp(options->words[1], "check") == 0
		? rules_check(files, n, options->json, &out)
		: rules_test(files, n, options->json, &out);
	fwrite(out.data, 1, out.length, stdout);
	fw_buf_done(&out);
	return status;
}

/* ---- which command ---- */

static const struct command {
	const char *first, *second;
	int least, most; /* words behind them */
	const char *takes;
	int (*with_config)(const struct config *config, const struct options *options);
	int (*alone)(const struct options *options);
} commands[] = {
	{"store", "check", 0, 0, "nothing more", check_store, NULL},
	{"store", "stat", 0, 0, "nothing more", stat_store, NULL},
	{"store", "restore", 1, 1, "one SNAPSHOT", restore, NULL},
	{"rules", "check", 1, INT_MAX, "one FILE or more", NULL, look_at_rules},
	{"rules", "test", 1, INT_MAX, "one FILE or more", NULL, look_at_rules},
};

/* NULL after a sentence: there is no such command, or not with so many words. */
static const struct command *find_command(const struct options *options)
{
	const char *first = options->words[0];
	const char *second = options->n_words > 1 ? options->words[1] : "";
	int more = options->n_words - 2;
	struct fw_err err;
	fw_fail(&err, -EINVAL, "no command '%s%s%s'; see fenwatch-collector --help", first,
		*second ? " " : "", second);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *command = &commands[i];
		if (strcmp(first, command->first) != 0 || strcmp(second, command->second) != 0)
			continue;
		if (more >= command->least && more <= command->most)
			return command;
		fw_fail(&err, -EINVAL, "'%s %s' takes %s; see fenwatch-collector --help", first,
			second, command->takes);
	}
	complain(err.text, EXIT_USAGE);
	return NULL;
}

static void on_doubt(const char *sentence, void *arg)
{
	char text[512];
	(void)arg;
	fprintf(stderr, "fenwatch-collector: warning: %s\n",
		fw_escape(sentence, text, sizeof text));
}

/* Before the first start there is no state, and not everybody may read it. */
static void doubt_gone(const struct config *config)
{
	struct state *state;
	if (state_open_reader(&state, config->data, NULL) < 0)
		return;
	alert_doubt_gone(state, &config->alerts, on_doubt, NULL);
	state_close(state);
}

/* What the next start will open, beyond what reading the configuration has. */
static int check_files(const struct config *config)
{
	struct api_certificate *certificate = NULL;
	struct fw_err err;
	int rc = 0;
	if (config->api.tls.cert)
		rc = api_certificate_read(
			&certificate, config->api.tls.cert, config->api.tls.key, &err);
	if (rc == 0 && certificate)
		rc = api_certificate_check(certificate, fw_wall_ms(), &err);
	api_certificate_drop(certificate);
	if (rc < 0)
		return complain(err.text, EXIT_FAILURE);
	config_doubts(config, on_doubt, NULL);
	doubt_gone(config);
	puts("The configuration is well.");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options;
	struct config config;
	struct fw_err err;
	int status = read_options(argc, argv, &options);
	if (status > 0)
		return status - 1;
	if (options.sample)
		return print_sample();
	const struct command *command = NULL;
	if (options.n_words > 0 && !(command = find_command(&options)))
		return EXIT_USAGE;
	if (command && command->alone)
		return command->alone(&options);
	fw_log_init("fenwatch-collector", FW_INFO);
	if (config_load(&config, options.config, &err) < 0)
		return complain(err.text, EXIT_FAILURE);
	if (options.check)
		status = check_files(&config);
	else if (command)
		status = command->with_config(&config, &options);
	else
		status = collector_run(&config, options.config);
	config_done(&config);
	return status;
}
