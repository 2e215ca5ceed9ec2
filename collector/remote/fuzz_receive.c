/* SPDX-License-Identifier: Apache-2.0 */
/* A body of remote_write up to the store's door. The first byte says which protocol and
 * packing it is; with bit 4 the rest is the message itself and is packed here, so that
 * what lies behind the packing is reached, too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bodies.h"
#include "remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the store may rely on. */
int store_foreign_open(struct store *store, struct store_foreign *series, size_t n, int64_t now_ms,
	struct fw_err *err)
{
	(void)store;
	(void)now_ms;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < series[i].n_labels; k++)
			if (!series[i].labels[k].name || !series[i].labels[k].value)
				abort();
		series[i].refusal = STORE_TAKEN;
		series[i].n_refused = 0;
		if (i % 3 != 1)
			continue;
		series[i].refusal = STORE_AHEAD;
		series[i].n_refused = series[i].n_samples;
		series[i].n_samples = 0;
	}
	return 0;
}

void store_submit(struct store *store, struct store_entry *entry)
{
	(void)store;
	entry->verdict = STORE_DURABLE;
	entry->on_done(entry);
}

static void on_done(struct remote_write *write)
{
	if (write->status != 204 && write->status != 400 && write->status != 413)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct remote *remote = remote_new(NULL);
	struct fw_buf plain = {0}, body = {0};
	enum body_packing packing = data[0] & 2 ? BODY_ZSTD : BODY_SNAPPY;
	fw_buf_append(&plain, data + 1, size - 1);
	if (data[0] & 4)
		body_pack(packing, &plain, &body);
	else
		fw_buf_append(&body, plain.data, plain.length);
	struct remote_write write = {
		.content_type = data[0] & 1
			? "application/x-protobuf;proto=io.prometheus.write.v2.Request"
			: "application/x-protobuf",
		.encoding = packing == BODY_ZSTD ? "zstd" : "snappy",
		.body = body.data,
		.length = body.length,
		.on_done = on_done,
	};
	remote_receive(remote, &write);
	if (!write.status)
		abort();
	remote_write_done(&write);
	remote_free(remote);
	fw_buf_done(&plain);
	fw_buf_done(&body);
	return 0;
}
