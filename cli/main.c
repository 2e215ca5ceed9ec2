/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <curl/curl.h>

#include <fenwatch/clock.h>
#include <fenwatch/err.h>
#include <fenwatch/file.h>
#include <fenwatch/text.h>

#include "cli.h"

#define DEFAULT_API "http://127.0.0.1:7480"
#define TOKEN_LIMIT 4096

/* clang-format off */
const struct command commands[] = {
	{"hosts", NULL, "", "every host with its state", "", 0, 0, command_hosts},
	{"host", NULL, "NAME", "one host on one page; exit status 1 while an alert of it fires", "", 1, 1, command_host},
	{"inventory", NULL, "HOST [--kind KIND] [--at TIME] | --package NAME [--at TIME]", "what a host has, or had; which hosts have a package, in which version", " kind package at ", 0, 1, command_inventory},
	{"licences", NULL, "[NAME] [--at TIME] [--csv | --html]", "installed against entitled, as the register lists licences; exit status 1 where one is over or expired", " at csv html ", 0, 1, command_licences},
	{"forget", NULL, "HOST", "ends a host and all that is kept of it", "", 1, 1, command_forget},
	{"retire", NULL, "[HOST [--reason TEXT | --undo]]", "takes a host out of service: its alerts are closed, its certificate is revoked, what it was stays on record; without HOST the hosts that were retired so", " reason undo ", 0, 1, command_retire},
	{"disks", NULL, "[HOST]", "filesystems, fullest first, and when they fill; arrays, pools, missing mounts", "", 0, 1, command_disks},
	{"patches", NULL, "[HOST [--at TIME]]", "how hosts stand with fixes; of one, each fix and when it is due, exit status 1 unless it is compliant", " at ", 0, 1, command_patches},
	{"report", "capacity", "[--at TIME] [--csv | --html]", "filesystems that are forecast to fill, soonest first, now or as it was on a date in the past", " at csv html ", 0, 0, command_report_capacity},
	{"report", "patch-compliance", "[--at TIME] [--policy POLICY] [--csv | --html]", "every host under every policy, now or on a date in the past", " at policy csv html ", 0, 0, command_report_compliance},
	{"report", "sla", "[--month MONTH | --from TIME --to TIME] [--at TIME] [--supplier NAME] [--site NAME] [--csv | --html]", "who met which target, with every ticket as evidence", " month from to at supplier site csv html ", 0, 0, command_report_sla},
	{"report", "tickets", "[--month MONTH | --from TIME --to TIME] [--at TIME] [--by WORD] [--supplier NAME] [--site NAME] [--csv | --html]", "how many tickets there were: by which rules (the noisy ones first), hosts, sites, suppliers or priorities", " month from to at by supplier site csv html ", 0, 0, command_report_tickets},
	{"advisories", "import", "FILE...", "reads advisories (DSA/list, USN database, OVAL, updateinfo.xml; - is standard input) and hands them to the collector", "", 1, 1000, command_advisories_import},
	{"advisories", "list", "[--package NAME] [--limit N]", "advisories that were imported, newest first", " package limit ", 0, 0, command_advisories_list},
	{"alerts", NULL, "", "what is pending or firing, worst first; exit status 1 while one fires", "", 0, 0, command_alerts},
	{"tickets", NULL, "[--supplier NAME] [--site NAME]", "open tickets and those of the last week; exit status 1 while one has missed the target of its resolution", " supplier site ", 0, 0, command_tickets},
	{"ticket", "pause", "KEY --reason REASON", "stops the clocks of a ticket", " reason ", 1, 1, command_ticket_pause},
	{"ticket", "resume", "KEY", "lets them go on", "", 1, 1, command_ticket_resume},
	{"devices", NULL, "[--state STATE]", "one list of hosts, of devices without an agent, and of what the network shows beside them", " state ", 0, 0, command_devices},
	{"depends", NULL, "HOST [--at TIME]", "who uses the services of a host, as captures have heard it: HOST is its address, or a name of the list of devices or that this machine can look up", " at ", 1, 1, command_depends},
	{"events", NULL, "[HOST] [--kind KIND] [--text TEXT] [--from TIME] [--to TIME] [--limit N]", "what happened: traps, gaps in what agents sent and the like, the latest first", " kind text from to limit ", 0, 1, command_events},
	{"audit", "list", "[KEY] [--from TIME] [--to TIME] [--limit N]", "what happened, to one alert or to all, oldest first", " from to limit ", 0, 1, command_audit_list},
	{"audit", "check", "", "whether the audit trail's chain of hashes holds; exit status 1 where it does not", "", 0, 0, command_audit_check},
	{"ack", NULL, "KEY [--note TEXT]", "acknowledges an alert until it clears; its key, the beginning of it, or a desk's number", " note ", 1, 1, command_ack},
	{"resolve", NULL, "KEY --note TEXT", "closes an alert whose state is unknown; what fires ends by itself alone", " note ", 1, 1, command_resolve},
	{"worklist", "hand", "KEY", "hands one of these to the desk; its key, or the beginning of it", "", 1, 1, command_worklist_hand},
	{"worklist", NULL, "", "what is for the next patch night, or was so when its host first reported: to be planned", "", 0, 0, command_worklist},
	{"silence", "add", "MATCHER... --for DURATION --note TEXT [--from TIME]", "feeds are not told of alerts that meet all matchers: instance=web01 alertname=~Filesystem.*", " for note from ", 1, 32, command_silence_add},
	{"maintenance", NULL, "", "when people work at hosts and sites by the register, and whether now", "", 0, 0, command_maintenance},
	{"silence", "list", "", "silences that have not ended", "", 0, 0, command_silence_list},
	{"silence", "end", "ID", "ends a silence; what still fires is told at once", "", 1, 1, command_silence_end},
	{"watch", NULL, "", "whether the collector is well, in one line, for a check that another machine runs; exit status 0, 1 (warning), 2 (critical, or no answer) or 3 (not known yet)", "", 0, 0, command_watch},
	{"query", NULL, "EXPR [--at TIME]", "what a question gives at a moment", " at ", 1, 1, command_query},
	{"range", NULL, "EXPR --from TIME --to TIME --step DURATION", "what it gives over time; on a terminal a chart", " from to step ", 1, 1, command_range},
	{"series", NULL, "MATCHER", "which series there are", "", 1, 1, command_series},
	{"import", NULL, "FILE...", "sends samples in OpenMetrics' text, each with its time, for back-filling (- is standard input)", "", 1, 1000, command_import},
	{"token", "new", "--join | --role viewer|engineer|admin|supplier|writer [--supplier NAME] [--uses N] [--ttl DURATION] [--networks LIST] [--serials LIST] [--note TEXT]",
		"makes a token, with which an agent enrols or a person asks", " join role supplier uses ttl networks serials note ", 0, 0, command_token_new},
	{"token", "list", "", "tokens, without their secrets", "", 0, 0, command_token_list},
	{"token", "revoke", "ID", "ends a token", "", 1, 1, command_token_revoke},
	{"agent", "list", "", "enrolled agents", "", 0, 0, command_agent_list},
	{"agent", "revoke", "NAME", "ends an agent's trust and its connection", "", 1, 1, command_agent_revoke},
	{"ca", "show", "", "the certificate authority, and which agents have not moved to a new one", "", 0, 0, command_ca_show},
	{"ca", "rollover", "", "makes a new authority beside the old one; agents move to it as they renew", "", 0, 0, command_ca_rollover},
	{"ca", "retire", "[--force]", "ends the old authority; refused while agents have not moved to the new one", " force ", 0, 0, command_ca_retire},
	{"store", "stat", "", "how full the store is, how far back it reaches and will; exit status 1 where that is not far enough", "", 0, 0, command_store_stat},
	{"store", "snapshot", "NAME", "a snapshot on the collector's disk, while it runs; waits for its end", "", 1, 1, command_store_snapshot},
	{"rules", "check", "FILE...", "what is wrong with rule files; exit status 1 where anything is", "", 1, 1000, command_rules_check},
	{"rules", "replay", "FILE|NAME|all --from TIME --to TIME [--step DURATION]", "what a rule file, or the built-in rule of that name or all of them, would have done over what is stored: when each alert was pending, fired and ended; exit status 1 where a rule failed", " from to step ", 1, 1, command_rules_replay},
	{"rules", "test", "FILE...", "runs files of tests, as promtool has them; exit status 1 where one fails", "", 1, 1000, command_rules_test},
	{"feed", "list", "", "where notices go, how that is going, and what a rehearsal would have cost", "", 0, 0, command_feed_list},
	{"feed", "notices", "NAME [--limit N]", "what a feed was, is and would have been told, newest first, with receipts", " limit ", 1, 1, command_feed_notices},
	{"feed", "letters", "NAME [--limit N]", "what its receiver has refused", " limit ", 1, 1, command_feed_letters},
	{"feed", "retry", "NAME [ID]", "sends again what was refused, all or one", "", 1, 2, command_feed_retry},
	{"feed", "test", "NAME", "opens and closes an alert there, in rehearsal too; exit status 1 unless both are delivered", "", 1, 1, command_feed_test},
	{"feed", "go", "NAME", "ends a feed's rehearsal: what opens is sent from now on, and what goes on", "", 1, 1, command_feed_go},
	{"feed", "rehearse", "NAME", "begins one: what opens is recorded and not sent", "", 1, 1, command_feed_rehearse},
	{0},
};

