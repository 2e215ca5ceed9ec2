/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>
#include <fenwatch/wire.h>

#define PEM_LIMIT (64u << 10)
#define SECRET_LIMIT 128

/* ---- the machine ---- */

static void machine_text(struct machine *m, struct fw_buf *text, const char *path)
{
	const char *line;
	if (machine_read_line(m, path, &line) == 0)
		fw_buf_puts(text, line);
	fw_buf_putc(text, '\n');
}

void machine_id_read(struct machine *m, struct machine_id *out)
{
	static const char dmi[] = "sys/class/dmi/id/product_uuid";
	struct fw_buf text = {0};
	struct stat st;
	const char *boot;
	fw_buf_puts(&text, "fenwatch machine\n");
	machine_text(m, &text, "etc/machine-id");
	/* Only root may read it on most machines. The agent enrols as root and runs as
	 * somebody else, and must be the same machine both times. */
	if (fstatat(m->root, dmi, &st, 0) == 0 && (st.st_mode & S_IROTH))
		machine_text(m, &text, dmi);
	fw_sha256(text.data, text.length, out->machine);
	fw_buf_done(&text);
	if (machine_read_line(m, "proc/sys/kernel/random/boot_id", &boot) < 0 ||
		fw_uuid_bytes(boot, out->boot) < 0)
		fw_random(out->boot, sizeof out->boot);
}

int identity_token_pin(const char *token, uint8_t pin[FW_FINGERPRINT], struct fw_err *err)
{
	char hex[2 * FW_FINGERPRINT + 1];
	static const char prefix[] = "fwj1-";
	size_t at = sizeof prefix - 1, length = strlen(token);
	if (strncmp(token, prefix, at) == 0 && length > at + sizeof hex &&
		length < at + sizeof hex + SECRET_LIMIT && token[at + sizeof hex - 1] == '-') {
		memcpy(hex, token + at, sizeof hex - 1);
		hex[sizeof hex - 1] = 0;
		if (fw_unhex(hex, pin, FW_FINGERPRINT) == 0)
			return 0;
	}
	return fw_fail(err, -EINVAL,
		"this is not a join token; 'fenwatch token new --join' prints one, it begins with fwj1-");
}

/* ---- on disk ---- */

int identity_lock(const char *dir, struct fw_err *err)
{
	int rc = fw_mkdir_all(dir, 0700);
	if (rc < 0)
		return fw_fail_sys(err, rc, "data folder '%s'", dir);
	rc = fw_become_owner(dir, err);
	if (rc < 0)
		return rc;
	char *path = fw_format("%s/lock", dir);
	int fd = fw_file_lock(path, err);
	fw_free(path);
	if (fd == -EBUSY)
		fw_fail(err, fd, "another agent is running with data folder '%s'", dir);
	return fd;
}

static char *path_in(const struct identity *id, const char *name)
{
	return fw_format("%s/%s", id->dir, name);
}

static int file_read(
	const struct identity *id, const char *name, struct fw_buf *out, struct fw_err *err)
{
	char *path = path_in(id, name);
	fw_buf_reset(out);
	int rc = fw_file_read(path, PEM_LIMIT, out, err);
	fw_free(path);
	return rc;
}

static int file_write(const struct identity *id, const char *name, const void *data, size_t length,
	mode_t mode, struct fw_err *err)
{
	char *path = path_in(id, name);
	int rc = fw_file_replace(path, data, length, mode, err);
	fw_free(path);
	return rc;
}

static const char *text_of(const struct fw_buf *buf)
{
	return buf->data ? (const char *)buf->data : "";
}

static bool key_fits(const struct fw_buf *cert_pem, const struct fw_buf *key_pem)
{
	BIO *cert_bio = BIO_new_mem_buf(text_of(cert_pem), (int)cert_pem->length);
	BIO *key_bio = BIO_new_mem_buf(text_of(key_pem), (int)key_pem->length);
	X509 *cert = cert_bio ? PEM_read_bio_X509(cert_bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL) : NULL;
	bool fits = cert && key && X509_check_private_key(cert, key) == 1;
	char text[256];
	fw_tls_error(text, sizeof text); /* nobody is told, but OpenSSL's queue is empty again */
	EVP_PKEY_free(key);
	X509_free(cert);
	BIO_free(key_bio);
	BIO_free(cert_bio);
	return fits;
}

