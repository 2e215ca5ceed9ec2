/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/loop.h>

#include <assert.h>

void fw_owner_init(struct fw_owner *owner, void (*done)(struct fw_owner *))
{
	*owner = (struct fw_owner){.done = done};
}

void fw_owner_adopt(struct fw_owner *owner, void *handle)
{
	assert(owner->n_handles < FW_OWNER_HANDLES && !owner->closing);
	uv_handle_t *adopted = handle;
	adopted->data = owner;
	owner->handles[owner->n_handles++] = adopted;
	owner->pending++;
}

void fw_owner_hold(struct fw_owner *owner)
{
	owner->pending++;
}

void fw_owner_drop(struct fw_owner *owner)
{
	assert(owner->pending > 0);
	owner->pending--;
	if (owner->closing && owner->pending == 0)
		owner->done(owner);
}

static void on_handle_closed(uv_handle_t *handle)
{
	fw_owner_drop(handle->data);
}

void fw_owner_close(struct fw_owner *owner)
{
	if (owner->closing)
		return;
	assert(owner->n_handles > 0);
	owner->closing = true;
	for (unsigned i = 0; i < owner->n_handles; i++)
		uv_close(owner->handles[i], on_handle_closed);
}

static void mailbox_deliver(struct fw_mailbox *box)
{
	uv_mutex_lock(&box->lock);
	struct fw_mail *mail = box->first;
	box->first = NULL;
	box->last = &box->first;
	uv_mutex_unlock(&box->lock);
	while (mail) {
		struct fw_mail *next = mail->next;
		mail->next = NULL;
		box->on_mail(box, mail);
		mail = next;
	}
}

static void on_woken(uv_async_t *wake)
{
	mailbox_deliver(FW_CONTAINER(wake, struct fw_mailbox, wake));
}

static void on_mailbox_done(struct fw_owner *owner)
{
	struct fw_mailbox *box = FW_CONTAINER(owner, struct fw_mailbox, owner);
	uv_mutex_destroy(&box->lock);
	if (box->on_closed)
		box->on_closed(box);
}

int fw_mailbox_open(struct fw_mailbox *box, uv_loop_t *loop,
	void (*on_mail)(struct fw_mailbox *, struct fw_mail *))
{
	*box = (struct fw_mailbox){.on_mail = on_mail};
	box->last = &box->first;
	int rc = uv_mutex_init(&box->lock);
	if (rc < 0)
		return rc;
	rc = uv_async_init(loop, &box->wake, on_woken);
	if (rc < 0) {
		uv_mutex_destroy(&box->lock);
		return rc;
	}
	fw_owner_init(&box->owner, on_mailbox_done);
	fw_owner_adopt(&box->owner, &box->wake);
	return 0;
}

bool fw_mailbox_post(struct fw_mailbox *box, struct fw_mail *mail)
{
	mail->next = NULL;
	uv_mutex_lock(&box->lock);
	bool open = !box->closed;
	bool was_empty = !box->first;
	if (open) {
		*box->last = mail;
		box->last = &mail->next;
		/* Under the lock, so that the handle cannot be closed in between. */
		if (was_empty)
			uv_async_send(&box->wake);
	}
	uv_mutex_unlock(&box->lock);
	return open;
}

void fw_mailbox_close(struct fw_mailbox *box, void (*on_closed)(struct fw_mailbox *))
{
	uv_mutex_lock(&box->lock);
	box->closed = true;
	uv_mutex_unlock(&box->lock);
	box->on_closed = on_closed;
	mailbox_deliver(box);
	fw_owner_close(&box->owner);
}
