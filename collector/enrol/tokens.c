/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (24 * 60 * MINUTE_MS)
#define JOIN_DEFAULT_MS (15 * MINUTE_MS)
#define JOIN_UNBOUND_MS DAY_MS
#define JOIN_BOUND_MS (30 * DAY_MS)
#define TEXT_LIMIT 4096 /* of networks, serials and the note */

const char *const enrol_role_names[] = {
	"viewer", "supplier", "engineer", "admin", "join", "writer", NULL};

/* ---- the copy in memory ---- */

static void token_free(struct token *token)
{
	fw_free((char *)token->facts.note);
	fw_free((char *)token->facts.networks);
	fw_free((char *)token->facts.serials);
	fw_free((char *)token->facts.supplier);
	fw_free(token);
}

static void keep(struct enrol *enrol, const struct enrol_token *facts, const uint8_t hash[32])
{
	struct token *token = fw_alloc(sizeof *token);
	token->facts = *facts;
	token->facts.note = fw_strdup(facts->note);
	token->facts.networks = fw_strdup(facts->networks);
	token->facts.serials = fw_strdup(facts->serials);
	token->facts.supplier = fw_strdup(facts->supplier);
	memcpy(token->hash, hash, sizeof token->hash);
	enrol->tokens = fw_realloc(enrol->tokens, (enrol->n_tokens + 1) * sizeof *enrol->tokens);
	enrol->tokens[enrol->n_tokens++] = token;
}

static void forget(struct enrol *enrol, size_t i)
{
	token_free(enrol->tokens[i]);
	enrol->tokens[i] = enrol->tokens[--enrol->n_tokens];
}

/* Looks at every token whatever it finds, so that the time tells nothing. */
static struct token *find(struct enrol *enrol, const char *text)
{
	uint8_t hash[32];
	fw_sha256(text, strlen(text), hash);
	struct token *found = NULL;
	for (size_t i = 0; i < enrol->n_tokens; i++)
		if (fw_same_secret(hash, enrol->tokens[i]->hash, sizeof hash))
			found = enrol->tokens[i];
	return found;
}

static bool is_expired(const struct enrol_token *token, int64_t now_ms)
{
	return token->expires_ms != 0 && now_ms >= token->expires_ms;
}

/* ---- new ones ---- */

static int check_join(struct enrol_token *token, int64_t now_ms, struct fw_err *err)
{
	if (token->uses_left == 0)
		token->uses_left = 1;
	if (token->expires_ms == 0)
		token->expires_ms = now_ms + JOIN_DEFAULT_MS;
	bool bound = token->uses_left > 0 || *token->networks || *token->serials;
	if (token->expires_ms > now_ms + (bound ? JOIN_BOUND_MS : JOIN_UNBOUND_MS))
		return fw_fail(err, -EINVAL, "%s",
			bound ? "a join token lives at most 30 d"
			      : "a join token for any number of uses lives at most 24 h; bind it to a "
				"count, networks or serial numbers for up to 30 d");
	return networks_check(token->networks, err);
}

/* Fills in what was left open and refuses what may not be. */
static int complete(struct enrol_token *token, int64_t now_ms, struct fw_err *err)
{
	if (!token->note)
		token->note = "";
	if (!token->networks)
		token->networks = "";
	if (!token->serials)
		token->serials = "";
	if (!token->supplier)
		token->supplier = "";
	if (strlen(token->note) > TEXT_LIMIT || strlen(token->networks) > TEXT_LIMIT ||
		strlen(token->serials) > TEXT_LIMIT || strlen(token->supplier) > TEXT_LIMIT)
		return fw_fail(err, -EINVAL,
			"a token's note, networks, serials and supplier have at most %d bytes",
			TEXT_LIMIT);
	if ((token->role == ROLE_SUPPLIER) != (*token->supplier != '\0'))
		return fw_fail(err, -EINVAL, "%s",
			*token->supplier ? "only a token of role supplier has a supplier"
					 : "a token of role supplier needs the supplier's name");
	if (token->expires_ms != 0 && token->expires_ms <= now_ms)
		return fw_fail(err, -EINVAL, "the token would have expired before it was made");
	token->made_ms = now_ms;
	if (token->role == ROLE_JOIN)
		return check_join(token, now_ms, err);
	if (*token->networks || *token->serials || token->uses_left > 0)
		return fw_fail(err, -EINVAL,
			"only a join token is bound to networks, serials or a number of uses");
	token->uses_left = -1;
	return 0;
}

