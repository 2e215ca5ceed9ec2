/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <assert.h>

#include <fenwatch/clock.h>

static const char *const steps[] = {
	"CREATE TABLE agent (uuid TEXT PRIMARY KEY, name TEXT NOT NULL, machine BLOB NOT NULL,"
	"  serial TEXT NOT NULL, token INTEGER NOT NULL, enrolled_ms INTEGER NOT NULL,"
	"  renewed_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE UNIQUE INDEX agent_name ON agent (name) WHERE revoked_ms = 0;"
	"CREATE TABLE token (id INTEGER PRIMARY KEY, role INTEGER NOT NULL, note TEXT NOT NULL,"
	"  hash BLOB NOT NULL UNIQUE, made_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
	"  uses_left INTEGER NOT NULL, networks TEXT NOT NULL, serials TEXT NOT NULL) STRICT",
	"ALTER TABLE token ADD COLUMN supplier TEXT NOT NULL DEFAULT ''",
	/* The fingerprint of the CA that an agent's certificate is from, when it was not the first. */
	"ALTER TABLE agent ADD COLUMN issuer BLOB NOT NULL DEFAULT x''",
};

int enrol_open(struct enrol **out, const struct enrol_config *config, struct fw_err *err)
{
	int64_t now_ms = fw_wall_ms();
	struct enrol *enrol = fw_alloc(sizeof *enrol);
	enrol->config = *config;
	int rc = uv_rwlock_init(&enrol->lock);
	assert(rc == 0);
	rc = state_migrate(config->state, "enrol", steps, sizeof steps / sizeof *steps, err);
	if (rc == 0)
		rc = agents_open(enrol, err);
	if (rc == 0)
		rc = authority_open(enrol, now_ms, err);
	if (rc == 0)
		rc = tokens_open(enrol, now_ms, err);
	if (rc < 0) {
		enrol_close(enrol);
		return rc;
	}
	*out = enrol;
	return 0;
}

void enrol_close(struct enrol *enrol)
{
	if (!enrol)
		return;
	tokens_close(enrol);
	agents_close(enrol);
	authority_close(enrol);
	uv_rwlock_destroy(&enrol->lock);
	fw_free(enrol);
}
