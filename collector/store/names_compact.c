/* SPDX-License-Identifier: Apache-2.0 */
/* Names that nothing mentions any more leave their file, and schemas memory, too. */
#include <fenwatch/mem.h>

#include "bytes.h"
#include "names.h"

enum { DEAD_LEAST = 64 << 10 }; /* fewer bytes are not worth a new file */

static struct named_schema *known_schema(const struct names *names, uint32_t id)
{
	return id > 0 && id <= names->n_schemas ? names->schemas[id] : NULL;
}

static struct named_host *known_host(const struct names *names, uint32_t id)
{
	return id > 0 && id <= names->n_hosts ? names->hosts[id] : NULL;
}

void names_note(struct names *names, uint32_t schema, uint32_t host)
{
	struct named_schema *named_schema = known_schema(names, schema);
	struct named_host *named_host = known_host(names, host);
	name_file_skip_id(&names->schema_file, schema);
	name_file_skip_id(&names->host_file, host);
	if (named_schema)
		named_schema->mentioned = true;
	if (named_host)
		named_host->mentioned = true;
}

/* The highest id stays in its file, so that it is not given out again. */
static bool keeps_schema(uint32_t id, void *arg)
{
	const struct names *names = arg;
	const struct named_schema *named = known_schema(names, id);
	return named && (named->mentioned || id == names->n_schemas);
}

static bool keeps_host(uint32_t id, void *arg)
{
	const struct names *names = arg;
	const struct named_host *named = known_host(names, id);
	return named &&
		(named->mentioned || id == names->n_hosts || !atomic_load(&named->forgotten));
}

static bool is_mostly_dead(const struct name_file *file, uint64_t kept)
{
	uint64_t all = file->end - FILE_HEADER_BYTES;
	return all > 2 * kept && all - kept >= DEAD_LEAST;
}

static int compact_schemas(struct names *names, const char *dir, struct fw_err *err)
{
	uint64_t kept = 0;
	for (uint32_t id = 1; id <= names->n_schemas; id++)
		kept += keeps_schema(id, names) ? names->schemas[id]->stored : 0;
	if (!is_mostly_dead(&names->schema_file, kept))
		return 0;
	int rc = name_file_rewrite(&names->schema_file, dir, keeps_schema, names, err);
	if (rc <= 0)
		return rc;
	map_done(&names->schema_map);
	for (uint32_t id = 1; id <= names->n_schemas; id++) {
		struct named_schema *named = names->schemas[id];
		if (keeps_schema(id, names)) {
			map_add(&names->schema_map, &named->link, get_u64(named->schema.hash));
		} else {
			names->schemas[id] = NULL;
			fw_free(named);
		}
	}
	return 0;
}

/* What memory has of a forgotten one goes with the process. */
static int compact_hosts(struct names *names, const char *dir, struct fw_err *err)
{
	uint64_t kept = 0;
	for (uint32_t id = 1; id <= names->n_hosts; id++)
		kept += keeps_host(id, names) ? names->hosts[id]->stored : 0;
	if (!is_mostly_dead(&names->host_file, kept))
		return 0;
	return name_file_rewrite(&names->host_file, dir, keeps_host, names, err);
}

int names_compact(struct names *names, const char *dir, struct fw_err *err)
{
	int rc = compact_schemas(names, dir, err);
	return rc < 0 ? rc : compact_hosts(names, dir, err);
}
