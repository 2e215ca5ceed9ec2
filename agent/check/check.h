/* Checks: what stands on the network is tried from here, as its users would.
 *
 * A check has a kind (icmp, tcp, tls, http, dns, plugin) and options. One reading of it
 * is a run: the kind begins it, adds what it finds to the run's sweep and ends it from the
 * loop; what takes longer than the check's timeout is cancelled. A run owns nothing of
 * another's, so a target that is dead delays nobody. Names are blackbox_exporter's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>

#include "dialog.h"
#include "sweep.h"

#define CHECK_TEXT 512 /* bytes of a reason, or of a plugin's first line */

enum check_state { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN, CHECK_STATES };
extern const char *const check_state_names[]; /* NULL-ended */

enum check_protocol { CHECK_ANY_IP, CHECK_IP4, CHECK_IP6 };
enum check_transport { CHECK_UDP, CHECK_TCP };

struct check_kind;
struct shim_regex;

/* What the configuration says of one. */
struct check_spec {
	const char *name, *target, *kind_name;
	const struct check_kind *kind;
	int64_t every_ms, timeout_ms;
	char host[256]; /* of the target, but for http and plugins */
	unsigned port;
	int prefer;    /* CHECK_ANY_IP and so on; of what a name has */
	bool fallback; /* where it has none of these the others do */
	/* tcp, tls */
	struct dialog_script script;
	/* tcp, tls, http */
	const char *server_name, *ca;
	bool verify;
	/* http */
	const char *method, *user_file, *token_file;
	struct fw_text_list headers;
	int64_t redirects;
	uint64_t statuses[10]; /* a bit for each that is well; none: 200 to 299 */
	struct shim_regex *matches, *lacks;
	/* dns */
	const char *query;
	int record, rcode, transport;
	/* plugin */
	struct fw_text_list command; /* a path from /, and arguments */
};

struct check_run {
	const struct check_spec *spec;
	uv_loop_t *loop;
	struct sweep *sweep;
	uint64_t started_ns;
	void *state; /* the kind's, while it is under way */
	void (*on_finished)(struct check_run *run);
	enum check_state result; /* these two once it has finished */
	char text[CHECK_TEXT];
};

struct check_kind {
	const char *name, *help;
	const struct fw_option *options;
	/* Looks at the options; optional. The sentence need not name the check. */
	int (*prepare)(struct check_spec *spec, struct fw_err *err);
	/* Begins it: a failure, or check_finish() later, never from within. */
	int (*start)(struct check_run *run, struct fw_err *err);
	void (*cancel)(struct check_run *run); /* and no check_finish() comes any more */
};

extern const struct check_kind *const check_kinds[]; /* NULL-ended */
extern const struct check_kind check_icmp, check_tcp, check_tls, check_http, check_dns,
	check_plugin;

/* For kinds: the run is over. `format` is why it went badly, or "". It may be gone then. */
void check_finish(struct check_run *run, enum check_state result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Microseconds between two of uv_hrtime(). */
int64_t check_us(uint64_t from_ns, uint64_t to_ns);
