/* SPDX-License-Identifier: Apache-2.0 */
/* What smartctl printed, which holds whatever a disk said of itself. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "smart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_attribute(const struct smart_attribute *attribute, void *arg)
{
	size_t *length = arg;
	*length += strlen(attribute->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_buf text = {0};
	struct smart_report *report;
	size_t length = 0;
	fw_buf_append(&text, data, size);
	if (smart_parse(&text, &report, NULL) == 0) {
		smart_attributes(report, on_attribute, &length);
		length += strlen(report->model) + strlen(report->lun_id);
		smart_free(report);
	}
	fw_buf_done(&text);
	return 0;
}
