/* Looking for devices in a range of addresses, because somebody said so.
 *
 * Every address is asked one small question with each of the credentials until one is
 * answered, so many a second and no more; who answers is asked once what tables it has, by
 * which modules are suggested. Nothing is kept.
 */
#pragma once

#include <uv.h>

#include <fenwatch/buf.h>

#include "devices.h"
#include "range.h"

#define DISCOVER_CREDENTIALS 8
#define DISCOVER_ADDRESSES 65536
#define DISCOVER_RATE 50 /* questions a second, where nobody says how many */
#define DISCOVER_RATE_MOST 1000
#define DISCOVER_TIMEOUT_MS 1000 /* of one packet, which is sent twice */

struct discover_settings {
	struct range range;
	const char *credentials[DISCOVER_CREDENTIALS]; /* files */
	unsigned n_credentials, rate, port;
	int64_t timeout_ms;
	bool v1;                     /* a community is told by version 1, not 2c */
	const struct devices *known; /* NULL: there is no configuration */
};

enum discover_form { DISCOVER_TABLE, DISCOVER_JSON, DISCOVER_YAML };

struct discovered {
	uint32_t at; /* in the range */
	unsigned credential;
	char address[INET6_ADDRSTRLEN];
	char name[WALK_TEXT + 1], descr[WALK_TEXT + 1];
	const char *known; /* as a device is called that has the address already; or NULL */
	unsigned modules;  /* a bit each */
};

struct discovery {
	struct discovered *list; /* by address */
	size_t n;
	uint32_t n_refused; /* addresses that were heard, and gave no answer to any of the files */
	bool v3[DISCOVER_CREDENTIALS]; /* of each file, whether it has a user */
};

int discover_run(
	const struct discover_settings *settings, struct discovery *out, struct fw_err *err);
void discover_done(struct discovery *d);
void discover_print(const struct discovery *d, const struct discover_settings *settings,
	enum discover_form form, struct fw_buf *out);

/* What a module reads is there where something is below its OID. */
struct discover_module {
	const char *name, *oid;
};
extern const struct discover_module discover_modules[];
