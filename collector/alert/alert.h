/* Alerts: rules, their life, and the outbox that tells of them.
 *
 * Built-in rules are metric, comparison, threshold, hold time and recovery
 * threshold. They look at the newest values whenever new ones have come
 * (alert_wake) and once a second, for silence. Alerts go pending, firing,
 * resolved; each change that must be told is written to SQLite in the same
 * transaction as its notice, then delivered by the outbox: in order per alert,
 * with growing pauses, a close always after a delivered open. Late data opens
 * nothing. All of it is the main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

struct state;
struct store;
struct alerts;
struct notice_pair;
struct registry;
struct retired;

struct alert_config {
	uv_loop_t *loop;
	struct store *store;
	struct state *state;
	const char *estate;
	const char *external_url;
	const struct alert_options *options; /* from collector.yml, below; kept until alert_close
						or the next alert_reload is done */
	/* Whether this agent is still to be heard of; what is not may be silent. NULL: all are. */
	bool (*is_expected)(const uint8_t agent[16], void *arg);
	const struct retired *retired; /* or NULL: nobody has retired any */
	/* What a rule's summary may say beside its series, "" for nothing. NULL: never any. */
	const char *(*on_detail)(const char *rule, const char *instance, void *arg);
	/* What keeps the collector from its work, besides alerts, or NULL: nothing. Feeds that are
	 * told that all is well are told no more. NULL: nothing ever does. */
	const char *(*on_checkup)(void *arg);
	void *arg;
};

/* What collector.yml says in `absence:`. */
struct alert_absence {
	int64_t laptop_ms, blue_light_ms;
};
extern const struct fw_option alert_absence_table[];
/* Whether a host of this class that was last heard `silent_ms` ago is away, not down.
 * The class is the agent's own word for its machine. `absence` NULL: as usual. */
bool alert_may_be_away(const struct alert_absence *absence, const char *class, int64_t silent_ms);
/* The hold of the rule on silence, for this class. */
int64_t alert_silence_hold_ms(
	const struct alert_absence *absence, const char *class, int64_t hold_ms);

/* What collector.yml says in `noise:`; 0: no limit. */
struct alert_noise {
	int64_t storm;              /* alerts of one rule within a minute */
	int64_t host, site, estate; /* tickets a day */
};
extern const struct fw_option alert_noise_table[];

