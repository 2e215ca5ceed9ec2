/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <fenwatch/conf.h>

#include "probe.h"

#define SERVICE "fenwatch-snmp" /* its group, where there is one */
#define PASSWORD_LEAST 8        /* as RFC 3414 has it */

struct keys {
	const char *community, *user, *auth, *priv;
	int protocol;
};

static const char *const protocols[] = {"SHA-256", "SHA-512", "SHA-1", NULL};

static const struct fw_option table[] = {
	{.name = "community",
		.help = "of versions 1 and 2c",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct keys, community)},
	{.name = "user",
		.help = "of version 3",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct keys, user)},
	{.name = "auth",
		.help = "its password, at least 8 characters",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct keys, auth)},
	{.name = "priv",
		.help = "the password for AES-128",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct keys, priv)},
	{.name = "protocol",
		.help = "what authenticates",
		.type = FW_OPT_CHOICE,
		.offset = offsetof(struct keys, protocol),
		.fallback = "SHA-256",
		.choices = protocols},
	{0},
};

static int check_file(const char *path, bool own, struct fw_err *err)
{
	struct stat file;
	if (stat(path, &file) < 0)
		return fw_fail_sys(err, -errno, "credentials '%s'", path);
	if (!probe_file_is_roots(&file, 027, own))
		return fw_fail(err, -EACCES,
			"credentials '%s': the file must be root's, and neither to be written by its "
			"group nor read by all: chown root:" SERVICE " '%s'; chmod 640 '%s'",
			path, path, path);
	if (access(path, R_OK) < 0)
		return fw_fail(err, -EACCES,
			"credentials '%s' cannot be opened: the service reads them by its group: "
			"chgrp " SERVICE " '%s'; chmod 640 '%s'",
			path, path, path);
	return 0;
}

static int check_keys(const struct keys *keys, bool v3, const char *path, struct fw_err *err)
{
	const char *passwords[] = {keys->auth, keys->priv};
	if (!v3 && (!keys->community || strlen(keys->community) >= CREDENTIAL_BYTES))
		return fw_fail(err, -EINVAL,
			"credentials '%s': 'community' is missing, or longer than %d characters",
			path, CREDENTIAL_BYTES - 1);
	if (v3 && (!keys->user || !keys->user[0] || strlen(keys->user) > 32))
		return fw_fail(err, -EINVAL,
			"credentials '%s': 'user' must have 1 to 32 characters", path);
	if (keys->priv && !keys->auth)
		return fw_fail(err, -EINVAL, "credentials '%s': 'priv' wants 'auth' too", path);
	for (int i = 0; i < 2; i++)
		if (passwords[i] &&
			(strlen(passwords[i]) < PASSWORD_LEAST ||
				strlen(passwords[i]) >= CREDENTIAL_BYTES))
			return fw_fail(err, -EINVAL,
				"credentials '%s': a password has 8 to %d characters", path,
				CREDENTIAL_BYTES - 1);
	return 0;
}

static void take_keys(const struct keys *keys, struct credentials *out)
{
	*out = (struct credentials){.protocol = (enum auth_protocol)keys->protocol};
	snprintf(out->community, sizeof out->community, "%s",
		keys->community ? keys->community : "");
	snprintf(out->user, sizeof out->user, "%s", keys->user ? keys->user : "");
	snprintf(out->auth, sizeof out->auth, "%s", keys->auth ? keys->auth : "");
	snprintf(out->priv, sizeof out->priv, "%s", keys->priv ? keys->priv : "");
}

static void wipe_text(const char *text)
{
	if (text)
		OPENSSL_cleanse((char *)text, strlen(text));
}

/* `v3`: NULL where the file says itself whether it is of a user, else what it must be. */
static int read_file(
	const char *path, const bool *v3, bool own, struct credentials *out, struct fw_err *err)
{
	struct keys keys = {0};
	struct fw_arena arena = {0};
	int rc = check_file(path, own, err);
	if (rc >= 0)
		rc = fw_conf_load(path, table, &keys, &arena, err);
	if (rc >= 0)
		rc = check_keys(&keys, v3 ? *v3 : keys.user != NULL, path, err);
	if (rc >= 0)
		take_keys(&keys, out);
	wipe_text(keys.community);
	wipe_text(keys.auth);
	wipe_text(keys.priv);
	fw_arena_done(&arena);
	return rc;
}

int credentials_read(
	const char *path, bool v3, bool own, struct credentials *out, struct fw_err *err)
{
	return read_file(path, &v3, own, out, err);
}

int credentials_kind(const char *path, bool *v3, struct fw_err *err)
{
	struct credentials c = {0};
	int rc = read_file(path, NULL, true, &c, err);
	if (rc >= 0)
		*v3 = c.user[0] != '\0';
	credentials_wipe(&c);
	return rc;
}

int credentials_check(const char *path, bool v3, struct fw_err *err)
{
	struct credentials c = {0};
	int rc = credentials_read(path, v3, true, &c, err);
	credentials_wipe(&c);
	return rc;
}

static bool find_group(gid_t *out)
{
	char text[4096];
	struct group group, *found = NULL;
	if (getgrnam_r(SERVICE, &group, text, sizeof text, &found) != 0 || !found)
		return false;
	*out = group.gr_gid;
	return true;
}

int credentials_check_service(const char *path, struct fw_err *err)
{
	struct stat file;
	gid_t service;
	if (geteuid() != 0 || !find_group(&service) || stat(path, &file) < 0 ||
		(file.st_gid == service && file.st_mode & S_IRGRP))
		return 0;
	return fw_fail(err, -EACCES,
		"credentials '%s': the service cannot read them: chgrp " SERVICE
		" '%s'; chmod 640 '%s'",
		path, path, path);
}

void credentials_wipe(struct credentials *c)
{
	OPENSSL_cleanse(c, sizeof *c);
}
