/* One question over HTTP, from its header to its answer.
 *
 *   header -> admit (method, size, token, role) -> body -> prepare -> answer -> sent
 *
 * `prepare` runs on the main thread and asks what only that may (alerts,
 * tokens); `answer` runs on a thread of the workers for routes that read the
 * store, while the connection is suspended, and touches nothing but its request,
 * the store, and what may be asked from any thread. When its client goes away
 * meanwhile, the request is canceled. answer.h says how the answer leaves.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <microhttpd.h>
#include <uv.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "api.h"
#include "json.h"
#include "params.h"

#define REQUEST_BODY_LIMIT (16u << 20)
#define REQUEST_ANSWER_LIMIT ((size_t)256 << 20)

#define REQUEST_DOCUMENTS 16

struct alert_past;
struct alert_view;
struct inventory_document;
struct enrol_agent;
struct estate;
struct patch_evidence_stat;
struct packer;
struct patch_host;
struct query_scope;
struct registry;
struct retirement;
struct request;

/* Who may ask. There is no zero: a route that forgets it is refused at build time. */
enum access {
	ACCESS_ANYONE = 1,
	ACCESS_VIEWER,
	ACCESS_DESK, /* an engineer, or who has the answer token of the feed that the path names */
	ACCESS_ENGINEER,
	ACCESS_WRITER,
	ACCESS_ADMIN,
	ACCESS_READER, /* who has the token of the feed that the path names, and nobody else */
};

#define REQUEST_HEADERS 4 /* of an answer, besides those that all have */

/* What a supplier gets, whose own hosts alone are its to see. There is no zero either. */
enum scope {
	SCOPE_OPEN = 1, /* the same as others: it says nothing of hosts */
	SCOPE_CUT,      /* what concerns its hosts, as if there were no others */
	SCOPE_CLOSED,   /* nothing: it is about all hosts at once */
};

struct route {
	const char *method, *path; /* a part in braces stands for any one part */
	enum access access;
	enum scope scope;
	const char *params, *help;         /* for docs/http-api.md */
	void (*prepare)(struct request *); /* may be NULL */
	void (*answer)(struct request *);
	bool on_workers;
	bool raw;    /* takes a body that is no form */
	bool writes; /* `answer` ends in request_answered(), later */
};

extern const struct route routes[]; /* ended by one without a method */
extern const char *const access_names[], *const scope_names[];

enum request_phase { REQUEST_READING, REQUEST_WAITING, REQUEST_ANSWERED };

struct request {
	struct api *api;
	struct MHD_Connection *connection;
	const struct route *route;
	enum request_phase phase;
	struct fw_arena arena;
	struct params params;
	const char *path_value; /* what stands where the path has braces */
	struct fw_buf body;
	int64_t now_ms, queued_ms;
	bool canceled, takes_gzip;
	const char *origin; /* the page that asks, or NULL */
	const char *who;    /* asks, as its token says; "someone on this machine" without tokens */
	bool is_desk;       /* it came with the answer token of its feed */
	enum access reach;  /* of its role; ACCESS_ADMIN without tokens */
	/* Whose hosts alone it is about, of a supplier; NULL: all hosts. */
	const struct query_scope *scope;
	struct estate *estate;
	/* The answer; `status` 0 until there is one. */
	unsigned status;
	const char *content_type;
	struct {
		const char *name, *value;
	} headers[REQUEST_HEADERS];
	size_t n_headers;
	struct fw_buf out;
	struct json json;
	/* Writes the next piece of a long one; false: that was the last. NULL: it is whole. */
	bool (*more)(struct request *);
	void *rest; /* for `more`'s use */
	struct packer *packer;
	size_t sent;       /* of `out` */
	size_t held_bytes; /* that the rest of it is written from */
	/* What prepare has found out for answer. */
	struct alert_past *past;
	struct alert_view *alerts;
	size_t n_alerts;
	struct inventory_document *documents; /* of the host that is asked about */
	size_t n_documents;
	struct patch_host *patches;
	size_t n_patches;
	struct patch_evidence_stat *evidence;
	struct enrol_agent *agents;
	size_t n_agents;
	struct retirement *retired; /* by host */
	size_t n_retired;
	struct registry *registry;   /* held until the request is over */
	STAILQ_ENTRY(request) next;  /* in the workers' queue */
	TAILQ_ENTRY(request) flight; /* among those that the workers have */
	struct fw_mail mail;
};

/* ---- for handlers ---- */

/* `{"status":"success","data":` and what the handler then writes, ended by request_end. */
struct json *request_begin(struct request *r);
void request_end(struct request *r, const char *const *warnings, size_t n_warnings);
/* What was begun goes on with `more`, piece by piece. */
void request_stream(struct request *r, bool (*more)(struct request *), void *rest);
/* An error as Prometheus shapes it; ends the request. */
void request_fail(struct request *r, unsigned status, const char *type, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void request_fail_bad(struct request *r, const struct fw_err *err); /* 400 bad_data */
void request_text(struct request *r, unsigned status, const char *text);
void request_nothing(struct request *r);   /* 204 */
void request_unchanged(struct request *r); /* 304 */
void request_header(struct request *r, const char *name, const char *value);
/* What a route that writes was asked has been answered. Any thread, once. */
void request_answered(struct request *r);

/* ---- for api.c ---- */

/* Has the answer made, on a thread of the workers. False: it comes later. */
bool request_work(struct request *r);

enum MHD_Result request_on_access(void *api, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **state);
void request_on_completed(void *api, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode why);
