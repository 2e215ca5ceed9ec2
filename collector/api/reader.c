/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept in SQLite, read on a worker's thread by a connection of its own. */
#include "parts.h"
#include "state.h"

struct state *reader_open(struct request *r)
{
	struct state *state;
	struct fw_err err;
	if (state_open_reader(&state, api_config(r->api)->dir, &err) == 0)
		return state;
	request_fail(r, 500, "internal", "%s", err.text);
	return NULL;
}

void reader_end(struct request *r, struct state *state, int rc, const struct fw_err *err)
{
	state_close(state);
	if (rc < 0)
		request_fail(r, 500, "internal", "%s", err->text);
	else
		request_end(r, NULL, 0);
}
