/* What makes libuv's close callbacks boring: owners and mailboxes.
 *
 * A handle's memory is libuv's until its close callback. An object embeds one
 * fw_owner, adopts every handle right after uv_*_init, and closes them in one
 * call; `done` runs once, later, when the last handle is closed and the last
 * piece of work that was held for has been dropped, never inside the call that
 * closed. So a callback may close its own object and return through a stack
 * that still uses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#define FW_OWNER_HANDLES 6

/* The struct of `type` that `pointer` is the `member` of. */
#define FW_CONTAINER(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct fw_owner {
	uv_handle_t *handles[FW_OWNER_HANDLES];
	unsigned n_handles;
	unsigned pending; /* handles not yet closed + work in flight */
	bool closing;
	void (*done)(struct fw_owner *owner);
};

void fw_owner_init(struct fw_owner *owner, void (*done)(struct fw_owner *));
/* Sets handle->data to the owner's address. */
void fw_owner_adopt(struct fw_owner *owner, void *handle);
void fw_owner_hold(struct fw_owner *owner);  /* around getaddrinfo, queue_work: */
void fw_owner_drop(struct fw_owner *owner);  /* work that has no handle */
void fw_owner_close(struct fw_owner *owner); /* closes all; harmless twice */

/* Messages from any thread to the thread of one loop, in order a sender.
 * A message embeds fw_mail and belongs to the receiver once posted. */
struct fw_mail {
	struct fw_mail *next;
};

struct fw_mailbox {
	uv_async_t wake;
	uv_mutex_t lock;
	struct fw_mail *first, **last;
	bool closed;
	void (*on_mail)(struct fw_mailbox *box, struct fw_mail *mail); /* on the loop's thread */
	struct fw_owner owner;
	void (*on_closed)(struct fw_mailbox *box);
};

int fw_mailbox_open(struct fw_mailbox *box, uv_loop_t *loop,
	void (*on_mail)(struct fw_mailbox *, struct fw_mail *));
/* False when the box is closed: the mail stays the caller's. */
bool fw_mailbox_post(struct fw_mailbox *box, struct fw_mail *mail);
/* From the loop's thread; what still lies in it is delivered first. */
void fw_mailbox_close(struct fw_mailbox *box, void (*on_closed)(struct fw_mailbox *));
