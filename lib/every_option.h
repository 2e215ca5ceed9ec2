/* A table with every type of option: for the test and the fuzz target of conf.c. */
#pragma once

#include <fenwatch/conf.h>

struct every_feed {
	const char *name;
	bool live;
};

struct every_config {
	bool swap;
	int64_t workers;
	uint64_t spool_bytes;
	int64_t interval_ms;
	const char *name;
	int class;
	struct fw_text_list collectors;
	struct {
		const char *listen;
		struct {
			const char *cert;
		} tls;
	} api;
	struct every_feed feed;
};

extern const struct fw_option every_option[];
