/* SPDX-License-Identifier: Apache-2.0 */
#include "trapusers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <openssl/crypto.h>

#include <fenwatch/mem.h>

#include "credentials.h"

struct key {
	u_char bytes[USM_LENGTH_KU_HASHBLOCK];
	size_t length;
};

struct owner {
	char name[33];
	const oid *hash;
	size_t hash_length;
	struct key auth, priv; /* of no engine yet; length 0: none */
};

struct trap_users {
	struct owner *owners;
	size_t n, n_engines;
	struct usmUser *tried; /* made for the packet that is read */
};

static const oid *hash_of(enum auth_protocol protocol)
{
	return protocol == AUTH_SHA512  ? usmHMAC384SHA512AuthProtocol
		: protocol == AUTH_SHA1 ? usmHMACSHA1AuthProtocol
					: usmHMAC192SHA256AuthProtocol;
}

static size_t hash_length_of(enum auth_protocol protocol)
{
	return protocol == AUTH_SHA1 ? OID_LENGTH(usmHMACSHA1AuthProtocol)
				     : OID_LENGTH(usmHMAC192SHA256AuthProtocol);
}

/* ---- keys ---- */

static int make_key(const struct owner *owner, const char *password, struct key *out)
{
	out->length = sizeof out->bytes;
	if (!*password)
		out->length = 0;
	return *password
		? generate_Ku(owner->hash, (u_int)owner->hash_length, (const u_char *)password,
			  strlen(password), out->bytes, &out->length)
		: SNMPERR_SUCCESS;
}

static int read_owner(const char *path, struct owner *out, struct fw_err *err)
{
	struct credentials c;
	int rc = credentials_read(path, true, false, &c, err);
	if (rc < 0)
		return rc;
	memcpy(out->name, c.user, sizeof out->name);
	out->hash = hash_of(c.protocol);
	out->hash_length = hash_length_of(c.protocol);
	bool made = make_key(out, c.auth, &out->auth) == SNMPERR_SUCCESS &&
		make_key(out, c.priv, &out->priv) == SNMPERR_SUCCESS;
	credentials_wipe(&c);
	if (!made || out->auth.length == 0)
		return fw_fail(err, -EINVAL, "credentials '%s': no key can be made of them", path);
	return 0;
}

/* The library frees it with free(). */
static u_char *localize(const struct owner *owner, const struct key *key, const u_char *engine,
	size_t length, size_t wanted, size_t *out_length)
{
	u_char *out = calloc(1, USM_LENGTH_KU_HASHBLOCK);
	*out_length = USM_LENGTH_KU_HASHBLOCK;
	if (out &&
		generate_kul(owner->hash, (u_int)owner->hash_length, engine, length, key->bytes,
			key->length, out, out_length) != SNMPERR_SUCCESS) {
		free(out);
		return NULL;
	}
	if (wanted > 0 && *out_length > wanted)
		*out_length = wanted;
	return out;
}

static void free_user(struct usmUser *user)
{
	if (user)
		usm_free_user(user);
}

static bool set_keys(
	struct usmUser *user, const struct owner *owner, const u_char *engine, size_t length)
{
	user->authProtocol = snmp_duplicate_objid(owner->hash, owner->hash_length);
	user->authProtocolLen = owner->hash_length;
	user->authKey = localize(owner, &owner->auth, engine, length, 0, &user->authKeyLen);
	if (!user->authKey || owner->priv.length == 0)
		return user->authKey != NULL;
	SNMP_FREE(user->privProtocol);
	user->privProtocol =
		snmp_duplicate_objid(usmAESPrivProtocol, OID_LENGTH(usmAESPrivProtocol));
	user->privProtocolLen = OID_LENGTH(usmAESPrivProtocol);
	user->privKey = localize(owner, &owner->priv, engine, length,
		BYTESIZE(SNMP_TRANS_PRIVLEN_AES), &user->privKeyLen);
	return user->privKey != NULL;
}

static struct usmUser *make_user(const struct owner *owner, const u_char *engine, size_t length)
{
	struct usmUser *user = usm_create_user();
	if (!user)
		return NULL;
	SNMP_FREE(user->authProtocol);
	user->engineID = netsnmp_memdup(engine, length);
	user->engineIDLen = length;
	user->name = strdup(owner->name);
	user->secName = strdup(owner->name);
	user->userStorageType = SNMP_STORAGE_VOLATILE; /* never written down */
	if (!set_keys(user, owner, engine, length)) {
		free_user(user);
		return NULL;
	}
	usm_add_user(user);
	return user;
}