static const struct {
	const char *name, *arg, *help;
	size_t offset;
	bool is_flag, is_general;
} options[] = {
	{"api", "URL", "the collector (FENWATCH_API; " DEFAULT_API ")", offsetof(struct settings, api), false, true},
	{"token-file", "FILE", "a file that holds the token (otherwise FENWATCH_TOKEN)", offsetof(struct settings, token_file), false, true},
	{"ca-file", "FILE", "authorities that vouch for an https:// collector, in PEM (FENWATCH_CA_FILE; those of the system)", offsetof(struct settings, ca_file), false, true},
	{"json", "", "the data of the collector's answer, as JSON", offsetof(struct settings, json), true, true},
	{"help", "", "this, or what a command does", offsetof(struct settings, help), true, true},
	{"at", "TIME", "RFC 3339, a date (its end, in UTC), seconds since 1970, or a duration back: -1h (now)", offsetof(struct settings, at), false, false},
	{"kind", "KIND", "of inventory: packages, patches, hardware, peers or what programs beside the agent tell (wire, clients, ..); of events: trap, gap (all of them)", offsetof(struct settings, kind), false, false},
	{"package", "NAME", "a package, NAME:ARCHITECTURE, or NAME* for all that begin so", offsetof(struct settings, package), false, false},
	{"policy", "POLICY", "ce14, ncsc5 or ncsc7 (all of them)", offsetof(struct settings, policy), false, false},
	{"csv", "", "as CSV", offsetof(struct settings, csv), true, false},
	{"html", "", "as a page of HTML, with charts", offsetof(struct settings, html), true, false},
	{"month", "MONTH", "2026-11 (otherwise the last 30 days)", offsetof(struct settings, month), false, false},
	{"by", "WORD", "rule, host, site, supplier or priority (rule)", offsetof(struct settings, by), false, false},
	{"site", "NAME", "of this site alone", offsetof(struct settings, site), false, false},
	{"state", "STATE", "managed, quiet (silent but on the wire), silent or unmanaged (all of them)", offsetof(struct settings, state), false, false},
	{"text", "TEXT", "in the name or the value of some field", offsetof(struct settings, text), false, false},
	{"reason", "REASON", "why; of a pause: user, third-party, access or agreed", offsetof(struct settings, reason), false, false},
	{"limit", "N", "at most so many (50; of events 200, of the audit trail 1,000)", offsetof(struct settings, limit), false, false},
	{"from", "TIME", "the first moment; of a date its beginning", offsetof(struct settings, from), false, false},
	{"to", "TIME", "the last moment; of a date its end", offsetof(struct settings, to), false, false},
	{"step", "DURATION", "from one moment to the next: 15s, 5m, 1h", offsetof(struct settings, step), false, false},
	{"for", "DURATION", "how long: 30m, 2h, 7d", offsetof(struct settings, lasts), false, false},
	{"join", "", "a token with which an agent enrols", offsetof(struct settings, join), true, false},
	{"role", "ROLE", "a token with which a person or program asks: viewer, engineer, admin, supplier, writer", offsetof(struct settings, role), false, false},
	{"supplier", "NAME", "a supplier as the register names it: whose hosts a token may see, whose tickets are meant", offsetof(struct settings, supplier), false, false},
	{"uses", "N", "how many agents may enrol with it (1)", offsetof(struct settings, uses), false, false},
	{"ttl", "DURATION", "how long it lives (join: 15m; others: until revoked)", offsetof(struct settings, ttl), false, false},
	{"force", "", "leave behind who has not moved: they must enrol anew", offsetof(struct settings, force), true, false},
	{"undo", "", "it is in service again, and its agent may send", offsetof(struct settings, undo), true, false},
	{"networks", "LIST", "from where: 10.1.0.0/16,10.2.0.0/16", offsetof(struct settings, networks), false, false},
	{"serials", "LIST", "for which machines: ABC123,DEF456", offsetof(struct settings, serials), false, false},
	{"note", "TEXT", "what it is for, or why", offsetof(struct settings, note), false, false},
};
/* clang-format on */
#define N_OPTIONS (sizeof options / sizeof *options)

