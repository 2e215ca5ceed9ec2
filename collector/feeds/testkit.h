/* For tests of feeds: a loop, a receiver, a notice, and a feed configured by YAML. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

#include "feed.h"
#include "receiver.h"

#define KIT_NOW_MS INT64_C(1795341660000) /* a minute after the notice began */

struct kit {
	uv_loop_t loop;
	struct receiver receiver;
	struct fw_arena arena;
	char dir[64];
	const struct feed *feed;
	struct delivery delivery;
	struct notice notice; /* firing; tests change it */
	unsigned finished;
	bool waits; /* its end ends the turn of the loop */
	enum verdict verdict;
	char why[256];
};

int kit_set_up(void **arg);
int kit_tear_down(void **arg);
/* `yaml` is what stands in collector.yml beside name, type and live; PORT is the receiver's
 * and DIR the test's own folder. */
void kit_configure(struct kit *kit, const char *type, const char *yaml);
/* The sentence with which that is refused. */
const char *kit_refusal(struct kit *kit, const char *type, const char *yaml);
/* A file in the test's own folder; its path. */
const char *kit_file(struct kit *kit, const char *name, const char *text);
enum verdict kit_deliver(struct kit *kit);
void kit_start(struct kit *kit); /* without waiting for the end */
void kit_wait(struct kit *kit);
void kit_resolve(struct kit *kit, const char *receipt); /* from now on it is a close */
/* From now on it is an update: somebody has taken it up. */
void kit_take_up(struct kit *kit, const char *receipt);
/* From now on the register says something of its host. */
void kit_judge(struct kit *kit);
void kit_set_labels(struct kit *kit, const struct notice_pair *items, size_t n);
const struct received *kit_got(const struct kit *kit, size_t i);
