/* SPDX-License-Identifier: Apache-2.0 */
/* Both directions: what the agent could send to the helper, and what the helper could
 * answer. The first byte chooses the code that was asked. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_request(const uint8_t *data, size_t size)
{
	struct facts_request request;
	uint8_t again[FACTS_REQUEST_BYTES];
	if (facts_get_request(data, size, &request) < 0)
		return;
	facts_put_request(&request, again);
	if (memcmp(again, data, sizeof again) != 0)
		abort();
}

static void take_body(enum facts_code code, const struct fw_buf *body)
{
	struct facts_disks *disks = fw_alloc(sizeof *disks);
	struct facts_libraries *libraries = fw_alloc(sizeof *libraries);
	struct facts_ruleset ruleset;
	struct facts_serials serials;
	enum facts_power power;
	if (code == FACTS_DISKS)
		facts_get_disks(body, disks);
	if (code == FACTS_POWER)
		facts_get_power(body, &power);
	if (code == FACTS_LIBRARIES)
		facts_get_libraries(body, libraries);
	if (code == FACTS_RULESET)
		facts_get_ruleset(body, &ruleset);
	if (code == FACTS_SERIALS)
		facts_get_serials(body, &serials);
	fw_free(disks);
	fw_free(libraries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum facts_code code =
		(enum facts_code)(FACTS_DISKS + data[0] % (FACTS_CODES - FACTS_DISKS));
	struct fw_buf body = {0};
	take_request(data + 1, size - 1);
	if (facts_get_answer(code, data + 1, size - 1, &body) == 0)
		take_body(code, &body);
	fw_buf_done(&body);
	return 0;
}