/* ---- help ---- */

static bool takes(const struct command *command, const char *option)
{
	char word[32];
	snprintf(word, sizeof word, " %s ", option);
	return strstr(command->options, word) != NULL;
}

static void print_options(const struct command *command)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (command ? takes(command, options[i].name) : options[i].is_general)
			printf("  --%s%s%s\n      %s\n", options[i].name,
				*options[i].arg ? " " : "", options[i].arg, options[i].help);
}

static void print_usage(const struct command *c)
{
	printf("  %s%s%s%s%s\n      %s\n", c->name, c->verb ? " " : "", c->verb ? c->verb : "",
		*c->args ? " " : "", c->args, c->help);
}

static enum status fail_option(const char *word)
{
	const char *names[N_OPTIONS];
	for (size_t i = 0; i < N_OPTIONS; i++)
		names[i] = options[i].name;
	const char *nearest = fw_nearest(word + strspn(word, "-"), names, N_OPTIONS);
	if (nearest)
		return cli_fail(
			STATUS_USAGE, "unknown option '%s'; did you mean '--%s'?", word, nearest);
	return cli_fail(STATUS_USAGE, "unknown option '%s'; see fenwatch --help", word);
}

/* Of letters behind one sign getopt is still at the word, which may be a question: "-sum(up)". */
static enum status fail_word(char *const *argv)
{
	const char *word = argv[optind];
	if (!optopt || !word || word[0] != '-' || word[1] != optopt)
		return fail_option(argv[optind - 1]);
	return cli_fail(STATUS_USAGE,
		"unknown option '%s'; what begins with a sign and is none goes behind '--'", word);
}