/* A text that only its holder knows; for joining it says also which CA to trust. */
static void make_text(const struct enrol *enrol, enum enrol_role role, char *text, size_t size)
{
	uint8_t secret[ENROL_SECRET_BYTES], fingerprint[FW_FINGERPRINT];
	char secret_hex[2 * ENROL_SECRET_BYTES + 1], fingerprint_hex[2 * FW_FINGERPRINT + 1];
	fw_random(secret, sizeof secret);
	fw_hex(secret, sizeof secret, secret_hex);
	if (role == ROLE_JOIN) {
		enrol_ca_fingerprint(enrol, fingerprint);
		fw_hex(fingerprint, sizeof fingerprint, fingerprint_hex);
		snprintf(text, size, "fwj1-%s-%s", fingerprint_hex, secret_hex);
	} else {
		snprintf(text, size, "fwt1-%s", secret_hex);
	}
	explicit_bzero(secret, sizeof secret);
	explicit_bzero(secret_hex, sizeof secret_hex);
}

static int insert(
	struct enrol *enrol, struct enrol_token *token, const char *text, struct fw_err *err)
{
	uint8_t hash[32];
	fw_sha256(text, strlen(text), hash);
	struct state *state = enrol->config.state;
	int rc = state_run(state, err,
		"INSERT INTO token (role, note, hash, made_ms, expires_ms, uses_left, networks,"
		" serials, supplier) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"itbiiittt", (int64_t)token->role, token->note, (const void *)hash, sizeof hash,
		token->made_ms, token->expires_ms, token->uses_left, token->networks,
		token->serials, token->supplier);
	if (rc < 0)
		return rc;
	token->id = sqlite3_last_insert_rowid(state_db(state));
	keep(enrol, token, hash);
	return 0;
}

int enrol_token_new(struct enrol *enrol, const struct enrol_token *wanted, int64_t now_ms,
	char *text, size_t size, int64_t *id, struct fw_err *err)
{
	assert(size >= 160);
	struct enrol_token token = *wanted;
	int rc = complete(&token, now_ms, err);
	if (rc < 0)
		return rc;
	make_text(enrol, token.role, text, size);
	rc = insert(enrol, &token, text, err);
	if (rc < 0)
		return rc;
	*id = token.id;
	fw_log(FW_NOTICE, "token %" PRId64 " made: %s '%s'", token.id, enrol_role_names[token.role],
		token.note);
	return 0;
}

int enrol_token_revoke(struct enrol *enrol, int64_t id, int64_t now_ms, struct fw_err *err)
{
	(void)now_ms;
	for (size_t i = 0; i < enrol->n_tokens; i++) {
		if (enrol->tokens[i]->facts.id != id)
			continue;
		int rc = state_run(
			enrol->config.state, err, "DELETE FROM token WHERE id = ?", "i", id);
		if (rc < 0)
			return rc;
		forget(enrol, i);
		fw_log(FW_NOTICE, "token %" PRId64 " revoked", id);
		return 0;
	}
	return fw_fail(
		err, -ENOENT, "there is no token %" PRId64 "; see 'fenwatch token list'", id);
}

int enrol_tokens(struct enrol *enrol, struct fw_arena *arena, struct enrol_token **out, size_t *n,
	struct fw_err *err)
{
	(void)err;
	*out = fw_arena_alloc(arena, enrol->n_tokens * sizeof **out);
	*n = enrol->n_tokens;
	for (size_t i = 0; i < *n; i++) {
		const struct enrol_token *facts = &enrol->tokens[i]->facts;
		(*out)[i] = *facts;
		(*out)[i].note = fw_arena_strdup(arena, facts->note);
		(*out)[i].networks = fw_arena_strdup(arena, facts->networks);
		(*out)[i].serials = fw_arena_strdup(arena, facts->serials);
		(*out)[i].supplier = fw_arena_strdup(arena, facts->supplier);
	}
	return 0;
}

/* ---- what they open ---- */

static const char *who_has(const struct enrol_token *facts, struct fw_arena *arena)
{
	return *facts->note
		? fw_arena_format(arena, "%.200s (token %lld)", facts->note, (long long)facts->id)
		: fw_arena_format(arena, "token %lld", (long long)facts->id);
}

int enrol_token_caller(struct enrol *enrol, const char *text, int64_t now_ms,
	struct fw_arena *arena, struct enrol_caller *out)
{
	const struct token *token = find(enrol, text);
	if (!token || is_expired(&token->facts, now_ms) || token->facts.role == ROLE_JOIN)
		return -EACCES;
	*out = (struct enrol_caller){
		.role = token->facts.role,
		.supplier = fw_arena_strdup(arena, token->facts.supplier),
		.who = who_has(&token->facts, arena),
	};
	return 0;
}

