/* What the files of this folder know of one another. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api.h"
#include "query.h"
#include "request.h"

struct device;
struct inventory_document;
struct notice_pair;
struct ticket;

#define API_QUEUE 1000        /* requests that wait for the workers */
#define API_DEADLINE_MS 10000 /* for a whole request to come, or a piece of an answer to go */

struct api_connection {
	LIST_ENTRY(api_connection) link;
	int fd;
	struct api_certificate *certificate; /* that its handshake is shown, or NULL */
	int64_t deadline_ms;                 /* 0: the turn is ours */
};

struct api_stat {
	uint64_t working; /* requests that the workers have, those that wait among them */
	uint64_t answered, refused, canceled, too_long;
};

void api_stat(const struct api *api, struct api_stat *out);
const struct api_config *api_config(const struct api *api);
int64_t api_started_ms(const struct api *api);
bool api_is_ready(const struct api *api);
/* The page that may read the answer though it is another origin's, or NULL. */
const char *api_cors_origin(const struct request *r);
/* Has the request's answer made by the workers; the connection is suspended until then.
 * False when too many wait already. */
bool api_queue(struct api *api, struct request *request);
/* One whose answer was to come later has it now. Any thread. */
void api_answered(struct api *api, struct request *request);
/* A request is refused for the length of its body. */
void api_count_too_long(struct api *api);
/* Room for what an answer on its way is written from; false: there is none. */
bool api_hold(struct api *api, size_t bytes);
void api_release(struct api *api, size_t bytes);
/* The other side has to go on (true): send, or take; or it is our turn (false). */
void api_await(struct api *api, struct MHD_Connection *connection, bool awaiting);

/* 0, or the request is answered with 401 or 403. */
int auth_check(struct request *r);

/* prometheus.c */
struct promql_limits prometheus_limits(const struct request *r);
/* `param`: whose value was wrong, where one was; may be NULL. */
void prometheus_fail(
	struct request *r, enum promql_fault fault, const char *param, const struct fw_err *err);
