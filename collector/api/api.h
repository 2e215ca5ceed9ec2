/* The HTTP API, on libmicrohttpd under the main loop.
 *
 * Every route is one row with its method, path, role and help; a row without a
 * role does not build. Slow questions run on threads of their own while their
 * connection is suspended; answers are streamed. docs/http-api.md is made from
 * the same table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

struct alerts;
struct api;
struct enrol;
struct ingest;
struct inventory;
struct patch;
struct registry;
struct remote;
struct retired;
struct retirement;
struct label_set;
struct schedule;
struct senders;
struct store;
struct tickets;

/* The snapshot that is being made, or was made last. */
struct api_snapshot {
	char name[80]; /* empty: none since the start */
	uint64_t bytes, of_bytes;
	int64_t began_ms, ended_ms; /* 0: it goes on */
	bool failed;
	char why[256];
};

/* What questions may take; what is 0 is as usual. */
struct api_query {
	int64_t timeout_ms, lookback_ms; /* 30 s, 5 min */
	int64_t max_samples;             /* that one looks at: 10,000,000 */
	int64_t concurrency;             /* that are answered at once: 2 */
	int64_t held_bytes; /* of long answers on their way, and what they are written from: 512 MiB */
};

struct api_config {
	uv_loop_t *loop;
	const char *listen;             /* "127.0.0.1:7480"; port 0 chooses one */
	int auth;                       /* 1: tokens, 0: none (loopback only) */
	const char *tls_cert, *tls_key; /* files; required when not loopback */
	const char *cors;               /* origins whose pages may read answers, or NULL: none */
	struct api_query query;
	struct store *store;
	const char *dir; /* of state.db */
	struct tickets *tickets;
	struct enrol *enrol;
	struct alerts *alerts;
	struct ingest *ingest;
	struct inventory *inventory;
	struct patch *patch;
	struct registry *registry;
	struct remote *remote;
	int64_t evaluation_ms;                   /* of groups that do not say; 0: a minute */
	struct schedule *schedule;               /* NULL: no rule files are evaluated */
	const struct label_set *external_labels; /* for /federate; NULL: none */
	struct senders *senders;
	const struct retired *retired; /* NULL: none is */
	/* All that is kept of a host goes; main thread, as are the next two. */
	int (*on_forget)(const char *name, struct fw_err *err, void *arg);
	int (*on_retire)(const struct retirement *wanted, struct fw_err *err, void *arg);
	int (*on_return)(
		const char *name, const char *who, int64_t now_ms, struct fw_err *err, void *arg);
	int (*on_snapshot)(const char *name, struct fw_err *err, void *arg);
	void (*on_snapshot_look)(struct api_snapshot *out, void *arg);
	void *arg;
};

/* The certificate that the API shows, and its key: both files, read as one. Main thread. */
struct api_certificate;
int api_certificate_read(struct api_certificate **out, const char *cert_path, const char *key_path,
	struct fw_err *err);
/* That it holds at this moment. */
int api_certificate_check(
	const struct api_certificate *certificate, int64_t now_ms, struct fw_err *err);
/* Of files that say the same. */
bool api_certificate_same(const struct api_certificate *one, const struct api_certificate *other);
int64_t api_certificate_until_ms(const struct api_certificate *certificate);
void api_certificate_drop(struct api_certificate *certificate); /* NULL, too */

int api_open(struct api **out, const struct api_config *config, struct fw_err *err);
unsigned api_port(const struct api *api);
void api_set_register(struct api *api, struct registry *registry); /* a new one */
void api_set_ready(struct api *api, int ready);                    /* GET /-/ready */
/* What new connections are shown; NULL: it speaks without TLS. */
const struct api_certificate *api_certificate(const struct api *api);
/* Connections from now on are shown this one, of an API with TLS, which takes it. */
void api_set_certificate(struct api *api, struct api_certificate *certificate);
void api_close(struct api *api, void (*on_closed)(void *arg), void *arg);
