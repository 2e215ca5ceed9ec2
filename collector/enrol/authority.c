/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>

#define PEM_LIMIT (64u << 10)
#define DAY_MS INT64_C(86400000)
/* An agent whose clock is slow by so much still believes in its collector. */
#define BACKDATED_MS (30 * DAY_MS)
/* Made anew at every start; long, so that no uptime outlives it. */
#define SERVER_MS (400 * DAY_MS)
#define NAMES_SHOWN 5

/* A value of the state that is made once. */
static int keep_uuid(
	struct enrol *enrol, const char *key, char uuid[FW_UUID_TEXT], struct fw_err *err)
{
	int rc = state_get(enrol->config.state, key, uuid, FW_UUID_TEXT);
	if (rc != -ENOENT)
		return rc < 0 ? fw_fail_sys(err, rc, "state.db: '%s'", key) : 0;
	fw_uuid_new(uuid);
	return state_set(enrol->config.state, key, uuid, err);
}

static int read_optional(const char *path, struct fw_buf *out, struct fw_err *err)
{
	int rc = fw_file_read(path, PEM_LIMIT, out, err);
	return rc == -ENOENT ? 0 : rc;
}

static char *path_in(const struct enrol *enrol, const char *name)
{
	return fw_format("%s/%s", enrol->config.dir, name);
}

static bool is_there(const struct enrol *enrol, const char *name)
{
	char *path = path_in(enrol, name);
	bool there = access(path, F_OK) == 0;
	fw_free(path);
	return there;
}

static int write_file(const struct enrol *enrol, const char *name, const struct fw_buf *text,
	mode_t mode, struct fw_err *err)
{
	char *path = path_in(enrol, name);
	int rc = fw_file_replace(path, text->data, text->length, mode, err);
	fw_free(path);
	return rc;
}

static void wipe(struct fw_buf *key)
{
	if (key->data)
		explicit_bzero(key->data, key->capacity);
	fw_buf_done(key);
}

/* The certificate is written last: a key alone is a beginning that was cut short. */
static int make(const struct enrol *enrol, const char *cert_name, const char *key_name,
	int64_t now_ms, struct fw_err *err)
{
	struct fw_buf cert = {.limit = PEM_LIMIT}, key = {.limit = PEM_LIMIT};
	int rc = fw_ca_create(enrol->estate, now_ms - BACKDATED_MS, &cert, &key, err);
	if (rc == 0)
		rc = write_file(enrol, key_name, &key, 0600, err);
	if (rc == 0)
		rc = write_file(enrol, cert_name, &cert, 0644, err);
	wipe(&key);
	fw_buf_done(&cert);
	return rc;
}

static int use(struct authority *out, const char *path, const struct fw_buf *cert,
	const struct fw_buf *key, struct fw_err *err)
{
	int rc = fw_ca_open(&out->ca, (const char *)cert->data, (const char *)key->data, err);
	if (rc < 0)
		return fw_fail_in(err, rc, "'%s'", path);
	out->pem = fw_strndup((const char *)cert->data, cert->length);
	fw_ca_fingerprint(out->ca, out->fingerprint);
	return 0;
}

static int load(const struct enrol *enrol, const char *cert_name, const char *key_name,
	struct authority *out, struct fw_err *err)
{
	struct fw_buf cert = {.limit = PEM_LIMIT}, key = {.limit = PEM_LIMIT};
	char *cert_path = path_in(enrol, cert_name), *key_path = path_in(enrol, key_name);
	int rc = read_optional(cert_path, &cert, err);
	if (rc == 0)
		rc = read_optional(key_path, &key, err);
	if (rc == 0 && (cert.length == 0 || key.length == 0))
		rc = fw_fail(err, -ENOENT, "'%s' is missing: restore it from the backup",
			cert.length == 0 ? cert_path : key_path);
	if (rc == 0)
		rc = use(out, cert_path, &cert, &key, err);
	fw_free(cert_path);
	fw_free(key_path);
	wipe(&key);
	fw_buf_done(&cert);
	return rc;
}

static void drop(struct authority *authority)
{
	fw_ca_free(authority->ca);
	fw_free(authority->pem);
	*authority = (struct authority){0};
}

