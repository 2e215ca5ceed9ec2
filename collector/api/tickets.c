/* SPDX-License-Identifier: Apache-2.0 */
/* The tickets of now. */
#include <string.h>

#include "estate.h"
#include "parts.h"
#include "tickets.h"

/* ---- one ticket ---- */

static void write_clock(
	struct json *j, const struct ticket *ticket, enum ticket_clock clock, int64_t at_ms)
{
	json_key(j, ticket_clock_names[clock]);
	json_open(j, '{');
	json_put_text(j, "standing", ticket_standing_names[ticket_standing(ticket, clock, at_ms)]);
	json_put_time(j, "due", ticket->due_ms[clock]);
	json_close(j, '}');
}

static void write_ticket(struct json *j, const struct ticket *ticket, int64_t at_ms)
{
	const struct {
		const char *name, *text;
	} texts[] = {{"key", ticket->key}, {"host", ticket->instance}, {"rule", ticket->rule},
		{"severity", ticket->severity}, {"priority", ticket->priority},
		{"tier", ticket->tier}, {"site", ticket->site}, {"supplier", ticket->supplier},
		{"summary", ticket->summary}, {"feed", ticket->feed}, {"number", ticket->receipt},
		{"responder", ticket->responder}, {"target", ticket->target},
		{"paused", ticket->paused}};
	json_open(j, '{');
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		json_put_text(j, texts[i].name, texts[i].text);
	json_put_time(j, "detected", ticket->starts_ms);
	json_put_time(j, "raised", ticket->raised_ms);
	json_put_time(j, "responded", ticket->responded_ms);
	json_put_time(j, "restored", ticket->restored_ms);
	json_put_time(j, "resolved", ticket->resolved_ms);
	json_put_int(j, "paused_s", ticket->paused_ms / 1000);
	for (enum ticket_clock clock = 0; clock < TICKET_CLOCKS; clock++)
		write_clock(j, ticket, clock, at_ms);
	json_close(j, '}');
}

void tickets_write(struct json *j, const struct ticket *tickets, size_t n, int64_t at_ms)
{
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		write_ticket(j, &tickets[i], at_ms);
	json_close(j, ']');
}

/* ---- the ones of now ---- */

static bool is_wanted(const struct request *r, const struct ticket *ticket)
{
	const char *supplier = params_get(&r->params, "supplier");
	const char *site = params_get(&r->params, "site");
	return (!supplier || strcmp(supplier, ticket->supplier) == 0) &&
		(!site || strcmp(site, ticket->site) == 0);
}

size_t tickets_keep(struct request *r, struct ticket *tickets, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (is_wanted(r, &tickets[i]) && estate_sees(r, tickets[i].instance))
			tickets[kept++] = tickets[i];
	return kept;
}

void tickets_now(struct request *r)
{
	struct ticket *tickets;
	size_t n;
	tickets_list(api_config(r->api)->tickets, &r->arena, &tickets, &n);
	n = tickets_keep(r, tickets, n);
	tickets_write(request_begin(r), tickets, n, r->now_ms);
	request_end(r, NULL, 0);
}

void tickets_pause_one(struct request *r)
{
	const char *reason = params_get(&r->params, "reason");
	struct fw_err err;
	int rc = tickets_pause(api_config(r->api)->tickets, r->path_value, reason ? reason : "",
		r->who, r->now_ms, &err);
	admin_tell(r, rc, &err, "paused");
}

void tickets_resume_one(struct request *r)
{
	struct fw_err err;
	int rc =
		tickets_resume(api_config(r->api)->tickets, r->path_value, r->who, r->now_ms, &err);
	admin_tell(r, rc, &err, "resumed");
}