void prometheus_query(struct request *r);
void prometheus_query_range(struct request *r);
/* parsing.c */
void parsing_format(struct request *r);
void parsing_tree(struct request *r);
/* finding.c */
void finding_series(struct request *r);
void finding_labels(struct request *r);
void finding_label_values(struct request *r);
/* ruling.c */
void ruling_rules(struct request *r);
void ruling_alerts(struct request *r);
void ruling_put_labels(struct json *j, const char *name, const struct label_set *set);
/* status.c */
void status_constant(struct request *r);
void status_exemplars(struct request *r);
void status_admin(struct request *r);
void status_buildinfo(struct request *r);
void status_runtimeinfo(struct request *r);
void status_flags(struct request *r);
void status_config(struct request *r);
/* cardinality.c */
void cardinality_page(struct request *r);
/* metadata.c */
void metadata_list(struct request *r);
/* remote.c */
void remote_prepare_write(struct request *r);
void remote_write(struct request *r);
void remote_read_series(struct request *r);
void remote_import_text(struct request *r);
/* federate.c */
void federate(struct request *r);
/* hosts.c, host.c */
void hosts_list(struct request *r);
void hosts_disks(struct request *r);
void host_page(struct request *r);
/* capacity.c */
void capacity_report(struct request *r);
/* inventory.c */
void inventory_prepare_host(struct request *r);
void inventory_write_document(struct json *j, const struct inventory_document *document);
void inventory_page(struct request *r);
/* licences.c */
void licences_list(struct request *r);
/* patches.c */
void patches_prepare(struct request *r);
void patches_list(struct request *r);
void patches_host(struct request *r);
void patches_prepare_report(struct request *r);
void patches_report(struct request *r);
/* tickets.c */
void tickets_now(struct request *r);
void tickets_pause_one(struct request *r);
void tickets_resume_one(struct request *r);
void tickets_write(struct json *j, const struct ticket *tickets, size_t n, int64_t at_ms);
/* Those that are asked for and that the caller may see, in front; how many. */
size_t tickets_keep(struct request *r, struct ticket *tickets, size_t n);
/* reports.c */
void reports_sla(struct request *r);
void reports_volumes(struct request *r);
/* reader.c */
/* The state for reading on a worker's thread, to be closed; NULL: the request is answered. */
struct state *reader_open(struct request *r);
/* What was read is all, or `rc` and why it is not; the state is closed. */
void reader_end(struct request *r, struct state *state, int rc, const struct fw_err *err);
/* audit.c */
void audit_entries(struct request *r);
void audit_verify(struct request *r);
/* devices.c */
void devices_list(struct request *r);
/* The whole list, in the request's arena. 0, or the request is answered. */
int devices_gather(struct request *r, struct device **out, size_t *n);
/* depends.c */
void depends_list(struct request *r);
/* events.c */
void events_list(struct request *r);
/* advisories.c */
void advisories_import(struct request *r);
void advisories_list(struct request *r);
/* admin.c */
void admin_fail(struct request *r, int rc, const struct fw_err *err);
/* {"DONE": what the path names}, or how it failed. */
void admin_tell(struct request *r, int rc, const struct fw_err *err, const char *done);
void admin_prepare_alerts(struct request *r);
void admin_write_pairs(struct json *j, const char *name, const struct notice_pair *pairs, size_t n);
void admin_write_alert(struct json *j, const struct alert_view *alert);
void admin_alerts(struct request *r);
void admin_host_forget(struct request *r);
void admin_agents(struct request *r);
void admin_agent_revoke(struct request *r);
void admin_ca(struct request *r);
void admin_ca_rollover(struct request *r);
void admin_ca_retire(struct request *r);
void admin_tokens(struct request *r);
void admin_token_new(struct request *r);
void admin_token_revoke(struct request *r);
void admin_feeds(struct request *r);
/* telling.c */
void telling_write_held(struct json *j, const struct alert_view *alert);
void telling_write_ack(struct json *j, const struct alert_view *alert);
void telling_ack(struct request *r);
void telling_answer(struct request *r);
void telling_resolve(struct request *r);
void telling_maintenance(struct request *r);
void telling_silences(struct request *r);
void telling_silence_new(struct request *r);
void telling_silence_end(struct request *r);
/* replaying.c */
void replaying_prepare(struct request *r);
void replaying_run(struct request *r);
/* From when to when: the parameters. */
int replaying_read_times(struct request *r, int64_t *from_ms, int64_t *to_ms, struct fw_err *err);
void replaying_fail(struct request *r, int rc, const struct fw_err *err);
#define REPLAY_TIMEOUT_MS 50000 /* who asks waits for a minute */
/* What the answer says of a replay, of a rule and of an alert, whoever has judged: the rules come
 * after the first of these, the alerts after the second. */
struct json *replaying_begin(
	struct request *r, int64_t from_ms, int64_t to_ms, uint64_t evaluations);
void replaying_begin_alerts(struct json *j);
void replaying_end(struct request *r, const char *const *warnings, size_t n_warnings);
struct replayed_rule {
	const char *group, *name, *type;
	size_t n_fired, n_waited, n_failures;
	int64_t firing_ms;
	const char *trouble; /* NULL: none */
};
void replaying_put_rule(struct json *j, const struct replayed_rule *rule);
void replaying_put_course(
	struct json *j, double value, int64_t pending_ms, int64_t fired_ms, int64_t ended_ms);
/* builtin.c */
void builtin_replay(struct request *r);
/* retiring.c */
void retiring_list(struct request *r);
void retiring_retire(struct request *r);
void retiring_return(struct request *r);
/* worklist.c */
void worklist_list(struct request *r);
void worklist_hand(struct request *r);
/* feeding.c */
void feeding_go(struct request *r);
void feeding_rehearse(struct request *r);
void feeding_test(struct request *r);
void feeding_retry(struct request *r);
void feeding_notices(struct request *r);
/* pulling.c */
void pulling_page(struct request *r);
/* store.c */
void store_page(struct request *r);
void store_snapshots(struct request *r);
void store_snapshot_new(struct request *r);
/* metrics.c */
void metrics_page(struct request *r);
/* routes.c */
void routes_healthy(struct request *r);
void routes_ready(struct request *r);
const struct route *routes_find(const char *method, const char *path, const char **path_value,
	struct fw_arena *arena, bool *path_known);
