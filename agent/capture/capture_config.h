/* The configuration of fenwatch-capture: capture.yml. And what of others' files it heeds:
 * the agent's class of machine, and who allows names to be kept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#define CAPTURE_CONFIG "/etc/fenwatch/capture.yml"
#define CAPTURE_INTERFACES 8

struct capture_config {
	struct fw_text_list interfaces;
	int64_t interval_ms, tables_ms, keep_ms;
	int64_t budget; /* percent of one core */
	uint64_t buffer;
	bool promiscuous;
	const char *data;
	const char *user;   /* whom root becomes */
	const char *agent;  /* agent.yml */
	const char *socket; /* the agent's for programs beside it */
	const char *names;  /* the file that allows names */
	struct fw_arena arena;
};

extern const struct fw_option capture_config_table[];

int capture_config_load(struct capture_config *c, const char *path, struct fw_err *err);
void capture_config_done(struct capture_config *c);
/* -EPERM where the agent's file says that this is somebody's laptop, or cannot be read:
 * what is not known to be a server is not listened to. */
int capture_may_listen(const char *agent_path, struct fw_err *err);

/* Who allows names of DNS and TLS to be kept, and until when. */
struct capture_authority {
	char name[128];
	int64_t until_ms; /* the end of its last day, UTC; 0: nobody does */
};

/* No file: nobody. One that others than root may write, or that lacks its authority or its
 * end, is refused with a sentence. */
int capture_authority_load(struct capture_authority *a, const char *path, struct fw_err *err);
int capture_authority_parse(
	struct capture_authority *a, const char *text, size_t length, struct fw_err *err);
bool capture_authority_holds(const struct capture_authority *a, int64_t now_ms);
