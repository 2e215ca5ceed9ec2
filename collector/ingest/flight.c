/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#define FREE_FLIGHTS 2048      /* kept by a worker */
#define KEPT_BYTES (16u << 10) /* of one kept flight's payload and arena */

static void on_flown(struct store_entry *entry)
{
	struct flight *flight = FW_CONTAINER(entry, struct flight, entry);
	/* The worker stays until its flights are back, so its mailbox is open. */
	(void)fw_mailbox_post(&flight->worker->mailbox, &flight->mail.mail);
}

struct flight *flight_new(struct session *session, enum store_kind kind)
{
	struct worker *worker = session->worker;
	struct flight *flight = worker->free_flights;
	if (flight) {
		worker->free_flights = flight->next_free;
		worker->n_free_flights--;
	} else {
		flight = fw_alloc(sizeof *flight);
		flight->worker = worker;
		flight->mail.kind = MAIL_FLIGHT;
		flight->arena.limit = FW_WIRE_ARENA;
	}
	flight->session = session;
	flight->entry = (struct store_entry){
		.kind = kind,
		.stream = session->stream,
		.session = session->number,
		.host = session->host,
		.sender = session->name,
		.on_done = on_flown,
	};
	for (int i = 0; i < 16; i++)
		flight->entry.agent[i] = session->agent[i];
	return flight;
}

static size_t weight(const struct flight *flight)
{
	return sizeof *flight + flight->payload.length + flight->arena.used;
}

void flight_submit(struct flight *flight)
{
	struct session *session = flight->session;
	flight->order = ++session->orders;
	session->in_flight++;
	session->flight_bytes += weight(flight);
	session->worker->flight_bytes += weight(flight);
	store_submit(session->worker->ingest->config.store, &flight->entry);
}

/* Back from the store, or never sent off. */
void flight_free(struct flight *flight)
{
	struct worker *worker = flight->worker;
	bool small = flight->payload.capacity + flight->arena.used <= KEPT_BYTES;
	if (small && worker->n_free_flights < FREE_FLIGHTS) {
		fw_buf_reset(&flight->payload);
		fw_arena_reset(&flight->arena);
		flight->next_free = worker->free_flights;
		worker->free_flights = flight;
		worker->n_free_flights++;
		return;
	}
	fw_buf_done(&flight->payload);
	fw_arena_done(&flight->arena);
	fw_free(flight);
}

void flight_landed(struct flight *flight)
{
	struct session *session = flight->session;
	session->in_flight--;
	session->flight_bytes -= weight(flight);
	session->worker->flight_bytes -= weight(flight);
}

void flights_done(struct worker *worker)
{
	while (worker->free_flights) {
		struct flight *flight = worker->free_flights;
		worker->free_flights = flight->next_free;
		fw_buf_done(&flight->payload);
		fw_arena_done(&flight->arena);
		fw_free(flight);
	}
}
