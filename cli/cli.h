/* The command line: its commands, its settings, and how one is run.
 *
 * A command is one row: its words, its arguments, its options, its help. It asks
 * the API and renders the answer's `data`, or has it printed as JSON. What it
 * returns is the exit status.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "screen.h"

enum status { STATUS_WELL, STATUS_BAD_NEWS, STATUS_USAGE, STATUS_NO_ANSWER };

/* What the command line and the environment say. */
struct settings {
	const char *api, *token_file, *ca_file;
	bool json, join, csv, html, force, undo, help;
	const char *at, *from, *to, *step;
	const char *kind, *package, *policy, *limit, *month, *by, *site, *reason, *text, *state;
	const char *role, *supplier, *uses, *ttl, *networks, *serials, *note;
	const char *lasts;
};

struct cli {
	struct settings settings;
	char *token;       /* as it goes out; NULL: none */
	const char *about; /* the file that is asked about: named before what is refused of it */
	const char *next; /* where the last answer said that there is more; in the arena, or NULL */
	struct screen screen;
};

struct command {
	const char *name, *verb; /* verb: "new" of "token new", NULL where there is none */
	const char *args, *help;
	const char *options; /* those it takes beside the general ones, " at from " */
	int min_args, max_args;
	enum status (*run)(struct cli *cli, char **args, int n_args);
};

extern const struct command commands[]; /* ended by one without a name */

/* A sentence to standard error; gives `status` back. */
enum status cli_fail(enum status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- client.c ---- */

struct parameter {
	const char *name, *value; /* without a value it is left out */
};
/* Asks, and gives back the answer's `data`, to be released with json_decref, or
 * NULL when there is none: then the reason was printed and `*status` says how bad
 * it is. `parameters` end with one without a name. Warnings are printed. */
json_t *client_ask(struct cli *cli, const char *method, const char *path,
	const struct parameter *parameters, enum status *status);
/* `text` as one part of a path; in the screen's arena. */
const char *client_escape(struct cli *cli, const char *text);

/* Prints `data` as JSON or as `render` shows it, releases it, and returns what `render` says. */
enum status cli_show(struct cli *cli, json_t *data,
	enum status (*render)(struct screen *screen, const json_t *data));
/* Both in one, for a GET. */
enum status cli_get(struct cli *cli, const char *path, const struct parameter *parameters,
	enum status (*render)(struct screen *screen, const json_t *data));

/* Whether it is any of the forms below. */
bool cli_is_time(const char *text);
/* "-1h" is so long before now, "2026-11-22" the end of that day; what else there is,
 * the API reads. NULL stays NULL. */
const char *cli_time(struct cli *cli, const char *text);
/* The same of the moment with which a stretch begins: "2026-11-22" is the beginning of that day. */
const char *cli_time_from(struct cli *cli, const char *text);

/* ---- commands/ ---- */

enum status command_hosts(struct cli *cli, char **args, int n_args);
enum status command_host(struct cli *cli, char **args, int n_args);
enum status command_inventory(struct cli *cli, char **args, int n_args);
enum status command_licences(struct cli *cli, char **args, int n_args);
enum status command_forget(struct cli *cli, char **args, int n_args);
enum status command_depends(struct cli *cli, char **args, int n_args);
enum status command_devices(struct cli *cli, char **args, int n_args);
enum status command_events(struct cli *cli, char **args, int n_args);
enum status command_retire(struct cli *cli, char **args, int n_args);
enum status command_patches(struct cli *cli, char **args, int n_args);
enum status command_report_compliance(struct cli *cli, char **args, int n_args);
enum status command_advisories_import(struct cli *cli, char **args, int n_args);
enum status command_import(struct cli *cli, char **args, int n_args);
enum status command_advisories_list(struct cli *cli, char **args, int n_args);
enum status command_disks(struct cli *cli, char **args, int n_args);
enum status command_report_capacity(struct cli *cli, char **args, int n_args);
enum status command_alerts(struct cli *cli, char **args, int n_args);
enum status command_tickets(struct cli *cli, char **args, int n_args);
enum status command_ticket_pause(struct cli *cli, char **args, int n_args);
enum status command_ticket_resume(struct cli *cli, char **args, int n_args);
enum status command_report_sla(struct cli *cli, char **args, int n_args);
enum status command_report_tickets(struct cli *cli, char **args, int n_args);
enum status command_audit_list(struct cli *cli, char **args, int n_args);
enum status command_audit_check(struct cli *cli, char **args, int n_args);
enum status command_ack(struct cli *cli, char **args, int n_args);
enum status command_resolve(struct cli *cli, char **args, int n_args);
enum status command_worklist(struct cli *cli, char **args, int n_args);
enum status command_worklist_hand(struct cli *cli, char **args, int n_args);
enum status command_silence_add(struct cli *cli, char **args, int n_args);
enum status command_maintenance(struct cli *cli, char **args, int n_args);
enum status command_silence_list(struct cli *cli, char **args, int n_args);
enum status command_silence_end(struct cli *cli, char **args, int n_args);
enum status command_watch(struct cli *cli, char **args, int n_args);
enum status command_query(struct cli *cli, char **args, int n_args);
enum status command_range(struct cli *cli, char **args, int n_args);
enum status command_series(struct cli *cli, char **args, int n_args);
enum status command_token_new(struct cli *cli, char **args, int n_args);
enum status command_token_list(struct cli *cli, char **args, int n_args);
enum status command_token_revoke(struct cli *cli, char **args, int n_args);
enum status command_agent_list(struct cli *cli, char **args, int n_args);
enum status command_agent_revoke(struct cli *cli, char **args, int n_args);
enum status command_ca_show(struct cli *cli, char **args, int n_args);
enum status command_ca_rollover(struct cli *cli, char **args, int n_args);
enum status command_ca_retire(struct cli *cli, char **args, int n_args);
enum status command_store_stat(struct cli *cli, char **args, int n_args);
enum status command_store_snapshot(struct cli *cli, char **args, int n_args);
enum status command_rules_check(struct cli *cli, char **args, int n_args);
enum status command_rules_replay(struct cli *cli, char **args, int n_args);
enum status command_rules_test(struct cli *cli, char **args, int n_args);
enum status command_feed_list(struct cli *cli, char **args, int n_args);
enum status command_feed_notices(struct cli *cli, char **args, int n_args);
enum status command_feed_letters(struct cli *cli, char **args, int n_args);
enum status command_feed_retry(struct cli *cli, char **args, int n_args);
enum status command_feed_test(struct cli *cli, char **args, int n_args);
enum status command_feed_go(struct cli *cli, char **args, int n_args);
enum status command_feed_rehearse(struct cli *cli, char **args, int n_args);
