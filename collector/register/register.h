/* The register: what people know of the estate and no agent can say.
 *
 * Every *.yml of one folder, in the order of their names, is part of it: a key may
 * stand in several files, what it lists adds up, and no name comes twice. It is
 * read and checked as a whole; one mistake, and there is no register but a sentence
 * with file and line. What it holds lies in its own arena and never changes: who
 * reads the folder again has a new one. Main thread. (`register` is a word of C's.)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

struct register_place {
	const char *file; /* without its folder */
	unsigned line;
};

struct register_expiry {
	const char *day; /* "2027-03-31", the last on which it holds; NULL: no end */
	int64_t end_ms;  /* of that day, in UTC */
};

/* One licence a host on which any of the packages is. */
struct register_licence {
	const char *name; /* no other has it */
	struct fw_text_list
		packages; /* names, or NAME* for all that begin so; none covers another */
	int64_t entitled; /* hosts */
	struct register_expiry expires;
	const char *note; /* or NULL */
	struct register_place place;
};

/* Who looks after which host. A host's own row counts before rows that match, and of those
 * the first. It outlives its register where somebody holds it. */
struct register_hosts;
struct register_hosts *register_hosts_hold(struct register_hosts *hosts); /* NULL stays NULL */
void register_hosts_drop(struct register_hosts *hosts);                   /* any thread */
/* Of the host with these labels; NULL: nobody's. Any thread. */
const char *register_supplier(
	const struct register_hosts *hosts, const struct fw_label *labels, size_t n);

struct registry {
	struct fw_arena arena;
	struct register_hosts *hosts; /* NULL: none */
	struct register_licences {
		struct register_licence *items;
		size_t count;
	} licences;
};

/* `folder` NULL: a register that holds nothing. */
int register_load(struct registry *out, const char *folder, struct fw_err *err);
void register_done(struct registry *registry);
