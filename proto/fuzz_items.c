/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a document from a host that lies: the first bit says whether it is
 * whole. What is read is written again and must read the same. */
#include <stdlib.h>
#include <string.h>

#include <fenwatch/items.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_again(struct fw_buf *text, bool whole, struct fw_item_writer *w)
{
	struct fw_items items;
	struct fw_item item;
	int rc;
	fw_items_open(&items, text->data, text->length, whole);
	while ((rc = fw_items_next(&items, &item, NULL)) > 0) {
		fw_item_begin(w, item.gone ? '-' : '+', item.key);
		for (uint32_t i = 0; i < item.n_fields; i++)
			fw_item_field(w, item.fields[i].name, item.fields[i].value);
		fw_item_end(w);
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_buf text = {0};
	struct fw_item_writer once = {.line = 0}, twice = {.line = 0};
	if (size == 0)
		return 0;
	fw_buf_append(&text, data + 1, size - 1);
	int rc = read_again(&text, data[0] & 1, &once);
	if (rc == 0 && size > 1) {
		struct fw_buf copy = {0};
		fw_buf_append(&copy, once.text.data, once.text.length);
		if (once.text.length <= size - 1 &&
			(read_again(&copy, data[0] & 1, &twice) < 0 ||
				twice.text.length != once.text.length ||
				memcmp(twice.text.data, once.text.data, once.text.length) != 0))
			abort();
		fw_buf_done(&copy);
	}
	fw_buf_done(&text);
	fw_buf_done(&once.text);
	fw_buf_done(&twice.text);
	return 0;
}
