/* SPDX-License-Identifier: Apache-2.0 */
#include "silences.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "alert.h"
#include "audit.h"
#include "context.h"
#include "shim.h"
#include "state.h"

#define MATCHERS_MOST 32
#define MATCHER_MOST 1000 /* bytes of one */
#define COMMENT_MOST 1000
#define ACTIVE_MOST 1000 /* silences that have not ended */
#define LONGEST_MS (INT64_C(400) * 24 * 3600 * 1000)

static const char *const steps[] = {
	"CREATE TABLE silence (id INTEGER PRIMARY KEY AUTOINCREMENT, matchers TEXT NOT NULL,"
	"  starts_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, who TEXT NOT NULL,"
	"  comment TEXT NOT NULL) STRICT;"
	"CREATE INDEX silence_ends ON silence (ends_ms)",
	"ALTER TABLE silence ADD COLUMN is_told INTEGER NOT NULL DEFAULT 0;"
	"UPDATE silence SET is_told = ends_ms < unixepoch() * 1000",
};

enum relation { EQUAL, UNEQUAL, LIKE, UNLIKE };

struct matcher {
	char *name, *value;
	enum relation relation;
	struct shim_regex *regex; /* of LIKE and UNLIKE */
};

struct silence {
	struct silence *next; /* newest first */
	int64_t id, starts_ms, ends_ms;
	bool is_told; /* that it is over */
	char *who, *comment;
	struct matcher matchers[MATCHERS_MOST];
	char *texts[MATCHERS_MOST];
	size_t n;
};

struct silences {
	struct state *state;
	struct silence *first;
};

/* ---- one matcher ---- */

static const struct {
	const char *sign;
	enum relation relation;
} relations[] = {{"=~", LIKE}, {"!~", UNLIKE}, {"!=", UNEQUAL}, {"=", EQUAL}};

static bool meets(const struct matcher *matcher, const char *value)
{
	switch (matcher->relation) {
	case EQUAL:
		return strcmp(value, matcher->value) == 0;
	case UNEQUAL:
		return strcmp(value, matcher->value) != 0;
	case LIKE:
		return shim_regex_matches(matcher->regex, value);
	default:
		return !shim_regex_matches(matcher->regex, value);
	}
}

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

/* 'web01' in quotes or without. */
static char *value_of(const char *text)
{
	size_t length = strlen(text);
	bool quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';
	return quoted ? fw_strndup(text + 1, length - 2) : fw_strdup(text);
}

static int compile(struct matcher *matcher, struct fw_err *err)
{
	char why[160];
	if (matcher->relation != LIKE && matcher->relation != UNLIKE)
		return 0;
	matcher->regex = shim_regex_new(matcher->value, why, sizeof why);
	return matcher->regex ? 0
			      : fw_fail(err, -EINVAL, "'%.100s' is no regular expression: %s",
					matcher->value, why);
}

static int parse_matcher(const char *text, struct matcher *out, struct fw_err *err)
{
	size_t length = strspn(text, name_bytes);
	if (length > 0 && fw_is_line(text, MATCHER_MOST))
		for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
			const char *sign = relations[i].sign;
			if (strncmp(text + length, sign, strlen(sign)) != 0)
				continue;
			out->name = fw_strndup(text, length);
			out->relation = relations[i].relation;
			out->value = value_of(text + length + strlen(sign));
			return compile(out, err);
		}
	return fw_fail(err, -EINVAL,
		"'%.100s' is no matcher; write NAME=VALUE, NAME!=VALUE, NAME=~EXPRESSION or NAME!~EXPRESSION",
		text);
}

/* ---- one silence ---- */

static void silence_free(struct silence *silence)
{
	for (size_t i = 0; i < silence->n; i++) {
		fw_free(silence->matchers[i].name);
		fw_free(silence->matchers[i].value);
		shim_regex_free(silence->matchers[i].regex);
		fw_free(silence->texts[i]);
	}
	fw_free(silence->who);
	fw_free(silence->comment);
	fw_free(silence);
}