/* What collector.yml says of rules, absence and feeds. */
struct alert_options {
	struct alert_feed_option **feeds; /* `feeds:` */
	size_t n_feeds;
	struct alert_rule_option
		*rules; /* `builtin_rules:` NAME: {enabled, threshold, recovery, hold} */
	size_t n_rules;
	struct alert_absence absence;
	struct alert_noise noise;
	const struct registry *registry; /* what is known of hosts; NULL: nothing */
};
/* For FW_OPT_CUSTOM rows of collector.yml; `field` of both is the struct alert_options. */
int alert_parse_feeds(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
int alert_parse_rules(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);

/* What an alert may have of a rule file, or of a rule of events. */
struct alert_given {
	struct fw_text_list alerts; /* names */
	struct fw_text_list words;  /* names of labels and annotations */
};
/* What feeds `match` though no alert can have it, as far as that is known without the series:
 * a sentence each. */
void alert_doubt_feeds(const struct alert_options *options, const struct alert_given *given,
	void (*on_doubt)(const char *sentence, void *arg), void *arg);

/* Feeds that are configured no more though tickets are open with them: a sentence each. */
void alert_doubt_gone(struct state *state, const struct alert_options *options,
	void (*on_doubt)(const char *sentence, void *arg), void *arg);

int alert_open(struct alerts **out, const struct alert_config *config, struct fw_err *err);
void alert_wake(struct alerts *alerts); /* main thread: new values can be read */
/* When the built-in rules last looked at what an agent had sent; 0: not since the start. */
int64_t alert_judged_ms(const struct alerts *alerts);
/* The host, by its number in the store, has series that it did not have before. */
void alert_look_again(struct alerts *alerts, uint32_t host);
/* Other rules and feeds from now on. Alerts, their hold times and waiting notices stay;
 * notices under way end first, half a minute at most. on_reloaded: the options before
 * are not read any more, and alerts may be reloaded again. An error leaves everything as it was. */
int alert_reload(struct alerts *alerts, const struct alert_options *options,
	void (*on_reloaded)(void *arg), void *arg, struct fw_err *err);
void alert_close(struct alerts *alerts, void (*on_closed)(void *arg), void *arg);
/* One identity on two machines ("HostCloned"), and what else is no series: raises and
 * clears by name. What is not raised again for 15 minutes is cleared. */
void alert_raise(struct alerts *alerts, const char *name, const char *instance, const char *text);
void alert_clear(struct alerts *alerts, const char *name, const char *instance);
/* The same of what is no one host's, told apart by one label, or by none (NULL). */
void alerts_raise(
	struct alerts *alerts, const char *name, const struct notice_pair *apart, const char *text);
void alerts_clear(struct alerts *alerts, const char *name, const struct notice_pair *apart);
/* The same of one host's or nobody's (""), told apart by several labels in the order of their
 * names. */
#define ALERT_APART 4
void alert_raise_apart(struct alerts *alerts, const char *name, const char *instance,
	const struct notice_pair *apart, size_t n_apart, const char *text);
void alert_clear_apart(struct alerts *alerts, const char *name, const char *instance,
	const struct notice_pair *apart, size_t n_apart);

/* What a group of a rule file found: made on any thread, then handed over. */
struct alert_report;
struct alert_found {
	const struct fw_label *labels, *annotations;
	size_t n_labels, n_annotations;
	bool is_firing;
	double value;
	int64_t active_ms, fired_ms;
};
/* `settled`: evaluated so often since the start that what it does not have is over. */
struct alert_report *alert_report_new(const char *file, const char *group, bool settled);
/* When its evaluation began, by the clock that never steps, where that was before it was made. */
void alert_report_begun(struct alert_report *report, int64_t begun_ms);
/* It is of no rule file: it stands whatever groups there are, until its own next one. */
void alert_report_keep(struct alert_report *report);
/* A rule of alerts, each before what it has found. `trouble`: why it was not evaluated, "" if
 * it was. */
void alert_report_rule(struct alert_report *report, const char *name, const char *trouble);
void alert_report_add(
	struct alert_report *report, const char *estate, const struct alert_found *found);
void alert_report_free(struct alert_report *report);
/* The next report of its group, which `alerts` keep and free. */
void alert_take_report(struct alerts *alerts, struct alert_report *report);
/* The same of every group of a rule file that there is now: all others are gone. */
void alert_take_reports(struct alerts *alerts, struct alert_report **reports, size_t n);

/* Closes what is open of this host; feeds are told, and why. */
int alert_close_host(
	struct alerts *alerts, const char *instance, const char *why, struct fw_err *err);
/* Closes what is open of this host and tells so, and keeps nothing of what was; notices on
 * their way are kept until they have been delivered and 30 days more. */
int alert_forget(struct alerts *alerts, const char *instance, struct fw_err *err);

enum alert_state { ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };
struct alert_view {
	const char *key, *rule, *instance, *severity; /* severity: of rule files, their label */
	enum alert_state state;
	int64_t since_ms, ended_ms;
	double value;
	bool is_ruled;       /* of a rule file */
	const char *unknown; /* why nobody can tell whether it goes on; "" where it is known */
	const struct notice_pair *labels, *annotations;
	size_t n_labels, n_annotations;
	const char *acked_by, *ack_note; /* NULL: nobody has acknowledged it */
	int64_t acked_ms;
	const char *held, *held_why; /* why feeds have not heard of it; "": nothing holds it */
};
/* Pending and firing ones, worst first. */
int alert_list(struct alerts *alerts, struct fw_arena *arena, struct alert_view **out, size_t *n,
	struct fw_err *err);

/* What somebody, or a desk, has said of an alert. */
enum alert_answer_kind { ANSWER_ACKNOWLEDGED, ANSWER_ACCEPTED, ANSWER_RESOLVED, ANSWER_CLOSED };
struct alert_answer {
	enum alert_answer_kind kind;
	const char *alert; /* its key, at least 8 characters of it, or a desk's number */
	const char *feed;  /* whose number it is; "": any one's */
	bool is_desk;      /* it may speak of what that feed was told of, and of nothing else */
	const char *who, *note;
};
/* ANSWER_CLOSED, and a desk's ANSWER_RESOLVED, end an alert of which nobody can tell whether it
 * goes on. -ENOENT: no such alert fires; -EALREADY: it is acknowledged, or known to fire. */
int alert_take_answer(struct alerts *alerts, const struct alert_answer *answer, struct fw_err *err);

/* What is for the next patch night, or was so when its host first reported, waits on the work
 * list; this hands one to the desk. By its key or the beginning of it; -ENOENT, -EINVAL. */
#define ALERT_WORK_LIST "work" /* why it is held */
int alert_hand(struct alerts *alerts, const char *name, const char *who, struct fw_err *err);

struct alert_silence {
	int64_t id;
	const char *const *matchers; /* "instance=~web.*" */
	size_t n_matchers;
	int64_t starts_ms, ends_ms;
	const char *who, *comment;
};
/* Its id is filled in. -EINVAL: the sentence says what is wrong with it. */
int alert_silence_add(struct alerts *alerts, struct alert_silence *silence, struct fw_err *err);
/* -ENOENT: there is none, or it has ended. */
int alert_silence_end(struct alerts *alerts, int64_t id, const char *who, struct fw_err *err);
/* Those that end after `since_ms`, newest first; in the arena. */
void alert_silences(struct alerts *alerts, int64_t since_ms, struct fw_arena *arena,
	struct alert_silence **out, size_t *n);

struct alert_feed_view {
	const char *name, *type;
	int live; /* 0: rehearsal */
	uint64_t waiting, delivered, refused, tries;
	uint64_t rehearsed; /* alerts that it would have opened, of the notices that are kept */
	int64_t rehearsed_since_ms;
	double cost; /* of these */
	const char *last_error;
	int64_t last_ms;
};
bool alert_has_feed(const struct alerts *alerts, const char *name);
/* As they are configured, then those that are so no more though tickets are open with them: these
 * have no type, and why they are here for their last error. */
int alert_feeds(struct alerts *alerts, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err);

/* What an administrator, `who`, does with a feed. -ENOENT: there is none of that name. */

/* Live: what goes on and was rehearsed is told now; otherwise rehearsal: what has not been
 * tried is not told. `n` says of how many that was true. Kept over restarts, and counts
 * before what the configuration says. */
int alert_feed_set_live(struct alerts *alerts, const char *name, bool live, const char *who,
	uint64_t *n, struct fw_err *err);
/* Sends refused notices again, all or the one with this number; what is over is dropped. */
int alert_feed_retry(struct alerts *alerts, const char *name, int64_t id, const char *who,
	uint64_t *retried, uint64_t *dropped, struct fw_err *err);
/* Opens and closes an alert for this feed alone, and gives its key. */
#define ALERT_KEY 37
int alert_feed_test(struct alerts *alerts, const char *name, const char *who, char key[ALERT_KEY],
	struct fw_err *err);

struct alert_notice_view {
	int64_t id;
	const char *key, *rule, *instance;
	const char *kind; /* "open", "update" or "close" */
	const char *state;
	int64_t starts_ms, told_ms, tries;
	const char *why, *receipt;
};
extern const char *const alert_notice_states[]; /* NULL-ended */
/* The newest ones; `state` is an index of these words, -1: all. */
int alert_feed_notices(struct alerts *alerts, const char *name, int state, size_t most,
	struct fw_arena *arena, struct alert_notice_view **out, size_t *n, struct fw_err *err);

/* ---- feeds that are asked for their notices ---- */

#define ALERT_NOTICES_KEPT_MS (INT64_C(30) * 24 * 3600 * 1000) /* after they were delivered */

struct alert_pulled {
	int64_t id, starts_ms, ends_ms, told_ms; /* ends_ms: 0 while it fires */
	const char *key;
	const struct notice_pair *labels, *annotations;
	size_t n_labels, n_annotations;
};
struct alert_page {
	const char *estate;
	struct alert_pulled *items; /* in order of their numbers */
	size_t n;
	int64_t next; /* ask after this one */
	bool more;    /* there are some already */
};
/* Whether this token is of its reader. -EACCES: it is not, or nobody may ask that feed. */
int alert_feed_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err);
/* The same of the token by which the feed's desk answers. */
int alert_desk_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err);
/* Up to `most` notices after this one, -1: the newest. -ERANGE: no notice has that number. */
int alert_feed_pull(struct alerts *alerts, const char *name, int64_t after, size_t most,
	struct fw_arena *arena, struct alert_page *out, struct fw_err *err);

