/* Rule files at work: what they ask the store, what they record in it, and the alerts they
 * raise.
 *
 * Groups are evaluated on the schedule's thread, which reads and writes the store itself;
 * what they found of alerts goes to the main thread through rulings. Main thread.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

struct alerts;
struct evaluation;
struct label_set;
struct rule_set;
struct schedule;
struct store;

struct evaluation_config {
	uv_loop_t *loop;
	struct store *store;
	struct alerts *alerts;
	const char *estate;
	int64_t interval_ms;                     /* of groups that do not say */
	int64_t lookback_ms;                     /* of their questions */
	const struct label_set *external_labels; /* for templates; kept until the end */
	const char *external_url;
};

int evaluation_open(
	struct evaluation **out, const struct evaluation_config *config, struct fw_err *err);
/* These rules from the next round on; the set is no longer the caller's. */
void evaluation_load(struct evaluation *evaluation, struct rule_set *rules, int64_t now_ms);
/* For those who show what is at work. */
struct schedule *evaluation_schedule(const struct evaluation *evaluation);
/* What is wrong with it, as a sentence; NULL: nothing. */
const char *evaluation_trouble(const struct evaluation *evaluation, int64_t now_ms);
/* Breaks off what is being asked. */
void evaluation_close(struct evaluation *evaluation, void (*on_closed)(void *arg), void *arg);
