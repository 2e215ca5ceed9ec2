/* A source reads one kind of fact from this machine.
 *
 * It has no timer, thread, rate or policy: the sampler calls `read` on the
 * grid, times it and turns a failure into a series. Counters go out raw.
 * `struct machine` carries the roots of /proc, /sys and so on, so a recorded
 * tree is a whole fixture. A new source is one file in sources/ that defines
 * `source_NAME`, and NAME in sources/meson.build.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/items.h>
#include <fenwatch/schema.h>
#include <fenwatch/text.h>

/* What the configuration says to single sources. */
struct choices {
	bool device; /* a person's own machine: no name of a person goes into a label */
	struct fw_text_list council;      /* networks and search domains, see whereabouts.h */
	struct fw_text_list certificates; /* files and folders */
	const char *textfile, *jobs;      /* folders; NULL: none */
};

/* Where the machine's facts are. Paths handed to the readers are relative to a
 * root: machine_read(m, "proc/stat"), machine_read(m, "sys/class/net/eth0/mtu"). */
struct machine {
	int root;                      /* descriptor of `root:` from the configuration */
	const char *root_path;         /* "/" or a recorded tree */
	bool recorded;                 /* a tree, not this machine: no system calls, no children */
	const struct choices *choices; /* never NULL */
	const char
		*var; /* the agent's own data directory, for caches of slow sources; NULL: none */
	const char *facts; /* socket of the helper for what needs root, facts/facts.h; NULL: none */
	struct documents *documents; /* of a slow source that is being read; NULL: not wanted */
	struct fw_buf text;          /* what machine_read read last */
	int64_t now_ms;              /* wall time of this sweep */
	unsigned long clock_ticks;
};

int machine_open(struct machine *m, const char *root, struct fw_err *err);
void machine_close(struct machine *m);
/* A path of the configuration, as the readers here take it: without its first slash. */
const char *machine_path(const char *path);
/* Reads a whole small file (at most 1 MiB, or cut there) into m->text, ended by
 * NUL, and points `c` at it. Valid until the next read. -ENOENT and the like. */
int machine_read(struct machine *m, const char *path, struct fw_cursor *c);
/* One number, or one line without its newline (valid until the next read). */
int machine_read_i64(struct machine *m, const char *path, int64_t *value);
int machine_read_line(struct machine *m, const char *path, const char **line);
struct machine_file {
	int64_t size, mtime_ms;
	int64_t touched_ms; /* contents, name or rights; 0: a recorded tree does not tell */
};
/* Reads, in a recorded tree. */
int machine_stat(struct machine *m, const char *path, struct machine_file *out);
/* Makes a folder the root until machine_leave(): the way to it is longer than the
 * dozen small files in it. Returns the root before. */
int machine_enter(struct machine *m, const char *path);
void machine_leave(struct machine *m, int root);
/* Calls `each` for every entry of a directory, sorted by name; stops at the first negative. */
int machine_list(struct machine *m, const char *path,
	int (*each)(struct machine *m, const char *name, void *arg), void *arg);

/* One metric that a source gives: docs, --print and the API come from here. */
struct metric {
	const char *name;
	enum fw_metric_type type;
	const char *unit; /* "seconds", "bytes", "" */
	const char *help;
	int8_t scale;    /* decimals of the mantissa */
	uint32_t factor; /* 0 stands for 1 */
};

/* What a source adds its samples to. In the steady state (the same series in
 * the same order as the sweep before) adding costs one comparison. */
struct sweep;

/* `labels` are name, value pairs ended by NULL, in order of name: the text need
 * live only during the call. */
void sweep_add(struct sweep *sweep, const struct metric *metric, int64_t mantissa,
	const char *const *labels);
#define SWEEP_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* A metric that stands in no table, since a file of the machine's names it: a double, kept
 * as long as the sweep. NULL: there are very many already. */
const struct metric *sweep_metric_named(
	struct sweep *sweep, const char *name, enum fw_metric_type type, const char *help);
static inline void sweep_add_plain(
	struct sweep *sweep, const struct metric *metric, int64_t mantissa)
{
	sweep_add(sweep, metric, mantissa, (const char *const[]){NULL});
}

/* ---- inventory ---- */

/* A document is a table: items, each with a key of its own and named fields
 * (items.h). Slow sources give them, beside their samples; documents.h tells what
 * becomes of them. A source gives a table whole, in any order, or not at all
 * while it knows that nothing has changed. */
struct document;

/* Begins the table of a kind, one of the source's `documents`. NULL where nobody
 * wants it: the two calls below then do nothing. */
struct document *document_begin(struct machine *m, const char *kind);
/* An item, and the fields of the item begun last. Of two with one key the first stays. */
void document_item(struct document *d, const char *key);
void document_field(struct document *d, const char *name, const char *value);
/* What the table was made from, as a number of the source's own that changes with it. */
void document_made_from(struct document *d, uint64_t made_from);
/* The table that was made from this is kept, and need not be given again. */
bool document_is_kept(const struct machine *m, const char *kind, uint64_t made_from);
/* Calls `each` for every item of the table of the read before; stops at the first
 * negative. -ENOENT: there is none. */
int document_before(const struct machine *m, const char *kind,
	int (*each)(const struct fw_item *item, void *arg), void *arg);

struct source {
	const char *name, *help;
	/* Why anybody should want it, and from where it comes: for --explain and
	 * docs/privacy.md. `needs`: what must be there beside the kernel; optional. */
	const char *purpose, *reads, *needs;
	bool slow;          /* reads in a disposable child, every `every_s`; see child.h */
	bool servers_only;  /* on a device it is off unless its own configuration says on */
	bool on_request;    /* off everywhere unless its own configuration says on */
	unsigned every_s;   /* slow sources: default period */
	unsigned timeout_s; /* slow sources: the child is killed after so long */
	const char
		*only_with; /* slow sources: without this path there is nothing to read; optional */
	const struct metric *metrics;
	size_t n_metrics;
	const char *const *documents; /* slow sources: kinds of inventory, NULL-ended; optional */
	size_t state_size;            /* zeroed state, made by the sampler */
	int (*open)(void *state, struct machine *m, struct fw_err *err); /* optional */
	void (*close)(void *state);                                      /* optional */
	/* Adds samples. -ENODATA: this machine has none of it, which is no failure. */
	int (*read)(void *state, struct machine *m, struct sweep *out, struct fw_err *err);
};

extern const struct source *const sources[]; /* NULL-ended, in the order of meson.build */