static int add_matcher(struct silence *silence, const char *text, struct fw_err *err)
{
	if (silence->n == MATCHERS_MOST)
		return fw_fail(err, -EINVAL, "a silence has at most %d matchers", MATCHERS_MOST);
	silence->texts[silence->n] = fw_strdup(text);
	return parse_matcher(text, &silence->matchers[silence->n++], err);
}

static int check_narrow(const struct silence *silence, struct fw_err *err)
{
	for (size_t i = 0; i < silence->n; i++)
		if (!meets(&silence->matchers[i], ""))
			return 0;
	return fw_fail(err, -EINVAL,
		silence->n
			? "every alert would be silenced, whatever labels it has; name one it must have"
			: "what is to be silenced? At least one matcher, as instance=web01");
}

static bool is_met(const struct silence *silence, const struct episode *episode)
{
	for (size_t i = 0; i < silence->n; i++) {
		const struct matcher *matcher = &silence->matchers[i];
		if (!meets(matcher,
			    context_value(&episode->labels, &episode->annotations, matcher->name)))
			return false;
	}
	return true;
}

static bool is_active(const struct silence *silence, int64_t now_ms)
{
	return silence->starts_ms <= now_ms && now_ms < silence->ends_ms;
}

static void name(const struct silence *silence, char why[GATE_WHY])
{
	snprintf(why, GATE_WHY, "silence %lld, by %.60s: %.100s", (long long)silence->id,
		silence->who, silence->comment);
}

bool silences_hold(const struct silences *silences, const struct episode *episode, int64_t now_ms,
	char why[GATE_WHY])
{
	for (const struct silence *s = silences->first; s; s = s->next) {
		if (!is_active(s, now_ms) || !is_met(s, episode))
			continue;
		name(s, why);
		return true;
	}
	return false;
}

static bool is_left(const struct silence *silence, int64_t now_ms)
{
	return !silence->is_told && silence->ends_ms <= now_ms;
}

bool silences_left(const struct silences *silences, const struct episode *episode, int64_t now_ms,
	char why[GATE_WHY])
{
	for (const struct silence *s = silences->first; s; s = s->next) {
		if (!is_left(s, now_ms) || episode->life.starts_ms >= s->ends_ms ||
			!is_met(s, episode))
			continue;
		name(s, why);
		return true;
	}
	return false;
}

bool silences_any_left(const struct silences *silences, int64_t now_ms)
{
	for (const struct silence *s = silences->first; s; s = s->next)
		if (is_left(s, now_ms))
			return true;
	return false;
}

/* ---- as it is written down ---- */

static char *join(const struct silence *silence)
{
	struct fw_buf text = {0};
	for (size_t i = 0; i < silence->n; i++)
		fw_buf_printf(&text, "%s%s", i ? "\n" : "", silence->texts[i]);
	char *copy = fw_strndup((const char *)text.data, text.length);
	fw_buf_done(&text);
	return copy;
}

static int split(struct silence *silence, const char *text, struct fw_err *err)
{
	int rc = 0;
	while (rc == 0 && *text) {
		size_t length = strcspn(text, "\n");
		char *line = fw_strndup(text, length);
		rc = add_matcher(silence, line, err);
		fw_free(line);
		text += length + (text[length] == '\n');
	}
	return rc;
}

static void push(struct silences *silences, struct silence *silence)
{
	silence->next = silences->first;
	silences->first = silence;
}

static int read_silence(struct silences *silences, sqlite3_stmt *row, struct fw_err *err)
{
	struct silence *silence = fw_alloc(sizeof *silence);
	silence->id = sqlite3_column_int64(row, 0);
	silence->starts_ms = sqlite3_column_int64(row, 2);
	silence->ends_ms = sqlite3_column_int64(row, 3);
	silence->who = fw_strdup(state_text(row, 4));
	silence->comment = fw_strdup(state_text(row, 5));
	silence->is_told = sqlite3_column_int(row, 6) != 0;
	int rc = split(silence, state_text(row, 1), err);
	if (rc < 0)
		silence_free(silence);
	else
		push(silences, silence);
	return rc;
}

