/* A collector of two hosts for tests of the API: store, enrolment, alerts and
 * ingest behind their own doors, with nothing on disk.
 *
 * web01 has a sweep every 15 s at all times; its counters grow by 100 a second.
 * db01 was last heard an hour ago, and its packages are not known of the past;
 * lap01 was enrolled an hour ago and never heard. A token's text is the name of its role;
 * the supplier's is of Contoso.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "api.h"

/* What the API asked for, as "VERB ARGUMENT"; empty when it asked for no change. */
extern char fakes_asked[256];
/* While it is set, reading the store takes as long. */
extern atomic_bool fakes_hold;
/* db01 has series of its own, too: a label that no other has, and values of 42.42. */
extern bool fakes_both;
extern const char *fakes_silent; /* "": web01 is told to be silent; else this check of it */
/* When db01 was retired; it is not, until a test says so. */
extern int64_t fakes_retired_ms;
/* An alert of web01, and one of db01, are on the work list. */
extern bool fakes_has_work;
extern bool fakes_checked; /* a check tries what has db01's name, and was heard just now */
void fakes_reset(void);
int fakes_forget(const char *name, struct fw_err *err, void *arg);
int fakes_retire(const struct retirement *wanted, struct fw_err *err, void *arg);
int fakes_return(const char *name, const char *who, int64_t now_ms, struct fw_err *err, void *arg);
int fakes_snapshot(const char *name, struct fw_err *err, void *arg);
void fakes_snapshot_look(struct api_snapshot *out, void *arg);
