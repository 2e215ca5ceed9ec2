/* What the files of the outbox share: a feed with what waits for it, a notice under way, and
 * the transaction of a turn.
 */
#pragma once

#include <fenwatch/loop.h>

#include "book.h"
#include "lanes.h"
#include "outbox.h"

struct outlet {
	const struct alert_feed_option *option;
	struct outbox *outbox;
	struct lanes lanes;
	struct entry *over, **last_over; /* in the transaction under way */
	int64_t last_id;
	unsigned under_way, repeats;
	int64_t repeat_ms; /* monotonic: the next round of repeats */
	bool stale;        /* there may be rows after last_id */
	bool has_pauses;   /* something was put off */
	char error[256];
	int64_t last_ms;
};

/* What a delivery needs while it lasts. */
struct sending {
	struct sending *next;
	struct outlet *outlet;
	struct entry *entry;
	struct delivery delivery;
	struct notice notice;
	struct book_notice row;
	char idempotency[96];
	char *generator_url;
	bool finished;
	enum verdict verdict;
	char why[256];
};

struct sendings {
	struct sending *first, **last;
};

struct outbox {
	struct outbox_config config;
	struct fw_owner owner;
	uv_timer_t tick, turn;
	struct outlet *outlets;
	size_t n_outlets;
	struct sendings finished; /* how they went is not written down yet */
	struct sendings starting; /* once the transaction under way is on the disk */
	bool is_writing;          /* there is one */
	bool one_by_one;          /* one for each notice, as all in one failed */
	int64_t opened_ms;        /* wall */
	char trouble[256];        /* the last thing SQLite said, told once */
	struct outbox *before;    /* ends what it has under way; NULL: nobody does */
	struct outbox *heir;      /* of that one: who has taken over */
	void (*on_closed)(void *arg);
	void *arg;
};

/* Once for as long as it is the same. */
void outbox_tell_trouble(struct outbox *outbox, const char *what, const struct fw_err *err);

/* Whether its receiver wants nothing for now. */
bool outlet_is_alone(const struct outlet *outlet, int64_t now_ms);

/* ---- outbox_load.c ---- */

/* What waits, what is to be told again, and beats. */
void outbox_load(struct outbox *outbox);

/* ---- outbox_turn.c ---- */

void sendings_init(struct sendings *list);
void sendings_add(struct sendings *list, struct sending *sending);
struct sending *sendings_take(struct sendings *list); /* all */
void sending_free(struct sending *sending);

/* Before the first thing that a turn writes; harmless twice. */
int turn_begin(struct outbox *outbox, struct fw_err *err);
/* It is forgotten as soon as that is written; those behind it may go in the same turn. */
void turn_set_over(struct outlet *outlet, struct entry *entry);
/* Of what this turn has changed all is on the disk now, and counts, or nothing. */
int turn_finish(struct outbox *outbox, int rc, struct fw_err *err);
/* Whether the turn goes on after a step. One by one, what fails stops nobody else. */
bool turn_end_step(struct outbox *outbox, int rc, const char *what, struct fw_err *err);

/* What its receiver said is shown, and told where it is news. */
void outlet_note_trouble(struct outlet *outlet, const struct sending *sending, bool goes_on);
