/* From rules at work to alerts: what groups found, carried from their thread to the main one. */
#pragma once

#include <stddef.h>

#include <uv.h>

struct alerts;
struct rulings;
struct schedule_group;

struct rulings *rulings_open(uv_loop_t *loop, const char *estate, struct alerts *alerts);
/* The thread's. */
void rulings_evaluated(struct rulings *rulings, const struct schedule_group *group);
void rulings_loaded(struct rulings *rulings, const struct schedule_group *groups, size_t n);
/* Once no rules are at work any more: what waits goes. */
void rulings_close(struct rulings *rulings, void (*on_closed)(void *arg), void *arg);
