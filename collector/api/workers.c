/* SPDX-License-Identifier: Apache-2.0 */
#include "workers.h"

#include <assert.h>
#include <sys/queue.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "request.h"

struct workers {
	struct fw_mailbox done;
	struct workers_config config;
	uv_thread_t *threads;
	unsigned n_threads;
	uv_mutex_t lock;
	uv_cond_t news;
	STAILQ_HEAD(waiting, request) waiting;
	size_t n_waiting;
	bool ending;
	void (*on_closed)(void *arg);
	void *arg;
};

/* Waits for the next; NULL: it is over. */
static struct request *take(struct workers *w)
{
	uv_mutex_lock(&w->lock);
	while (STAILQ_EMPTY(&w->waiting) && !w->ending)
		uv_cond_wait(&w->news, &w->lock);
	struct request *r = STAILQ_FIRST(&w->waiting);
	if (r) {
		STAILQ_REMOVE_HEAD(&w->waiting, next);
		w->n_waiting--;
	}
	uv_mutex_unlock(&w->lock);
	return r;
}

static void on_thread(void *arg)
{
	struct workers *w = arg;
	struct request *r;
	while ((r = take(w)))
		if (w->config.work(r))
			workers_answered(w, r);
}

void workers_answered(struct workers *w, struct request *request)
{
	fw_mailbox_post(&w->done, &request->mail);
}

static void on_mail(struct fw_mailbox *box, struct fw_mail *mail)
{
	struct workers *w = FW_CONTAINER(box, struct workers, done);
	w->config.on_worked(FW_CONTAINER(mail, struct request, mail));
}

static void end_threads(struct workers *w)
{
	uv_mutex_lock(&w->lock);
	w->ending = true;
	uv_cond_broadcast(&w->news);
	uv_mutex_unlock(&w->lock);
	while (w->n_threads > 0)
		uv_thread_join(&w->threads[--w->n_threads]);
}

static void on_mailbox_closed(struct fw_mailbox *box)
{
	struct workers *w = FW_CONTAINER(box, struct workers, done);
	void (*on_closed)(void *arg) = w->on_closed;
	void *arg = w->arg;
	uv_cond_destroy(&w->news);
	uv_mutex_destroy(&w->lock);
	fw_free(w->threads);
	fw_free(w);
	if (on_closed)
		on_closed(arg);
}

int workers_open(struct workers **out, const struct workers_config *config, struct fw_err *err)
{
	struct workers *w = fw_alloc(sizeof *w);
	int rc = fw_mailbox_open(&w->done, config->loop, on_mail);
	assert(rc == 0);
	w->config = *config;
	STAILQ_INIT(&w->waiting);
	uv_mutex_init(&w->lock);
	uv_cond_init(&w->news);
	w->threads = fw_alloc_array(config->threads, sizeof *w->threads);
	for (; rc == 0 && w->n_threads < config->threads; w->n_threads += rc == 0)
		rc = uv_thread_create(&w->threads[w->n_threads], on_thread, w);
	if (rc < 0) {
		workers_close(w, NULL, NULL);
		return fw_fail_sys(err, rc, "api: cannot start a thread");
	}
	*out = w;
	return 0;
}

bool workers_put(struct workers *w, struct request *request)
{
	uv_mutex_lock(&w->lock);
	bool room = w->n_waiting < w->config.queue;
	if (room) {
		STAILQ_INSERT_TAIL(&w->waiting, request, next);
		w->n_waiting++;
		uv_cond_signal(&w->news);
	}
	uv_mutex_unlock(&w->lock);
	return room;
}

void workers_close(struct workers *w, void (*on_closed)(void *arg), void *arg)
{
	w->on_closed = on_closed;
	w->arg = arg;
	end_threads(w);
	fw_mailbox_close(&w->done, on_mailbox_closed);
}
