/* How answers look: each takes the `data` of one, writes it to the screen, and
 * returns the exit status that it deserves. Pure, so that recorded answers are
 * whole tests. A missing or strange member is shown as "-", never trusted. */
#pragma once

#include <jansson.h>

#include "cli.h"

enum status render_hosts(struct screen *s, const json_t *data);
enum status render_host(struct screen *s, const json_t *data);
enum status render_inventory(struct screen *s, const json_t *data);
enum status render_found(struct screen *s, const json_t *data);
enum status render_licences(struct screen *s, const json_t *data);
enum status render_licence(struct screen *s, const json_t *data);
enum status render_host_patches(struct screen *s, const json_t *data);
enum status render_compliance(struct screen *s, const json_t *data);
enum status render_advisories(struct screen *s, const json_t *data);
enum status render_patches(struct screen *s, const json_t *data);
/* The rows of disks that are no filesystems, as a table of their own; nothing without any. */
void write_storage(struct screen *s, const json_t *data);
bool is_filesystem(const json_t *row);
/* Whether it can be written, or since when it cannot by mistake. */
const char *filesystem_state(struct screen *s, const json_t *disk, enum tone *tone);

enum status render_disks(struct screen *s, const json_t *data);
enum status render_host_disks(struct screen *s, const json_t *data);
enum status render_capacity(struct screen *s, const json_t *data);
enum status render_alerts(struct screen *s, const json_t *data);
enum status render_tickets(struct screen *s, const json_t *data);
enum status render_sla(struct screen *s, const json_t *data);
enum status render_volumes(struct screen *s, const json_t *data);
enum status render_depends(struct screen *s, const json_t *data);
enum status render_devices(struct screen *s, const json_t *data);
enum status render_events(struct screen *s, const json_t *data);
enum status render_audit(struct screen *s, const json_t *data);
enum status render_audit_verdict(struct screen *s, const json_t *data);
enum status render_maintenance(struct screen *s, const json_t *data);
enum status render_worklist(struct screen *s, const json_t *data);
enum status render_replay(struct screen *s, const json_t *data);
enum status render_silences(struct screen *s, const json_t *data);
/* Its status is of Nagios' plugins: 0 OK, 1 warning, 2 critical, 3 unknown. */
enum status render_watch(struct screen *s, const json_t *data);
enum status render_result(struct screen *s, const json_t *data);
/* On a terminal a chart, elsewhere as above. */
enum status render_range(struct screen *s, const json_t *data);
enum status render_series(struct screen *s, const json_t *data);
enum status render_tokens(struct screen *s, const json_t *data);
enum status render_new_token(struct screen *s, const json_t *data);
enum status render_imported(struct screen *s, const json_t *data);
enum status render_agents(struct screen *s, const json_t *data);
enum status render_ca(struct screen *s, const json_t *data);
enum status render_store(struct screen *s, const json_t *data);
enum status render_snapshot(struct screen *s, const json_t *data);
enum status render_feeds(struct screen *s, const json_t *data);
enum status render_notices(struct screen *s, const json_t *data);
enum status render_test(struct screen *s, const json_t *data);