static int next_key_in_force(struct identity *id)
{
	char *next = path_in(id, "agent.key.next"), *key = path_in(id, "agent.key");
	int rc = fw_rename(next, key);
	if (rc >= 0)
		rc = fw_fsync_dir(id->dir);
	fw_free(next);
	fw_free(key);
	return rc;
}

/* The key of this certificate: 0 from agent.key, 1 from agent.key.next, where a crash
 * between certificate and key leaves it. */
static int key_of(const struct identity *id, const struct fw_buf *cert, struct fw_buf *key,
	struct fw_err *err)
{
	int rc = file_read(id, "agent.key", key, err);
	if (rc >= 0 && key_fits(cert, key))
		return 0;
	if (file_read(id, "agent.key.next", key, NULL) >= 0 && key_fits(cert, key))
		return 1;
	return rc < 0 ? rc
		      : fw_fail(err, -EBADMSG,
				"'%s/agent.key' is not the key of agent.pem; enrol anew", id->dir);
}

static int find_key(struct identity *id, struct fw_err *err)
{
	int rc = key_of(id, &id->cert_pem, &id->key_pem, err);
	if (rc > 0)
		next_key_in_force(id);
	return rc;
}

/* A reply that was kept in part: its key lies where the next request wants its own. */
static int save_next_key(struct identity *id, struct fw_err *err)
{
	struct fw_buf cert = {0}, key = {0};
	int rc = file_read(id, "agent.pem", &cert, err);
	if (rc >= 0)
		rc = key_of(id, &cert, &key, err);
	if (rc > 0) {
		rc = next_key_in_force(id);
		if (rc < 0)
			fw_fail_sys(err, rc, "'%s/agent.key'", id->dir);
	}
	fw_buf_done(&cert);
	fw_buf_done(&key);
	return rc == -ENOENT || rc == -EBADMSG ? 0 : rc; /* there is nothing to save */
}

static int context_make(struct identity *id, struct fw_err *err)
{
	struct fw_tls_config config = {.ca_pem = text_of(&id->ca_pem),
		.cert_pem = text_of(&id->cert_pem),
		.key_pem = text_of(&id->key_pem)};
	SSL_CTX *tls;
	int rc = fw_cert_facts_pem(text_of(&id->cert_pem), &id->facts, err);
	if (rc >= 0)
		rc = fw_tls_client(&tls, &config, err);
	if (rc < 0)
		return rc;
	SSL_CTX_free(id->tls);
	id->tls = tls;
	uint32_t dice;
	fw_random(&dice, sizeof dice);
	int64_t life_ms = id->facts.until_ms - id->facts.from_ms;
	id->renew_at_ms = id->facts.from_ms + life_ms / 5 * 2 + life_ms / 5 * (dice % 1024) / 1024;
	return 0;
}

void identity_init(struct identity *id, const char *dir)
{
	*id = (struct identity){.dir = fw_strdup(dir)};
}

int identity_load(struct identity *id, const char *dir, struct fw_err *err)
{
	identity_init(id, dir);
	int rc = file_read(id, "agent.pem", &id->cert_pem, err);
	if (rc == -ENOENT)
		rc = fw_fail(err, rc,
			"not enrolled: '%s/agent.pem' is not there; run "
			"'fenwatch-agent enrol' with a join token",
			dir);
	if (rc >= 0)
		rc = file_read(id, "ca.pem", &id->ca_pem, err);
	if (rc >= 0)
		rc = find_key(id, err);
	if (rc >= 0)
		rc = context_make(id, err);
	if (rc < 0)
		identity_done(id);
	return rc < 0 ? rc : 0;
}