static enum status print_help(const char *name)
{
	printf("fenwatch asks a Fenwatch collector.\n\nUsage: fenwatch [OPTION...] COMMAND [ARGUMENT...]\n\n");
	for (const struct command *c = commands; c->name; c++) {
		if (name && strcmp(name, c->name) != 0)
			continue;
		print_usage(c);
		if (name)
			print_options(c);
	}
	printf("\nOptions of all commands:\n");
	print_options(NULL);
	printf("\nExit status: 0 well; 1 the answer is bad news; 2 wrong use; 3 no answer or not allowed.\n");
	return STATUS_WELL;
}

/* ---- the command line ---- */

static void set_option(struct settings *settings, size_t i, const char *value)
{
	char *at = (char *)settings + options[i].offset;
	if (options[i].is_flag)
		*(bool *)(void *)at = true;
	else
		*(const char **)(void *)at = value;
}

/* 0, or the exit status of a mistake; -1: the version was asked for. */
static int read_options(int argc, char **argv, struct settings *settings, bool given[N_OPTIONS])
{
	struct option table[N_OPTIONS + 2] = {{0}};
	for (size_t i = 0; i < N_OPTIONS; i++)
		table[i] = (struct option){options[i].name,
			options[i].is_flag ? no_argument : required_argument, NULL, (int)i + 1000};
	table[N_OPTIONS] = (struct option){"version", no_argument, NULL, 'V'};
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, ":h", table, NULL)) != -1;) {
		if (c == 'V')
			return -1;
		if (c == 'h')
			settings->help = true;
		else if (c == ':')
			return (int)cli_fail(
				STATUS_USAGE, "option '%s' needs a value", argv[optind - 1]);
		else if (c == '?')
			return (int)fail_word(argv);
		else {
			set_option(settings, (size_t)c - 1000, optarg);
			given[c - 1000] = true;
		}
	}
	return 0;
}