static void trust(struct enrol *enrol)
{
	fw_free(enrol->trusted_pem);
	enrol->trusted_pem =
		fw_format("%s%s", enrol->now.pem, enrol->next.pem ? enrol->next.pem : "");
}

/* ---- opening ---- */

static int make_first(const struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	if (enrol->n_agents > 0)
		return fw_fail(err, -ENOENT,
			"'%s/ca.pem' is missing, but agents are enrolled: restore it from the "
			"backup, or no agent will trust this collector",
			enrol->config.dir);
	int rc = make(enrol, "ca.pem", "ca.key", now_ms, err);
	if (rc == 0)
		fw_log(FW_NOTICE, "made a certificate authority for estate %s", enrol->estate);
	return rc;
}

static int rename_in(
	const struct enrol *enrol, const char *from, const char *to, struct fw_err *err)
{
	char *old = path_in(enrol, from), *new = path_in(enrol, to);
	int rc = fw_rename(old, new);
	if (rc >= 0)
		rc = fw_fsync_dir(enrol->config.dir);
	if (rc < 0)
		fw_fail_sys(err, rc, "'%s'", new);
	fw_free(old);
	fw_free(new);
	return rc < 0 ? rc : 0;
}

/* A retirement moves the key first: when it is cut short, the new certificate waits for a key
 * that is in its place already. */
static int finish_retirement(const struct enrol *enrol, struct fw_err *err)
{
	struct authority moved = {0};
	if (is_there(enrol, "ca-next.key") || !is_there(enrol, "ca-next.pem"))
		return 0;
	int rc = load(enrol, "ca-next.pem", "ca.key", &moved, err);
	drop(&moved);
	return rc < 0 ? rc : rename_in(enrol, "ca-next.pem", "ca.pem", err);
}

int authority_open(struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	int rc = keep_uuid(enrol, "estate", enrol->estate, err);
	if (rc == 0)
		rc = keep_uuid(enrol, "collector", enrol->collector, err);
	if (rc == 0)
		rc = finish_retirement(enrol, err);
	if (rc == 0 && !is_there(enrol, "ca.pem"))
		rc = make_first(enrol, now_ms, err);
	if (rc == 0)
		rc = load(enrol, "ca.pem", "ca.key", &enrol->now, err);
	if (rc == 0 && is_there(enrol, "ca-next.pem"))
		rc = load(enrol, "ca-next.pem", "ca-next.key", &enrol->next, err);
	if (rc == 0)
		trust(enrol);
	return rc;
}

void authority_close(struct enrol *enrol)
{
	drop(&enrol->now);
	drop(&enrol->next);
	fw_free(enrol->trusted_pem);
}

/* ---- a new one in place of the old one ---- */

const struct authority *authority_of_agents(const struct enrol *enrol)
{
	return enrol->next.ca ? &enrol->next : &enrol->now;
}

static struct enrol_authority describe(const struct authority *authority)
{
	struct enrol_authority out = {.expires_ms = fw_ca_until_ms(authority->ca)};
	memcpy(out.fingerprint, authority->fingerprint, sizeof out.fingerprint);
	return out;
}

/* Who is revoked, or may not even renew any more, is waited for by nobody. */
static bool is_awaited(const struct enrol *enrol, const struct enrol_agent *agent, int64_t now_ms)
{
	return agent->revoked_ms == 0 && now_ms - agent->expires_ms <= enrol->config.renew_grace_ms;
}

void enrol_authorities(
	struct enrol *enrol, int64_t now_ms, struct fw_arena *arena, struct enrol_authorities *out)
{
	*out = (struct enrol_authorities){.now = describe(&enrol->now)};
	out->has_next = enrol->next.ca != NULL;
	if (out->has_next)
		out->next = describe(&enrol->next);
	out->left = fw_arena_alloc(arena, (enrol->n_agents + 1) * sizeof *out->left);
	for (size_t i = 0; i < enrol->n_agents; i++) {
		const struct enrol_agent *agent = &enrol->agents[i]->facts;
		if (!is_awaited(enrol, agent, now_ms))
			continue;
		out->n_agents++;
		if (out->has_next &&
			memcmp(agent->issuer, enrol->next.fingerprint, FW_FINGERPRINT) != 0)
			out->left[out->n_left++] = agent->name;
	}
}