/* ---- a packet, before the library reads it ---- */

struct span {
	const uint8_t *at, *end;
};

/* Cuts a value with this tag off the front. */
static bool cut(struct span *from, uint8_t tag, struct span *out)
{
	size_t left = (size_t)(from->end - from->at), head = 2, length;
	if (left < 2 || from->at[0] != tag)
		return false;
	length = from->at[1];
	if (length & 0x80) {
		size_t bytes = length & 0x7f;
		if (bytes == 0 || bytes > 3 || left < 2 + bytes)
			return false;
		for (length = 0; head < 2 + bytes; head++)
			length = length << 8 | from->at[head];
	}
	if (length > left - head)
		return false;
	*out = (struct span){from->at + head, from->at + head + length};
	from->at = out->end;
	return true;
}

/* RFC 3412 and 3414: whose it says that it is. */
static bool read_header(const uint8_t *data, size_t length, struct span *engine, struct span *name)
{
	struct span packet = {data, data + length}, message, one, security, usm;
	return cut(&packet, 0x30, &message) && cut(&message, 0x02, &one) && one.end - one.at == 1 &&
		one.at[0] == 3 && cut(&message, 0x30, &one) && cut(&message, 0x04, &security) &&
		cut(&security, 0x30, &usm) && cut(&usm, 0x04, engine) && cut(&usm, 0x02, &one) &&
		cut(&usm, 0x02, &one) && cut(&usm, 0x04, name);
}

static const struct owner *owner_of(const struct trap_users *u, const struct span *name)
{
	size_t length = (size_t)(name->end - name->at);
	for (size_t i = 0; i < u->n; i++)
		if (strlen(u->owners[i].name) == length &&
			memcmp(u->owners[i].name, name->at, length) == 0)
			return &u->owners[i];
	return NULL;
}

void trap_users_expect(struct trap_users *u, const uint8_t *data, size_t length)
{
	struct span engine, name;
	u->tried = NULL;
	if (!read_header(data, length, &engine, &name))
		return;
	const struct owner *owner = owner_of(u, &name);
	size_t n = (size_t)(engine.end - engine.at);
	if (!owner || n < 5 || n > USM_MAX_ID_LENGTH || u->n_engines == TRAP_ENGINES ||
		usm_get_user(engine.at, n, owner->name))
		return;
	u->tried = make_user(owner, engine.at, n);
	u->n_engines += u->tried != NULL;
}

void trap_users_settle(struct trap_users *u, bool authentic)
{
	if (u->tried && !authentic) {
		usm_remove_user(u->tried);
		free_user(u->tried);
		u->n_engines--;
	}
	u->tried = NULL;
}

/* ---- opening and closing ---- */

static int make_own(const struct owner *owner, struct fw_err *err)
{
	size_t length;
	u_char *engine = snmpv3_generate_engineID(&length);
	struct usmUser *user = engine ? make_user(owner, engine, length) : NULL;
	SNMP_FREE(engine);
	return user ? 0 : fw_fail(err, -EINVAL, "user '%s': no key can be made", owner->name);
}

static void wipe_owners(struct trap_users *u)
{
	if (u->owners)
		OPENSSL_cleanse(u->owners, (u->n + 1) * sizeof *u->owners);
	fw_free(u->owners);
	*u = (struct trap_users){0};
}

static int read_owners(struct trap_users *u, const struct fw_text_list *files, struct fw_err *err)
{
	int rc = 0;
	u->owners = fw_alloc_array(files->count + 1, sizeof *u->owners);
	for (size_t i = 0; i < files->count && rc == 0; i++)
		rc = read_owner(files->items[i], &u->owners[u->n++], err);
	if (rc < 0)
		wipe_owners(u);
	return rc;
}

/* Of every engine; the library knows no others than ours. */
static void forget_keys(void)
{
	struct usmUser *user;
	while ((user = usm_get_userList())) {
		usm_remove_user(user);
		free_user(user);
	}
}

int trap_users_replace(struct trap_users *u, const struct fw_text_list *files, struct fw_err *err)
{
	struct trap_users new = {0};
	int rc = read_owners(&new, files, err);
	if (rc < 0)
		return rc;
	forget_keys();
	wipe_owners(u);
	*u = new;
	for (size_t i = 0; i < u->n && rc == 0; i++)
		rc = make_own(&u->owners[i], err);
	return rc;
}

struct trap_users *trap_users_new(void)
{
	return fw_alloc(sizeof(struct trap_users));
}

void trap_users_free(struct trap_users *u)
{
	if (!u)
		return;
	wipe_owners(u);
	fw_free(u);
}
