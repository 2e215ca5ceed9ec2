/* SPDX-License-Identifier: Apache-2.0 */
#include "discover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "credentials.h"
#include "session.h"

#define IN_FLIGHT 256 /* sessions at once, each with a socket */

const struct discover_module discover_modules[] = {
	{"interfaces", "1.3.6.1.2.1.2.2.1.1"},
	{"bridge", "1.3.6.1.2.1.17.4.3.1.2"},
	{"arp", "1.3.6.1.2.1.4.22.1.2"},
	{"lldp", "1.0.8802.1.1.2.1.3"},
	{"cdp", "1.3.6.1.4.1.9.9.23.1.2.1.1.6"},
	{"ups", "1.3.6.1.2.1.33.1.1"},
	{"printer", "1.3.6.1.2.1.43.11.1.1"},
	{"sensors", "1.3.6.1.2.1.99.1.1.1.4"},
	{"host-resources", "1.3.6.1.2.1.25.2.3.1.5"},
	{NULL, NULL},
};
static const char *const first_oids[] = {"1.3.6.1.2.1.1.1", "1.3.6.1.2.1.1.5", NULL};

enum heard { NOTHING, REFUSAL, ANSWER };

/* One address that is asked with one of the credentials. */
struct attempt {
	struct search *search;
	struct session *session;
	struct discovered found;
	bool answered; /* what it is; then it is asked what it has */
};

struct search {
	const struct discover_settings *settings;
	struct discovery *out;
	uv_loop_t loop;
	struct fw_owner owner;
	uv_timer_t pace;
	struct oid first[2], modules[sizeof discover_modules / sizeof *discover_modules];
	unsigned n_modules;
	uint64_t next; /* all addresses with the first file, then all with the second */
	uint32_t n;
	uint8_t *heard; /* of each address */
	size_t in_flight, room;
};

/* ---- questions ---- */

static void ask(struct attempt *a, const struct oid *names, unsigned n)
{
	struct asking asking = {.n = n};
	for (unsigned i = 0; i < n; i++)
		asking.names[i] = &names[i];
	session_ask(a->session, &asking);
}

static void keep_text(const struct binding *b, const struct oid *of, char text[WALK_TEXT + 1])
{
	if (b->kind == VALUE_TEXT && oid_is_below(&b->name, of))
		snprintf(text, WALK_TEXT + 1, "%.*s", (int)b->length, (const char *)b->bytes);
}

static void take_first(struct attempt *a, const struct answer *answer)
{
	const struct search *s = a->search;
	a->answered = true;
	if (answer->n < 2)
		return;
	keep_text(&answer->bindings[0], &s->first[0], a->found.descr);
	keep_text(&answer->bindings[1], &s->first[1], a->found.name);
}

static void take_modules(struct attempt *a, const struct answer *answer)
{
	for (size_t i = 0; i < answer->n && discover_modules[i].name; i++)
		if (answer->bindings[i].kind != VALUE_NONE &&
			oid_is_below(&answer->bindings[i].name, &a->search->modules[i]))
			a->found.modules |= 1u << i;
}

/* ---- the end of an attempt ---- */

static void close_if_done(struct search *s)
{
	if (s->in_flight == 0 && s->next == (uint64_t)s->n * s->settings->n_credentials)
		fw_owner_close(&s->owner);
}

static void end_attempt(struct attempt *a)
{
	struct search *s = a->search;
	uint8_t *heard = &s->heard[a->found.at];
	if (!a->answered && *heard == NOTHING && session_was_heard(a->session))
		*heard = REFUSAL;
	if (a->answered && *heard != ANSWER) {
		*heard = ANSWER;
		if (s->out->n == s->room) {
			s->room = s->room ? 2 * s->room : 16;
			s->out->list = fw_realloc(s->out->list, s->room * sizeof *s->out->list);
		}
		s->out->list[s->out->n++] = a->found;
	}
	session_free(a->session);
	fw_free(a);
	s->in_flight--;
	close_if_done(s);
}