static int load(struct silences *silences, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(silences->state, &row, err,
		"SELECT id, matchers, starts_ms, ends_ms, who, comment, is_told FROM silence"
		" ORDER BY id",
		"");
	if (rc < 0)
		return rc;
	while ((rc = state_step(silences->state, row, err)) > 0)
		if ((rc = read_silence(silences, row, err)) < 0)
			break;
	state_done(row);
	return rc;
}

/* `kind`: "silenced" or "unsilenced". */
static int write_evidence(struct silences *silences, const struct silence *silence,
	const char *kind, const char *who, int64_t now_ms, struct fw_err *err)
{
	char *matchers = join(silence);
	json_t *detail = json_pack("{sI ss sI sI ss}", "id", (json_int_t)silence->id, "matchers",
		matchers, "starts", (json_int_t)silence->starts_ms, "ends",
		(json_int_t)silence->ends_ms, "comment", silence->comment);
	const struct audit_entry entry = {.at_ms = now_ms, .kind = kind, .subject = "", .who = who};
	int rc = audit_add_object(silences->state, &entry, detail, err);
	fw_free(matchers);
	return rc;
}

static int insert(
	struct silences *silences, struct silence *silence, int64_t now_ms, struct fw_err *err)
{
	int rc = state_begin(silences->state, err);
	if (rc < 0)
		return rc;
	char *matchers = join(silence);
	rc = state_run(silences->state, err,
		"INSERT INTO silence (matchers, starts_ms, ends_ms, who, comment)"
		" VALUES (?, ?, ?, ?, ?)",
		"tiitt", matchers, silence->starts_ms, silence->ends_ms, silence->who,
		silence->comment);
	fw_free(matchers);
	silence->id = sqlite3_last_insert_rowid(state_db(silences->state));
	if (rc == 0)
		rc = write_evidence(silences, silence, "silenced", silence->who, now_ms, err);
	return state_finish(silences->state, rc, err);
}

static int cut_short(struct silences *silences, struct silence *silence, const char *who,
	int64_t now_ms, struct fw_err *err)
{
	int rc = state_begin(silences->state, err);
	if (rc < 0)
		return rc;
	rc = state_run(silences->state, err, "UPDATE silence SET ends_ms = ? WHERE id = ?", "ii",
		now_ms, silence->id);
	if (rc == 0)
		rc = write_evidence(silences, silence, "unsilenced", who, now_ms, err);
	return state_finish(silences->state, rc, err);
}

int silences_write_told(struct silences *silences, int64_t now_ms, struct fw_err *err)
{
	return state_run(silences->state, err,
		"UPDATE silence SET is_told = 1 WHERE is_told = 0 AND ends_ms <= ?", "i", now_ms);
}

void silences_settle(struct silences *silences, int64_t now_ms)
{
	for (struct silence *s = silences->first; s; s = s->next)
		s->is_told |= s->ends_ms <= now_ms;
}

/* ---- for people ---- */

static int check(const struct silences *silences, const struct alert_silence *wanted,
	int64_t now_ms, struct fw_err *err)
{
	size_t active = 0;
	for (const struct silence *s = silences->first; s; s = s->next)
		active += s->ends_ms > now_ms;
	if (active >= ACTIVE_MOST)
		return fw_fail(err, -EINVAL, "there are %d silences; end one first", ACTIVE_MOST);
	if (wanted->ends_ms <= now_ms || wanted->ends_ms <= wanted->starts_ms)
		return fw_fail(
			err, -EINVAL, "a silence must end later than it starts, and than now");
	if (wanted->ends_ms - now_ms > LONGEST_MS)
		return fw_fail(err, -EINVAL, "a silence ends within 400 days");
	if (!wanted->comment || !*wanted->comment || !fw_is_line(wanted->comment, COMMENT_MOST))
		return fw_fail(err, -EINVAL,
			"a silence has a comment that says why: one line of 1 to %d bytes",
			COMMENT_MOST);
	return 0;
}