static bool lists(const char *list, const char *word)
{
	size_t wanted = strlen(word);
	while (*list) {
		size_t length = strcspn(list, ",");
		if (wanted > 0 && length == wanted && strncasecmp(list, word, length) == 0)
			return true;
		list += length;
		list += *list == ',';
	}
	return false;
}

int token_admits(struct enrol *enrol, const struct enrol_request *request, int64_t now_ms,
	struct token **out, struct fw_err *err)
{
	struct token *token = find(enrol, request->token);
	const struct enrol_token *facts = token ? &token->facts : NULL;
	const char *serial = request->serial ? request->serial : "";
	const char *why = NULL;
	if (!token)
		why = "this join token is not known here: make one with 'fenwatch token new --join'";
	else if (facts->role != ROLE_JOIN)
		why = "this token is for the API: enrolment needs one made with 'fenwatch token new "
		      "--join'";
	else if (is_expired(facts, now_ms))
		why = "this join token has expired: make a new one with 'fenwatch token new --join'";
	else if (facts->uses_left == 0)
		why = "this join token is used up: make a new one with 'fenwatch token new --join'";
	else if (*facts->networks && !networks_contain(facts->networks, request->from))
		why = "this join token is bound to networks that this machine is not in";
	else if (*facts->serials && !lists(facts->serials, serial))
		why = "this join token is bound to serial numbers, and this machine's is not among "
		      "them";
	if (why)
		return fw_fail(err, -EACCES, "%s", why);
	*out = token;
	return 0;
}

int token_use(struct enrol *enrol, const struct token *token, struct fw_err *err)
{
	return state_run(enrol->config.state, err,
		"UPDATE token SET uses_left = uses_left - 1 WHERE id = ? AND uses_left > 0", "i",
		token->facts.id);
}

void token_used(struct token *token)
{
	if (token->facts.uses_left > 0)
		token->facts.uses_left--;
}

/* ---- opening ---- */

static int load(struct enrol *enrol, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(enrol->config.state, &row, err,
		"SELECT id, role, note, hash, made_ms, expires_ms, uses_left, networks, serials,"
		" supplier FROM token WHERE length(hash) = 32 ORDER BY id",
		"");
	if (rc < 0)
		return rc;
	while ((rc = state_step(enrol->config.state, row, err)) > 0) {
		struct enrol_token token = {
			.id = sqlite3_column_int64(row, 0),
			.role = (enum enrol_role)sqlite3_column_int(row, 1),
			.note = (const char *)sqlite3_column_text(row, 2),
			.made_ms = sqlite3_column_int64(row, 4),
			.expires_ms = sqlite3_column_int64(row, 5),
			.uses_left = sqlite3_column_int64(row, 6),
			.networks = (const char *)sqlite3_column_text(row, 7),
			.serials = (const char *)sqlite3_column_text(row, 8),
			.supplier = (const char *)sqlite3_column_text(row, 9),
		};
		keep(enrol, &token, sqlite3_column_blob(row, 3));
	}
	state_done(row);
	return rc;
}

/* The file is written before the row: cut short, the next start makes both anew.
 * It is also the way back in when the last administrator's token was lost. */
static int ensure_admin(struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	for (size_t i = 0; i < enrol->n_tokens; i++)
		if (enrol->tokens[i]->facts.role == ROLE_ADMIN &&
			!is_expired(&enrol->tokens[i]->facts, now_ms))
			return 0;
	char text[160];
	struct enrol_token token = {.role = ROLE_ADMIN, .note = "made at start"};
	int rc = complete(&token, now_ms, err);
	assert(rc == 0);
	make_text(enrol, ROLE_ADMIN, text, sizeof text);
	char *path = fw_format("%s/admin.token", enrol->config.dir);
	char *line = fw_format("%s\n", text);
	rc = fw_file_replace(path, line, strlen(line), 0600, err);
	if (rc == 0)
		rc = insert(enrol, &token, text, err);
	if (rc == 0)
		fw_log(FW_NOTICE, "an administrator's token lies in '%s'", path);
	explicit_bzero(text, sizeof text);
	explicit_bzero(line, strlen(line));
	fw_free(line);
	fw_free(path);
	return rc;
}

int tokens_open(struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	int rc = state_run(enrol->config.state, err,
		"DELETE FROM token WHERE expires_ms <> 0 AND expires_ms < ?", "i",
		now_ms - JOIN_BOUND_MS);
	if (rc == 0)
		rc = load(enrol, err);
	return rc < 0 ? rc : ensure_admin(enrol, now_ms, err);
}

void tokens_close(struct enrol *enrol)
{
	for (size_t i = 0; i < enrol->n_tokens; i++)
		token_free(enrol->tokens[i]);
	fw_free(enrol->tokens);
}