/* Version 1 has no answer for several names of which one is not there. */
static void on_answer(const struct answer *answer, const char *why, void *arg)
{
	struct attempt *a = arg;
	bool was_answered = a->answered;
	if (!why && !was_answered)
		take_first(a, answer);
	else if (!why && answer->error == ANSWER_WELL)
		take_modules(a, answer);
	if (why || was_answered)
		end_attempt(a);
	else
		ask(a, a->search->modules, a->search->n_modules);
}

/* ---- one after another ---- */

static const char *known_as(const struct devices *devices, const char *address, unsigned port)
{
	for (size_t i = 0; devices && i < devices->n_devices; i++)
		if (strcmp(devices->devices[i].host, address) == 0 &&
			devices->devices[i].port == port)
			return devices->devices[i].name;
	return NULL;
}

static void begin_attempt(struct search *s, uint32_t at, unsigned credential)
{
	const struct discover_settings *settings = s->settings;
	struct attempt *a = fw_alloc(sizeof *a);
	a->search = s;
	a->found = (struct discovered){.at = at, .credential = credential};
	range_at(&settings->range, at, a->found.address);
	a->found.known = known_as(settings->known, a->found.address, settings->port);
	struct session_config config = {.host = a->found.address,
		.port = settings->port,
		.version = s->out->v3[credential] ? SNMP_V3
			: settings->v1            ? SNMP_V1
						  : SNMP_V2C,
		.credentials = settings->credentials[credential],
		.own = true,
		.timeout_ms = settings->timeout_ms,
		.retries = 1,
		.on_answer = on_answer,
		.arg = a};
	a->session = session_new(&s->loop, &config);
	s->in_flight++;
	ask(a, s->first, 2);
}

static void on_pace(uv_timer_t *timer)
{
	struct search *s = FW_CONTAINER(timer, struct search, pace);
	uint64_t end = (uint64_t)s->n * s->settings->n_credentials;
	while (s->next < end && s->heard[s->next % s->n] == ANSWER)
		s->next++;
	if (s->next < end && s->in_flight < IN_FLIGHT) {
		begin_attempt(s, (uint32_t)(s->next % s->n), (unsigned)(s->next / s->n));
		s->next++;
	}
	close_if_done(s);
}

static void on_closed(struct fw_owner *owner)
{
	(void)owner;
}

static int by_address(const void *a, const void *b)
{
	const struct discovered *x = a, *y = b;
	return (x->at > y->at) - (x->at < y->at);
}

/* What is wrong with a file is said before anybody is asked. */
static int look_at_files(const struct discover_settings *settings, bool *v3, struct fw_err *err)
{
	int rc = 0;
	for (unsigned i = 0; i < settings->n_credentials && rc >= 0; i++)
		rc = credentials_kind(settings->credentials[i], &v3[i], err);
	return rc;
}

static void run(struct search *s)
{
	uv_loop_init(&s->loop);
	fw_owner_init(&s->owner, on_closed);
	uv_timer_init(&s->loop, &s->pace);
	fw_owner_adopt(&s->owner, &s->pace);
	uv_timer_start(&s->pace, on_pace, 0, (1000 + s->settings->rate - 1) / s->settings->rate);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
}

int discover_run(
	const struct discover_settings *settings, struct discovery *out, struct fw_err *err)
{
	struct search s = {.settings = settings, .out = out, .n = range_count(&settings->range)};
	*out = (struct discovery){0};
	int rc = look_at_files(settings, out->v3, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; first_oids[i]; i++)
		oid_parse(first_oids[i], &s.first[i]);
	for (; discover_modules[s.n_modules].oid; s.n_modules++)
		oid_parse(discover_modules[s.n_modules].oid, &s.modules[s.n_modules]);
	s.heard = fw_alloc_array(s.n, 1);
	run(&s);
	for (uint32_t i = 0; i < s.n; i++)
		out->n_refused += s.heard[i] == REFUSAL;
	fw_free(s.heard);
	if (out->n > 0)
		qsort(out->list, out->n, sizeof *out->list, by_address);
	return 0;
}

void discover_done(struct discovery *d)
{
	fw_free(d->list);
	*d = (struct discovery){0};
}
