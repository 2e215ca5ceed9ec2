/* SPDX-License-Identifier: Apache-2.0 */
/* When the certificates on disk end. Neither a name out of one nor a key is read: a file
 * with a private key in it is put down at once. */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define PATH_BYTES 512
#define FILES_LIMIT 400
#define FILE_LIMIT (64 << 10)
#define CHAIN_LIMIT 8 /* with more it is a store of authorities, none of ours to renew */
#define DEPTH_LIMIT 2 /* letsencrypt/live/NAME/cert.pem */
#define DAY_S 86400

enum { NOT_AFTER, UNREAD };

static const struct metric metrics[] = {
	[NOT_AFTER] = {"fenwatch_certificate_not_after_timestamp_seconds", FW_GAUGE, "seconds",
		"When the first of the certificates in a file ends to be valid; and whether it was "
		"made for years (over 100 days), months or days (at most 14).",
		0, 1},
	[UNREAD] = {"fenwatch_certificates_unread", FW_GAUGE, "",
		"Files of certificates that could not be read, or hold none.", 0, 1},
};

/* Where Debian, Red Hat and SUSE have those of web, mail and directory servers. */
static const char *const usual[] = {"/etc/ssl/localcerts", "/etc/ssl/certs/ssl-cert-snakeoil.pem",
	"/etc/apache2/ssl", "/etc/nginx/ssl", "/etc/httpd/conf/ssl.crt", "/etc/pki/tls/certs",
	"/etc/letsencrypt/live", "/etc/postfix/tls", "/etc/dovecot/ssl", "/etc/openldap/certs"};

/* Of the certificate of a file that is the first to end. */
struct validity {
	int64_t from_s, end_s;
};

struct search {
	struct sweep *out;
	const char *folder;
	unsigned depth, n_files;
	int64_t unread;
};

static bool is_key(const struct fw_cursor *c)
{
	static const char mark[] = "PRIVATE KEY-----";
	return memmem(c->at, (size_t)(c->end - c->at), mark, sizeof mark - 1) != NULL;
}

static bool seconds_of(const ASN1_TIME *time, int64_t *at_s)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return false;
	*at_s = (int64_t)timegm(&tm);
	return true;
}

static bool note_validity(const X509 *cert, struct validity *first)
{
	struct validity one;
	if (!seconds_of(X509_get0_notBefore(cert), &one.from_s) ||
		!seconds_of(X509_get0_notAfter(cert), &one.end_s))
		return false;
	if (first->end_s == 0 || one.end_s < first->end_s)
		*first = one;
	return true;
}

/* Who made it for months has a program renew it, and for days, every few days. */
static const char *valid_for(const struct validity *validity)
{
	int64_t days = (validity->end_s - validity->from_s) / DAY_S;
	return days > 100 ? "years" : days > 14 ? "months" : "days";
}

/* How many certificates there are, and when the first of them ends. */
static unsigned read_pem(const struct fw_cursor *c, struct validity *first)
{
	unsigned n = 0;
	BIO *bio = BIO_new_mem_buf(c->at, (int)(c->end - c->at));
	X509 *cert;
	while (bio && n <= CHAIN_LIMIT && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		n += note_validity(cert, first);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	return n;
}

static unsigned read_der(const struct fw_cursor *c, struct validity *first)
{
	const unsigned char *at = (const unsigned char *)c->at;
	X509 *cert = d2i_X509(NULL, &at, (long)(c->end - c->at));
	unsigned n = cert && note_validity(cert, first);
	X509_free(cert);
	ERR_clear_error();
	return n;
}

static void read_file(struct machine *m, const char *path, struct search *search)
{
	struct fw_cursor c;
	struct validity first = {0};
	int rc = machine_read(m, path, &c);
	if (rc == -ENOENT || rc == -EISDIR || search->n_files++ >= FILES_LIMIT)
		return;
	if (rc < 0 || is_key(&c)) {
		search->unread += rc < 0;
		OPENSSL_cleanse(m->text.data, m->text.length);
		return;
	}
	unsigned n = c.end - c.at > FILE_LIMIT ? CHAIN_LIMIT + 1 : read_pem(&c, &first);
	if (n == 0)
		n = read_der(&c, &first);
	if (n == 0)
		search->unread++;
	char shown[PATH_BYTES + 1];
	snprintf(shown, sizeof shown, "/%s", path);
	if (n > 0 && n <= CHAIN_LIMIT)
		sweep_add(search->out, &metrics[NOT_AFTER], first.end_s,
			SWEEP_LABELS("path", shown, "valid_for", valid_for(&first)));
}

static bool is_certificate(const char *name)
{
	static const char *const endings[] = {".pem", ".crt", ".cer", ".cert", ".der"};
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < COUNT(endings); i++)
		if (strcmp(dot, endings[i]) == 0)
			return true;
	return false;
}

static int look_in(struct machine *m, const char *path, struct search *search, unsigned depth);

static int on_entry(struct machine *m, const char *name, void *arg)
{
	struct search *search = arg;
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof path, "%s/%s", search->folder, name);
	if (n < 0 || (size_t)n >= sizeof path)
		return 0;
	if (is_certificate(name))
		read_file(m, path, search);
	else if (search->depth < DEPTH_LIMIT && !strchr(name, '.'))
		look_in(m, path, search, search->depth + 1);
	return 0;
}

static int look_in(struct machine *m, const char *path, struct search *search, unsigned depth)
{
	const char *folder = search->folder;
	unsigned above = search->depth;
	search->folder = path;
	search->depth = depth;
	int rc = machine_list(m, path, on_entry, search);
	search->folder = folder;
	search->depth = above;
	return rc;
}

/* A folder, or one file by its name. */
static void look_at(struct machine *m, const char *where, struct search *search)
{
	const char *path = machine_path(where);
	int rc = look_in(m, path, search, 0);
	if (rc == -ENOTDIR)
		read_file(m, path, search);
	else if (rc == -EACCES)
		search->unread++;
}

static int read_certificates(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	(void)err;
	const struct fw_text_list *told = &m->choices->certificates;
	struct search search = {.out = out};
	for (size_t i = 0; i < told->count; i++)
		look_at(m, told->items[i], &search);
	for (size_t i = 0; told->count == 0 && i < COUNT(usual); i++)
		look_at(m, usual[i], &search);
	if (search.n_files == 0 && search.unread == 0)
		return fw_fail(err, -ENODATA, "there is no certificate where they are looked for");
	sweep_add_plain(out, &metrics[UNREAD], search.unread);
	return 0;
}

const struct source source_certificates = {
	.name = "certificates",
	.help = "When each certificate on disk ends; nothing else of it.",
	.purpose = "To renew a certificate before users cannot log in any more.",
	.reads = "the files and folders that `certificates` names, else where web, mail and "
		 "directory servers keep them",
	.slow = true,
	.every_s = 3600,
	.timeout_s = 30,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_certificates,
};
