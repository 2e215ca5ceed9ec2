/* SPDX-License-Identifier: Apache-2.0 */
/* Who is logged in, as numbers: no name and no number of a user leaves here. */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utmp.h>

#define SESSIONS "run/systemd/sessions"
#define USERS_LIMIT 1024
#define GROUPS_LIMIT 32

enum { SESSION_COUNT, USERS };

static const struct metric metrics[] = {
	[SESSION_COUNT] = {"node_logind_sessions", FW_GAUGE, "",
		"Number of sessions registered in logind.", 0, 1},
	[USERS] = {"fenwatch_users", FW_GAUGE, "",
		"How many people are logged in: at a desktop (graphical), a text console, or from "
		"elsewhere (remote).",
		0, 1},
};

enum kind { GRAPHICAL, CONSOLE, REMOTE, KINDS };
static const char *const kinds[KINDS] = {"graphical", "console", "remote"};

/* A person with two sessions of one kind counts once; a person is a hash, and only until
 * the count is done. */
struct people {
	uint64_t seen[USERS_LIMIT];
	size_t n;
	int64_t counts[KINDS];
};

static void note_person(struct people *people, const char *who, size_t length, enum kind kind)
{
	uint64_t hash = (14695981039346656037u ^ (uint64_t)kind) * 1099511628211u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)who[i]) * 1099511628211u;
	for (size_t i = 0; i < people->n; i++)
		if (people->seen[i] == hash)
			return;
	if (people->n < USERS_LIMIT)
		people->seen[people->n++] = hash;
	people->counts[kind]++;
}

static void add_people(const struct people *people, struct sweep *out)
{
	for (size_t i = 0; i < KINDS; i++)
		sweep_add(out, &metrics[USERS], people->counts[i], SWEEP_LABELS("kind", kinds[i]));
}

/* ---- logind ---- */

struct session {
	char uid[16], seat[32], type[16], class[24], state[16];
	bool remote;
};

struct group {
	char seat[32], type[16], class[24];
	bool remote;
	int64_t n;
};

struct logind {
	struct people people;
	struct group groups[GROUPS_LIMIT];
	size_t n_groups;
};

static bool cut_value(struct fw_cursor line, const char *key, char *out, size_t size)
{
	if (!fw_cut_literal(&line, key))
		return false;
	snprintf(out, size, "%.*s", (int)(line.end - line.at), line.at);
	return true;
}

static void take_line(struct session *s, const struct fw_cursor *line)
{
	char remote[4];
	if (cut_value(*line, "REMOTE=", remote, sizeof remote))
		s->remote = strcmp(remote, "1") == 0;
	else if (!cut_value(*line, "UID=", s->uid, sizeof s->uid) &&
		!cut_value(*line, "SEAT=", s->seat, sizeof s->seat) &&
		!cut_value(*line, "TYPE=", s->type, sizeof s->type) &&
		!cut_value(*line, "CLASS=", s->class, sizeof s->class))
		cut_value(*line, "STATE=", s->state, sizeof s->state);
}

static void count_session(struct logind *logind, const struct session *s)
{
	size_t i = 0;
	for (; i < logind->n_groups; i++) {
		struct group *g = &logind->groups[i];
		if (strcmp(g->seat, s->seat) == 0 && strcmp(g->type, s->type) == 0 &&
			strcmp(g->class, s->class) == 0 && g->remote == s->remote)
			break;
	}
	if (i == GROUPS_LIMIT)
		return;
	struct group *group = &logind->groups[i];
	if (i == logind->n_groups) {
		*group = (struct group){.remote = s->remote};
		memcpy(group->seat, s->seat, sizeof group->seat);
		memcpy(group->type, s->type, sizeof group->type);
		memcpy(group->class, s->class, sizeof group->class);
		logind->n_groups++;
	}
	group->n++;
}

static enum kind kind_of(const struct session *s)
{
	if (s->remote)
		return REMOTE;
	return strcmp(s->type, "tty") == 0 || strcmp(s->type, "unspecified") == 0 ? CONSOLE
										  : GRAPHICAL;
}

/* Beside the files of sessions lie sockets, "3.ref", which cannot be read. */
static int on_session(struct machine *m, const char *name, void *arg)
{
	struct logind *logind = arg;
	struct session session = {0};
	struct fw_cursor c, line;
	char path[300];
	snprintf(path, sizeof path, SESSIONS "/%.255s", name);
	if (strchr(name, '.') || machine_read(m, path, &c) < 0)
		return 0;
	while (fw_cut_line(&c, &line))
		take_line(&session, &line);
	count_session(logind, &session);
	if (strncmp(session.class, "user", 4) == 0 && strcmp(session.state, "closing") != 0)
		note_person(&logind->people, session.uid, strlen(session.uid), kind_of(&session));
	return 0;
}

static int read_logind(struct machine *m, struct sweep *out)
{
	struct logind logind = {0};
	int rc = machine_list(m, SESSIONS, on_session, &logind);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < logind.n_groups; i++) {
		const struct group *g = &logind.groups[i];
		sweep_add(out, &metrics[SESSION_COUNT], g->n,
			SWEEP_LABELS("class", g->class, "remote", g->remote ? "true" : "false",
				"seat", g->seat, "type", g->type));
	}
	add_people(&logind.people, out);
	return 0;
}

/* ---- utmp, where there is no logind ---- */

static void count_entry(struct people *people, const struct utmp *entry)
{
	bool local = entry->ut_host[0] == '\0' || entry->ut_host[0] == ':';
	if (entry->ut_type != USER_PROCESS || entry->ut_user[0] == '\0')
		return;
	enum kind kind = !local                                        ? REMOTE
		: entry->ut_line[0] == ':' || entry->ut_host[0] == ':' ? GRAPHICAL
								       : CONSOLE;
	note_person(people, entry->ut_user, strnlen(entry->ut_user, sizeof entry->ut_user), kind);
}

static int read_utmp(struct machine *m, struct sweep *out)
{
	struct people people = {0};
	struct utmp entry;
	struct fw_cursor c;
	int rc = machine_read(m, "run/utmp", &c);
	if (rc < 0)
		rc = machine_read(m, "var/run/utmp", &c);
	if (rc < 0)
		return rc;
	for (; c.end - c.at >= (ptrdiff_t)sizeof entry; c.at += sizeof entry) {
		memcpy(&entry, c.at, sizeof entry);
		count_entry(&people, &entry);
	}
	add_people(&people, out);
	return 0;
}

static int read_logins(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = read_logind(m, out);
	if (rc < 0)
		rc = read_utmp(m, out);
	if (rc == -ENOENT)
		return fw_fail(err, -ENODATA, "this machine has no /" SESSIONS " and no utmp");
	return rc < 0 ? fw_fail_sys(err, rc, "/" SESSIONS) : 0;
}

const struct source source_logins = {
	.name = "logins",
	.help = "How many people are logged in, and in which way; never who.",
	.purpose = "Whether a machine may be restarted now without taking somebody's work.",
	.reads = "/run/systemd/sessions, or /run/utmp where that is missing",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_logins,
};
