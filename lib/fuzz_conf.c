/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "every_option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Refused with a sentence, or every value within what the table allows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {0};
	struct fw_err err = {0};
	struct every_config config = {0};
	int rc = fw_conf_parse("x", (const char *)data, size, every_option, &config, &arena, &err);
	if (rc < 0 && strncmp(err.text, "config 'x': ", 12) != 0)
		abort();
	if (rc == 0 &&
		(config.workers < 0 || config.workers > 64 || config.interval_ms < 1000 ||
			config.spool_bytes > 1 << 30 || config.class < 0 || config.class > 1))
		abort();
	fw_arena_done(&arena);
	return 0;
}
