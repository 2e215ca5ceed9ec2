/* What the files share that keep alerts.
 *
 * watch.c looks at hosts, ruled.c at what rule files gave, and raised.c hears of what is raised by
 * name; alerts.c has them look, and changes.c writes down what they found at the end of each look, many
 * in one transaction. A change that could not be written has not happened: the alert
 * is as before, and the next look finds the same again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/loop.h>

#include "alert.h"
#include "book.h"
#include "escalation.h"
#include "gate.h"
#include "outbox.h"
#include "rules.h"
#include "sites.h"

struct alert_report;
struct finding;
struct pauses;
struct polls;
struct ruled;
struct store;
struct watch;

/* What an alert of a rule file has beside. */
struct ruling {
	struct ruled *ruled; /* NULL: it is none */
	struct alert *next;  /* of those with the same hash */
	const struct alert_report *by;
	const struct finding *said; /* in it; NULL: no group claims it now */
	struct pairs words;         /* of the last that did */
	int64_t known_ms; /* monotonic: since when it can be told whether it goes on; 0: it cannot */
};
#define ALERT_DOUBT 256

struct alert {
	struct alert *next, **link, **list; /* in the list of its host, or of those without one */
	struct alert *next_changed;
	const struct rule *rule; /* NULL: of a rule file, or raised under a name that no rule has */
	struct ruling ruling;
	struct episode episode; /* its texts are the alert's own */
	struct life wanted;     /* after `change`, once it is written */
	const char *closed_for; /* why, where it ends although nobody saw it recover; or NULL */
	char *closed_by;        /* who said so, where it was somebody's word alone; or NULL */
	enum change change;
	bool is_source_failing;  /* of a series that is gone: what reads it */
	bool has_news;           /* it was reworded, and nobody was told so */
	int64_t news_ms;         /* monotonic: who is told is told no sooner */
	uint64_t seen;           /* the look at which its series was last there */
	int64_t raised_until_ms; /* monotonic; of those raised by name */
};

struct alerts {
	struct alert_config config;
	struct alert_rule_option rules[RULES];
	struct outbox *outbox;
	int64_t escalated_ms; /* monotonic: the last look at what nobody has taken up */
	struct gate *gate;
	struct acks *acks;
	struct pauses *pauses;
	struct polls *polls;
	struct sites *sites;
	struct watch *watch;
	struct expected *expected;
	struct ruled *ruled;
	struct alert *homeless; /* raised by name, or of hosts not seen since the start */
	struct alert *changed, **last_changed;
	char trouble[256], illness[256];
	struct fw_owner owner;
	uv_timer_t tick, look;
	int64_t looked_ms, forgot_ms; /* monotonic */
	unsigned closing;
	void (*on_closed)(void *arg);
	void *arg;
};

/* ---- alerts.c ---- */

struct moment alerts_now(void);
/* Every alert there is. */
void alerts_each(struct alerts *alerts, void (*each)(struct alert *alert, void *arg), void *arg);

/* ---- changes.c ---- */

struct alert *alert_find(struct alert *list, const char *key);
struct alert *alert_new(struct alert **list, const char *key, const struct rule *rule,
	const char *rule_name, const struct notice_pair *labels, size_t n_labels);
void alert_move(struct alert *alert, struct alert **list);
void alert_free(struct alert *alert);
/* These words, and what the register says of its host now. */
void alert_annotations(
	struct alerts *alerts, struct alert *alert, const struct pairs *words, struct pairs *out);
void alert_annotate(
	struct alerts *alerts, struct alert *alert, const char *description, const char *summary);
/* As its rule words it with this value; one that was raised keeps the words it was raised with. */
void alert_describe(struct alerts *alerts, struct alert *alert, double value);
/* What the engine said of it; written with the next alerts_commit. */
void alert_changed(
	struct alerts *alerts, struct alert *alert, const struct life *life, enum change change);
void alerts_commit(struct alerts *alerts);
/* That something could not be written: once, however often it is tried. */
void alerts_tell_trouble(struct alerts *alerts, const struct fw_err *err);

/* ---- raised.c ---- */

#define RAISED_MS (15 * 60 * 1000) /* what is not raised again for so long is over */

void raised_look(struct alerts *alerts);
/* alert_raise and alert_clear, of which much is written with one alerts_commit. */
void alerts_raise_host(
	struct alerts *alerts, const char *name, const char *instance, const char *text);
void alerts_clear_host(struct alerts *alerts, const char *name, const char *instance);
/* What is raised under this name has another summary from now on, where it is shown, told
 * again or closed; feeds that take updates hear of it, seldom. */
void alerts_reword(struct alerts *alerts, const char *name, const struct notice_pair *apart,
	size_t n_apart, const char *text);

/* ---- byhand.c ---- */

/* Why nobody can tell whether it goes on; "" where it is known. */
void alert_doubt(const struct alerts *alerts, const struct alert *alert, char text[ALERT_DOUBT]);

/* ---- incidents.c ---- */

/* Raises what stands for many alerts that are held, and clears it. */
void incidents_look(struct alerts *alerts, int64_t now_ms);

/* ---- outlets.c ---- */

/* What was commanded of these feeds before; closes nothing, sends nothing. */
int outlets_set_modes(
	const struct alerts *alerts, const struct alert_options *options, struct fw_err *err);

/* ---- watch.c ---- */

int watch_prepare(struct state *state, struct fw_err *err); /* its tables */
struct watch *watch_open(struct alerts *alerts);
void watch_close(struct watch *watch);
void watch_rules_changed(struct watch *watch);
void watch_series_changed(struct watch *watch, uint32_t host);
void watch_look(struct watch *watch);    /* at hosts that have spoken */
void watch_silence(struct watch *watch); /* at those that have not */
/* The class of the alert's host as its agent gives it, "" where it has not. */
const char *watch_class(struct alerts *alerts, const struct alert *alert);
/* The store is asked where nobody has looked at the host yet; not from within a look at it. */
void watch_learn_class(struct alerts *alerts, const struct alert *alert);
/* Whether hosts of that name are known, and none of them was heard lately. */
bool watch_is_silent(struct watch *watch, const char *instance);
/* Whether one of that name was ever heard. */
bool watch_knows(struct watch *watch, const char *instance);
/* When the first host of that name was first heard; 0: long ago, or there is none. */
int64_t watch_first_heard_ms(struct watch *watch, const char *instance);
/* Every host that was ever heard; until the next call. */
size_t watch_hosts(struct watch *watch, int64_t now_ms, const struct site_host **hosts);
/* Its alerts have been closed. */
void watch_forget(struct watch *watch, const char *instance);
/* Every alert of every host. */
void watch_each(struct watch *watch, void (*each)(struct alert *alert, void *arg), void *arg);