static bool is_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return true;
	return false;
}

static enum status fail_unknown(const char *word)
{
	const char *names[64];
	size_t n = 0;
	for (const struct command *c = commands; c->name && n < 64; c++)
		names[n++] = c->name;
	const char *nearest = fw_nearest(word, names, n);
	if (nearest)
		return cli_fail(
			STATUS_USAGE, "unknown command '%s'; did you mean '%s'?", word, nearest);
	return cli_fail(STATUS_USAGE, "unknown command '%s'; see fenwatch --help", word);
}

/* Of all commands, or of those of this name. */
static enum status give_help(const char *name)
{
	return name && !is_command(name) ? fail_unknown(name) : print_help(name);
}

/* The command is known by its first word, and the second is none of its. */
static enum status fail_verb(const char *name)
{
	char verbs[128] = "";
	size_t used = 0;
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0 && used < sizeof verbs)
			used += (size_t)snprintf(verbs + used, sizeof verbs - used, "%s%s",
				used ? ", " : "", c->verb);
	return cli_fail(STATUS_USAGE, "fenwatch %s needs one of these words: %s", name, verbs);
}

/* The command that `args` name, which move behind its words; NULL after a sentence. */
static const struct command *find_command(char ***args, int *n)
{
	const char *name = (*args)[0], *verb = *n > 1 ? (*args)[1] : "";
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->name, name) != 0 || (c->verb && strcmp(c->verb, verb) != 0))
			continue;
		*args += c->verb ? 2 : 1;
		*n -= c->verb ? 2 : 1;
		return c;
	}
	if (is_command(name))
		fail_verb(name);
	else
		fail_unknown(name);
	return NULL;
}

static enum status check_times(const struct settings *settings, const bool given[N_OPTIONS])
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const char *at = (const char *)settings + options[i].offset;
		if (!given[i] || strcmp(options[i].arg, "TIME") != 0)
			continue;
		const char *text = *(const char *const *)(const void *)at;
		if (!cli_is_time(text))
			return cli_fail(STATUS_USAGE,
				"--%s '%s' is no time; one is 2026-11-22T10:00:00Z, 2026-11-22, seconds since 1970, or -1h for an hour ago",
				options[i].name, text);
	}
	return STATUS_WELL;
}