void identity_done(struct identity *id)
{
	SSL_CTX_free(id->tls);
	fw_buf_done(&id->key_pem);
	fw_buf_done(&id->cert_pem);
	fw_buf_done(&id->ca_pem);
	fw_buf_done(&id->next_key);
	fw_free(id->dir);
	*id = (struct identity){0};
}

bool identity_is_expired(const struct identity *id, int64_t now_ms)
{
	return now_ms >= id->facts.until_ms;
}

/* ---- enrolling and renewing ---- */

int identity_request(struct identity *id, const char *name, const char *token,
	const struct machine_id *machine, struct fw_buf *message, struct fw_err *err)
{
	struct fw_buf csr = {0};
	fw_buf_done(&id->next_key);
	int rc = save_next_key(id, err);
	if (rc >= 0)
		rc = fw_key_new(&id->next_key, err);
	if (rc >= 0)
		rc = fw_csr_new(text_of(&id->next_key), name, &csr, err);
	if (rc >= 0)
		rc = file_write(
			id, "agent.key.next", id->next_key.data, id->next_key.length, 0600, err);
	if (rc >= 0) {
		Fenwatch__Wire__EnrolRequest request = FENWATCH__WIRE__ENROL_REQUEST__INIT;
		request.token.data = (uint8_t *)token;
		request.token.len = token ? strlen(token) : 0;
		request.csr = (char *)csr.data;
		request.name = (char *)name;
		request.machine.data = (uint8_t *)machine->machine;
		request.machine.len = sizeof machine->machine;
		fw_wire_put(message, FW_FRAME_ENROL_REQUEST, &request.base);
	} else {
		fw_buf_done(&id->next_key);
	}
	fw_buf_done(&csr);
	return rc < 0 ? rc : 0;
}

static int reply_keep(
	struct identity *id, const Fenwatch__Wire__EnrolReply *reply, struct fw_err *err)
{
	int rc = file_write(id, "ca.pem", reply->ca, strlen(reply->ca), 0644, err);
	if (rc >= 0)
		rc = file_write(
			id, "agent.pem", reply->certificate, strlen(reply->certificate), 0644, err);
	if (rc >= 0)
		rc = file_write(id, "uuid", reply->uuid, strlen(reply->uuid), 0644, err);
	if (rc >= 0) {
		rc = next_key_in_force(id);
		if (rc < 0)
			fw_fail_sys(err, rc, "'%s/agent.key'", id->dir);
	}
	return rc;
}

static int reply_use(
	struct identity *id, const Fenwatch__Wire__EnrolReply *reply, struct fw_err *err)
{
	struct fw_buf cert = {0};
	if (reply->error[0])
		return fw_fail(err, -EACCES, "refused by the collector: %s", reply->error);
	fw_buf_puts(&cert, reply->certificate);
	int rc = 0;
	if (!key_fits(&cert, &id->next_key) || !fw_uuid_valid(reply->uuid) || !reply->ca[0])
		rc = fw_fail(err, -EBADMSG, "the collector's reply is not for our key");
	if (rc >= 0)
		rc = reply_keep(id, reply, err);
	if (rc >= 0) {
		fw_buf_done(&id->cert_pem);
		id->cert_pem = cert;
		fw_buf_done(&id->key_pem);
		id->key_pem = id->next_key;
		id->next_key = (struct fw_buf){0};
		fw_buf_reset(&id->ca_pem);
		fw_buf_puts(&id->ca_pem, reply->ca);
		return context_make(id, err);
	}
	fw_buf_done(&cert);
	return rc;
}

int identity_accept(struct identity *id, const uint8_t *reply, size_t length, struct fw_err *err)
{
	struct fw_arena arena = {.limit = 2 * PEM_LIMIT};
	void *message;
	if (id->next_key.length == 0)
		return fw_fail(err, -EPROTO, "a certificate that nobody asked for");
	int rc = fw_wire_unpack(
		&fenwatch__wire__enrol_reply__descriptor, reply, length, &arena, &message, err);
	if (rc >= 0)
		rc = reply_use(id, message, err);
	fw_buf_done(&id->next_key);
	fw_arena_done(&arena);
	return rc;
}
