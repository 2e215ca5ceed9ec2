/* Inventory: what every host has, and what it had on any date.
 *
 * A document of a host and kind is a table of items (items.h). The first one is
 * whole, what follows are differences; each item is kept with the time from which
 * and to which it was there, and 400 days beyond that. Hosts that have the same
 * item share its text, so a fleet of one kind costs little more than one host.
 *
 * A difference that does not follow what is here changes nothing: the whole is
 * asked for, and again each time that the agent connects or sends a difference,
 * until it has come. Documents that come twice are known by their number. Main
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>

struct inventory;
struct state;
struct store_record;

struct inventory_config {
	struct state *state;
	/* The whole of a kind is wanted from this agent. */
	void (*on_need)(const uint8_t agent[16], const char *kind, void *arg);
	/* What is known of this kind and host has changed; may be NULL. */
	void (*on_changed)(uint32_t host, const char *kind, void *arg);
	void *arg;
};

int inventory_open(
	struct inventory **out, const struct inventory_config *config, struct fw_err *err);
/* For questions on another thread, through a connection of its own; takes nothing in. */
void inventory_open_reader(struct inventory **out, struct state *reader);
void inventory_close(struct inventory *inventory);

/* ---- what comes in ---- */

/* Files a document; one that cannot be read is refused and the whole asked for.
 * Negative: the database failed, and the document should come again. */
int inventory_take(
	struct inventory *inventory, const struct store_record *record, struct fw_err *err);
/* The agent of a host has connected: asks once more for what is missing. */
void inventory_greet(struct inventory *inventory, const uint8_t agent[16], uint32_t host);
/* Documents of it may be among what will never come: asks for the whole of every kind. */
void inventory_missed(struct inventory *inventory, const uint8_t agent[16], uint32_t host);
int inventory_forget(struct inventory *inventory, uint32_t host, struct fw_err *err);
/* A piece of what has to go by age, and of texts that nobody has any more. */
int inventory_prune(struct inventory *inventory, int64_t now_ms, struct fw_err *err);

/* ---- what was there; `at_ms` 0: now ---- */

#define INVENTORY_KEEP_MS (400LL * 86400000) /* what has gone is known for so long */
#define INVENTORY_FOUND_LIMIT 200000

struct inventory_item {
	uint32_t host; /* the store's id */
	const char *kind, *key;
	const char *fields;     /* a JSON object of texts */
	int64_t from_ms, to_ms; /* to 0: still there */
};
typedef void (*inventory_each)(const struct inventory_item *item, void *arg);

/* The items of a host, by kind and key; `kind` NULL: of every kind. */
int inventory_list(struct inventory *inventory, uint32_t host, const char *kind, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err);
/* Where an item is, by host: its key is `name`, or `name` and more behind a colon; of a
 * `name` that ends in a star, all that begins so. -E2BIG: there are more than
 * INVENTORY_FOUND_LIMIT, and not all were given. */
int inventory_find(struct inventory *inventory, const char *kind, const char *name, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err);
/* All that a key of a host ever was, the newest first. */
int inventory_history(struct inventory *inventory, uint32_t host, const char *kind, const char *key,
	inventory_each each, void *arg, struct fw_err *err);

/* The hosts whose table of a kind was known; today not those whose whole is awaited. */
int inventory_known(struct inventory *inventory, const char *kind, int64_t at_ms,
	void (*each)(uint32_t host, void *arg), void *arg, struct fw_err *err);

/* The items of a kind today, of all these hosts, by host and key: one question for all. */
int inventory_all(struct inventory *inventory, const char *kind, inventory_each each, void *arg,
	struct fw_err *err);

struct inventory_document {
	const char *kind;
	int64_t items; /* now */
	int64_t first_ms,
		changed_ms; /* of the first and of the newest document, by the host's clock */
	bool missing;       /* what came does not follow what is here; the whole is awaited */
};
int inventory_documents(struct inventory *inventory, uint32_t host,
	void (*each)(const struct inventory_document *document, void *arg), void *arg,
	struct fw_err *err);