static enum status check_use(const struct command *c, int n_args, const struct settings *settings,
	const bool given[N_OPTIONS])
{
	const char *verb = c->verb ? c->verb : "", *space = c->verb ? " " : "";
	if (n_args < c->min_args || n_args > c->max_args)
		return cli_fail(STATUS_USAGE, "usage: fenwatch %s%s%s%s%s", c->name, space, verb,
			*c->args ? " " : "", c->args);
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (given[i] && !options[i].is_general && !takes(c, options[i].name))
			return cli_fail(STATUS_USAGE, "fenwatch %s%s%s takes no option '--%s'",
				c->name, space, verb, options[i].name);
	if (settings->csv + settings->html + settings->json > 1)
		return cli_fail(STATUS_USAGE, "--csv, --html or --json, not several of them");
	return check_times(settings, given);
}

/* ---- running ---- */

static enum status read_token(struct cli *cli)
{
	struct fw_buf text = {0};
	struct fw_err err;
	const char *from_environment = getenv("FENWATCH_TOKEN");
	if (cli->settings.token_file) {
		if (fw_file_read(cli->settings.token_file, TOKEN_LIMIT, &text, &err) < 0) {
			fw_buf_done(&text);
			return cli_fail(STATUS_USAGE, "token: %s", err.text);
		}
		cli->token = fw_strndup((const char *)text.data,
			text.length ? strcspn((const char *)text.data, " \t\r\n") : 0);
		explicit_bzero(text.data, text.length);
		fw_buf_done(&text);
	} else if (from_environment && *from_environment) {
		cli->token = fw_strdup(from_environment);
	}
	for (const char *c = cli->token; c && *c; c++)
		if (*c < '!' || *c > '~')
			return cli_fail(
				STATUS_USAGE, "the token has a character that no token has");
	return STATUS_WELL;
}

static void look_at_terminal(struct screen *s)
{
	struct winsize size;
	if (!isatty(STDOUT_FILENO))
		return;
	const char *terminal = getenv("TERM");
	s->colour = !getenv("NO_COLOR") && !(terminal && strcmp(terminal, "dumb") == 0);
	s->charts = strcmp(setlocale(LC_CTYPE, "") ? nl_langinfo(CODESET) : "", "UTF-8") == 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		s->width = size.ws_col;
}

static enum status run(struct cli *cli, const struct command *command, char **args, int n_args)
{
	enum status status = read_token(cli);
	if (status == STATUS_WELL) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		look_at_terminal(&cli->screen);
		cli->screen.form = cli->settings.csv ? FORM_CSV
			: cli->settings.html         ? FORM_HTML
						     : FORM_TEXT;
		status = command->run(cli, args, n_args);
		curl_global_cleanup();
	}
	if (cli->screen.out.length)
		fwrite(cli->screen.out.data, 1, cli->screen.out.length, stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		status = cli_fail(
			STATUS_NO_ANSWER, "cannot write the answer: %s", fw_strerror(-errno));
	if (cli->token)
		explicit_bzero(cli->token, strlen(cli->token));
	fw_free(cli->token);
	screen_done(&cli->screen);
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli = {.screen = {.now_ms = fw_wall_ms()}};
	bool given[N_OPTIONS] = {false};
	const char *api = getenv("FENWATCH_API");
	cli.settings.api = api && *api ? api : DEFAULT_API;
	cli.settings.ca_file = getenv("FENWATCH_CA_FILE");
	int rc = read_options(argc, argv, &cli.settings, given);
	if (rc < 0)
		return printf("fenwatch " FW_VERSION "\n") < 0;
	if (rc > 0)
		return rc;
	char **args = argv + optind;
	int n_args = argc - optind;
	if (n_args > 0 && strcmp(args[0], "help") == 0)
		return (int)give_help(args[1]);
	if (cli.settings.help)
		return (int)give_help(args[0]);
	if (n_args == 0)
		return (int)cli_fail(STATUS_USAGE, "which command? See fenwatch --help");
	const struct command *command = find_command(&args, &n_args);
	if (!command)
		return STATUS_USAGE;
	enum status status = check_use(command, n_args, &cli.settings, given);
	return (int)(status ? status : run(&cli, command, args, n_args));
}
