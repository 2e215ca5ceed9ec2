/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

void inventory_init(struct inventory *inv, const struct device_settings *settings)
{
	*inv = (struct inventory){.settings = settings};
}

static void stop(struct inventory *inv)
{
	walk_done(&inv->walk);
	tables_free(inv->tables);
	inv->tables = NULL;
}

void inventory_done(struct inventory *inv)
{
	stop(inv);
	fw_free(inv->stats);
	inv->stats = NULL;
}

/* ---- after another ---- */

/* The settings' own name of a kind; NULL: they have no such kind. */
static const char *kind_of(const struct device_settings *s, const char *kind)
{
	for (unsigned i = 0; i < s->n_modules; i++)
		for (unsigned k = 0; k < s->modules[i]->n_documents; k++)
			if (strcmp(s->modules[i]->documents[k].kind, kind) == 0)
				return s->modules[i]->documents[k].kind;
	return NULL;
}

static bool are_alike(const struct device_settings *a, const struct device_settings *b)
{
	bool alike = a->n_modules == b->n_modules && a->inventory_ms == b->inventory_ms;
	for (unsigned i = 0; alike && i < a->n_modules; i++)
		alike = strcmp(a->modules[i]->name, b->modules[i]->name) == 0;
	return alike;
}

/* Why a module ended is the session's text, which ends: it is read soon to know it again. */
static void follow_stats(struct inventory *inv, const struct inventory *before)
{
	unsigned n = inv->settings->n_modules;
	inv->stats = fw_alloc_array(n, sizeof *inv->stats);
	memcpy(inv->stats, before->stats, n * sizeof *inv->stats);
	for (unsigned i = 0; i < n; i++) {
		if (inv->stats[i].ended)
			inv->due_ms = 0;
		inv->stats[i].ended = NULL;
	}
}

void inventory_follow(struct inventory *inv, const struct inventory *before)
{
	for (size_t i = 0; i < before->n_told; i++) {
		struct told told = before->told[i];
		told.kind = kind_of(inv->settings, told.kind);
		if (told.kind)
			inv->told[inv->n_told++] = told;
	}
	if (!are_alike(inv->settings, before->settings))
		return;
	inv->due_ms = before->due_ms;
	if (before->stats)
		follow_stats(inv, before);
}

/* ---- telling ---- */

static struct told *told_of(struct inventory *inv, const char *kind)
{
	for (size_t i = 0; i < inv->n_told; i++)
		if (strcmp(inv->told[i].kind, kind) == 0)
			return &inv->told[i];
	struct told *told = &inv->told[inv->n_told]; /* a device has no more kinds (devices.c) */
	*told = (struct told){.kind = kind};
	inv->n_told++;
	return told;
}

static void tell(const char *kind, const struct fw_buf *lines, void *arg)
{
	struct inventory *inv = arg;
	struct told *told = told_of(inv, kind);
	uint8_t hash[sizeof told->hash];
	fw_sha256(lines->data, lines->length, hash);
	if (memcmp(hash, told->hash, sizeof hash) != 0 && inv->on_table(kind, lines, inv->arg))
		memcpy(told->hash, hash, sizeof hash);
}

/* ---- reading ---- */

static const struct mib_module *module_of(const struct inventory *inv)
{
	const struct device_settings *settings = inv->settings;
	return inv->module < settings->n_modules ? settings->modules[inv->module] : NULL;
}

/* Opens the walk of the first module with documents, this one or one behind it. */
static bool begin_module(struct inventory *inv, int64_t now_ms)
{
	const struct mib_module *module;
	while ((module = module_of(inv)) && module->n_documents == 0)
		inv->module++;
	if (!module)
		return false;
	inv->began_ms = now_ms;
	inv->stats[inv->module] = (struct reading_stat){0};
	walk_open(&inv->walk, module, inv->settings->version != SNMP_V1);
	return true;
}

static bool begin(struct inventory *inv, int64_t now_ms)
{
	if (now_ms < inv->due_ms)
		return false;
	if (!inv->stats)
		inv->stats = fw_alloc_array(inv->settings->n_modules, sizeof *inv->stats);
	inv->module = 0;
	if (!begin_module(inv, now_ms))
		return false;
	inv->tables = tables_new();
	return true;
}

static void end_module(struct inventory *inv, int64_t now_ms, const char *asked)
{
	struct reading_stat *stat = &inv->stats[inv->module];
	stat->took_ms = now_ms - inv->began_ms;
	stat->ended = walk_ended(&inv->walk);
	tables_add(inv->tables, &inv->walk, asked);
	walk_done(&inv->walk);
	inv->module++;
}

const struct asking *inventory_next(struct inventory *inv, int64_t now_ms, const char *asked)
{
	const struct asking *asking;
	if (!inv->tables && !begin(inv, now_ms))
		return NULL;
	while (!(asking = walk_next(&inv->walk))) {
		end_module(inv, now_ms, asked);
		if (begin_module(inv, now_ms))
			continue;
		inv->due_ms = now_ms + inv->settings->inventory_ms;
		tables_end(inv->tables, tell, inv);
		stop(inv);
		return NULL;
	}
	return asking;
}

void inventory_count(struct inventory *inv, uint64_t sent, uint64_t retried)
{
	inv->stats[inv->module].sent += sent;
	inv->stats[inv->module].retried += retried;
}

void inventory_take(struct inventory *inv, const struct answer *answer)
{
	inv->stats[inv->module].pdus += answer->n;
	walk_take(&inv->walk, answer);
}

void inventory_fail(struct inventory *inv, const char *why, int64_t now_ms)
{
	inv->stats[inv->module].ended = why;
	inv->due_ms = now_ms + inv->settings->inventory_ms;
	stop(inv);
}

void inventory_add_stats(const struct inventory *inv, struct sweep *sweep)
{
	for (unsigned i = 0; inv->stats && i < inv->settings->n_modules; i++)
		if (inv->settings->modules[i]->n_documents > 0)
			reading_add_stat(sweep, inv->settings->modules[i], &inv->stats[i]);
}