int silences_add(
	struct silences *silences, struct alert_silence *wanted, int64_t now_ms, struct fw_err *err)
{
	int rc = check(silences, wanted, now_ms, err);
	if (rc < 0)
		return rc;
	struct silence *silence = fw_alloc(sizeof *silence);
	silence->starts_ms = wanted->starts_ms;
	silence->ends_ms = wanted->ends_ms;
	silence->who = fw_strdup(wanted->who);
	silence->comment = fw_strdup(wanted->comment);
	for (size_t i = 0; rc == 0 && i < wanted->n_matchers; i++)
		rc = add_matcher(silence, wanted->matchers[i], err);
	if (rc == 0)
		rc = check_narrow(silence, err);
	if (rc == 0)
		rc = insert(silences, silence, now_ms, err);
	if (rc < 0) {
		silence_free(silence);
		return rc;
	}
	wanted->id = silence->id;
	push(silences, silence);
	return 0;
}

int silences_end(
	struct silences *silences, int64_t id, const char *who, int64_t now_ms, struct fw_err *err)
{
	struct silence *silence = silences->first;
	while (silence && silence->id != id)
		silence = silence->next;
	if (!silence || silence->ends_ms <= now_ms)
		return fw_fail(err, -ENOENT, "there is no silence %lld that could be ended",
			(long long)id);
	int rc = cut_short(silences, silence, who, now_ms, err);
	if (rc == 0)
		silence->ends_ms = now_ms;
	return rc;
}

static struct alert_silence view_of(const struct silence *silence, struct fw_arena *arena)
{
	const char **matchers = fw_arena_alloc(arena, (silence->n + 1) * sizeof *matchers);
	for (size_t i = 0; i < silence->n; i++)
		matchers[i] = fw_arena_strdup(arena, silence->texts[i]);
	return (struct alert_silence){
		.id = silence->id,
		.matchers = matchers,
		.n_matchers = silence->n,
		.starts_ms = silence->starts_ms,
		.ends_ms = silence->ends_ms,
		.who = fw_arena_strdup(arena, silence->who),
		.comment = fw_arena_strdup(arena, silence->comment),
	};
}

void silences_list(const struct silences *silences, int64_t since_ms, struct fw_arena *arena,
	struct alert_silence **out, size_t *n)
{
	size_t room = 1;
	for (const struct silence *s = silences->first; s; s = s->next)
		room++;
	*out = fw_arena_alloc(arena, room * sizeof **out);
	*n = 0;
	for (const struct silence *s = silences->first; s; s = s->next)
		if (s->ends_ms > since_ms)
			(*out)[(*n)++] = view_of(s, arena);
}

int silences_forget(struct silences *silences, int64_t before_ms, struct fw_err *err)
{
	int rc = state_run(
		silences->state, err, "DELETE FROM silence WHERE ends_ms < ?", "i", before_ms);
	for (struct silence **link = &silences->first; rc == 0 && *link;) {
		struct silence *silence = *link;
		if (silence->ends_ms >= before_ms) {
			link = &silence->next;
			continue;
		}
		*link = silence->next;
		silence_free(silence);
	}
	return rc;
}

void silences_close(struct silences *silences)
{
	while (silences && silences->first) {
		struct silence *silence = silences->first;
		silences->first = silence->next;
		silence_free(silence);
	}
	fw_free(silences);
}

int silences_open(struct silences **out, struct state *state, struct fw_err *err)
{
	struct silences *silences = fw_alloc(sizeof *silences);
	silences->state = state;
	int rc = state_migrate(state, "silence", steps, sizeof steps / sizeof *steps, err);
	if (rc == 0)
		rc = load(silences, err);
	if (rc == 0)
		*out = silences;
	else
		silences_close(silences);
	return rc;
}