static void tell(const struct enrol *enrol)
{
	if (enrol->config.on_authority)
		enrol->config.on_authority(enrol->config.arg);
}

int enrol_rollover(struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	if (enrol->next.ca)
		return fw_fail(err, -EALREADY,
			"a new authority stands beside the old one already; 'fenwatch ca show' "
			"says who has not moved to it");
	int rc = make(enrol, "ca-next.pem", "ca-next.key", now_ms, err);
	if (rc == 0)
		rc = load(enrol, "ca-next.pem", "ca-next.key", &enrol->next, err);
	if (rc < 0)
		return rc;
	trust(enrol);
	tell(enrol);
	fw_log(FW_NOTICE, "made a new certificate authority; agents move to it as they renew");
	return 0;
}

/* "web01, web02 and 3 more" */
static void name_some(const struct enrol_authorities *all, char *out, size_t size)
{
	size_t at = 0, shown = 0;
	out[0] = '\0';
	while (shown < all->n_left && shown < NAMES_SHOWN && at < size / 2) {
		at += (size_t)snprintf(
			out + at, size - at, "%s%.60s", shown ? ", " : "", all->left[shown]);
		shown++;
	}
	if (shown < all->n_left)
		snprintf(out + at, size - at, " and %zu more", all->n_left - shown);
}

static int may_retire(
	struct enrol *enrol, bool leave_behind, int64_t now_ms, size_t *left, struct fw_err *err)
{
	struct fw_arena arena = {0};
	struct enrol_authorities all;
	char names[200];
	if (!enrol->next.ca)
		return fw_fail(err, -ENOENT,
			"there is no new authority yet: 'fenwatch ca rollover' makes one");
	enrol_authorities(enrol, now_ms, &arena, &all);
	name_some(&all, names, sizeof names);
	*left = all.n_left;
	fw_arena_done(&arena);
	if (*left == 0 || leave_behind)
		return 0;
	return fw_fail(err, -EBUSY, "%zu of %zu agents have not moved: %s", all.n_left,
		all.n_agents, names);
}

int enrol_retire(struct enrol *enrol, bool leave_behind, int64_t now_ms, struct fw_err *err)
{
	size_t left = 0;
	int rc = may_retire(enrol, leave_behind, now_ms, &left, err);
	if (rc == 0 && is_there(enrol, "ca-next.key"))
		rc = rename_in(enrol, "ca-next.key", "ca.key", err);
	if (rc == 0)
		rc = rename_in(enrol, "ca-next.pem", "ca.pem", err);
	if (rc < 0)
		return rc;
	drop(&enrol->now);
	enrol->now = enrol->next;
	enrol->next = (struct authority){0};
	trust(enrol);
	tell(enrol);
	fw_log(FW_NOTICE, "the old certificate authority is retired; %zu agents must enrol anew",
		left);
	return 0;
}

/* ---- the collector's own certificate ---- */

int enrol_server_cert(struct enrol *enrol, struct fw_arena *arena, const char **cert_pem,
	const char **key_pem, struct fw_err *err)
{
	struct fw_buf key = {0}, csr = {0}, cert = {0};
	int64_t now_ms = fw_wall_ms();
	int rc = fw_key_new(&key, err);
	if (rc == 0)
		rc = fw_csr_new((const char *)key.data, "fenwatch-collector", &csr, err);
	if (rc == 0)
		rc = fw_ca_sign(enrol->now.ca, (const char *)csr.data, FW_CERT_COLLECTOR,
			enrol->collector, now_ms - BACKDATED_MS, now_ms + SERVER_MS, &cert, err);
	if (rc == 0) {
		*cert_pem = fw_arena_strdup(arena, (const char *)cert.data);
		*key_pem = fw_arena_strdup(arena, (const char *)key.data);
	}
	fw_buf_done(&key);
	fw_buf_done(&csr);
	fw_buf_done(&cert);
	return rc;
}

const char *enrol_estate(const struct enrol *enrol)
{
	return enrol->estate;
}

const char *enrol_ca_pem(const struct enrol *enrol)
{
	return enrol->trusted_pem;
}

void enrol_ca_fingerprint(const struct enrol *enrol, uint8_t out[FW_FINGERPRINT])
{
	memcpy(out, enrol->now.fingerprint, FW_FINGERPRINT);
}