/* ---- what built-in rules would have done ---- */

#define ALERT_REPLAY_ALERTS 10000

struct alert_past; /* rules and hosts as they are now */
struct alert_replay {
	int64_t from_ms, to_ms;
	const struct registry *registry; /* or NULL: nothing is known of hosts */
	int64_t timeout_ms;              /* 0: none */
	const bool *canceled;            /* NULL: it never is */
};
struct alert_replayed {
	const char *rule, *summary;
	const struct notice_pair *labels;
	size_t n_labels;
	double value; /* as it fired, or began to wait */
	int64_t pending_ms;
	int64_t fired_ms, ended_ms; /* 0: it has not; it goes on */
};
struct alert_replayed_rule {
	const char *name;
	size_t n_fired, n_waited; /* alerts that fired; that ended without having fired */
	int64_t firing_ms;        /* of all its alerts together */
};
struct alert_replay_result {
	size_t n_sweeps; /* that were looked at */
	struct alert_replayed_rule *rules;
	size_t n_rules;
	struct alert_replayed *alerts; /* by when they began */
	size_t n_alerts;
	bool too_many;
	/* Up to when no more was stored than the last value of five minutes, of an hour; 0: all
	 * of it was. */
	int64_t five_minute_until_ms, hour_until_ms;
};
/* Of the rule of this name, though it be switched off, or (NULL) of all that are in force and
 * look at what is stored. Main thread. -ENOENT: there is none; -EINVAL: it looks at nothing. */
int alert_past_open(struct alerts *alerts, const char *rule, struct fw_arena *arena,
	struct alert_past **out, struct fw_err *err);
/* Every stored sweep is judged again, by the engine that judges what arrives; nothing is
 * written. Any thread. -ECANCELED, -ETIME, -E2BIG, or what the store says. */
int alert_past_replay(const struct alert_past *past, const struct alert_replay *replay,
	struct fw_arena *arena, struct alert_replay_result *out, struct fw_err *err);
