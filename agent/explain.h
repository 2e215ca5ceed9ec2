/* The agent explains itself, from its tables: one source to a person at the
 * machine, and all of them as docs/privacy.md. */
#pragma once

#include <fenwatch/buf.h>

#include "sampler.h"
#include "source.h"

/* What a source reads, why, how often, what it gives, and whether it is on here.
 * It is read once to say what there is of it on this machine. */
void explain_source(const struct source *source, const struct source_plan *plan, struct machine *m,
	struct fw_buf *out);
/* Everything that may leave a machine, as Markdown. */
void explain_privacy(struct fw_buf *out);
