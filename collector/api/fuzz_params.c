/* SPDX-License-Identifier: Apache-2.0 */
/* A value as it may stand in any parameter: read as a time, a duration, a count
 * and a path, and written into an answer; and as a body of JSON. What is read
 * must be within its limits and what is written must be JSON. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_reading(const struct params *params)
{
	struct fw_err err;
	int64_t ms = 0;
	uint64_t count = 0;
	if (params_time(params, "p", 1, &ms, &err) == 0)
		assert(ms <= PARAMS_TIME_LIMIT_MS && ms >= -PARAMS_TIME_LIMIT_MS);
	if (params_duration(params, "p", 1, &ms, &err) == 0)
		assert(ms <= INT64_MAX / 1000000 && ms >= -(INT64_MAX / 1000000));
	params_count(params, "p", &count, &err);
	params_time_of(params, "p", &ms, &err);
	const char **values;
	assert(params_all(params, "p", &values) == 1);
}

static void try_writing(const char *text)
{
	struct fw_buf out = {0};
	struct json j = {.out = &out};
	json_open(&j, '{');
	json_put_text(&j, text, text);
	json_close(&j, '}');
	json_t *read = json_loadb((const char *)out.data, out.length, 0, NULL);
	assert(read);
	json_decref(read);
	fw_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {0};
	struct params params = {.arena = &arena};
	struct fw_err err;
	if (params_add(&params, "p", (const char *)data, size, &err) == 0) {
		const char *text = params_get(&params, "p"), *value;
		bool known;
		assert(strlen(text) == size);
		try_reading(&params);
		try_writing(text);
		routes_find("GET", text, &value, &arena, &known);
	}
	struct params members = {.arena = &arena};
	if (params_add_json(&members, (const char *)data, size, &err) < 0)
		assert(err.text[0]);
	for (size_t i = 0; i < members.count; i++)
		try_writing(members.items[i].value);
	fw_arena_done(&arena);
	return 0;
}
