/* SPDX-License-Identifier: Apache-2.0 */
#include "test_now.h"

#include <pthread.h>

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool done;
};

static void on_done(struct remote_write *write)
{
	struct waiting *waiting = write->arg;
	pthread_mutex_lock(&waiting->lock);
	waiting->done = true;
	pthread_cond_signal(&waiting->told);
	pthread_mutex_unlock(&waiting->lock);
}

void receive_now(struct remote *remote, struct remote_write *write)
{
	struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
	write->on_done = on_done;
	write->arg = &waiting;
	remote_receive(remote, write);
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.done)
		pthread_cond_wait(&waiting.told, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
}
