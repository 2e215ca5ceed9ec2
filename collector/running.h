/* A collector that runs: its parts, and who tells whom what.
 *
 * A part knows only what it is handed at its opening; the files that join parts share this
 * struct:
 *
 *   collector.c  in which order parts open and close
 *   storing.c    the store, and how its writer reaches the main thread
 *   agents.c     enrolment, ingest, inventory: what is heard of agents, and whom it concerns
 *   alerting.c   alerts, and the parts that watch and have them raised
 *   serving.c    the API, what is done through it to hosts, and the collector's own health
 *   reload.c     SIGHUP
 *
 * A part is NULL until it is open and again once its closing has begun, so what one hears of
 * another it looks for first. Main thread, but for what is said of `news`.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>
#include <fenwatch/loop.h>

#include "config.h"

struct collector {
	struct config *config; /* as at the start; `reload` has what came after */
	const char *path;      /* where it was read */
	int lock;

	uv_loop_t loop;
	struct fw_owner owner; /* of the handles below */
	uv_signal_t terminate, interrupt, hangup;
	uv_timer_t watchdog, housekeeping;
	bool stopping;

	struct {
		uv_async_t async;
		_Atomic bool committed, failed; /* set by the store's writer */
		char why[256];                  /* written before `failed` is */
		int64_t committed_ms;           /* the last that was heard of; monotonic */
	} news;
	int64_t allocation_told_ms; /* how far the first writing of the ring is */
	unsigned damage_told;       /* sentences, while the store opens */

	struct {
		struct config *read; /* rules, feeds and the register are this one's, if any */
		struct config *left; /* what it takes the place of, while that is still read */
		bool is_under_way, is_wanted_again;
	} reload;

	struct state *state;
	struct inventory *inventory;
	struct events *events;
	struct records *records;
	struct store *store;
	struct remote *remote;
	struct enrol *enrol;
	struct retired *retired;
	struct alerts *alerts;
	struct ingest *ingest;
	struct presence *presence;
	struct patch *patch;
	struct outlook *outlook;
	struct tickets *tickets;
	struct senders *senders;
	struct snapshots *snapshots;
	struct evaluation *evaluation;
	struct health *health;
	struct api *api;
};

/* storing.c */
int collector_open_store(struct collector *c, struct fw_err *err);
void collector_on_news(uv_async_t *async); /* the store's writer has said something */

/* agents.c */
int collector_open_inventory(struct collector *c, struct fw_err *err);
int collector_open_enrol(struct collector *c, struct fw_err *err);
int collector_open_ingest(struct collector *c, struct fw_err *err);

/* alerting.c */
int collector_open_alerts(struct collector *c, struct fw_err *err);
int collector_open_presence(struct collector *c, struct fw_err *err);
int collector_open_patch(struct collector *c, struct fw_err *err);
int collector_open_outlook(struct collector *c, struct fw_err *err);
int collector_open_tickets(struct collector *c, struct fw_err *err);
int collector_open_rules(struct collector *c, struct fw_err *err);

/* serving.c */
int collector_finish_retiring(struct collector *c, struct fw_err *err);
int collector_open_health(struct collector *c, struct fw_err *err);
int collector_open_api(struct collector *c, struct fw_err *err);

/* reload.c. Rules, feeds, the register and the API's certificate are read anew; a mistake
 * changes nothing. */
void collector_reload(struct collector *c);
void collector_drop_reloaded(struct collector *c);
/* Says what is doubtful in a configuration whose rules it has still. */
void collector_tell_doubts(const struct config *config);
/* The same of feeds that are gone though tickets are open with them. */
void collector_tell_gone(const struct collector *c, const struct config *config);
