/* What is said on a connection of TCP, as query_response of a check lists it.
 *
 * Knows no socket: it is fed with what was heard and says what is wanted next. Of the peer
 * it reads lines of at most DIALOG_LINE bytes, and DIALOG_BYTES in all. A step is heard
 * first (a line that matches), then said, and then TLS may begin; bytes that stand behind
 * the line that led to TLS are refused, since they would come from who knows whom.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/buf.h>
#include <fenwatch/conf.h>

#define DIALOG_LINE 4096
#define DIALOG_BYTES (64u << 10)
#define DIALOG_STEPS 64

struct shim_regex;

struct dialog_step {
	struct shim_regex *expect; /* NULL: nothing is waited for */
	const char *send;          /* NULL: nothing; ${1} is what a group of `expect` has matched */
	bool starttls;
};

enum dialog_wants { DIALOG_HEAR, DIALOG_SAY, DIALOG_TLS, DIALOG_DONE, DIALOG_FAILED };

struct dialog {
	const struct dialog_step *steps;
	size_t n_steps, step;
	enum { DIALOG_EXPECTS, DIALOG_SENDS, DIALOG_SHAKES } part;
	char line[DIALOG_LINE + 1]; /* heard, and not yet looked at */
	size_t length, heard;
	bool ended;         /* the peer has hung up */
	struct fw_buf said; /* to be sent, for DIALOG_SAY */
	bool by_regex;      /* it failed since no line matched */
	const char *why;    /* it failed; a constant */
};

void dialog_init(struct dialog *d, const struct dialog_step *steps, size_t n_steps);
void dialog_done(struct dialog *d);
enum dialog_wants dialog_next(struct dialog *d);
/* Room for what is heard, then how much came; 0 bytes: the peer has hung up. */
char *dialog_room(struct dialog *d, size_t *size);
void dialog_heard(struct dialog *d, size_t length);
void dialog_sent(struct dialog *d);   /* all of `said` */
void dialog_shaken(struct dialog *d); /* TLS holds */

/* For the option query_response: a list of {expect:, send:, starttls:}. */
struct dialog_script {
	struct dialog_step *steps;
	size_t n_steps;
};
int dialog_parse(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
void dialog_free(struct dialog_script *script); /* its expressions */
