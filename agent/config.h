/* The agent's configuration: agent.yml. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "source.h"

#define CONFIG_PATH "/etc/fenwatch/agent.yml"
#define CONFIG_INTERVAL_MS 15000

enum source_switch { SOURCE_UNSAID, SOURCE_ON, SOURCE_OFF };

struct source_choice {
	enum source_switch said;
	int64_t every_ms; /* 0: unsaid */
};

struct config {
	const char *name; /* never NULL once loaded */
	int class;        /* index into config_classes */
	const char *data;
	struct fw_text_list collectors;
	const char *proxy;   /* "host:port", or NULL */
	int64_t interval_ms; /* 0: unsaid, the collector may choose */
	int64_t batch;
	struct {
		uint64_t max_bytes; /* 0: unsaid */
		uint64_t keep_free_bytes;
	} spool;
	struct source_choice *sources; /* one for each of sources[] */
	const char *facts;             /* socket of the helper for what needs root */
	const char *probe;             /* socket for programs beside the agent; NULL: none of it */
	const char *root;
	struct choices choices; /* what single sources are told */
	struct fw_arena arena;  /* everything above lives here */
};

#define CONFIG_SPOOL_BYTES (32u << 20)

enum { CLASS_SERVER, CLASS_LAPTOP, CLASS_BLUE_LIGHT };
extern const char *const config_classes[]; /* NULL-ended: in this order */
extern const struct fw_option config_table[];

int config_load(struct config *config, const char *path, struct fw_err *err);
int config_parse(struct config *config, const char *name, const char *text, size_t length,
	struct fw_err *err);
void config_done(struct config *config);
/* Index of a source by its name, or -ENOENT with the nearest one in the sentence. */
int config_find_source(const char *name, struct fw_err *err);
