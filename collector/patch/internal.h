/* What the files of this folder share of the module itself. */
#pragma once

#include <fenwatch/loop.h>

#include "patch.h"
#include "state.h"
#include "support.h"

/* A host as it was judged last. Its texts are its own, but for the name, which is
 * the store's. */
struct watched {
	bool known;  /* an agent speaks for it */
	bool judged; /* `view` holds */
	bool dirty;  /* to be judged anew */
	bool fresh;  /* its list has changed: what it shows is to be noted as evidence */
	bool told;   /* that series of it can be read */
	int64_t heard_s, noted_s, judged_s;
	int64_t told_ms;
	struct patch_host view;
	char *os, *why, *overdue;
};

struct patch {
	struct patch_config config;
	struct support support;
	struct fw_owner owner;
	uv_timer_t tick;
	struct fw_mailbox written; /* sweeps that have come to rest */
	struct watched *hosts;     /* by the store's id */
	size_t n_hosts;
	struct patch_job *job; /* under way on the pool; NULL: none */
	uint32_t schema;
	int64_t pruned_s;
	bool failing;
	unsigned in_flight; /* sweeps that the store has */
	bool closing, is_stopped;
	void (*on_closed)(void *arg);
	void *arg;
};

/* patch.c: all hosts are to be judged anew. */
void patch_all_changed(struct patch *patch);
/* patch.c: a sweep has come back; closes what waits for the last one. */
void patch_finish(struct patch *patch);

/* series.c */
int series_open(struct patch *patch, struct fw_err *err);
void series_write(struct patch *patch, uint32_t host, int64_t now_ms);
void series_on_written(struct fw_mailbox *box, struct fw_mail *mail);
