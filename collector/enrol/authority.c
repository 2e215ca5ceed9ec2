/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <errno.h>
#include <string.h>

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

/* The certificate is written last: a key alone is a first start that was cut short. */
static int create(struct enrol *enrol, const char *cert_path, const char *key_path, int64_t now_ms,
	struct fw_buf *cert, struct fw_buf *key, struct fw_err *err)
{
	if (enrol->n_agents > 0)
		return fw_fail(err, -ENOENT,
			"'%s' is missing, but agents are enrolled: restore it from the backup, or no "
			"agent will trust this collector",
			cert_path);
	fw_buf_reset(key);
	int rc = fw_ca_create(enrol->estate, now_ms - BACKDATED_MS, cert, key, err);
	if (rc == 0)
		rc = fw_file_replace(key_path, key->data, key->length, 0600, err);
	if (rc == 0)
		rc = fw_file_replace(cert_path, cert->data, cert->length, 0644, err);
	if (rc == 0)
		fw_log(FW_NOTICE, "made a certificate authority for estate %s", enrol->estate);
	return rc;
}

static int open_ca(struct enrol *enrol, const char *cert_path, const char *key_path, int64_t now_ms,
	struct fw_buf *cert, struct fw_buf *key, struct fw_err *err)
{
	int rc = read_optional(cert_path, cert, err);
	if (rc == 0)
		rc = read_optional(key_path, key, err);
	if (rc == 0 && cert->length == 0)
		rc = create(enrol, cert_path, key_path, now_ms, cert, key, err);
	if (rc < 0)
		return rc;
	if (key->length == 0)
		return fw_fail(
			err, -ENOENT, "'%s' is missing: restore it from the backup", key_path);
	rc = fw_ca_open(&enrol->ca, (const char *)cert->data, (const char *)key->data, err);
	if (rc < 0)
		return fw_fail_in(err, rc, "'%s'", cert_path);
	enrol->ca_pem = fw_strndup((const char *)cert->data, cert->length);
	return 0;
}

int authority_open(struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	int rc = keep_uuid(enrol, "estate", enrol->estate, err);
	if (rc == 0)
		rc = keep_uuid(enrol, "collector", enrol->collector, err);
	if (rc < 0)
		return rc;
	struct fw_buf cert = {.limit = PEM_LIMIT}, key = {.limit = PEM_LIMIT};
	char *cert_path = fw_format("%s/ca.pem", enrol->config.dir);
	char *key_path = fw_format("%s/ca.key", enrol->config.dir);
	rc = open_ca(enrol, cert_path, key_path, now_ms, &cert, &key, err);
	fw_free(cert_path);
	fw_free(key_path);
	if (key.data)
		explicit_bzero(key.data, key.capacity);
	fw_buf_done(&key);
	fw_buf_done(&cert);
	return rc;
}

int enrol_server_cert(struct enrol *enrol, struct fw_arena *arena, const char **cert_pem,
	const char **key_pem, struct fw_err *err)
{
	struct fw_buf key = {0}, csr = {0}, cert = {0};
	int64_t now_ms = fw_wall_ms();
	int rc = fw_key_new(&key, err);
	if (rc == 0)
		rc = fw_csr_new((const char *)key.data, "fenwatch-collector", &csr, err);
	if (rc == 0)
		rc = fw_ca_sign(enrol->ca, (const char *)csr.data, FW_CERT_COLLECTOR,
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
	return enrol->ca_pem;
}

void enrol_ca_fingerprint(const struct enrol *enrol, uint8_t out[FW_FINGERPRINT])
{
	fw_ca_fingerprint(enrol->ca, out);
}
